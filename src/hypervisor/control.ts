/**
 * The hypervisor's course: which VM goes on, and what it is given on its way in. Every handler ends here, in a guest or in the
 * host's idle loop.
 */
import type { Stop } from "../hardware/state.js";
import { type Host, TICKS_A_CLOCK } from "./host.js";
import { switchTo, takeOut } from "./loading.js";
import { obey } from "./orders.js";
import { accounted, begun, charged, isParked, moved, pick, preempts, slept, type Wants, woken } from "./schedule.js";
import { techniqueOf } from "./techniques/index.js";
import { hasSeveral } from "./virtual-processors.js";
import { checkTurn, directSteps, endTurn, settle, simulateAhead, stepsOfTurn, wake } from "./vm-turns.js";

/** A guest's instruction was executed for it, or an event delivered to it: a step of its own, and a tick. */
export function countStep(host: Host, number: number): void {
  host.board(number).count();
  host.changed(number).steps++;
}

/** The VM goes no further. */
export function stop(host: Host, number: number, why: Stop): void {
  host.change(number, { status: { kind: "stopped", stop: why } });
}

/** HLT of a guest: it waits for an interrupt, in the host's time as long as it would in its own. `enabled`: it would take one. */
export function halt(host: Host, number: number, enabled: boolean): void {
  if (hasSeveral(host.vm(number))) {
    endTurn(host, number, "HLT");
    return;
  }
  if (!enabled) {
    stop(host, number, { reason: "halted", waitsForInput: false });
    return;
  }
  const board = host.board(number);
  const until = board.nextInterrupt;
  if (until === board.now) return;
  const since = host.now;
  const wakes = until !== Number.POSITIVE_INFINITY;
  const [wake, tick] = wakes ? [since + (until - board.now), until] : [undefined, undefined];
  host.change(number, { status: { kind: "halted", since, wake, until: tick } });
}

/** The time of a halted VM goes on to the event it waits for, once the host's has. */
function awaken(host: Host): void {
  host.state.vms.forEach(({ status, pausedAt }, number) => {
    if (pausedAt !== undefined || status.kind !== "halted" || status.wake === undefined || status.wake > host.now)
      return;
    host.change(number, { status: { kind: "ready" } });
    wake(host, number, status.until!);
    host.schedule = woken(host.schedule, number);
  });
}

/** The host's tick at which the first of the halted VMs goes on. */
export function nextWake(host: Host): number {
  let next = Number.POSITIVE_INFINITY;
  for (const { status, pausedAt } of host.state.vms)
    if (pausedAt === undefined && status.kind === "halted" && status.wake !== undefined && status.wake < next)
      next = status.wake;
  return next;
}

/** VMs that wait for nothing but a processor. */
const isReady =
  ({ state }: Host): Wants =>
  (number) => {
    const { status, pausedAt } = state.vms[number]!;
    return status.kind === "ready" && pausedAt === undefined;
  };

/** Those among them that have none. */
const wants = (host: Host): Wants => {
  const { state, own, processor } = host;
  const ready = isReady(host);
  return (number) =>
    number !== own.turn?.vm &&
    ready(number) &&
    state.processors.every(({ turn }, other) => other === processor || turn?.vm !== number);
};

/** Sets the timer, unless it fires soon enough anyway. */
export function armFor(host: Host, tick: number): void {
  const { alarm } = host.own;
  if (tick === Number.POSITIVE_INFINITY) return;
  if (alarm !== undefined && alarm < tick + TICKS_A_CLOCK && alarm > host.now) return;
  host.setAlarm(tick);
}

/**
 * The same for the guest's event that is so many of its ticks ahead, to the very tick: where the next edge of the timer's clock is not as
 * far away, the host waits. A timer that fires before is left as it is, for what comes then.
 */
function armExactly(host: Host, ahead: number): void {
  const { alarm } = host.own;
  const due = host.now + 1 + ahead;
  if (alarm !== undefined && alarm <= due && alarm > host.now) return;
  host.setAlarm(due);
  host.access.elapse(Math.max(0, host.own.alarm! - due));
}

/** Sets the timer for what comes first: the guest's next event, the end of its turn, or another VM that wakes. */
function arm(host: Host, number: number): void {
  const technique = techniqueOf(host.vm(number));
  const board = host.board(number);
  const ahead = Math.min(board.nextEvent - board.now, directSteps(host, number));
  const others = Math.min(host.own.turn!.end, nextWake(host));
  const isExact = technique.leftInTime === true && !host.several;
  const early = !isExact && technique.approach !== undefined ? TICKS_A_CLOCK : 0;
  // What is not the guest's may come late, by less than that, and not the guest's event with it.
  const latest = Math.max(others + TICKS_A_CLOCK, host.now + 2 * TICKS_A_CLOCK);
  if (isExact && host.now + ahead <= latest) armExactly(host, ahead);
  else armFor(host, Math.min(host.now + ahead - early, others));
}

/** Of several processors any may go on with a VM whose turn is over. */
function park(host: Host): void {
  const { current } = host.own;
  if (host.several && current !== undefined) takeOut(host, current);
}

/** Processors that idle are told of VMs that want one. */
function wakeOthers(host: Host): void {
  if (!host.several) return;
  const { state, processor, schedule } = host;
  const idle = state.processors.flatMap(({ turn }, other) =>
    turn === undefined && other !== processor ? [other] : [],
  );
  const waiting = state.vms.filter((_, number) => wants(host)(number) && !isParked(schedule.shares[number]!));
  for (const other of idle.slice(0, waiting.length)) host.kick(other);
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
  if (technique.returns !== true) arm(host, number);
  host.own = { ...host.own, running: { vm: number, since: host.made + 1 } };
  technique.enter(host, number, { vector, window: waits && vector === undefined });
}

/** An alarm is early by at most so much, and then what is left is little to simulate. */
const NEAR = 3 * TICKS_A_CLOCK;

/** A device of the guest is about to do something, nearer than the timer can tell: the guest goes on to that very tick. */
function approach(host: Host, number: number): boolean {
  const technique = techniqueOf(host.vm(number));
  if (technique.approach === undefined) return false;
  if (technique.leftInTime === true && !host.several) {
    const isLate = directSteps(host, number) === 0;
    if (isLate) goOn(host, number, stepsOfTurn(host, number));
    return isLate;
  }
  const board = host.board(number);
  board.advance(board.now);
  const ahead = Math.min(board.nextEvent - board.now, stepsOfTurn(host, number));
  if (ahead <= 0 || ahead > NEAR) return false;
  if (!hasSeveral(host.vm(number))) return !board.interruptWaits && technique.approach(host, number, ahead);
  goOn(host, number, ahead);
  return true;
}

/** Steps of a VM with several processors are made by the nested engine. */
function goOn(host: Host, number: number, steps: number): void {
  const why = simulateAhead(host, number, steps);
  if (why !== undefined) stop(host, number, why);
}

/**
 * Whether the hardware has no way to run the present one of a VM's processors: in real mode as it starts, where there are no unrestricted
 * guests; an NMI or a debug trap waits for it, or its NMI handler runs, of which nobody would tell the end.
 */
function isBeyondHardware(host: Host, number: number): boolean {
  const vm = host.vm(number);
  const technique = techniqueOf(vm);
  if (!hasSeveral(vm) || technique.returns === true) return false;
  const { debug, nmi, nmiBlocked } = vm.cpu.pending;
  return debug !== 0 || nmi || nmiBlocked || technique.cannotRun?.(host, vm.cpu) === true;
}

/** The VM whose turn it is pays for the time since it last did. */
function pay(host: Host): void {
  const { turn } = host.own;
  if (turn === undefined) return;
  host.schedule = charged(host.schedule, turn.vm, host.now - turn.paid);
  host.own = { ...host.own, turn: { ...turn, paid: host.now } };
}

/** Periods that are over are accounted for. */
function account(host: Host): void {
  if (host.now < host.schedule.due) return;
  pay(host);
  host.schedule = accounted(host.schedule, host.now, isReady(host));
}

/** Whether the VM whose turn it is keeps the processor. A turn that is over is taken from it. */
function keepsTurn(host: Host): boolean {
  const { turn } = host.own;
  if (turn === undefined) return false;
  const { vm, end } = turn;
  const ready = isReady(host)(vm);
  if (ready && host.now < end && !preempts(host.schedule, wants(host))) return true;
  pay(host);
  if (!ready) host.schedule = slept(host.schedule, vm);
  else if (host.now >= end) host.schedule = moved(host.schedule, vm);
  host.own = { ...host.own, turn: undefined };
  return false;
}

/** Tells who observes it which VM has the processor from now on, if any. */
function tell({ access, port, processor, now: tick }: Host, vm?: string): void {
  access.note({ kind: "schedule", tick, eip: port.eip, processor, ...(vm === undefined ? {} : { vm }) });
}

/** The processor has nothing to do before a VM wakes, or one is let go on that has had all its cap allows. */
function idle(host: Host): void {
  const { schedule, port } = host;
  tell(host);
  const parked = schedule.shares.some((share, number) => isParked(share) && wants(host)(number));
  armFor(host, Math.min(nextWake(host), parked ? schedule.due : Number.POSITIVE_INFINITY));
  port.nextEip = host.state.places.idle;
}

/** Goes on with whichever VM is next; without one the host idles. */
export function proceed(host: Host): void {
  if (host.own.current !== undefined) settle(host, host.own.current);
  if (host.interruptWaits) {
    host.port.nextEip = host.state.places.window;
    return;
  }
  host.takeStops();
  obey(host);
  awaken(host);
  account(host);
  if (!keepsTurn(host)) {
    park(host);
    const next = pick(host.schedule, wants(host));
    if (next === undefined) {
      idle(host);
      return;
    }
    const [schedule, ticks] = begun(host.schedule, next);
    host.schedule = schedule;
    host.own = { ...host.own, turn: { vm: next, end: host.now + ticks, paid: host.now } };
    tell(host, host.vm(next).name);
  }
  wakeOthers(host);
  const { vm } = host.own.turn!;
  settle(host, vm);
  if (host.vm(vm).status.kind !== "ready") {
    proceed(host);
    return;
  }
  if (isBeyondHardware(host, vm)) {
    goOn(host, vm, host.vm(vm).turn!.left);
    host.port.nextEip = host.state.places.window;
    return;
  }
  switchTo(host, vm);
  if (approach(host, vm)) proceed(host);
  else enter(host, vm);
}

/** One of several virtual processors was left. */
function countExit(host: Host, number: number): void {
  const { turn, processors } = host.vm(number);
  const { own, exits } = processors![turn!.processor]!;
  host.change(number, { processors: processors!.with(turn!.processor, { own, exits: exits + 1 }) });
}

/** The guest was left: accounts for the time it had. Gives its number; undefined where none ran. */
export function left(host: Host): number | undefined {
  const { running } = host.own;
  if (running === undefined) return undefined;
  const { vm: number, since } = running;
  // The exit itself took a step of the host's.
  const had = Math.max(0, host.made - 1 - since);
  // What is injected is delivered in the entry's own step.
  host.leftAtEntry = host.made === since;
  const vm = host.changed(number);
  const own = had - (techniqueOf(vm).beyond?.(host, number) ?? 0);
  vm.steps += own;
  vm.ran += had;
  const board = host.board(number);
  if (hasSeveral(vm)) {
    // What is due at this very tick comes behind a turn that is over by now.
    if (own > 0) {
      board.advance(board.now + own - 1);
      board.count();
    }
    countExit(host, number);
    checkTurn(host, number);
  } else board.advance(board.now + own);
  host.own = { ...host.own, running: undefined };
  return number;
}
