/** What the kernel remembers before its first step. */
import { PersistentMap } from "../state/persistent-map.js";
import type { Startup } from "./arch/startup.js";
import { type CgroupNamespace, noCgroupWork, rootCgroup } from "./cgroups/records.js";
import { serialTerminal } from "./fs/console.js";
import { allDevices, deviceNumber } from "./fs/devices.js";
import { noEntries, withEntry } from "./fs/directory.js";
import { emptyInodeTable } from "./fs/inode-tables.js";
import type { MountNamespace } from "./fs/mounts.js";
import { S } from "./fs/types.js";
import { firstIpcNamespace, type IpcNamespace } from "./ipc/records.js";
import { firstPidNamespace, type PidNamespace } from "./namespaces/pid.js";
import { FIRST_NUMBERS, firstNumbers, type NamespaceKind } from "./namespaces/records.js";
import { firstTimeNamespace, type TimeNamespace } from "./namespaces/time.js";
import type { FileSystem, Inode, KernelState, Mount } from "./state.js";
import type { UtsNamespace } from "./syscalls/system.js";
import type { UserNamespace } from "./tasks/capabilities.js";

/** Numbers of kernel objects are above those of processes: both are channels that are waited on. */
const FIRST_ID = 2 ** 16;
const ALL_IDS = [{ inside: 0, outside: 0, count: 2 ** 32 - 1 }] as const;

/** What the first namespace of a kind has like all others. */
const firstOf = <K extends NamespaceKind>(kind: K, home: number) =>
  ({ kind, number: FIRST_NUMBERS[kind], users: 1, home }) as const;

interface Setup extends Pick<Startup, "places" | "firstFrame"> {
  readonly memorySize: number;
  readonly files: Pick<FileSystem, "inodes" | "nextIno" | "root">;
  /** Number of the disk that has the bytes of the root's files. */
  readonly store: number;
  readonly hostname: string;
}

export function firstState({ places, memorySize, firstFrame, files, store, hostname }: Setup): KernelState {
  let nextId = FIRST_ID;
  let objects = PersistentMap.empty<object>();
  const add = (value: object): number => {
    objects = objects.set(nextId, value);
    return nextId++;
  };
  const user = add({
    ...firstOf("user", 0),
    ...{ parent: 0, level: 0, owner: 0, group: 0, uidMap: ALL_IDS, gidMap: ALL_IDS, setgroups: "allow" },
    parentCouldSetfcap: true,
  } satisfies UserNamespace);
  const uts = add({ ...firstOf("uts", user), nodename: hostname, domainname: "(none)" } satisfies UtsNamespace);
  const [mnt, net] = [add(firstOf("mnt", user)), add(firstOf("net", user))];
  const ipc = add({ ...firstOf("ipc", user), ...firstIpcNamespace } satisfies IpcNamespace);
  const pid = add({ ...firstOf("pid", user), ...firstPidNamespace } satisfies PidNamespace);
  const time = add({ ...firstOf("time", user), ...firstTimeNamespace } satisfies TimeNamespace);
  const cgroupRoot = add(rootCgroup);
  const cgroup = add({ ...firstOf("cgroup", user), root: cgroupRoot } satisfies CgroupNamespace);
  const cgroups = add(noCgroupWork);
  const namespaceNumbers = add(firstNumbers({ mnt, uts, ipc, pid, net, user, cgroup, time }));
  const [locks, fifos, watches, seals] = [0, 1, 2, 3].map(() => add(emptyInodeTable)) as [
    number,
    number,
    number,
    number,
  ];
  const console = add(serialTerminal());
  const futexes = add({ kind: "futexes", queues: PersistentMap.empty() });
  const rootFs: FileSystem = {
    id: nextId++,
    type: "rootfs",
    source: "rootfs",
    device: 1,
    options: "",
    readOnly: false,
    ...files,
  };
  const shared: FileSystem = { ...emptyTree("tmpfs", nextId++), source: "shared memory" };
  const devices: FileSystem = withDevices(emptyTree("devtmpfs", nextId++));
  const nsfs: FileSystem = { ...emptyTree("nsfs", nextId++), inodes: PersistentMap.empty(), root: 0 };
  const rootMount: Mount = {
    id: nextId++,
    namespace: mnt,
    fileSystem: rootFs.id,
    root: rootFs.root,
    parent: 0,
    at: undefined,
    flags: 0,
    propagation: "private",
    ...{ group: undefined, master: undefined, children: [] },
  };
  let mounts = PersistentMap.empty<Mount>().set(rootMount.id, { ...rootMount, parent: rootMount.id });
  const dev = findIn(rootFs, "dev");
  if (dev !== undefined) {
    const at = { mount: rootMount.id, ino: dev, parent: rootFs.root, name: "dev" };
    const id = nextId++;
    mounts = mounts.set(rootMount.id, { ...mounts.get(rootMount.id)!, children: [id] });
    mounts = mounts.set(id, { ...rootMount, id, fileSystem: devices.id, root: devices.root, parent: rootMount.id, at });
  }
  objects = objects.set(mnt, { ...firstOf("mnt", user), root: rootMount.id } satisfies MountNamespace);
  // What namespaces are opened by is mounted nowhere that a name leads to.
  const nsfsMount = { ...rootMount, id: nextId++, namespace: 0, fileSystem: nsfs.id, root: 0 };
  mounts = mounts.set(nsfsMount.id, { ...nsfsMount, parent: nsfsMount.id });
  let fileSystems = PersistentMap.empty<FileSystem>();
  for (const one of [rootFs, shared, devices, nsfs]) fileSystems = fileSystems.set(one.id, one);
  return {
    places,
    memorySize,
    cpus: [{ task: 0, since: 0, sliceEnd: 0, alarm: 0 }],
    nextId,
    frames: {
      next: Math.max(firstFrame, 0x200),
      end: memorySize / 4096,
      free: PersistentMap.empty(),
      freed: 0,
      uses: PersistentMap.empty(),
    },
    zeroFrame: 0,
    ...{ spaces: PersistentMap.empty(), tasks: PersistentMap.empty(), processes: PersistentMap.empty() },
    ...{ handlers: PersistentMap.empty(), contexts: PersistentMap.empty(), descriptorTables: PersistentMap.empty() },
    ...{ files: PersistentMap.empty(), fileSystems, mounts, objects, waiters: PersistentMap.empty() },
    ...{ timers: [], queue: [], lastPid: 0, random: 0n, orders: [] },
    initial: {
      ...{ user, uts, mnt, ipc, pid, net, cgroup, time, console, futexes, store },
      ...{ pidForChildren: pid, timeForChildren: time, namespaceNumbers, cgroupRoot, cgroups },
      ...{ locks, fifos, watches, seals },
      ...{ sharedMemory: shared.id, rootMount: rootMount.id, nsfsMount: nsfsMount.id },
    },
  };
}

function findIn({ inodes, root }: FileSystem, name: string): number | undefined {
  for (const [, bucket] of inodes.get(root)!.entries!.entries()) {
    const found = bucket.find((entry) => entry.name === name);
    if (found !== undefined) return found.ino;
  }
  return undefined;
}

const times = { accessed: 0, modified: 0, changed: 0 } as const;
const emptyDirectory: Inode = Object.freeze({
  mode: S.IFDIR | 0o755,
  ...{ uid: 0, gid: 0, links: 2, size: 40, device: 0, opened: 0, ...times, parent: 1, entries: noEntries, count: 0 },
});

const emptyTree = (type: string, id: number): FileSystem => ({
  id,
  type,
  source: type,
  device: id,
  root: 1,
  options: "",
  readOnly: false,
  inodes: PersistentMap.empty<Inode>().set(1, emptyDirectory),
  nextIno: 2,
});

/** A device file for each device there is. */
function withDevices(fs: FileSystem): FileSystem {
  let { inodes, nextIno } = fs;
  for (const { name, type, major, minor } of allDevices()) {
    const mode = (type === "character" ? S.IFCHR : S.IFBLK) | 0o666;
    inodes = inodes.set(nextIno, {
      mode,
      ...{ uid: 0, gid: 0, links: 1, size: 0, device: deviceNumber(major, minor), opened: 0, ...times },
    });
    const root = inodes.get(1)!;
    const count = root.count! + 1;
    inodes = inodes.set(1, {
      ...root,
      entries: withEntry(root.entries!, { name, ino: nextIno, cookie: count }),
      count,
      size: root.size + 20,
    });
    nextIno++;
  }
  return { ...fs, inodes, nextIno };
}
