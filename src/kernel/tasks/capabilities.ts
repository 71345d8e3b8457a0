/**
 * Capabilities, and whether a thread has one where it is asked for. A capability counts in the thread's own user namespace and in those
 * below it; the user who made a namespace has all capabilities in it.
 * Spec: capabilities(7); user_namespaces(7), "Capabilities".
 */
import { E } from "../errno.js";
import type { Namespace } from "../namespaces/records.js";
import type { Capabilities, Credentials } from "../state.js";
import type { Work } from "../work.js";

/** By number. */
export const capabilityNames = [
  ...["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID"],
  ...["CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST"],
  ...["CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO"],
  ...["CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE"],
  ...["CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE"],
  ...["CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM"],
  ...["CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE"],
] as const;
export type CapabilityName = (typeof capabilityNames)[number];

const bits = new Map<string, bigint>(capabilityNames.map((name, number) => [name, 1n << BigInt(number)]));
export const capabilityBit = (name: CapabilityName): bigint => bits.get(name)!;
export const allCapabilities = (1n << BigInt(capabilityNames.length)) - 1n;

export const fullCapabilities: Capabilities = Object.freeze({
  permitted: allCapabilities,
  effective: allCapabilities,
  inheritable: 0n,
  bounding: allCapabilities,
  ambient: 0n,
});

/** A part of a user namespace's map: `count` ids from `inside` on are those from `outside` on in the namespace around it. */
export interface IdRange {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

/** A user namespace. Spec: user_namespaces(7). */
export interface UserNamespace extends Namespace {
  readonly kind: "user";
  readonly parent: number;
  readonly level: number;
  /** Who made it, by ids of the initial namespace. */
  readonly owner: number;
  readonly group: number;
  /** Undefined until they are written, which may happen once. */
  readonly uidMap: readonly IdRange[] | undefined;
  readonly gidMap: readonly IdRange[] | undefined;
  readonly setgroups: "allow" | "deny";
  /** The creator's effective set had CAP_SETFCAP. */
  readonly parentCouldSetfcap: boolean;
}

/** Whether credentials have a capability in a user namespace. `home` is the one that the credentials belong to. */
export function capable(
  k: Work,
  credentials: Credentials,
  home: number,
  capability: CapabilityName,
  where: number,
): boolean {
  for (let namespace = where; ; ) {
    if (namespace === home) return (credentials.capabilities.effective & bits.get(capability)!) !== 0n;
    const { parent, owner, level } = k.objectOf<UserNamespace>(namespace);
    if (level === 0) return false;
    if (parent === home && owner === credentials.euid) return true;
    namespace = parent;
  }
}

/** Whether the thread at work has a capability in its own user namespace, or another. */
export const may = (k: Work, capability: CapabilityName, where: number = k.task.namespaces.user): boolean =>
  capable(k, k.task.credentials, k.task.namespaces.user, capability, where);

/** Throws EPERM. */
export function requireCapability(k: Work, capability: CapabilityName, where?: number): void {
  if (!may(k, capability, where)) throw E.EPERM;
}

const maps = (ranges: readonly IdRange[] | undefined, id: number): boolean =>
  (ranges ?? []).some(({ outside, count }) => id >= outside && id < outside + count);

/** Whether an id of the initial namespace has a number in a namespace. Ranges are kept in ids of the initial one. */
export function isMapped(k: Work, namespace: number, which: "uidMap" | "gidMap", id: number): boolean {
  return maps(k.objectOf<UserNamespace>(namespace)[which], id);
}

/** A capability that counts for an inode only if its owner and group have numbers in the thread's user namespace. */
export function mayInNamespaceOf(
  k: Work,
  credentials: Credentials,
  capability: CapabilityName,
  { uid, gid }: { readonly uid: number; readonly gid: number },
): boolean {
  const { user } = k.task.namespaces;
  if (!capable(k, credentials, user, capability, user)) return false;
  return isMapped(k, user, "uidMap", uid) && isMapped(k, user, "gidMap", gid);
}

/** The number that an id of the initial namespace has in a namespace: 65534 where it has none. Spec: user_namespaces(7), "Unmapped user and group IDs". */
export function idInside(k: Work, namespace: number, which: "uidMap" | "gidMap", id: number): number {
  for (const { inside, outside, count } of k.objectOf<UserNamespace>(namespace)[which] ?? [])
    if (id >= outside && id < outside + count) return inside + id - outside;
  return 65534;
}

/** The id of the initial namespace that a namespace has as a number. Throws EINVAL where it has none. */
export function idOutside(k: Work, namespace: number, which: "uidMap" | "gidMap", id: number): number {
  for (const { inside, outside, count } of k.objectOf<UserNamespace>(namespace)[which] ?? [])
    if (id >= inside && id < inside + count) return outside + id - inside;
  throw E.EINVAL;
}
