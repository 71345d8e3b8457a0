/** The domain builder: a machine as a paravirtual guest finds it at its start, before it has been given frames of a host. */

import { type ElfImage, parseElf } from "../../../hardware/boot/elf.js";
import { ImageFile } from "../../../hardware/boot/image-file.js";
import { pageAlign } from "../../../hardware/boot/load-plan.js";
import { type CreateOptions, createState } from "../../../hardware/boot/start.js";
import { PTE } from "../../../hardware/cpu/paging-levels.js";
import { CR0, FLAG, type SystemState } from "../../../hardware/cpu/state.js";
import { type Machine, machineOf } from "../../../hardware/machine.js";
import { VirtlabError } from "../../../state/error.js";
import { writePages } from "../../../state/page-map.js";
import { PAGE_SIZE } from "../../../state/pages.js";
import { START, START_MAGIC } from "./interface.js";
import { flatSegments } from "./segments.js";

export interface ParavirtualOptions extends CreateOptions {
  /** A 32-bit ELF file, linked at its physical addresses; Xen's notes may say its entry. RAM is 4 MiB unless given. */
  readonly image: Uint8Array;
  readonly imageName?: string;
  /** The command line in the start information. */
  readonly append?: string;
}

/** What the first page table maps, and where all that is loaded has to end. */
const MAPPED_PAGES = 1024;
const LOADED_END = 0x20_0000;
/** Types of Xen's notes. Spec: Xen, public header elfnote.h. */
const NOTE = { entry: 1, virtualBase: 3, pae: 9 } as const;

const note = (file: ImageFile, { notes }: ElfImage, type: number): number | undefined => {
  const found = notes.find((one) => one.owner === "Xen" && one.type === type);
  return found === undefined ? undefined : file.u32(found.offset);
};

/**
 * Whether an image says that it knows of its hypervisor.
 *
 * @throws VirtlabError for one that is no 32-bit ELF file.
 */
export const isParavirtual = (image: Uint8Array, name: string): boolean =>
  parseElf(new ImageFile(image, name)).notes.some(({ owner }) => owner === "Xen");

function checkNotes(file: ImageFile, elf: ElfImage): void {
  const YES = 0x736579;
  if (((note(file, elf, NOTE.pae) ?? 0) & 0xff_ffff) === YES)
    throw new VirtlabError(`${file.name}: it is for paging with PAE, which this hypervisor's guests do not have`);
  const base = note(file, elf, NOTE.virtualBase) ?? 0;
  if (base !== 0)
    throw new VirtlabError(
      `${file.name}: it wants its memory at linear address 0x${base.toString(16)}, where only 0 is had`,
    );
}

function words(values: readonly number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}

interface Places {
  readonly list: number;
  readonly start: number;
  readonly directory: number;
  readonly table: number;
  readonly stackEnd: number;
}

function placesOf({ segments }: ElfImage, pages: number): Places {
  const list = pageAlign(Math.max(...segments.map(({ physicalAddress, memorySize }) => physicalAddress + memorySize)));
  const start = pageAlign(list + 4 * pages);
  const directory = start + PAGE_SIZE;
  return { list, start, directory, table: directory + PAGE_SIZE, stackEnd: directory + 3 * PAGE_SIZE };
}

function startInformation({ list, directory }: Places, pages: number, append: string, name: string): Uint8Array {
  const bytes = new Uint8Array(PAGE_SIZE);
  const view = new DataView(bytes.buffer);
  const line = new TextEncoder().encode(append);
  if (line.length >= START.commandLineBytes)
    throw new VirtlabError(`${name}: the command line has ${line.length} bytes, where 1023 have room`);
  bytes.set(new TextEncoder().encode(START_MAGIC), START.magic);
  bytes.set(line, START.commandLine);
  view.setUint32(START.pages, pages, true);
  view.setUint32(START.tables, directory, true);
  view.setUint32(START.tableCount, 2, true);
  view.setUint32(START.frameList, list, true);
  return bytes;
}

/** In ring 1, with paging on. */
function startedSystem(system: SystemState, directory: number): SystemState {
  const { cs, ds } = flatSegments;
  return {
    ...system,
    cr0: system.cr0 | CR0.PG | CR0.WP | CR0.PE,
    cr3: directory,
    segments: { ...system.segments, cs, ss: ds, ds, es: ds },
  };
}

/**
 * A machine in front of the first instruction of a paravirtual guest: the image, the list of its frames, the start information, page
 * tables that map its first 4 MiB, a stack, in this order; the processor in ring 1, ESI at the start information. Frames are
 * numbered as the guest numbers them: a host that it is added to with the technique "pv" puts the machine's numbers in their place.
 *
 * Any 32-bit ELF image is loaded; one that does not ask its hypervisor for what is privileged ends at its first privileged
 * instruction.
 * Source: Xen, public header xen.h ("start_info"), `guests/kernel/xen-interface.h`.
 *
 * @throws VirtlabError for an image that cannot be read or wants another mode or place, less than 4 MiB of memory, and a command line
 * that is too long.
 */
export function paravirtualMachine({ image, imageName, append = "", ...options }: ParavirtualOptions): Machine {
  const file = new ImageFile(image, imageName ?? "image");
  const elf = parseElf(file);
  checkNotes(file, elf);
  const state = createState({ memory: "4M", ...options });
  const pages = Math.floor(state.memorySize / PAGE_SIZE);
  if (pages < MAPPED_PAGES) throw new VirtlabError(`${file.name}: a paravirtual guest needs at least 4M of memory`);
  const places = placesOf(elf, pages);
  if (places.stackEnd > LOADED_END)
    throw new VirtlabError(
      `${file.name}: image and frame list reach beyond 2 MiB, up to 0x${places.stackEnd.toString(16)}`,
    );
  const { list, start, directory, table, stackEnd } = places;
  const rights = (page: number): number =>
    page === directory / PAGE_SIZE || page === table / PAGE_SIZE ? PTE.P : PTE.P | PTE.W;
  const numbers = Array.from({ length: pages }, (_, page) => page);
  const contents: readonly (readonly [number, Uint8Array])[] = [
    ...elf.segments.map(
      ({ physicalAddress, fileOffset, fileSize }) =>
        [physicalAddress, image.subarray(fileOffset, fileOffset + fileSize)] as const,
    ),
    [list, words(numbers)],
    [start, startInformation(places, pages, append, file.name)],
    [directory, words([table | PTE.P | PTE.W | PTE.U])],
    [table, words(numbers.slice(0, MAPPED_PAGES).map((page) => page * PAGE_SIZE + rights(page)))],
  ];
  const memory = contents.reduce((map, [address, bytes]) => writePages(map, address, bytes), state.memory);
  return machineOf({
    ...state,
    memory,
    cpu: {
      ...state.cpu,
      eip: note(file, elf, NOTE.entry) ?? elf.entry,
      esi: start,
      esp: stackEnd,
      eflags: FLAG.RESERVED | FLAG.IF,
      system: startedSystem(state.cpu.system, directory),
    },
  });
}
