/** What /proc/PID tells of address spaces: maps, arguments and environment, and how much of the machine's memory they have. Spec: proc(5). */
import { PTE } from "../../../hardware/cpu/paging-levels.js";
import { Errno } from "../../errno.js";
import { PROT, sizeOf } from "../../mm/areas.js";
import { mend } from "../../mm/faults.js";
import { linearOf, PAGE } from "../../mm/frames.js";
import { eachPage, entryOf } from "../../mm/page-tables.js";
import { textOf } from "../../mm/user-memory.js";
import type { AddressSpace, Area } from "../../state.js";
import type { Work } from "../../work.js";
import { majorOf, minorOf } from "../devices.js";
import { defineProcessEntries } from "./entries.js";
import { escaped, pathOf } from "./names.js";
import type { Subject } from "./subjects.js";

export const spaceOf = (k: Work, { task }: Subject): AddressSpace | undefined => k.state.spaces.get(task.space);

/** Bytes of another program's memory; what cannot be had is left out at the end. */
export function readForeign(k: Work, { id, root }: AddressSpace, start: number, end: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(0, end - start));
  for (let at = start; at < end; ) {
    const linear = Math.floor(at / PAGE) * PAGE;
    const count = Math.min(end, linear + PAGE) - at;
    if (entryOf(k, root, linear) === undefined && mend(k, id, linear, "read") !== undefined)
      return bytes.slice(0, at - start);
    const { frame } = entryOf(k, root, linear)!;
    k.port.readBytes(linearOf(frame) + (at - linear), bytes.subarray(at - start, at - start + count), false);
    at += count;
  }
  return bytes;
}

const foreignText = (k: Work, space: AddressSpace, [start, end]: readonly [number, number]): string =>
  textOf(readForeign(k, space, start, end));

/** A program may write a longer name over its arguments, into its environment. */
function commandLine(k: Work, subject: Subject): string {
  const space = spaceOf(k, subject);
  if (space === undefined) return "";
  const text = foreignText(k, space, space.argumentsAt);
  if (text === "" || text.endsWith("\0")) return text;
  const whole = text + foreignText(k, space, space.environmentAt);
  const end = whole.indexOf("\0");
  return end < 0 ? whole : whole.slice(0, end);
}

// ---- maps ---------------------------------------------------------------------------------------------------------

/** Column at which names begin. Spec: Linux, fs/proc/task_mmu.c show_map_vma. */
const NAME_COLUMN = 73;
const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");

function nameOfArea(k: Work, { file, label }: Area, inodeText: (found: string) => string): string {
  if (file === undefined) return label ?? "";
  if (file.path === undefined) return "/dev/zero (deleted)";
  return inodeText(pathOf(k, file.path, k.context.root) ?? "");
}

export function mapLine(k: Work, area: Area): string {
  const { start, end, protection, shared, file } = area;
  const letter = (bit: number, one: string): string => ((protection & bit) !== 0 ? one : "-");
  const rights = `${letter(PROT.READ, "r")}${letter(PROT.WRITE, "w")}${letter(PROT.EXEC, "x")}${shared ? "s" : "p"}`;
  const device = file === undefined ? 0 : (k.state.fileSystems.get(file.inode.fileSystem)?.device ?? 0);
  const where = `${hex(majorOf(device), 2)}:${hex(minorOf(device), 2)}`;
  const head = `${hex(start, 8)}-${hex(end, 8)} ${rights} ${hex(file?.offset ?? 0, 8)} ${where} ${file?.inode.ino ?? 0} `;
  const name = nameOfArea(k, area, (found) => escaped(found, /\n/g));
  return `${name === "" ? head : head.padEnd(NAME_COLUMN) + name}\n`;
}

// ---- sizes --------------------------------------------------------------------------------------------------------

/** Pages of a space by what they are. */
export interface Resident {
  readonly anonymous: number;
  readonly file: number;
  readonly shared: number;
}

/** Counts what is mapped; the page of zeros that all share counts for nobody. */
export function residentOf(k: Work, { root, areas }: AddressSpace): Resident {
  let [anonymous, file, shared] = [0, 0, 0];
  for (const area of areas)
    eachPage(k, root, area.start, area.end, (_linear, { frame, flags }) => {
      if (frame === k.state.zeroFrame) return;
      if (area.file === undefined || (!area.shared && (flags & PTE.W) !== 0)) anonymous++;
      else if (area.file.path === undefined) shared++;
      else file++;
    });
  return { anonymous, file, shared };
}

export const pagesOf = ({ anonymous, file, shared }: Resident): number => anonymous + file + shared;

const sum = (areas: readonly Area[], isMeant: (area: Area) => boolean): number =>
  areas.reduce((total, area) => total + (isMeant(area) ? area.end - area.start : 0), 0);

const isWritablePrivate = ({ shared, protection, growsDown }: Area): boolean =>
  !shared && (protection & PROT.WRITE) !== 0 && growsDown !== true;
const isCode = ({ protection, file }: Area): boolean => (protection & PROT.EXEC) !== 0 && file !== undefined;

/** Bytes of a space's parts. */
export function partsOf(space: AddressSpace): {
  readonly all: number;
  readonly data: number;
  readonly stack: number;
  readonly program: number;
  readonly libraries: number;
  readonly locked: number;
} {
  const { areas, executable } = space;
  const isProgram = ({ file }: Area): boolean => file?.path?.ino === executable?.ino && file !== undefined;
  return {
    all: sizeOf(space),
    data: sum(areas, isWritablePrivate),
    stack: sum(areas, ({ growsDown }) => growsDown === true),
    program: sum(areas, (area) => isCode(area) && isProgram(area)),
    libraries: sum(areas, (area) => isCode(area) && !isProgram(area)),
    locked: sum(areas, ({ locked }) => locked === true),
  };
}

function statm(k: Work, subject: Subject): string {
  const space = spaceOf(k, subject);
  if (space === undefined) return "0 0 0 0 0 0 0\n";
  const resident = residentOf(k, space);
  const { all, data, stack, program } = partsOf(space);
  const pages = [all / PAGE, pagesOf(resident), resident.file + resident.shared, program / PAGE, 0];
  return `${[...pages, (data + stack) / PAGE, 0].join(" ")}\n`;
}

/** What a program has left behind cannot be told by one that has none. */
const guarded =
  (read: (k: Work, space: AddressSpace) => string) =>
  (k: Work, subject: Subject): string => {
    const space = spaceOf(k, subject);
    if (space === undefined) return "";
    try {
      return read(k, space);
    } catch (thrown) {
      if (thrown instanceof Errno) return "";
      throw thrown;
    }
  };

defineProcessEntries(
  { name: "maps", inspects: true, read: guarded((k, { areas }) => areas.map((area) => mapLine(k, area)).join("")) },
  { name: "cmdline", read: commandLine },
  {
    name: "environ",
    mode: 0o400,
    inspects: true,
    read: guarded((k, space) => foreignText(k, space, space.environmentAt)),
  },
  { name: "statm", read: statm },
);
