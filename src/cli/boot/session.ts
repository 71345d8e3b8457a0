/** A run of a machine with its serial port on standard input and output, until it ends or is to end. */
import { TICKS_PER_SECOND } from "../../hardware/devices/mc146818.js";
import type { Machine } from "../../hardware/machine.js";
import type { MachineEvent, Stop } from "../../hardware/state.js";
import { terminalPlace } from "../../notebook/progress/places.js";
import { type ProgressBar, progressAt } from "../../notebook/progress/progress.js";
import { ConsoleInput } from "./console-input.js";
import type { Course } from "./course.js";
import type { BootFlags } from "./flags.js";
import type { Recording, TypedInput } from "./recording.js";
import { standstill } from "./standstill.js";

/** Steps between two looks at standard input: some tens of milliseconds. */
const SLICE = 4_000_000;
/** Exceptions a report shows. */
const LAST_EXCEPTIONS = 8;

/** A guest that jumps to itself, and nothing or only input can end that. */
export interface Spinning {
  readonly reason: "spins";
  readonly waitsForInput: boolean;
}

/** How a session ended: as the machine did, or because of a limit of time, a signal or a reader that has gone. */
export type End = Stop | Spinning | { readonly reason: "timeout" | "interrupted" };

export interface Session {
  readonly end: End;
  readonly machine: Machine;
  /** How it stood with what was run: the machine, or the VM that it is. */
  readonly course: Course;
  /** A machine shortly before, for a report of the last instructions. */
  readonly earlier: Machine;
  /** What was typed, since the last reset. */
  readonly inputs: readonly TypedInput[];
  readonly exceptions: readonly MachineEvent[];
  /** All that the serial port put out, bytes as characters. */
  readonly output: string;
}

/** What is typed comes from standard input, or from a recording. */
export async function runSession(
  start: Course,
  flags: BootFlags,
  recording: Recording | undefined,
  caught: { interrupted: boolean; wake?: () => void },
): Promise<Session> {
  const { portLog, maxInstructions = Number.POSITIVE_INFINITY, timeout, reboot, json } = flags;
  const deadline = timeout === undefined ? Number.POSITIVE_INFINITY : performance.now() + 1000 * timeout;
  const input = recording === undefined ? new ConsoleInput(process.stdin) : undefined;
  caught.wake = () => input?.wake();
  const bar = flags.progress
    ? progressAt(() => (process.stderr.isTTY ? terminalPlace(process.stderr) : undefined), "boot", BAR)
    : undefined;
  const inputs: TypedInput[] = [];
  const exceptions: MachineEvent[] = [];
  let course = start;
  let { machine } = start;
  let output = "";
  let printed = machine.devices.uart.output.length;
  let done = 0;
  let closed = false;
  process.stdout.on("error", () => {
    closed = true; // whoever read the output is gone
  });
  const ended = (end: End, earlier: Machine): Session => ({
    end,
    machine,
    course,
    earlier,
    inputs,
    exceptions,
    output,
  });
  try {
    for (;;) {
      const { steps } = course.whole;
      const typed = recording === undefined ? input!.typed() : typedAt(recording, inputs.length, steps);
      if (typed.length > 0) {
        inputs.push({ steps, serial: typed });
        course = course.type(typed);
      }
      const next = recording === undefined ? Number.POSITIVE_INFINITY : nextTime(recording, inputs.length, steps);
      const earlier = course.machine;
      const began = performance.now();
      course = course.run({
        maxInstructions: Math.min(SLICE, maxInstructions - done, next - steps),
        observe: portLog ? ["exception", "port"] : ["exception"],
      });
      machine = course.machine;
      done += machine.steps - earlier.steps;
      const news = machine.devices.uart.output.slice(printed);
      printed += news.length;
      output += news;
      if (news !== "" && !json) process.stdout.write(Buffer.from(news, "latin1"));
      note(course.events, exceptions, portLog);
      bar?.(progressOf(machine, done, maxInstructions));
      const stop = course.stop as Stop;
      if (recording !== undefined && course.whole.steps >= recording.end.steps) return ended(stop, earlier);
      if (stop.reason === "limit" && done >= maxInstructions) return ended(stop, earlier);
      if (caught.interrupted || closed) return ended({ reason: "interrupted" }, earlier);
      if (performance.now() >= deadline) return ended({ reason: "timeout" }, earlier);
      const still = stop.reason === "limit" && recording === undefined ? standstill(machine) : undefined;
      if (still !== undefined && (!still.waitsForInput || input?.ended))
        return ended({ reason: "spins", waitsForInput: still.waitsForInput }, earlier);
      if (stop.reason === "limit") {
        const ahead = process.stdin.isTTY ? idleMilliseconds(earlier, machine) - (performance.now() - began) : 0;
        if (input !== undefined && ahead > 0) await input.more(Math.min(ahead, deadline - performance.now()));
        else await new Promise((resolve) => setImmediate(resolve));
        continue;
      }
      if (stop.reason === "halted" && stop.waitsForInput && input !== undefined) {
        if (await input.more(deadline - performance.now())) continue;
        if (caught.interrupted) return ended({ reason: "interrupted" }, earlier);
        if (performance.now() >= deadline) return ended({ reason: "timeout" }, earlier);
      }
      if (stop.reason === "reset" && reboot) {
        course = start;
        printed = start.machine.devices.uart.output.length;
        inputs.length = 0;
        continue;
      }
      return ended(stop, earlier);
    }
  } finally {
    bar?.({ done, finished: true });
    input?.close();
  }
}

/** Time that HLT skipped. Who sits at a terminal has a machine that waits for real, and a computer that rests meanwhile. */
const idleMilliseconds = (before: Machine, after: Machine): number =>
  (1000 * (after.ticks - before.ticks - (after.steps - before.steps))) / TICKS_PER_SECOND;

const BAR = { unit: "instructions" } as const;

const progressOf = (machine: Machine, done: number, limit: number): Parameters<ProgressBar>[0] => ({
  done: Number.isFinite(limit) ? done : machine.steps,
  ...(Number.isFinite(limit) ? { total: limit } : {}),
});

const NOTHING = new Uint8Array();

/** What a recording types next, if it is time. */
function typedAt({ inputs }: Recording, index: number, steps: number): Uint8Array {
  const next = inputs[index];
  return next !== undefined && next.steps <= steps ? next.serial : NOTHING;
}

/** How far a run may go before there is something to type, or the end. */
function nextTime({ inputs, end }: Recording, index: number, steps: number): number {
  return Math.max(steps + 1, inputs[index]?.steps ?? end.steps);
}

function note(events: readonly MachineEvent[], exceptions: MachineEvent[], portLog: readonly number[] | undefined) {
  for (const event of events) {
    if (event.kind === "exception") exceptions.push(event);
    else if (event.kind === "port" && event.direction === "out" && portLog?.includes(event.port))
      process.stderr.write(portBytes(event.value, event.size));
  }
  exceptions.splice(0, exceptions.length - LAST_EXCEPTIONS);
}

function portBytes(value: number, size: number): Buffer {
  return Buffer.from(Array.from({ length: size }, (_, index) => (value >>> (8 * index)) & 0xff));
}
