/** The tables that /proc is made of: rows that any part of the kernel adds to when its file is loaded. */
import { VirtlabError } from "../../../state/error.js";
import type { DirectoryEntry, FileSystem, Location, OpenFile } from "../../state.js";
import type { Work } from "../../work.js";
import type { GeneratedFile } from "../generated.js";
import type { Subject } from "./subjects.js";

/** A file, link or directory of /proc/PID and /proc/PID/task/TID. */
export interface ProcessEntry {
  readonly name: string;
  /** Permissions. Default: 444 of files, 777 of links, 555 of directories. */
  readonly mode?: number;
  /** Only in the directories of processes, or of threads. Default: both. */
  readonly only?: "process" | "thread";
  /** Opening it, or following it, needs the rights of a debugger. */
  readonly inspects?: boolean;
  readonly read?: (k: Work, subject: Subject) => string;
  readonly write?: (k: Work, subject: Subject, text: string) => void;
  /** It is a link: its text, and where it leads. */
  readonly link?: (k: Work, subject: Subject) => string;
  readonly follow?: (k: Work, subject: Subject) => Location | undefined;
  /** It is a directory of what has numbers below 2^19. */
  readonly list?: (k: Work, subject: Subject) => readonly Item[];
  readonly item?: ItemEntry;
  /** What an open file of it is, where it is not text. */
  readonly open?: (
    k: Work,
    subject: Subject,
  ) => { readonly kind: string; readonly object: number; readonly data: unknown };
}

/** What a directory of numbered things has under a name. */
export interface Item {
  readonly name: string;
  readonly number: number;
}

/** What each thing of such a directory is. */
export interface ItemEntry {
  readonly mode: (k: Work, subject: Subject, number: number) => number;
  /** Whether it is there. */
  readonly has: (k: Work, subject: Subject, number: number) => boolean;
  readonly read?: (k: Work, subject: Subject, number: number) => string;
  readonly link?: (k: Work, subject: Subject, number: number) => string;
  readonly follow?: (k: Work, subject: Subject, number: number) => Location | undefined;
  /** What a link leads to that has no place of its own: its type and permissions, and what it is when it is opened anew. */
  readonly nameless?: {
    readonly mode: (k: Work, subject: Subject, number: number) => number;
    readonly open: (
      k: Work,
      subject: Subject,
      number: number,
      flags: number,
    ) => Pick<OpenFile, "kind" | "object" | "data">;
  };
}

const processRows: ProcessEntry[] = [];
const systemRows: GeneratedFile[] = [];

/** Makes an entry of /proc/PID known; one of the same name takes the place of the first. */
export function defineProcessEntries(...entries: readonly ProcessEntry[]): void {
  for (const entry of entries) {
    const at = processRows.findIndex(({ name }) => name === entry.name);
    if (at >= 0) processRows[at] = entry;
    else processRows.push(entry);
  }
  if (processRows.length > 127) throw new VirtlabError("/proc/PID has more entries than inode numbers have room for");
}

/** Makes files of /proc itself known. */
export const defineProcFiles = (...files: readonly GeneratedFile[]): void => void systemRows.push(...files);

export const processEntries = (): readonly ProcessEntry[] => processRows;
export const procFiles = (): readonly GeneratedFile[] => systemRows;

/** What a mount of /proc remembers. */
export interface ProcData {
  /** The PID namespace it shows. */
  readonly namespace: number;
}

export const namespaceShown = ({ data }: FileSystem): number => (data as ProcData).namespace;
export type { DirectoryEntry };
