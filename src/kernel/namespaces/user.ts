/**
 * User namespaces: made, and their maps of ids, which are written once. Maps are kept with the ids of the initial namespace.
 * Spec: user_namespaces(7), "Defining user and group ID mappings", "The /proc/pid/setgroups file".
 */
import { E } from "../errno.js";
import type { Credentials } from "../state.js";
import { capable, fullCapabilities, type IdRange, isMapped, type UserNamespace } from "../tasks/capabilities.js";
import type { Work } from "../work.js";
import { isChrooted } from "./mount.js";
import { addNamespace } from "./records.js";

/** Spec: user_namespaces(7), "Nesting user namespaces". */
const MOST_LEVELS = 32;
const MOST_RANGES = 340;
const MOST_TEXT = 4096;
const NO_ID = 0xffff_ffff;

/** A user namespace of the thread at work's. Throws ENOSPC, EPERM. */
export function newUserNamespace(k: Work): number {
  const parent = k.task.namespaces.user;
  const { credentials } = k.task;
  const { level, setgroups } = k.objectOf<UserNamespace>(parent);
  if (level > MOST_LEVELS) throw E.ENOSPC;
  if (isChrooted(k)) throw E.EPERM;
  const { euid, egid } = credentials;
  if (!isMapped(k, parent, "uidMap", euid) || !isMapped(k, parent, "gidMap", egid)) throw E.EPERM;
  return addNamespace<UserNamespace>(k, {
    ...{ kind: "user", home: parent, parent, level: level + 1, owner: euid, group: egid },
    ...{ uidMap: undefined, gidMap: undefined, setgroups },
    parentCouldSetfcap: capable(k, credentials, parent, "CAP_SETFCAP", parent),
  });
}

/** Credentials of a process that enters a user namespace: all capabilities in it. */
export const credentialsInside = (credentials: Credentials): Credentials => ({
  ...credentials,
  capabilities: fullCapabilities,
  securebits: 0,
});

export type IdMap = "uidMap" | "gidMap";

/** Who opened a file of /proc that sets a map. */
export interface Opener {
  readonly credentials: Credentials;
  readonly user: number;
}

/** What /proc/PID/uid_map or gid_map says to a reader of a namespace. */
export function idMapText(k: Work, namespace: number, which: IdMap, reader: number): string {
  const { [which]: ranges, parent, level } = k.objectOf<UserNamespace>(namespace);
  const lower = reader === namespace && level > 0 ? parent : reader;
  const column = (value: number): string => String(value).padStart(10);
  return (ranges ?? [])
    .map(
      ({ inside, outside, count }) =>
        `${column(inside)} ${column(lowerId(k, lower, which, outside))} ${column(count)}\n`,
    )
    .join("");
}

function lowerId(k: Work, namespace: number, which: IdMap, id: number): number {
  for (const { inside, outside, count } of k.objectOf<UserNamespace>(namespace)[which] ?? [])
    if (id >= outside && id < outside + count) return inside + id - outside;
  return NO_ID;
}

/** Lines of a map, with ids of the namespace around. Throws EINVAL. */
function parsed(text: string): readonly IdRange[] {
  if (text.length >= MOST_TEXT) throw E.EINVAL;
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  if (lines.length === 0 || lines.length > MOST_RANGES) throw E.EINVAL;
  const ranges = lines.map((line) => {
    const match = /^\s*(\d+)\s+(\d+)\s+(\d+)\s*$/.exec(line);
    if (match === null) throw E.EINVAL;
    const [inside, outside, count] = match.slice(1).map(Number) as [number, number, number];
    const fits = (first: number): boolean => first < NO_ID && first + count <= NO_ID + 1;
    if (count === 0 || count > NO_ID || !fits(inside) || !fits(outside)) throw E.EINVAL;
    return { inside, outside, count };
  });
  const meet = (a: number, b: number, n: number, m: number): boolean => a < b + m && b < a + n;
  ranges.forEach((one, index) => {
    for (const other of ranges.slice(0, index))
      if (
        meet(one.inside, other.inside, one.count, other.count) ||
        meet(one.outside, other.outside, one.count, other.count)
      )
        throw E.EINVAL;
  });
  return ranges;
}

/** A range with ids of the initial namespace; undefined unless one range around has all of it. */
function lowered(k: Work, parent: number, which: IdMap, { inside, outside, count }: IdRange): IdRange | undefined {
  const around = (k.objectOf<UserNamespace>(parent)[which] ?? []).find(
    (range) => outside >= range.inside && outside + count <= range.inside + range.count,
  );
  return around && { inside, outside: around.outside + outside - around.inside, count };
}

/** Whether who opened the file may set these ranges. Spec: user_namespaces(7), the rules on "the data written to uid_map". */
function isPermitted(
  k: Work,
  namespace: number,
  which: IdMap,
  ranges: readonly IdRange[],
  { credentials, user }: Opener,
): boolean {
  const { parent, owner, setgroups, parentCouldSetfcap } = k.objectOf<UserNamespace>(namespace);
  if (which === "uidMap" && ranges.some(({ outside }) => outside === 0)) {
    const mayMapRoot = user === namespace ? parentCouldSetfcap : capable(k, credentials, user, "CAP_SETFCAP", parent);
    if (!mayMapRoot) return false;
  }
  const [first] = ranges;
  if (ranges.length === 1 && first!.count === 1 && owner === credentials.euid) {
    const own = lowered(k, parent, which, first!)?.outside;
    if (which === "uidMap" && own === credentials.euid) return true;
    if (which === "gidMap" && setgroups === "deny" && own === credentials.egid) return true;
  }
  const capability = which === "uidMap" ? "CAP_SETUID" : "CAP_SETGID";
  const { task } = k;
  return (
    capable(k, task.credentials, task.namespaces.user, capability, parent) &&
    capable(k, credentials, user, capability, parent)
  );
}

/** A write to /proc/PID/uid_map or gid_map, at the start of the file. Throws EPERM, EINVAL. */
export function writeIdMap(k: Work, namespace: number, which: IdMap, text: string, opener: Opener): void {
  const { parent, level, [which]: known } = k.objectOf<UserNamespace>(namespace);
  if (level === 0 || (opener.user !== namespace && opener.user !== parent)) throw E.EPERM;
  if (known !== undefined) throw E.EPERM;
  if (!capable(k, opener.credentials, opener.user, "CAP_SYS_ADMIN", namespace)) throw E.EPERM;
  const ranges = parsed(text);
  if (!isPermitted(k, namespace, which, ranges, opener)) throw E.EPERM;
  const kept = ranges.map((range) => {
    const found = lowered(k, parent, which, range);
    if (found === undefined) throw E.EPERM;
    return found;
  });
  k.changeObject<UserNamespace>(namespace, { [which]: kept });
}

export const setgroupsText = (k: Work, namespace: number): string =>
  `${k.objectOf<UserNamespace>(namespace).setgroups}\n`;

/** A write to /proc/PID/setgroups. Throws EINVAL, EPERM. */
export function writeSetgroups(k: Work, namespace: number, text: string): void {
  const word = /^(allow|deny)\s*$/.exec(text)?.[1];
  if (word === undefined || text.length >= 8) throw E.EINVAL;
  const { setgroups, gidMap } = k.objectOf<UserNamespace>(namespace);
  if (word === "allow") {
    if (setgroups === "deny") throw E.EPERM;
    return;
  }
  if (gidMap !== undefined) throw E.EPERM;
  k.changeObject<UserNamespace>(namespace, { setgroups: "deny" });
}

/** Whether setgroups(2) may be used in a namespace: not before there is a map, and not where it was denied. */
export function maySetGroups(k: Work, namespace: number): boolean {
  const { setgroups, gidMap } = k.objectOf<UserNamespace>(namespace);
  return setgroups === "allow" && gidMap !== undefined;
}
