/**
 * Namespaces as records by number, and how long they are there: as long as a thread, an open file, a bind mount or another namespace
 * refers to them. The first one of each kind is there forever, and nobody counts its users.
 * Spec: namespaces(7), "Namespace lifetime"; Linux, include/linux/proc_ns.h.
 */
import { PersistentMap } from "../../state/persistent-map.js";
import type { Namespaces, Table } from "../state.js";
import type { UserNamespace } from "../tasks/capabilities.js";
import type { Work } from "../work.js";

export type NamespaceKind = "mnt" | "uts" | "ipc" | "pid" | "net" | "user" | "cgroup" | "time";

/** CLONE_NEW... flags by kind. Spec: namespaces(7), "The namespaces API". */
export const NAMESPACE_FLAGS: Readonly<Record<NamespaceKind, number>> = {
  ...{ time: 0x80, mnt: 0x2_0000, cgroup: 0x200_0000, uts: 0x400_0000, ipc: 0x800_0000 },
  ...{ user: 0x1000_0000, pid: 0x2000_0000, net: 0x4000_0000 },
};
export const ALL_NAMESPACE_FLAGS = Object.values(NAMESPACE_FLAGS).reduce((all, flag) => all | flag, 0);

/** What namespaces of all kinds have. */
export interface Namespace {
  readonly kind: NamespaceKind;
  /** The inode number that /proc/PID/ns shows. */
  readonly number: number;
  /** Threads, files, mounts and namespaces that refer to it. */
  readonly users: number;
  /** The user namespace whose capabilities count in it; of a user namespace see `parent`. */
  readonly home: number;
}

/** Numbers of the first ones (PROC_..._INIT_INO; of the two that have none, the first numbers given out). */
export const FIRST_NUMBERS: Readonly<Record<NamespaceKind, number>> = {
  ...{ ipc: 0xefff_ffff, uts: 0xefff_fffe, user: 0xefff_fffd, pid: 0xefff_fffc, cgroup: 0xefff_fffb },
  ...{ time: 0xefff_fffa, net: 0xf000_0000, mnt: 0xf000_0001 },
};
const LEAST = FIRST_NUMBERS.time;
/** Where numbers of others begin: files of /proc have some below. */
const NEXT_NUMBER = 4_026_532_160;

/** Which number stands for which namespace. */
export interface NamespaceNumbers {
  readonly kind: "namespace-numbers";
  readonly next: number;
  /** By number, less the least there is. */
  readonly ids: Table<number>;
}

/** The registry as it is at the start. */
export function firstNumbers(ids: Readonly<Record<NamespaceKind, number>>): NamespaceNumbers {
  let table = PersistentMap.empty<number>();
  for (const [kind, id] of Object.entries(ids)) table = table.set(FIRST_NUMBERS[kind as NamespaceKind] - LEAST, id);
  return { kind: "namespace-numbers", next: NEXT_NUMBER, ids: table };
}

const numbersOf = (k: Work): NamespaceNumbers => k.objectOf(k.state.initial.namespaceNumbers!);

/** The namespace that a number stands for. */
export const namespaceOfNumber = (k: Work, number: number): number | undefined =>
  number < LEAST ? undefined : numbersOf(k).ids.get(number - LEAST);

export const namespaceAt = (k: Work, id: number): Namespace => k.objectOf<Namespace>(id);

/** What is done when nobody refers to a namespace of a kind any more. */
const endings: { [kind in NamespaceKind]?: (k: Work, id: number) => void } = {};
export function atNamespaceEnd(kind: NamespaceKind, work: (k: Work, id: number) => void): void {
  endings[kind] = work;
}

/** A new namespace that nobody refers to yet. */
export function addNamespace<T extends Namespace>(k: Work, value: Omit<T, "number" | "users">): number {
  const registry = numbersOf(k);
  const id = k.addObject({ ...value, number: registry.next, users: 0 });
  k.setObject<NamespaceNumbers>(k.state.initial.namespaceNumbers!, {
    ...registry,
    next: registry.next + 1,
    ids: registry.ids.set(registry.next - LEAST, id),
  });
  for (const other of refersTo(k, id)) holdNamespace(k, other);
  return id;
}

/** Namespaces that one keeps alive: the user namespace it belongs to, and the one around it. */
function refersTo(k: Work, id: number): readonly number[] {
  const { kind, home } = namespaceAt(k, id);
  if (kind === "user") return [k.objectOf<UserNamespace>(id).parent];
  if (kind === "pid") return [home, k.objectOf<{ readonly parent: number }>(id).parent];
  return [home];
}

const isFirst = ({ kind, number }: Namespace): boolean => number === FIRST_NUMBERS[kind];

/** Something more refers to a namespace. */
export function holdNamespace(k: Work, id: number): void {
  const namespace = k.state.objects.get(id) as Namespace | undefined;
  if (namespace === undefined || isFirst(namespace)) return;
  k.changeObject<Namespace>(id, { users: namespace.users + 1 });
}

/** Something less; without anything the namespace goes. */
export function dropNamespace(k: Work, id: number): void {
  const namespace = k.state.objects.get(id) as Namespace | undefined;
  if (namespace === undefined || isFirst(namespace)) return;
  if (namespace.users > 1) {
    k.changeObject<Namespace>(id, { users: namespace.users - 1 });
    return;
  }
  const others = refersTo(k, id);
  endings[namespace.kind]?.(k, id);
  k.setObject(id, undefined);
  const registry = numbersOf(k);
  k.changeObject<NamespaceNumbers>(k.state.initial.namespaceNumbers!, {
    ids: registry.ids.set(namespace.number - LEAST, undefined),
  });
  for (const other of others) dropNamespace(k, other);
}

const FIELDS = [
  ...(["mnt", "uts", "ipc", "pid", "pidForChildren", "net", "user", "cgroup", "time", "timeForChildren"] as const),
];

/** A thread more has these. */
export function holdNamespaces(k: Work, namespaces: Namespaces): void {
  const { initial } = k.state;
  for (const field of FIELDS) if (namespaces[field] !== initial[field]) holdNamespace(k, namespaces[field]);
}

export function dropNamespaces(k: Work, namespaces: Namespaces): void {
  const { initial } = k.state;
  for (const field of FIELDS) if (namespaces[field] !== initial[field]) dropNamespace(k, namespaces[field]);
}

/** A thread has other namespaces from now on. */
export function setNamespaces(k: Work, tid: number, change: Partial<Namespaces>): void {
  const old = k.taskOf(tid).namespaces;
  const namespaces = { ...old, ...change };
  holdNamespaces(k, namespaces);
  k.setTask(tid, { namespaces });
  dropNamespaces(k, old);
}

/** The user namespace whose capabilities count in a namespace. */
export function homeOf(k: Work, id: number): number {
  const { kind, home } = namespaceAt(k, id);
  return kind === "user" ? k.objectOf<UserNamespace>(id).parent : home;
}

/** What a link of /proc/PID/ns says: "uts:[4026531838]". */
export function namespaceLabel(k: Work, id: number): string {
  const { kind, number } = namespaceAt(k, id);
  return `${kind}:[${number}]`;
}
