/** Which VM's registers a processor of the host holds, and how they come into it and out of it. */
import type { Host } from "./host.js";
import { techniqueOf } from "./techniques/index.js";
import { hasSeveral } from "./virtual-processors.js";

/** Takes a VM out of the processor, if its registers are there: its record has them then. */
export function takeOut(host: Host, number: number): void {
  if (host.own.current !== number) return;
  const technique = techniqueOf(host.vm(number));
  host.change(number, { cpu: technique.unload(host, number) });
  // Of several processors any may go on with it.
  if (host.several) technique.leave?.(host, number);
  const vm = host.vm(number);
  if (hasSeveral(vm)) {
    const { own, processors, turn } = vm;
    const { exits } = processors![turn.processor]!;
    host.change(number, { processors: processors!.with(turn.processor, { own, exits }) });
  }
  host.own = { ...host.own, current: undefined };
}

/** What the technique keeps of the virtual processor that is to run is made before it first does. */
function prepare(host: Host, number: number): void {
  const vm = host.vm(number);
  const technique = techniqueOf(vm);
  const first = vm.own;
  const own = hasSeveral(vm) ? vm.processors![vm.turn.processor]!.own : first;
  if (own !== undefined) host.change(number, { own });
  else if (first === undefined) host.change(number, { own: technique.prepare(host, number) });
  else host.change(number, { own: technique.prepareNext?.(host, number, first) ?? first });
}

/** Gives the processor's registers from one VM to another. */
export function switchTo(host: Host, number: number): void {
  const { current } = host.own;
  if (current === number) return;
  if (current !== undefined) takeOut(host, current);
  host.own = { ...host.own, current: number };
  prepare(host, number);
  techniqueOf(host.vm(number)).load(host, number);
}
