/** A guest run by this library's own engine: a machine inside of the machine, whose memory is the host's frames. */
import type { CpuState } from "../hardware/cpu/state.js";
import type { Disk } from "../hardware/disk.js";
import { Engine } from "../hardware/engine/engine.js";
import type { EventKind, MachineState, Stop } from "../hardware/state.js";
import { PersistentMap } from "../state/persistent-map.js";
import { guestPages, withGuestPages } from "./guest-pages.js";
import type { Host } from "./host.js";
import { techniques } from "./techniques/names.js";

/** By depth: a guest may be a host whose guests are run like this. */
const engines: Engine[] = [];
let depth = 0;

/** The values that engines sealed last: a guest that is still one of them is open already. */
const sealed: (MachineState | undefined)[] = [];

/** What became of the guest. */
export interface NestedRun {
  readonly cpu: CpuState;
  /** "limit" or "until", which is HLT, where the guest can go on. */
  readonly stop: Stop;
  readonly steps: number;
}

const sameDisks = (a: readonly Disk[] = [], b: readonly Disk[] = []): boolean =>
  a.length === b.length && a.every((disk, index) => disk === b[index]);

/** The guest as a machine; the very value that was sealed last, where it is that. */
function machineOf(host: Host, number: number, cpu: CpuState): MachineState {
  const { extents, memorySize, rom, supervisors, steps, counts, turn } = host.vm(number);
  const { devices, disks, now: ticks } = host.board(number);
  const memory = guestPages(host.access.memory, extents);
  const last = sealed[depth];
  if (
    last !== undefined &&
    last.cpu === cpu &&
    last.turn === turn &&
    last.memory === memory &&
    last.devices === devices &&
    last.rom === rom &&
    last.supervisors === supervisors &&
    last.steps === steps &&
    last.ticks === ticks &&
    last.counts === counts &&
    sameDisks(last.disks, disks)
  )
    return last;
  return {
    cpu,
    ...(turn === undefined ? {} : { turn }),
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
}

const PORTS: ReadonlySet<EventKind> = new Set(["port"]);

/** The engine of the present depth runs a machine. */
function run(
  host: Host,
  vm: string,
  before: MachineState,
  limit: number,
): { readonly after: MachineState; readonly stop: Stop } {
  engines[depth] ??= new Engine();
  const engine = engines[depth]!;
  engine.open(before);
  depth++;
  try {
    const { stop, events } = engine.run({
      limit,
      untilHalt: true,
      observe: host.access.observes("port") ? PORTS : undefined,
    });
    for (const event of events) if (event.kind === "port") host.access.note({ ...event, vm: event.vm ?? vm });
    return { after: engine.seal(), stop };
  } finally {
    depth--;
  }
}

/**
 * Runs a guest for at most `limit` steps, or up to where time would go on by itself. Its devices, memory, disks and time are those of the
 * VM, and become what they became; so do its virtual processors, where it has several, of which `cpu` is the one whose turn it is.
 */
export function runNested(host: Host, number: number, cpu: CpuState, limit: number): NestedRun {
  const { name, extents, steps, technique } = host.vm(number);
  const before = machineOf(host, number, cpu);
  const { after, stop } = run(host, name, before, limit);
  sealed[depth] = after;
  if (after.memory !== before.memory) {
    host.access.memory = withGuestPages(host.access.memory, extents, before.memory, after.memory);
    if (techniques[technique].traces === true) {
      const { unseen } = host.stores(number);
      PersistentMap.compare(before.memory, after.memory, (frame) => unseen.add(frame));
    }
  }
  host.board(number).become({ devices: after.devices, disks: after.disks ?? [], tick: after.ticks });
  host.change(number, { steps: after.steps, counts: after.counts, supervisors: after.supervisors });
  if (after.turn !== undefined) host.turn(number, after.turn);
  return { cpu: after.cpu, stop, steps: after.steps - steps };
}
