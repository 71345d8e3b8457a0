/** A guest run by this library's own engine: a machine inside of the machine, whose memory is the host's frames. */
import type { CpuState } from "../hardware/cpu/state.js";
import { Engine } from "../hardware/engine/engine.js";
import type { MachineState, Stop } from "../hardware/state.js";
import { PersistentMap } from "../state/persistent-map.js";
import { guestPages, withGuestPages } from "./guest-pages.js";
import type { Host } from "./host.js";

let engine: Engine | undefined;

/** What became of the guest. */
export interface NestedRun {
  readonly cpu: CpuState;
  readonly stop: Stop;
  readonly steps: number;
}

/** Runs a guest for at most `limit` steps. Its devices, memory, disks and time are those of the VM, and become what they became. */
export function runNested(host: Host, number: number, cpu: CpuState, limit: number): NestedRun {
  engine ??= new Engine();
  const { extents, memorySize, rom, supervisors, steps, counts } = host.vm(number);
  const board = host.board(number);
  const hostMemory = host.access.memory;
  const memory = guestPages(hostMemory, extents);
  const { devices, disks, now: ticks } = board;
  const before: MachineState = {
    cpu,
    memorySize,
    rom,
    memory,
    devices,
    ...(disks === undefined || disks.length === 0 ? {} : { disks }),
    ...(supervisors === undefined ? {} : { supervisors }),
    steps,
    ticks,
    counts,
    shutdown: false,
  };
  engine.open(before);
  const { stop } = engine.run({ limit });
  const after = engine.seal();
  PersistentMap.compare(memory, after.memory, (frame) => {
    host.written.add(frame);
  });
  if (after.memory !== memory) host.access.memory = withGuestPages(hostMemory, extents, memory, after.memory);
  board.advance(after.ticks);
  board.devices = after.devices;
  board.disks = after.disks ?? [];
  host.change(number, { steps: after.steps, counts: after.counts });
  return { cpu: after.cpu, stop, steps: after.steps - steps };
}
