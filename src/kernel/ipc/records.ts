/**
 * IPC namespaces and the System V objects in them. An identifier is the number of a place plus 32,768 times how often the place was given
 * out. Spec: ipc_namespaces(7), sysvipc(7).
 */
import { PersistentMap } from "../../state/persistent-map.js";
import { E } from "../errno.js";
import { addNamespace, atNamespaceEnd, type Namespace } from "../namespaces/records.js";
import type { Table } from "../state.js";
import { capable } from "../tasks/capabilities.js";
import type { Work } from "../work.js";

/** Owner and permissions. Ids of the initial user namespace. Spec: sysvipc(7), "Resource access permissions". */
export interface IpcPermissions {
  readonly key: number;
  readonly uid: number;
  readonly gid: number;
  readonly cuid: number;
  readonly cgid: number;
  readonly mode: number;
  readonly sequence: number;
}

export type IpcFamily = "shm" | "sem" | "msg";

/** Objects of a family by place. */
export interface IpcObjects {
  readonly places: Table<number>;
  /** How often a place was given out. */
  readonly sequence: number;
  readonly used: number;
  readonly highest: number;
  readonly next: number;
}

export interface IpcNamespace extends Namespace {
  readonly kind: "ipc";
  readonly shm: IpcObjects;
  readonly sem: IpcObjects;
  readonly msg: IpcObjects;
}

const noObjects: IpcObjects = Object.freeze({
  places: PersistentMap.empty<number>(),
  ...{ sequence: 0, used: 0, highest: -1, next: 0 },
});
export const firstIpcNamespace = { shm: noObjects, sem: noObjects, msg: noObjects } as const;

export const newIpcNamespace = (k: Work, home: number): number =>
  addNamespace<IpcNamespace>(k, { kind: "ipc", home, ...firstIpcNamespace });

/** An object of System V: its record has a number, which is a channel too. */
export interface IpcObject {
  readonly kind: IpcFamily;
  readonly id: number;
  readonly namespace: number;
  readonly permissions: IpcPermissions;
}

/** Linux, IPCMNI: places of a family. */
const PLACES = 32_768;
export const IPC = {
  CREAT: 0o1000,
  EXCL: 0o2000,
  NOWAIT: 0o4000,
  PRIVATE: 0,
  RMID: 0,
  SET: 1,
  STAT: 2,
  INFO: 3,
} as const;

const namespaceOf = (k: Work): IpcNamespace => k.objectOf<IpcNamespace>(k.task.namespaces.ipc);

/** Throws EACCES: whether the thread at work may read (4) and write (2) an object. */
export function requireIpc(k: Work, { permissions, namespace }: IpcObject, wanted: number): void {
  const { credentials, namespaces } = k.task;
  const { euid, egid, groups } = credentials;
  const inGroup = (gid: number): boolean => egid === gid || groups.includes(gid);
  const { uid, cuid, gid, cgid, mode } = permissions;
  const shift = euid === uid || euid === cuid ? 6 : inGroup(gid) || inGroup(cgid) ? 3 : 0;
  const asked = (wanted >> 6) | (wanted >> 3) | wanted;
  if ((asked & ~(mode >> shift) & 7) === 0) return;
  const { home } = k.objectOf<IpcNamespace>(namespace);
  if (!capable(k, credentials, namespaces.user, "CAP_IPC_OWNER", home)) throw E.EACCES;
}

/** Throws EPERM: who may change or remove an object. */
export function requireIpcOwner(k: Work, { permissions: { uid, cuid }, namespace }: IpcObject): void {
  const { credentials, namespaces } = k.task;
  if (credentials.euid === uid || credentials.euid === cuid) return;
  const { home } = k.objectOf<IpcNamespace>(namespace);
  if (!capable(k, credentials, namespaces.user, "CAP_SYS_ADMIN", home)) throw E.EPERM;
}

/** The object of an identifier. Throws EINVAL; EIDRM where its place has another one. */
export function ipcObject<T extends IpcObject>(k: Work, family: IpcFamily, id: number): T {
  if (id < 0) throw E.EINVAL;
  const number = namespaceOf(k)[family].places.get(id % PLACES);
  if (number === undefined) throw E.EINVAL;
  const found = k.objectOf<T>(number);
  if (found.id !== id) throw E.EIDRM;
  return found;
}

/** Number of an object's record: the channel its waiters sleep on. */
export const recordOf = (k: Work, { kind, id, namespace }: IpcObject): number =>
  k.objectOf<IpcNamespace>(namespace)[kind].places.get(id % PLACES)!;

function findKey(k: Work, family: IpcFamily, key: number): IpcObject | undefined {
  for (const [, number] of namespaceOf(k)[family].places.entries()) {
    const object = k.objectOf<IpcObject>(number);
    if (object.permissions.key === key) return object;
  }
  return undefined;
}

/**
 * What shmget, semget and msgget have in common: the object of a key, or a new one. `check` looks at what is there; `make` gives what the
 * new one has beside permissions.
 */
export function ipcGet<T extends IpcObject>(
  k: Work,
  family: IpcFamily,
  { key, flags, most }: { readonly key: number; readonly flags: number; readonly most: number },
  check: (object: T) => void,
  make: () => Omit<T, keyof IpcObject>,
): number {
  const found = key === IPC.PRIVATE ? undefined : (findKey(k, family, key) as T | undefined);
  if (found !== undefined) {
    if ((flags & IPC.CREAT) !== 0 && (flags & IPC.EXCL) !== 0) throw E.EEXIST;
    check(found);
    requireIpc(k, found, flags & 0o777);
    return found.id;
  }
  if (key !== IPC.PRIVATE && (flags & IPC.CREAT) === 0) throw E.ENOENT;
  const parts = make();
  if (namespaceOf(k)[family].used >= most) throw E.ENOSPC;
  const { euid, egid } = k.task.credentials;
  const owner = { uid: euid, gid: egid, cuid: euid, cgid: egid };
  const { ipc } = k.task.namespaces;
  const objects = k.objectOf<IpcNamespace>(ipc)[family];
  let place = objects.next;
  while (objects.places.get(place) !== undefined) place = (place + 1) % PLACES;
  // The place after the last one given out comes next; whoever begins at the first place again begins another round.
  const sequence = place < objects.next ? (objects.sequence + 1) % 65_536 : objects.sequence;
  const id = sequence * PLACES + place;
  const permissions: IpcPermissions = { key, ...owner, mode: flags & 0o777, sequence };
  const number = k.addObject({ ...parts, kind: family, id, namespace: ipc, permissions });
  k.changeObject<IpcNamespace>(ipc, {
    [family]: {
      places: objects.places.set(place, number),
      sequence,
      used: objects.used + 1,
      highest: Math.max(objects.highest, place),
      next: (place + 1) % PLACES,
    },
  });
  return id;
}

/** An object is nowhere any more. */
export function removeIpc(k: Work, { kind, id, namespace }: IpcObject): void {
  const objects = k.objectOf<IpcNamespace>(namespace)[kind];
  const number = objects.places.get(id % PLACES)!;
  const places = objects.places.set(id % PLACES, undefined);
  let highest = -1;
  for (const [place] of places.entries()) highest = place;
  k.setObject(number, undefined);
  k.changeObject<IpcNamespace>(namespace, { [kind]: { ...objects, places, used: objects.used - 1, highest } });
}

const endings: { [family in IpcFamily]?: (k: Work, number: number) => void } = {};
/** What becomes of objects of a family when their namespace ends. */
export function atIpcEnd(family: IpcFamily, work: (k: Work, number: number) => void): void {
  endings[family] = work;
}

atNamespaceEnd("ipc", (k, id) => {
  for (const family of ["shm", "sem", "msg"] as const)
    for (const [, number] of k.objectOf<IpcNamespace>(id)[family].places.entries()) {
      endings[family]?.(k, number);
      if (k.state.objects.get(number) !== undefined) removeIpc(k, k.objectOf<IpcObject>(number));
    }
});
