/** What a debugger and a machine have come to: a value that commands lead on from, as steps lead on from a machine. */
import { isLong } from "../hardware/cpu/state.js";
import type { Machine } from "../hardware/machine.js";
import { begun, edit, endOf, type History } from "./history.js";
import { currentProcessor, threadOf } from "./processors.js";
import type { RegisterWidth } from "./registers.js";
import type { StopPoint } from "./stop-points.js";

/** Where the machine is on its way to; work.ts goes it in pieces. */
export type Motion =
  /** On, to a stop. */
  | { readonly kind: "forward" }
  /** On, until a processor has made a step or a stop has come; at the most to a step. */
  | { readonly kind: "step"; readonly processor: number; readonly latest: number }
  /** Back to the last step of a processor before the step `from`; behind the step `bound` it has made none. */
  | { readonly kind: "back-step"; readonly processor: number; readonly from: number; readonly bound: number }
  /** Back to the last stop before the step `from`; behind the step `bound` there is none. */
  | { readonly kind: "back"; readonly from: number; readonly bound: number };

/** How the machine ended: what gdb is told when it is made to go on nevertheless. */
export interface End {
  readonly exit: string;
}

/** Bytes to be typed at the serial port after so many steps. */
export interface Typed {
  readonly steps: number;
  readonly serial: Uint8Array;
}

export interface Session {
  readonly width: RegisterWidth;
  readonly machine: Machine;
  readonly history: History;
  /** What is typed when the machine comes by, by step. */
  readonly script: readonly Typed[];
  /** Whose registers gdb asks for. */
  readonly selected: number;
  readonly stopPoints: readonly StopPoint[];
  readonly snapshots: ReadonlyMap<string, { readonly machine: Machine; readonly history: History }>;
  readonly motion: Motion | undefined;
  /** The machine has halted on its way, until something is typed. */
  readonly waits: boolean;
  readonly end: End | undefined;
  /** How the debugger took its leave. */
  readonly left: "detached" | "killed" | "exited" | undefined;
  /** Why the machine stands still, as gdb was told. */
  readonly stopReply: string;
  /** The debugger knows that the processor has come to have more registers than it was told of. */
  readonly warned: boolean;
  /** Packets go without acknowledgements. */
  readonly noAcknowledgements: boolean;
  /** Bytes that are no whole packet yet, or wait for the machine to stop; and what was sent last. */
  readonly unread: Uint8Array;
  readonly sent: Uint8Array;
}

/** A session, and what it has to say. */
export interface Turn {
  readonly session: Session;
  /** Payloads of packets. */
  readonly replies: readonly string[];
}

export const says = (session: Session, ...replies: readonly string[]): Turn => ({ session, replies });

/** The machine with what the script has for its step. */
export const withScript = (machine: Machine, script: readonly Typed[]): Machine =>
  script.filter(({ steps }) => steps === machine.steps).reduce((before, { serial }) => before.type(serial), machine);

/** A session at a machine; gdb is told of 64-bit registers if it is in long mode. */
export function beginSession(start: Machine, script: readonly Typed[] = []): Session {
  const machine = withScript(start, script);
  return {
    width: isLong(machine.cpu.system) ? 64 : 32,
    machine,
    history: begun(machine),
    script,
    selected: currentProcessor(machine),
    stopPoints: [],
    snapshots: new Map(),
    motion: undefined,
    waits: false,
    end: undefined,
    left: undefined,
    stopReply: `T05thread:${threadOf(currentProcessor(machine))};`,
    warned: false,
    noAcknowledgements: false,
    unread: new Uint8Array(),
    sent: new Uint8Array(),
  };
}

/** The session of the next debugger, at the machine where the one before left it, with its past. */
export const nextSession = (session: Session): Session => ({
  ...beginSession(session.machine),
  script: session.script,
  history: session.history,
  snapshots: session.snapshots,
});

/** The session with its machine changed from outside. */
export const edited = (session: Session, machine: Machine): Session =>
  machine === session.machine
    ? session
    : { ...session, machine, history: edit(session.history, machine), end: undefined, waits: false };

/** Whether nothing is known of what comes next: only there something new may be typed. */
export const isLive = ({ machine, history }: Session): boolean => machine.steps >= endOf(history);
