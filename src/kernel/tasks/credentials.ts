/** Who a thread is, and what executing a file makes of that. Spec: credentials(7); capabilities(7), "Transformation of capabilities during execve()". */
import { attributesAt, mountOf } from "../fs/path.js";
import { MS } from "../fs/permissions.js";
import type { Credentials, Location } from "../state.js";
import type { Work } from "../work.js";
import { allCapabilities, fullCapabilities, isMapped } from "./capabilities.js";

export const rootCredentials: Credentials = Object.freeze({
  ...{ uid: 0, euid: 0, suid: 0, fsuid: 0, gid: 0, egid: 0, sgid: 0, fsgid: 0 },
  groups: Object.freeze([]),
  capabilities: fullCapabilities,
  securebits: 0,
  noNewPrivileges: false,
});

/** Spec: capabilities(7), "The securebits flags". */
export const SECURE = { NOROOT: 1, NO_SETUID_FIXUP: 4, KEEP_CAPS: 16, NO_CAP_AMBIENT_RAISE: 64 } as const;

/** The credentials of the thread at work once it executes a file; `privileged` says that ids of the file gave it more. */
export function executedCredentials(
  k: Work,
  location: Location,
): { readonly credentials: Credentials; readonly privileged: boolean } {
  const old = k.task.credentials;
  const { mode, uid, gid } = attributesAt(k, location);
  const { user } = k.task.namespaces;
  const honoured =
    (mountOf(k, location).flags & MS.NOSUID) === 0 &&
    !old.noNewPrivileges &&
    isMapped(k, user, "uidMap", uid) &&
    isMapped(k, user, "gidMap", gid);
  const euid = honoured && (mode & 0o4000) !== 0 ? uid : old.euid;
  const egid = honoured && (mode & 0o2010) === 0o2010 ? gid : old.egid;
  const privileged = euid !== old.euid || egid !== old.egid;
  return {
    credentials: {
      ...old,
      euid,
      suid: euid,
      fsuid: euid,
      egid,
      sgid: egid,
      fsgid: egid,
      ...capabilitiesFor(k, old, euid, privileged),
    },
    privileged,
  };
}

/** P'(ambient), P'(permitted), P'(effective) for a file without capabilities of its own. */
function capabilitiesFor(
  k: Work,
  { capabilities: old, securebits, uid }: Credentials,
  euid: number,
  privileged: boolean,
): Pick<Credentials, "capabilities" | "securebits"> {
  const root = rootOf(k);
  const asRoot = (securebits & SECURE.NOROOT) === 0 && (uid === root || euid === root);
  const file = asRoot ? allCapabilities : 0n;
  const ambient = privileged ? 0n : old.ambient;
  const permitted = (old.inheritable & file) | (file & old.bounding) | ambient;
  const effective = asRoot && (securebits & SECURE.NOROOT) === 0 && euid === root ? permitted : ambient;
  return {
    capabilities: { ...old, permitted, effective, ambient },
    securebits: securebits & ~SECURE.KEEP_CAPS,
  };
}

/** The id, in the initial namespace, of uid 0 in the thread's user namespace; -1 where it has none. */
export function rootOf(k: Work): number {
  const { uidMap } = k.objectOf<import("./capabilities.js").UserNamespace>(k.task.namespaces.user);
  const range = (uidMap ?? []).find(({ inside }) => inside === 0);
  return range === undefined ? -1 : range.outside;
}
