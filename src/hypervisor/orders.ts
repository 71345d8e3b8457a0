/** What the operator has ordered: done when the hypervisor has the processor next, so that no guest runs meanwhile. */
import { PAGE_SIZE } from "../state/pages.js";
import { give } from "./frames.js";
import type { Host } from "./host.js";
import { withoutShare } from "./schedule.js";
import type { FrameRange, HostProcessor } from "./state.js";
import { techniqueOf } from "./techniques/index.js";

/** Frames of zeros, which is what no page at all is. */
function clear(host: Host, pieces: readonly FrameRange[]): void {
  const pages = pieces
    .flatMap(({ at, bytes }) => Array.from({ length: bytes / PAGE_SIZE }, (_, index) => at / PAGE_SIZE + index))
    .sort((a, b) => a - b);
  host.access.memory = host.access.memory.setAll(
    pages,
    pages.map(() => undefined),
  );
}

/** What a processor is at, once a VM that it does not run is gone. */
function withoutVm(processor: HostProcessor, gone: number): HostProcessor {
  const moved = (vm: number): number => (vm > gone ? vm - 1 : vm);
  const { current, turn, running } = processor;
  return {
    ...processor,
    current: current === undefined || current === gone ? undefined : moved(current),
    turn: turn === undefined || turn.vm === gone ? undefined : { ...turn, vm: moved(turn.vm) },
    running: running === undefined ? undefined : { ...running, vm: moved(running.vm) },
  };
}

/** A VM is no more: its frames and disks are the host's again. */
function release(host: Host, number: number): void {
  const gone = host.vm(number);
  for (const own of new Set([gone.own, ...(gone.processors ?? []).map((processor) => processor.own)])) {
    if (own === undefined) continue;
    host.change(number, { own });
    techniqueOf(gone).release?.(host, number);
  }
  host.flush();
  clear(host, gone.frames);
  host.access.disks = host.access.disks.toSpliced(gone.firstDisk, gone.diskCount);
  const { state } = host;
  host.state = {
    ...state,
    frames: give(state.frames, gone.frames),
    vms: state.vms
      .toSpliced(number, 1)
      .map((vm) => (vm.firstDisk > gone.firstDisk ? { ...vm, firstDisk: vm.firstDisk - gone.diskCount } : vm)),
    schedule: withoutShare(state.schedule, number),
    processors: state.processors.map((processor) => withoutVm(processor, number)),
  };
  host.own = withoutVm(host.own, number);
}

function switchOff(host: Host, number: number): void {
  const { status } = host.vm(number);
  const off = { kind: "stopped", stop: { reason: "power-off" } } as const;
  host.change(number, { order: undefined, status: status.kind === "stopped" ? status : off });
}

const runsElsewhere = ({ state, processor }: Host, number: number): boolean =>
  state.processors.some(({ current }, other) => other !== processor && current === number);

/** Does what was ordered of VMs that no other processor runs. */
export function obey(host: Host): void {
  for (let number = host.state.vms.length - 1; number >= 0; number--) {
    const { order } = host.vm(number);
    if (order === undefined || runsElsewhere(host, number)) continue;
    if (order === "off") switchOff(host, number);
    else release(host, number);
  }
}
