/** A VM is a machine that was taken apart: its memory in the host's frames, its disks in the host's store, the rest a record. */

import type { CpuState } from "../hardware/cpu/state.js";
import type { Disk } from "../hardware/disk.js";
import { type Machine, machineOf } from "../hardware/machine.js";
import type { MachineState } from "../hardware/state.js";
import type { PageMap } from "../state/page-map.js";
import { PAGE_SIZE, type Page } from "../state/pages.js";
import { PersistentMap } from "../state/persistent-map.js";
import { take } from "./frames.js";
import { guestPages, withGuestPages } from "./guest-pages.js";
import { emptyLedger } from "./ledger.js";
import type { Extent, Frames, VmState } from "./state.js";
import type { TechniqueName } from "./techniques/names.js";
import { atStep, newProcessors } from "./virtual-processors.js";

/** Large pages of nested tables and of 4-level paging. */
const LARGE = 0x20_0000;

/** The host with a VM more. */
export interface Carved {
  readonly frames: Frames;
  readonly memory: PageMap;
  readonly disks: readonly Disk[];
  readonly vm: VmState;
}

interface VmSetup {
  readonly name: string;
  readonly technique: TechniqueName;
  readonly quantum: number;
}

/** Guest-physical memory as pieces: RAM with what ROM takes out of it, then ROM. */
function pieces({ memorySize, rom }: MachineState, base: number): Extent[] {
  const extents: Extent[] = [];
  let host = base;
  const add = (guest: number, end: number, readOnly: boolean): void => {
    if (end > guest) extents.push({ guest, host: readOnly ? host : base + guest, bytes: end - guest, readOnly });
    if (readOnly) host += end - guest;
  };
  const roms = [...rom].sort((a, b) => a.base - b.base);
  let from = 0;
  for (const range of roms.filter((range) => range.base < memorySize)) {
    add(from, range.base, false);
    from = range.base + range.size;
  }
  add(from, memorySize, false);
  host = base + memorySize;
  for (const range of roms) add(range.base, range.base + range.size, true);
  return extents;
}

/**
 * Carves a machine into a host's frames: pages are shared, not copied.
 *
 * @throws VirtlabError where the host has not as much memory left.
 */
export function carve(
  guest: MachineState,
  host: { readonly frames: Frames; readonly memory: PageMap; readonly disks: readonly Disk[] },
  setup: VmSetup,
): Carved {
  const { memorySize, rom, disks = [], devices, cpu, supervisors, steps, ticks, counts, turn } = guest;
  const romBytes = rom.reduce((sum, { size }) => sum + size, 0);
  const alignment = memorySize >= LARGE ? LARGE : PAGE_SIZE;
  const [frames, base] = take(host.frames, memorySize + romBytes, alignment, `${setup.name}: memory of the VM`);
  const extents = pieces(guest, base);
  return {
    frames,
    memory: withGuestPages(host.memory, extents, PersistentMap.empty<Page>(), guest.memory),
    disks: [...host.disks, ...disks],
    vm: {
      ...setup,
      memorySize,
      rom,
      extents,
      devices,
      firstDisk: host.disks.length,
      diskCount: disks.length,
      supervisors,
      cpu,
      ...(turn === undefined ? {} : { turn, processors: newProcessors(turn) }),
      steps,
      ticks,
      counts,
      status: { kind: "ready" },
      pausedAt: undefined,
      order: undefined,
      frames: [{ at: base, bytes: memorySize + romBytes }],
      ledger: emptyLedger,
      ran: 0,
      own: undefined,
    },
  };
}

/** The VM as its guest sees it: a machine that could go on by itself. */
export function machineOfVm(host: MachineState, vm: VmState, cpu: CpuState): Machine {
  const { memorySize, rom, devices, firstDisk, diskCount, supervisors, steps, ticks, counts, status, turn } = vm;
  const stopped = status.kind === "stopped" ? status.stop : undefined;
  // Each of several processors knows of itself.
  const halted = turn === undefined && (status.kind === "halted" || stopped?.reason === "halted");
  const state: MachineState = {
    cpu: halted && !cpu.halted ? { ...cpu, halted } : cpu,
    ...(turn === undefined ? {} : atStep({ cpu, turn }, devices, steps)),
    memorySize,
    rom,
    memory: guestPages(host.memory, vm.extents),
    devices,
    steps,
    ticks,
    counts,
    shutdown: stopped?.reason === "triple-fault",
    ...(supervisors === undefined ? {} : { supervisors }),
    ...(diskCount === 0 ? {} : { disks: host.disks!.slice(firstDisk, firstDisk + diskCount) }),
  };
  return machineOf(state, stopped);
}

/** What techniques keep in records of their own, by the names they have for it. */
interface Kept {
  readonly shadow?: { readonly counts: { readonly builds: number; readonly faults: number } };
  readonly translation?: { readonly made: number };
}

/** What a VM's technique has made for it. */
export function madeFor({ own }: VmState): {
  readonly translatedBlocks: number;
  readonly shadow: { readonly builds: number; readonly faults: number };
} {
  const { shadow, translation } = (own ?? {}) as Kept;
  const { builds = 0, faults = 0 } = shadow?.counts ?? {};
  return { translatedBlocks: translation?.made ?? 0, shadow: Object.freeze({ builds, faults }) };
}
