/**
 * The hypervisor's course: which VM goes on, and what it is given on its way in. Every handler ends here, in a guest or in the
 * host's idle loop.
 */
import type { Stop } from "../hardware/state.js";
import { type Host, TICKS_A_CLOCK } from "./host.js";
import { pick, SLICE } from "./schedule.js";
import { techniqueOf } from "./techniques/index.js";

/** A guest's instruction was executed for it, or an event delivered to it: a step of its own, and a tick. */
export function countStep(host: Host, number: number): void {
  host.board(number).count();
  host.change(number, { steps: host.vm(number).steps + 1 });
}

/** The VM goes no further. */
export function stop(host: Host, number: number, why: Stop): void {
  host.change(number, { status: { kind: "stopped", stop: why } });
}

/** HLT of a guest: it waits for an interrupt, in the host's time as long as it would in its own. */
export function halt(host: Host, number: number): void {
  const board = host.board(number);
  const until = board.nextInterrupt;
  if (until === board.now) return;
  const status =
    until === Number.POSITIVE_INFINITY
      ? ({ kind: "halted", wake: undefined, until: undefined } as const)
      : ({ kind: "halted", wake: host.now + (until - board.now), until } as const);
  host.change(number, { status });
}

/** The time of a halted VM goes on to the event it waits for, once the host's has. */
function awaken(host: Host): void {
  host.state.vms.forEach(({ status }, number) => {
    if (status.kind !== "halted" || status.wake === undefined || status.wake > host.now) return;
    host.board(number).advance(status.until!);
    host.change(number, { status: { kind: "ready" } });
  });
}

/** The host's tick at which the first of the halted VMs goes on. */
function nextWake(host: Host): number {
  let next = Number.POSITIVE_INFINITY;
  for (const { status } of host.state.vms)
    if (status.kind === "halted" && status.wake !== undefined && status.wake < next) next = status.wake;
  return next;
}

/** Sets the timer, unless it fires soon enough anyway. */
export function armFor(host: Host, tick: number): void {
  const { alarm } = host.state;
  if (tick === Number.POSITIVE_INFINITY) return;
  if (alarm !== undefined && alarm < tick + TICKS_A_CLOCK && alarm > host.now) return;
  host.setAlarm(tick);
}

/** Gives the processor's registers from one VM to another. */
function switchTo(host: Host, number: number): void {
  const { current } = host.state;
  if (current === number) return;
  if (current !== undefined) host.change(current, { cpu: techniqueOf(host.vm(current)).unload(host, current) });
  const technique = techniqueOf(host.vm(number));
  if (host.vm(number).own === undefined) host.change(number, { own: technique.prepare(host, number) });
  host.state = { ...host.state, current: number };
  technique.load(host, number);
}

/** Lets the guest of the current VM go on, with an interrupt if one waits for it. */
function enter(host: Host, number: number): void {
  const technique = techniqueOf(host.vm(number));
  const board = host.board(number);
  board.advance(board.now);
  const waits = board.interruptWaits;
  let vector: number | undefined;
  if (waits && technique.interruptible(host, number)) {
    vector = board.acknowledge();
    countStep(host, number);
    const { counts } = host.vm(number);
    host.change(number, { counts: { ...counts, interrupts: counts.interrupts + 1 } });
  }
  const due = host.now + (board.nextEvent - board.now);
  armFor(host, Math.min(due, host.state.sliceEnd, nextWake(host)));
  host.state = { ...host.state, running: { vm: number, since: host.now + 1 } };
  technique.enter(host, number, { vector, window: waits && vector === undefined });
}

/** A device of the current VM may have said that it goes no further. */
function stopByDevice(host: Host): void {
  const { current } = host.state;
  if (current === undefined || host.vm(current).status.kind === "stopped") return;
  const { stop: why } = host.board(current);
  if (why !== undefined) stop(host, current, why);
}

/** Goes on with whichever VM is next; without one the host idles. */
export function proceed(host: Host): void {
  stopByDevice(host);
  awaken(host);
  const { current, sliceEnd } = host.state;
  const goesOn = current !== undefined && host.vm(current).status.kind === "ready" && host.now < sliceEnd;
  const next = goesOn ? current : pick(host.state);
  if (next === undefined) {
    armFor(host, nextWake(host));
    host.port.nextEip = host.state.places.idle;
    return;
  }
  if (!goesOn) host.state = { ...host.state, sliceEnd: host.now + SLICE };
  switchTo(host, next);
  enter(host, next);
}

/** The guest was left: accounts for the time it had. Gives its number; undefined where none ran. */
export function left(host: Host): number | undefined {
  const { running } = host.state;
  if (running === undefined) return undefined;
  const { vm: number, since } = running;
  // The exit itself took a step of the host's.
  const had = Math.max(0, host.now - 1 - since);
  // What is injected is delivered in the entry's own step.
  host.leftAtEntry = host.now === since;
  const own = had - (techniqueOf(host.vm(number)).beyond?.(host, number) ?? 0);
  const { steps, ran } = host.vm(number);
  host.change(number, { steps: steps + own, ran: ran + had });
  host.board(number).advance(host.board(number).now + own);
  host.state = { ...host.state, running: undefined };
  return number;
}
