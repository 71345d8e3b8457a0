/**
 * The ways of a machine under a debugger, gone piece by piece so that a debugger can break in: on to a stop, back by a step,
 * back to the last stop. Back is always on again from a machine that was kept.
 */
import { isLong } from "../hardware/cpu/state.js";
import type { Machine } from "../hardware/machine.js";
import type { Stop } from "../hardware/state.js";
import { approach, keep, keptBefore, nextEdit, PIECE, reach, startOf } from "./history.js";
import { textToHex } from "./packets.js";
import { currentProcessor, processorCount, threadOf } from "./processors.js";
import { lastHit, lastTurnOf } from "./search.js";
import { type End, edited, type Motion, type Session, says, type Turn, type Typed, withScript } from "./session.js";
import { breakpointAt, nextInstruction, reasonOf, runStops } from "./stop-points.js";

const SIGNAL = { INT: "02", ILL: "04", TRAP: "05", SEGV: "0b", TERM: "0f" } as const;

/** Words that gdb prints. */
const printed = (words: string): string => `O${textToHex(`virtlab: ${words}\n`)}`;

const WIDER = "the processor is in long mode now: disconnect and connect again to see it";

/** Standing still, for a reason that gdb knows by name or for none; at a processor. */
const stopped = (
  session: Session,
  signal: string,
  reason = "",
  selected: number = currentProcessor(session.machine),
): Turn => {
  const stopReply = `T${signal}thread:${threadOf(selected)};${reason}`;
  const warn = session.width === 32 && !session.warned && isLong(session.machine.cpu.system);
  const warned = session.warned || warn;
  const still: Session = { ...session, motion: undefined, waits: false, stopReply, selected, warned };
  return says(still, ...(warn ? [printed(WIDER)] : []), stopReply);
};

/** The end of what can be undone. */
const atBeginning = (session: Session): Turn => stopped(session, SIGNAL.TRAP, "replaylog:begin;");

/** What gdb is told of a machine that has ended: words and a signal; and the end, if it is made to go on. */
function ending(stop: Stop): { readonly words: string; readonly signal: string; readonly end: End } {
  const hexByte = (value: number): string => value.toString(16).padStart(2, "0");
  switch (stop.reason) {
    case "debug-exit":
      return { words: `debug exit with ${stop.value}`, signal: SIGNAL.TERM, end: { exit: `W${hexByte(stop.status)}` } };
    case "triple-fault":
      return { words: "triple fault", signal: SIGNAL.SEGV, end: { exit: `X${SIGNAL.SEGV}` } };
    case "unsupported":
      return { words: `unsupported: ${stop.detail}`, signal: SIGNAL.ILL, end: { exit: `X${SIGNAL.ILL}` } };
    case "halted":
      return { words: "halted for good", signal: SIGNAL.TERM, end: { exit: "W04" } };
    default:
      return { words: stop.reason, signal: SIGNAL.TERM, end: { exit: "W00" } };
  }
}

const moveTo = (session: Session, machine: Machine): Session => ({
  ...session,
  machine,
  history: keep(session.history, machine),
  waits: false,
});

/** What was changed here before is so again; else the script has something for this step. */
const changed = (session: Session, machine: Machine): Session => {
  const known = keptBefore(session.history, machine.steps);
  return known.steps === machine.steps ? moveTo(session, known) : edited(session, withScript(machine, session.script));
};

/** The next step behind a step at which the script types. */
const nextTyped = (script: readonly Typed[], after: number): number =>
  script.reduce((next, { steps }) => (steps > after ? Math.min(next, steps) : next), Number.POSITIVE_INFINITY);

/** Runs to a stop, a change from outside or a step; whichever comes first. */
function run(session: Session, target: number): { readonly ran: Machine; readonly moved: Session } {
  const { machine, history, stopPoints, script } = session;
  const { steps } = machine;
  const change = Math.min(nextEdit(history, steps), nextTyped(script, steps));
  const ran = machine.run({ maxInstructions: Math.min(target, change) - steps, ...runStops(stopPoints) });
  return { ran, moved: ran.steps === change ? changed(session, ran) : moveTo(session, ran) };
}

function forward(session: Session): Turn {
  const { ran, moved } = run(session, (Math.floor(session.machine.steps / PIECE) + 1) * PIECE);
  const stop = ran.stop!;
  if (stop.reason === "halted" && stop.waitsForInput && moved.machine === ran) return says({ ...moved, waits: true });
  return arrived(moved, ran) ?? says(moved);
}

/** Turns of other processors that are run in a piece. */
const TURNS = 1000;

function step(session: Session, { processor, latest }: Extract<Motion, { kind: "step" }>): Turn {
  let now = session;
  for (let count = 0; count < TURNS && now.machine.steps < latest; count++) {
    const own = currentProcessor(now.machine) === processor;
    const { steps, turn } = now.machine;
    const { ran, moved } = run(now, own ? steps + 1 : Math.min(latest, steps + (turn?.left ?? 1)));
    const end = arrived(moved, ran);
    if (end !== undefined) return end;
    if (own || ran.stop?.reason === "halted") return stopped(moved, SIGNAL.TRAP, "", processor);
    now = moved;
  }
  // A processor that is halted, or was never started, may make no step at all.
  return now.machine.steps < latest ? says(now) : stopped(now, SIGNAL.TRAP, "", processor);
}

/** The processor that made the last step: its turn may have ended with that. */
function lastToStep({ machine, history }: Session): number {
  if (processorCount(machine) === 1) return currentProcessor(machine);
  return currentProcessor(reach(history, machine.steps - 1).machine);
}

/** What ended the way; undefined if nothing has. */
function arrived(session: Session, ran: Machine): Turn | undefined {
  const stop = ran.stop!;
  if (stop.reason === "limit" || (stop.reason === "halted" && stop.waitsForInput)) return undefined;
  if (stop.reason === "breakpoint") return stopped(session, SIGNAL.TRAP, reasonOf(ran, session.stopPoints));
  if (stop.reason === "watchpoint")
    return stopped(session, SIGNAL.TRAP, reasonOf(ran, session.stopPoints), lastToStep(session));
  if (session.machine !== ran) return undefined;
  const { words, signal, end } = ending(stop);
  const { session: ended, replies } = stopped({ ...session, end }, signal);
  return says(ended, printed(`the machine has ended: ${words}`), ...replies);
}

/** Steps that are looked through for one of a processor in a piece: with one processor, or two that are busy, the first has one. */
const LOOKED_THROUGH = 1024;

function backStep(session: Session, { processor, from, bound }: Extract<Motion, { kind: "back-step" }>): Turn {
  const start = startOf(session.history);
  const lowest = Math.max(start, from - PIECE);
  const first = Math.max(lowest, processorCount(session.machine) === 1 ? bound - 1 : bound - LOOKED_THROUGH);
  const { history, machine } = approach(session.history, first);
  const moved = { ...session, history };
  if (machine.steps < first) return says(moved);
  const found = lastTurnOf(processor, history, first, bound);
  if (found !== undefined) return stopped({ ...moved, machine: found }, SIGNAL.TRAP, "", processor);
  if (first > lowest) return says({ ...moved, motion: { kind: "back-step", processor, from, bound: first } });
  // As on the way forward: a processor may have made no step at all.
  return lowest === start
    ? atBeginning({ ...moved, machine })
    : stopped({ ...moved, machine }, SIGNAL.TRAP, "", processor);
}

/** Where a stop that was found is shown from the other side: in front of the access, or where the breakpoint is. */
function backAt(session: Session, hit: Machine, present: number): Turn {
  const { stopPoints } = session;
  const breakpoint = hit.steps < present ? breakpointAt(stopPoints, nextInstruction(hit)) : undefined;
  const here = hit.stop?.reason === "breakpoint" || (breakpoint !== undefined && !hit.halted);
  const { history, machine } = reach(session.history, here ? hit.steps : hit.steps - 1);
  const reason = here && breakpoint !== undefined ? `${breakpoint.type}:;` : reasonOf(hit, stopPoints);
  return stopped({ ...session, history, machine }, SIGNAL.TRAP, reason);
}

function back(session: Session, { from, bound }: Extract<Motion, { kind: "back" }>): Turn {
  const { stopPoints } = session;
  const base = keptBefore(session.history, bound - 1);
  // What was kept lies far apart long ago: fill in before searching.
  if (bound - base.steps > 2 * PIECE)
    return says({ ...session, history: approach(session.history, bound - 1).history });
  const hit = lastHit(base, bound, from, runStops(stopPoints));
  if (hit !== undefined) return backAt(session, hit, from);
  if (base.steps > startOf(session.history))
    return says({ ...session, motion: { kind: "back", from, bound: base.steps } });
  return atBeginning({ ...session, machine: base });
}

/** A piece of the way; nothing if the machine stands still. */
export function work(session: Session): Turn {
  const { motion } = session;
  if (motion === undefined || session.left !== undefined) return says(session);
  if (motion.kind === "forward") return forward(session);
  if (motion.kind === "step") return step(session, motion);
  return motion.kind === "back-step" ? backStep(session, motion) : back(session, motion);
}

/** Sets the machine going; `work` moves it. */
export function go(session: Session, kind: "continue" | "step" | "back" | "back-step", processor?: number): Turn {
  const { machine, history, end } = session;
  const { steps } = machine;
  const reverse = kind === "back" || kind === "back-step";
  if (!reverse && end !== undefined) return says({ ...session, left: "exited" }, end.exit);
  if (reverse && steps <= startOf(history)) return atBeginning({ ...session, end: undefined });
  const motions: Readonly<Record<typeof kind, Motion>> = {
    continue: { kind: "forward" },
    step: { kind: "step", processor: processor ?? currentProcessor(machine), latest: steps + PIECE },
    back: { kind: "back", from: steps, bound: steps },
    "back-step": { kind: "back-step", processor: session.selected, from: steps, bound: steps },
  };
  return says({ ...session, motion: motions[kind], end: undefined });
}

/** The debugger breaks in: the machine stands still where it has come to. */
export function interrupt(session: Session): Turn {
  const { motion, history } = session;
  if (motion === undefined) return says(session);
  const machine = motion.kind === "back" ? keptBefore(history, motion.bound) : session.machine;
  return stopped({ ...session, machine }, SIGNAL.INT);
}
