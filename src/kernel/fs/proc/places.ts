/** What /proc/PID tells of files: where a process is, what it has open, what is mounted for it, and its limits. Spec: proc(5). */
import { E } from "../../errno.js";
import type { FileContext, Location, Mount, OpenFile } from "../../state.js";
import type { Work } from "../../work.js";
import { majorOf, minorOf } from "../devices.js";
import { typeOf } from "../file-systems.js";
import { kindOf, O } from "../kinds.js";
import { mountsOf } from "../mounts.js";
import { rootOfMount } from "../path.js";
import { MS } from "../permissions.js";
import type { Pipe } from "../pipes.js";
import { S } from "../types.js";
import { defineProcessEntries, type ItemEntry } from "./entries.js";
import { spaceOf } from "./memory.js";
import { escaped, nameOfFile, pathOf } from "./names.js";
import type { Subject } from "./subjects.js";

/** Throws ENOENT where the thread has ended. */
function contextOf(k: Work, { task }: Subject): FileContext {
  const context = k.state.contexts.get(task.context);
  if (context === undefined) throw E.ENOENT;
  return context;
}

const placeLink = (name: string, where: (k: Work, subject: Subject) => Location) => ({
  name,
  inspects: true,
  link: (k: Work, subject: Subject) => pathOf(k, where(k, subject), k.context.root) ?? "/",
  follow: where,
});

function executableOf(k: Work, subject: Subject): Location {
  const executable = spaceOf(k, subject)?.executable;
  if (executable === undefined) throw E.ENOENT;
  return executable;
}

// ---- descriptors --------------------------------------------------------------------------------------------------

const descriptorsOf = (k: Work, { task }: Subject) => k.state.descriptorTables.get(task.descriptors)?.descriptors;

function fileOf(k: Work, subject: Subject, fd: number): OpenFile {
  const found = descriptorsOf(k, subject)?.get(fd);
  if (found === undefined) throw E.ENOENT;
  return k.fileOf(found.file);
}

const listDescriptors = (k: Work, subject: Subject) =>
  Array.from(descriptorsOf(k, subject)?.entries() ?? [], ([fd]) => ({ name: `${fd}`, number: fd }));

const has: ItemEntry["has"] = (k, subject, fd) => descriptorsOf(k, subject)?.get(fd) !== undefined;

/** Permissions of a link say how the file was opened. */
function linkMode(k: Work, subject: Subject, fd: number): number {
  const { flags } = fileOf(k, subject, fd);
  const access = flags & O.ACCMODE;
  const reads = access !== O.WRONLY && (flags & O.PATH) === 0;
  const writes = access !== O.RDONLY && (flags & O.PATH) === 0;
  return S.IFLNK | (reads ? 0o500 : 0) | (writes ? 0o300 : 0);
}

/** A file without a place is opened anew as another user of what it stands for. */
function openAgain(k: Work, subject: Subject, fd: number, flags: number): Pick<OpenFile, "kind" | "object" | "data"> {
  const { kind, object } = fileOf(k, subject, fd);
  if (kind !== "pipe") throw E.ENXIO;
  const access = flags & O.ACCMODE;
  const { readers, writers } = k.objectOf<Pipe>(object);
  k.changeObject<Pipe>(object, {
    readers: readers + (access === O.WRONLY ? 0 : 1),
    writers: writers + (access === O.RDONLY ? 0 : 1),
  });
  return { kind, object, data: undefined };
}

const namelessMode: Readonly<Record<string, number>> = { pipe: S.IFIFO | 0o600, socket: S.IFSOCK | 0o777 };

function descriptorInfo(k: Work, subject: Subject, fd: number): string {
  const file = fileOf(k, subject, fd);
  const { closeOnExec } = descriptorsOf(k, subject)!.get(fd)!;
  const flags = (file.flags & ~O.CLOEXEC) | (closeOnExec ? O.CLOEXEC : 0);
  const mount = file.location?.mount ?? 0;
  const lines = [`pos:\t${file.offset}`, `flags:\t0${flags.toString(8)}`, `mnt_id:\t${mount}`];
  return `${[...lines, `ino:\t${file.inode?.ino ?? file.object}`].join("\n")}\n`;
}

// ---- mounts -------------------------------------------------------------------------------------------------------

const OWN = [
  ...([[MS.NOSUID, "nosuid"] as const, [MS.NODEV, "nodev"] as const, [MS.NOEXEC, "noexec"] as const] as const),
  ...([[MS.NOATIME, "noatime"] as const, [MS.NODIRATIME, "nodiratime"] as const] as const),
  ...([[MS.RELATIME, "relatime"] as const, [MS.NOSYMFOLLOW, "nosymfollow"] as const] as const),
] as const;
const SPECIAL = /[ \t\n\\]/g;

const ownOptions = ({ flags }: Mount): readonly string[] =>
  OWN.filter(([flag]) => (flags & flag) !== 0).map(([, name]) => name);

interface Shown {
  readonly mount: Mount;
  readonly path: string;
}

/** Mounts that can be reached from the root of a process. */
function shownMounts(k: Work, subject: Subject): readonly Shown[] {
  const { root } = contextOf(k, subject);
  return mountsOf(k, subject.task.namespaces.mnt).flatMap((mount) => {
    const path = pathOf(k, rootOfMount(mount), root);
    return path === undefined ? [] : [{ mount, path: escaped(path.replace(/ \(deleted\)$/, "//deleted"), SPECIAL) }];
  });
}

function mountTable(k: Work, subject: Subject): string {
  const lines = shownMounts(k, subject).map(({ mount, path }) => {
    const fs = k.fileSystemOf(mount.fileSystem);
    const access = (mount.flags & MS.RDONLY) !== 0 || fs.readOnly ? "ro" : "rw";
    const options = [access, ...ownOptions(mount), ...(fs.options === "" ? [] : [fs.options])].join(",");
    return `${escaped(fs.source, /[ \t\n\\#]/g)} ${path} ${fs.type} ${options} 0 0\n`;
  });
  return lines.join("");
}

/** The name of a mount's root in its file system. */
function rootName(k: Work, { fileSystem, root, rootName: named }: Mount): string {
  const fs = k.fileSystemOf(fileSystem);
  const parts: string[] = named === undefined || named[1] === "" ? [] : [named[1]];
  const type = typeOf(fs);
  let at = named?.[0] ?? root;
  while (at !== fs.root) {
    const above = type.parent(k, fs, at);
    const entry = type.list(k, fs, above).find(({ ino }) => ino === at);
    if (entry === undefined || above === at) return `/${parts.join("/")}//deleted`;
    parts.unshift(entry.name);
    at = above;
  }
  return `/${parts.join("/")}`;
}

function mountInfo(k: Work, subject: Subject): string {
  const lines = shownMounts(k, subject).map(({ mount, path }) => {
    const fs = k.fileSystemOf(mount.fileSystem);
    const own = [(mount.flags & MS.RDONLY) !== 0 ? "ro" : "rw", ...ownOptions(mount)].join(",");
    const whole = [fs.readOnly ? "ro" : "rw", ...(fs.options === "" ? [] : [fs.options])].join(",");
    const fields = [
      ...[mount.id, mount.parent, `${majorOf(fs.device)}:${minorOf(fs.device)}`],
      ...[escaped(rootName(k, mount), SPECIAL), path, own],
      ...(mount.group === undefined ? [] : [`shared:${mount.group}`]),
      ...(mount.master === undefined ? [] : [`master:${mount.master}`]),
      ...(mount.propagation === "unbindable" ? ["unbindable"] : []),
      ...["-", fs.type, escaped(fs.source, /[ \t\n\\#]/g), whole],
    ];
    return `${fields.join(" ")}\n`;
  });
  return lines.join("");
}

function mountStatistics(k: Work, subject: Subject): string {
  const lines = shownMounts(k, subject).map(({ mount, path }) => {
    const { source, type } = k.fileSystemOf(mount.fileSystem);
    return `device ${source} mounted on ${path} with fstype ${type}\n`;
  });
  return lines.join("");
}

// ---- limits -------------------------------------------------------------------------------------------------------

/** By RLIMIT_ number. Spec: Linux, fs/proc/base.c lnames. */
const LIMITS = [
  ...[["cpu time", "seconds"] as const, ["file size", "bytes"] as const, ["data size", "bytes"] as const],
  ...[["stack size", "bytes"] as const, ["core file size", "bytes"] as const, ["resident set", "bytes"] as const],
  ...[["processes", "processes"] as const, ["open files", "files"] as const, ["locked memory", "bytes"] as const],
  ...[["address space", "bytes"] as const, ["file locks", "locks"] as const, ["pending signals", "signals"] as const],
  ...[["msgqueue size", "bytes"] as const, ["nice priority", ""] as const, ["realtime priority", ""] as const],
  ...[["realtime timeout", "us"] as const],
] as const;

function limits(_k: Work, { process }: Subject): string {
  const text = (value: number): string => (value === Number.POSITIVE_INFINITY ? "unlimited" : `${value}`).padEnd(20);
  const head = `${"Limit".padEnd(25)} ${"Soft Limit".padEnd(20)} ${"Hard Limit".padEnd(20)} ${"Units".padEnd(10)}\n`;
  const lines = LIMITS.map(([name, unit], index) => {
    const [soft, hard] = process.limits[index]!;
    return `${`Max ${name}`.padEnd(25)} ${text(soft)} ${text(hard)} ${unit === "" ? "" : unit.padEnd(10)}\n`;
  });
  return head + lines.join("");
}

defineProcessEntries(
  placeLink("cwd", (k, subject) => contextOf(k, subject).directory),
  placeLink("root", (k, subject) => contextOf(k, subject).root),
  placeLink("exe", executableOf),
  {
    name: "fd",
    mode: 0o500,
    inspects: true,
    list: listDescriptors,
    item: {
      mode: linkMode,
      has,
      link: (k, subject, fd) => nameOfFile(k, fileOf(k, subject, fd), k.context.root),
      follow: (k, subject, fd) => fileOf(k, subject, fd).location,
      nameless: { mode: (k, subject, fd) => namelessMode[fileOf(k, subject, fd).kind] ?? 0o600, open: openAgain },
    },
  },
  {
    name: "fdinfo",
    mode: 0o555,
    inspects: true,
    list: listDescriptors,
    item: { mode: () => S.IFREG | 0o444, has, read: descriptorInfo },
  },
  { name: "mounts", read: mountTable },
  { name: "mountinfo", read: mountInfo },
  { name: "mountstats", only: "process", mode: 0o400, read: mountStatistics },
  { name: "limits", read: limits },
);

export { kindOf };
