/**
 * System calls that change who a thread is. 32-bit programs have them twice: with ids of 16 bits, and of 32.
 * Spec: credentials(7), setuid(2), setreuid(2), setresuid(2), setfsuid(2), setgroups(2), getgroups(2).
 */
import { E } from "../errno.js";
import { readUser, writeUser, writeWord } from "../mm/user-memory.js";
import type { Credentials } from "../state.js";
import { idInside, idOutside, may, requireCapability, type UserNamespace } from "../tasks/capabilities.js";
import { changeCredentials, fixedCapabilities, fixedForFiles } from "../tasks/credentials.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";
import type { SystemCallName } from "./numbers.js";

/** The value of an id that says "leave it". */
const SAME = 0xffff_ffff;
const MOST_GROUPS = 65_536;

type Which = "uid" | "gid";
const mapOf = { uid: "uidMap", gid: "gidMap" } as const;
const capabilityFor = { uid: "CAP_SETUID", gid: "CAP_SETGID" } as const;

/** An id that a program gave, as one of the initial namespace. Throws EINVAL where it is none. */
const outside = (k: Work, which: Which, id: number): number =>
  id === SAME ? id : idOutside(k, k.task.namespaces.user, mapOf[which], id);
const inside = (k: Work, which: Which, id: number): number => idInside(k, k.task.namespaces.user, mapOf[which], id);

/** Real, effective and saved id, and that for files. */
interface Ids {
  readonly real: number;
  readonly effective: number;
  readonly saved: number;
  readonly files: number;
}

const idsOf = (c: Credentials, which: Which): Ids =>
  which === "uid"
    ? { real: c.uid, effective: c.euid, saved: c.suid, files: c.fsuid }
    : { real: c.gid, effective: c.egid, saved: c.sgid, files: c.fsgid };

function setIds(k: Work, which: Which, ids: Ids): number {
  const old = k.task.credentials;
  const { real, effective, saved, files } = ids;
  if (which === "gid") changeCredentials(k, { ...old, gid: real, egid: effective, sgid: saved, fsgid: files });
  else {
    const changed = { ...old, uid: real, euid: effective, suid: saved, fsuid: files };
    changeCredentials(k, { ...changed, ...fixedCapabilities(k, old, changed) });
  }
  return 0;
}

const privileged = (k: Work, which: Which): boolean => may(k, capabilityFor[which]);

function setId(k: Work, which: Which, asked: number): number {
  if (asked === SAME) throw E.EINVAL;
  const id = outside(k, which, asked);
  const ids = idsOf(k.task.credentials, which);
  if (privileged(k, which)) return setIds(k, which, { real: id, effective: id, saved: id, files: id });
  if (id !== ids.real && id !== ids.saved) throw E.EPERM;
  return setIds(k, which, { ...ids, effective: id, files: id });
}

function setRealAndEffective(k: Work, which: Which, askedReal: number, askedEffective: number): number {
  const [wantedReal, wantedEffective] = [outside(k, which, askedReal), outside(k, which, askedEffective)];
  const ids = idsOf(k.task.credentials, which);
  const real = wantedReal === SAME ? ids.real : wantedReal;
  const effective = wantedEffective === SAME ? ids.effective : wantedEffective;
  if (!privileged(k, which)) {
    if (wantedReal !== SAME && real !== ids.real && real !== ids.effective) throw E.EPERM;
    if (wantedEffective !== SAME && ![ids.real, ids.effective, ids.saved].includes(effective)) throw E.EPERM;
  }
  const saves = wantedReal !== SAME || (wantedEffective !== SAME && effective !== ids.real);
  return setIds(k, which, { real, effective, saved: saves ? effective : ids.saved, files: effective });
}

function setAll(k: Work, which: Which, ...asked: readonly number[]): number {
  const wanted = asked.map((id) => outside(k, which, id));
  const ids = idsOf(k.task.credentials, which);
  const known = [ids.real, ids.effective, ids.saved];
  if (!privileged(k, which) && wanted.some((id) => id !== SAME && !known.includes(id))) throw E.EPERM;
  const [real, effective, saved] = wanted.map((id, index) => (id === SAME ? known[index]! : id)) as [
    number,
    number,
    number,
  ];
  return setIds(k, which, { real, effective, saved, files: effective });
}

function tellAll(k: Work, which: Which, places: readonly number[], bytes: 2 | 4): number {
  const { real, effective, saved } = idsOf(k.task.credentials, which);
  [real, effective, saved].forEach((id, index) => {
    writeId(k, places[index]!, inside(k, which, id), bytes);
  });
  return 0;
}

/** Ids that do not fit into 16 bits are all the same one. */
const narrowed = (id: number, bytes: 2 | 4): number => (bytes === 2 && id > 0xffff ? 65_534 : id);

function writeId(k: Work, at: number, id: number, bytes: 2 | 4): void {
  const told = narrowed(id, bytes);
  if (bytes === 4) writeWord(k, at, told);
  else writeUser(k, at, Uint8Array.of(told & 0xff, told >> 8));
}

/** Gives the id before, whether or not it was changed. */
function setForFiles(k: Work, which: Which, asked: number): number {
  const old = k.task.credentials;
  const ids = idsOf(old, which);
  const told = inside(k, which, ids.files);
  let id: number;
  try {
    id = asked === SAME ? SAME : outside(k, which, asked);
  } catch {
    return told;
  }
  const known = Object.values(ids).includes(id);
  if (id === SAME || (!known && !privileged(k, which))) return told;
  if (which === "gid") changeCredentials(k, { ...old, fsgid: id });
  else {
    const changed = { ...old, fsuid: id };
    changeCredentials(k, { ...changed, capabilities: fixedForFiles(k, old, changed) });
  }
  return told;
}

function groupsOf(k: Work, size: number, at: number, bytes: 2 | 4): number {
  const { groups } = k.task.credentials;
  if (size < 0) throw E.EINVAL;
  if (size === 0) return groups.length;
  if (groups.length > size) throw E.EINVAL;
  groups.forEach((group, index) => {
    writeId(k, at + index * bytes, inside(k, "gid", group), bytes);
  });
  return groups.length;
}

function setGroups(k: Work, size: number, at: number, bytes: 2 | 4): number {
  const { setgroups, gidMap } = k.objectOf<UserNamespace>(k.task.namespaces.user);
  if (setgroups === "deny" || gidMap === undefined) throw E.EPERM;
  requireCapability(k, "CAP_SETGID");
  if (size < 0 || size > MOST_GROUPS) throw E.EINVAL;
  const view = new DataView(readUser(k, at, size * bytes).buffer);
  const groups = Array.from({ length: size }, (_, index) =>
    outside(k, "gid", bytes === 4 ? view.getUint32(index * 4, true) : view.getUint16(index * 2, true)),
  );
  changeCredentials(k, { ...k.task.credentials, groups: Object.freeze(groups.sort((a, b) => a - b)) });
  return 0;
}

/** An entry for programs whose ids have 32 bits, and where 32-bit programs have another for 16, that too. */
function both(
  name: SystemCallName,
  wide: SystemCallName,
  description: string,
  run: (k: Work, bytes: 2 | 4, ...values: number[]) => number,
): readonly SystemCall[] {
  const widened = (values: readonly number[], kinds: readonly string[]): readonly number[] =>
    values.map((value, index) => {
      if (kinds[index] !== "uint") return value;
      return (value & 0xffff) === 0xffff ? SAME : value & 0xffff;
    });
  const kinds = description.split(" ").map((part) => part.split(":")[1]!);
  return [
    call(name, description, (k, ...values) =>
      k.call.abi === "x86_64" ? run(k, 4, ...values) : run(k, 2, ...widened(values, kinds)),
    ),
    call(wide, description, (k, ...values) => run(k, 4, ...values)),
  ];
}

const tells = (name: SystemCallName, wide: SystemCallName, which: Which, field: "real" | "effective") =>
  both(name, wide, "", (k, bytes) => narrowed(inside(k, which, idsOf(k.task.credentials, which)[field]), bytes));

export const credentialCalls: readonly SystemCall[] = [
  ...tells("getuid", "getuid32", "uid", "real"),
  ...tells("geteuid", "geteuid32", "uid", "effective"),
  ...tells("getgid", "getgid32", "gid", "real"),
  ...tells("getegid", "getegid32", "gid", "effective"),
  ...both("setuid", "setuid32", "uid:uint", (k, _, id) => setId(k, "uid", id!)),
  ...both("setgid", "setgid32", "gid:uint", (k, _, id) => setId(k, "gid", id!)),
  ...both("setreuid", "setreuid32", "ruid:uint euid:uint", (k, _, real, effective) =>
    setRealAndEffective(k, "uid", real!, effective!),
  ),
  ...both("setregid", "setregid32", "rgid:uint egid:uint", (k, _, real, effective) =>
    setRealAndEffective(k, "gid", real!, effective!),
  ),
  ...both("setresuid", "setresuid32", "ruid:uint euid:uint suid:uint", (k, _, ...ids) => setAll(k, "uid", ...ids)),
  ...both("setresgid", "setresgid32", "rgid:uint egid:uint sgid:uint", (k, _, ...ids) => setAll(k, "gid", ...ids)),
  ...both("getresuid", "getresuid32", "ruid:pointer euid:pointer suid:pointer", (k, bytes, ...places) =>
    tellAll(k, "uid", places, bytes),
  ),
  ...both("getresgid", "getresgid32", "rgid:pointer egid:pointer sgid:pointer", (k, bytes, ...places) =>
    tellAll(k, "gid", places, bytes),
  ),
  ...both("setfsuid", "setfsuid32", "fsuid:uint", (k, _, id) => setForFiles(k, "uid", id!)),
  ...both("setfsgid", "setfsgid32", "fsgid:uint", (k, _, id) => setForFiles(k, "gid", id!)),
  ...both("getgroups", "getgroups32", "size:int list:pointer", (k, bytes, size, at) => groupsOf(k, size!, at!, bytes)),
  ...both("setgroups", "setgroups32", "size:int list:pointer", (k, bytes, size, at) => setGroups(k, size!, at!, bytes)),
];
