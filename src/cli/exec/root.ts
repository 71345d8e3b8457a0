/** The root of `virtlab exec`: a tar or cpio archive, a folder of the host, or a program alone. Nothing of it is written to. */
import { lstatSync, readdirSync, readFileSync, readlinkSync, type Stats, statSync } from "node:fs";
import path from "node:path";
import { entriesOf } from "../../kernel/archives/archive.js";
import { S, typeOfMode } from "../../kernel/fs/types.js";
import type { RootEntry } from "../../kernel/root.js";
import { withFile } from "../../notebook/file-error.js";
import { terminalPlace } from "../../notebook/progress/places.js";
import { progressAt } from "../../notebook/progress/progress.js";
import { VirtlabError } from "../../state/error.js";

/** Folders that something is mounted at. */
const FOLDERS = ["dev", "proc", "sys", "tmp"] as const;
/** A bar is shown for what takes longer than this. */
const PATIENCE_MS = 1000;

/** @throws VirtlabError for what cannot be read, and for archives that are damaged. */
export function rootFrom(file: string): readonly RootEntry[] {
  const entries = withFile(file, "cannot be read", () => statSync(file)).isDirectory()
    ? folderEntries(file)
    : entriesOf(
        withFile(file, "cannot be read", () => readFileSync(file)),
        file,
      );
  return withFolders(entries);
}

/** A program in an otherwise empty root, and the name it has there. @throws VirtlabError for what cannot be read. */
export function rootOfProgram(file: string): { readonly root: readonly RootEntry[]; readonly name: string } {
  const data = withFile(file, "cannot be read", () => readFileSync(file));
  const name = path.basename(file);
  if (FOLDERS.some((folder) => folder === name))
    throw new VirtlabError(`${file}: a program alone cannot be called ${name}: something is mounted there`);
  return { root: withFolders([{ path: asBytes(Buffer.from(name)), mode: S.IFREG | 0o755, data }]), name: `/${name}` };
}

function withFolders(entries: readonly RootEntry[]): readonly RootEntry[] {
  const known = new Set(entries.map((entry) => entry.path.split("/", 1)[0]));
  const missing = FOLDERS.filter((folder) => !known.has(folder));
  return [...entries, ...missing.map((folder) => ({ path: folder, mode: S.IFDIR | 0o755 }))];
}

/** What the kernel has as names: bytes as characters. */
const asBytes = (name: Buffer): string => name.toString("latin1");

/** Device numbers as the host's stat(2) has them. Spec: makedev(3), glibc. */
const majorOf = (device: number): number => Math.floor(device / 256) % 4096;
const minorOf = (device: number): number => (device % 256) + Math.floor(device / 2 ** 20) * 256;

/** All files below a folder, with owners and modes, links, and special files. */
function folderEntries(folder: string): readonly RootEntry[] {
  const entries: RootEntry[] = [];
  const linked = new Map<string, string>();
  const began = performance.now();
  let bar: ReturnType<typeof progressAt> | undefined;
  const tell = (): void => {
    if (bar === undefined && performance.now() - began < PATIENCE_MS) return;
    bar ??= progressAt(() => (process.stderr.isTTY ? terminalPlace(process.stderr) : undefined), "root", {
      unit: "files",
    });
    bar({ done: entries.length });
  };
  const add = (at: Buffer, name: string): void => {
    const shown = at.toString();
    const stats = withFile(shown, "cannot be read", () => lstatSync(at));
    entries.push(entryFor(at, name, stats, linked));
    tell();
    if (!stats.isDirectory()) return;
    for (const child of withFile(shown, "cannot be read", () => readdirSync(at, { encoding: "buffer" })))
      add(Buffer.concat([at, Buffer.from("/"), child]), name === "" ? asBytes(child) : `${name}/${asBytes(child)}`);
  };
  // A folder that is itself a link is what it leads to.
  add(Buffer.from(`${folder.replace(/\/+$/, "")}/.`), "");
  bar?.({ done: entries.length, finished: true });
  return entries;
}

function entryFor(at: Buffer, name: string, stats: Stats, linked: Map<string, string>): RootEntry {
  const { mode, uid, gid, nlink, dev, ino, rdev } = stats;
  const base = { path: name, mode, uid, gid };
  const shown = at.toString();
  const type = typeOfMode(mode);
  if (type === S.IFLNK)
    return { ...base, target: asBytes(withFile(shown, "cannot be read", () => readlinkSync(at, "buffer"))) };
  if (type === S.IFDIR) return base;
  const key = `${dev} ${ino}`;
  const first = nlink > 1 ? linked.get(key) : undefined;
  if (first !== undefined) return { ...base, target: first, hardLink: true };
  if (nlink > 1) linked.set(key, name);
  if (type === S.IFREG) return { ...base, data: withFile(shown, "cannot be read", () => readFileSync(at)) };
  return { ...base, device: [majorOf(rdev), minorOf(rdev)] };
}
