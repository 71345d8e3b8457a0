/** Gives a guest that the builder made its frames of the host: numbers in its tables and list become the machine's. */
import { PTE } from "../../../hardware/cpu/paging-levels.js";
import { SECTOR_SIZE } from "../../../hardware/disk.js";
import type { MachineState } from "../../../hardware/state.js";
import { readPages } from "../../../state/page-map.js";
import { type Host, PAGE } from "../../host.js";
import { TOP } from "../../layout.js";
import { BLOCK_PORT } from "./block.js";
import { BLOCK, FLAT_RING1, SHARED, START, START_MAGIC } from "./interface.js";
import { PageTypes, TYPE } from "./page-types.js";
import type { PvOwn } from "./state.js";

const ENTRIES = 1024;
const MOST_MEMORY = TOP;

/** Why a machine cannot be a paravirtual guest; undefined where it can. */
export function refusalOf({ cpu, memory, memorySize, rom }: MachineState): string | undefined {
  const start = cpu.esi >>> 0;
  const bytes =
    start % PAGE === 0 && start + PAGE <= memorySize ? readPages(memory, start, PAGE) : new Uint8Array(PAGE);
  const magic = String.fromCharCode(...bytes.subarray(0, START_MAGIC.length));
  if (rom.length > 0 || magic !== START_MAGIC)
    return "paravirtualization needs a guest with start information (paravirtualMachine makes one), which this machine lacks";
  const view = new DataView(bytes.buffer, bytes.byteOffset, PAGE);
  if (view.getUint32(START.pages, true) * PAGE !== memorySize)
    return "the start information is of a machine with another amount of memory";
  if (view.getUint32(START.sharedInfo, true) !== 0) return "this guest has run: its tables name frames of another host";
  if (memorySize > MOST_MEMORY) return "a 32-bit host has no addresses for that much memory";
  return undefined;
}

/** Entries that are there get another frame's number. */
function renumber({ port }: Host, table: number, first: number): readonly number[] {
  const named: number[] = [];
  for (let at = table; at < table + 4 * ENTRIES; at += 4) {
    const entry = port.readPhysical(at);
    if ((entry & PTE.P) === 0) continue;
    port.writePhysical(at, (entry + first * PAGE) >>> 0);
    named.push((entry >>> 12) + first);
  }
  return named;
}

/** The request page of the VM's first disk. */
function blockPage(host: Host, number: number): number | undefined {
  const { name } = host.vm(number);
  const disk = host.board(number).disks?.[0];
  if (disk === undefined) return undefined;
  const page = host.allocate(1, `${name}: its block device`);
  host.port.writePhysical(page + BLOCK.sectors, disk.size / SECTOR_SIZE);
  return page;
}

function sharedPage(host: Host, name: string): number {
  const page = host.allocate(1, `${name}: its shared page`);
  // A byte of a word of zeros.
  for (let vcpu = 0; vcpu < SHARED.vcpus; vcpu++) host.port.writePhysical(page + SHARED.vcpuBytes * vcpu, 1 << 8);
  return page;
}

export function build(host: Host, number: number): PvOwn {
  const { port } = host;
  const { name, extents, memorySize, cpu } = host.vm(number);
  const base = extents[0]!.host;
  const first = base / PAGE;
  const pages = memorySize / PAGE;
  const start = base + (cpu.esi >>> 0);
  const inStart = (offset: number): number => port.readPhysical(start + offset);
  const directory = first + inStart(START.tables) / PAGE;
  for (const table of renumber(host, directory * PAGE, first)) renumber(host, table * PAGE, first);
  for (let page = 0; page < pages; page++) port.writePhysical(base + inStart(START.frameList) + 4 * page, first + page);
  const types = host.allocate(Math.ceil((4 * pages) / PAGE), `${name}: types of its frames`);
  const shared = sharedPage(host, name);
  const block = blockPage(host, number);
  port.writePhysical(start + START.sharedInfo, shared);
  if (block !== undefined) {
    port.writePhysical(start + START.storeFrame, block / PAGE);
    port.writePhysical(start + START.storeEvent, BLOCK_PORT);
  }
  const frames = { first, pages, types, shared, block };
  const uses = new PageTypes(port, frames);
  uses.pin(directory, TYPE.directory);
  uses.get(directory, TYPE.directory);
  return {
    ...frames,
    directory,
    descriptors: [],
    descriptorCount: 0,
    traps: {},
    callback: { selector: FLAT_RING1.cs, address: 0 },
    stack: { ss: FLAT_RING1.ds, esp: cpu.esp >>> 0 },
    timerPort: undefined,
    timer: undefined,
  };
}
