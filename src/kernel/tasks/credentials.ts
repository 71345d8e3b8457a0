/** Who a thread is, and what executing a file makes of that. Spec: credentials(7); capabilities(7), "Transformation of capabilities during execve()". */
import { E } from "../errno.js";
import { typeOf } from "../fs/file-systems.js";
import { attributesAt, fileSystemOf, mountOf } from "../fs/path.js";
import { MS } from "../fs/permissions.js";
import type { Capabilities, Credentials, Location } from "../state.js";
import type { Work } from "../work.js";
import { allCapabilities, type CapabilityName, capabilityBit, fullCapabilities, isMapped } from "./capabilities.js";

export const rootCredentials: Credentials = Object.freeze({
  ...{ uid: 0, euid: 0, suid: 0, fsuid: 0, gid: 0, egid: 0, sgid: 0, fsgid: 0 },
  groups: Object.freeze([]),
  capabilities: fullCapabilities,
  securebits: 0,
  noNewPrivileges: false,
});

/** Spec: capabilities(7), "The securebits flags". */
export const SECURE = { NOROOT: 1, NO_SETUID_FIXUP: 4, KEEP_CAPS: 16, NO_CAP_AMBIENT_RAISE: 64 } as const;

/** Other credentials for the thread at work. A program that has become somebody else is not looked into. Spec: prctl(2), PR_SET_DUMPABLE, PR_SET_PDEATHSIG. */
export function changeCredentials(k: Work, credentials: Credentials): void {
  const old = k.task.credentials;
  k.setTask(k.current, { credentials });
  const same = (["euid", "egid", "fsuid", "fsgid"] as const).every((id) => old[id] === credentials[id]);
  if (same && (credentials.capabilities.permitted & ~old.capabilities.permitted) === 0n) return;
  k.setProcess(k.task.process, { dumpable: false });
  k.setTask(k.current, { parentDeathSignal: 0 });
}

/** What becomes of capabilities as user ids change. Spec: capabilities(7), "Effect of user ID changes on capabilities". */
export function fixedCapabilities(k: Work, old: Credentials, changed: Credentials): Pick<Credentials, "capabilities"> {
  const { capabilities, securebits } = old;
  if ((securebits & SECURE.NO_SETUID_FIXUP) !== 0) return { capabilities };
  const root = rootOf(k);
  const hasRoot = ({ uid, euid, suid }: Credentials): boolean => uid === root || euid === root || suid === root;
  let { permitted, effective, ambient } = capabilities;
  if (hasRoot(old) && !hasRoot(changed)) {
    if ((securebits & SECURE.KEEP_CAPS) === 0) permitted = effective = 0n;
    ambient = 0n;
  }
  if (old.euid === root && changed.euid !== root) effective = 0n;
  if (old.euid !== root && changed.euid === root) effective = permitted;
  return { capabilities: { ...capabilities, permitted, effective, ambient } };
}

/** Capabilities on files. Spec: Linux, include/linux/capability.h CAP_FS_SET. */
const ON_FILES = (
  [
    ...["CAP_CHOWN", "CAP_MKNOD", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID"],
    ...["CAP_LINUX_IMMUTABLE", "CAP_MAC_OVERRIDE"],
  ] as CapabilityName[]
).reduce((set, name) => set | capabilityBit(name), 0n);

/** The same of setfsuid(2), which concerns those on files alone. */
export function fixedForFiles(k: Work, old: Credentials, changed: Credentials): Capabilities {
  const { capabilities, securebits } = old;
  const root = rootOf(k);
  if ((securebits & SECURE.NO_SETUID_FIXUP) !== 0 || (old.fsuid === root) === (changed.fsuid === root))
    return capabilities;
  const { effective, permitted } = capabilities;
  return {
    ...capabilities,
    effective: changed.fsuid === root ? effective | (permitted & ON_FILES) : effective & ~ON_FILES,
  };
}

/** Capabilities that a file gives. Spec: capabilities(7), "File capability extended attribute versioning". */
interface FileCapabilities {
  readonly permitted: bigint;
  readonly inheritable: bigint;
  readonly effective: boolean;
}

function fileCapabilities(k: Work, location: Location): FileCapabilities | undefined {
  const fs = fileSystemOf(k, location);
  const bytes = typeOf(fs).attribute?.(k, fs, location.ino)["security.capability"];
  if (bytes === undefined || bytes.length < 20) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const word = (index: number): number => view.getUint32(index * 4, true);
  const [VERSION_2, VERSION_3] = [2, 3];
  const version = word(0) >>> 24;
  if (version !== VERSION_2 && version !== VERSION_3) return undefined;
  if (version === VERSION_3 && (bytes.length < 24 || word(5) !== rootOf(k))) return undefined;
  const set = (low: number, high: number): bigint => ((BigInt(high) << 32n) | BigInt(low)) & allCapabilities;
  return { permitted: set(word(1), word(3)), inheritable: set(word(2), word(4)), effective: (word(0) & 1) !== 0 };
}

/** The credentials of the thread at work once it executes a file; `privileged` says that the file gave it more. Throws EPERM. */
export function executedCredentials(
  k: Work,
  location: Location,
): { readonly credentials: Credentials; readonly privileged: boolean } {
  const old = k.task.credentials;
  const { mode, uid, gid } = attributesAt(k, location);
  const { user } = k.task.namespaces;
  const mounted = (mountOf(k, location).flags & MS.NOSUID) === 0 && !old.noNewPrivileges;
  const honoured = mounted && isMapped(k, user, "uidMap", uid) && isMapped(k, user, "gidMap", gid);
  const euid = honoured && (mode & 0o4000) !== 0 ? uid : old.euid;
  const egid = honoured && (mode & 0o2010) === 0o2010 ? gid : old.egid;
  const privileged = euid !== old.uid || egid !== old.gid;
  const given = mounted ? fileCapabilities(k, location) : undefined;
  const changed = { ...old, euid, suid: euid, fsuid: euid, egid, sgid: egid, fsgid: egid };
  const setsId = euid !== old.euid || egid !== old.egid;
  const transformed = capabilitiesFor(k, changed, setsId, given);
  const gained = (transformed.capabilities.effective & ~transformed.capabilities.ambient) !== 0n;
  return {
    credentials: { ...changed, ...transformed, securebits: old.securebits & ~SECURE.KEEP_CAPS },
    privileged: privileged || (old.uid !== rootOf(k) && gained),
  };
}

/** P'(ambient), P'(permitted), P'(effective). Spec: capabilities(7), "Transformation of capabilities during execve()". */
function capabilitiesFor(
  k: Work,
  { capabilities: old, securebits, uid, euid, noNewPrivileges }: Credentials,
  setsId: boolean,
  given: FileCapabilities | undefined,
): Pick<Credentials, "capabilities"> {
  const root = rootOf(k);
  const counts = (securebits & SECURE.NOROOT) === 0;
  // A set-user-ID-root file that has capabilities of its own gives those, and no more.
  const asRoot = counts && (uid === root || euid === root) && !(given !== undefined && uid !== root && euid === root);
  const ambient = setsId || given !== undefined ? 0n : old.ambient;
  const file = asRoot
    ? { permitted: allCapabilities, inheritable: allCapabilities, effective: euid === root }
    : (given ?? { permitted: 0n, inheritable: 0n, effective: false });
  let permitted = (old.inheritable & file.inheritable) | (file.permitted & old.bounding);
  if (!asRoot && file.effective && (file.permitted & ~permitted) !== 0n) throw E.EPERM;
  permitted |= ambient;
  if (noNewPrivileges) permitted &= old.permitted;
  return { capabilities: { ...old, permitted, effective: file.effective ? permitted : ambient, ambient } };
}

/** The id, in the initial namespace, of uid 0 in the thread's user namespace; -1 where it has none. */
export function rootOf(k: Work): number {
  const { uidMap } = k.objectOf<import("./capabilities.js").UserNamespace>(k.task.namespaces.user);
  const range = (uidMap ?? []).find(({ inside }) => inside === 0);
  return range === undefined ? -1 : range.outside;
}
