/**
 * Privileged software in TypeScript: where the processor enters it, which handlers these places have, and what it remembers.
 *
 * An entry is a place in physical memory whose bytes are the host-call opcode. Arriving there, at whatever privilege and in
 * whatever mode the hardware's rules allow, the processor runs a handler instead: one step, through the processor port. The
 * same bytes anywhere else are #UD.
 */
import { VirtlabError } from "../state/error.js";
import type { PageMap } from "../state/page-map.js";
import type { ProcessorPort } from "./cpu/processor.js";
import type { Disk } from "./disk.js";
import { biosHandlers } from "./firmware/bios/services.js";
import type { EventKind, MachineEvent } from "./state.js";

/** 0F 3F: the SDM's opcode map (Vol. 2D, Appendix A, "Two-byte Opcode Map") has no instruction there. */
export const HOST_CALL: readonly number[] = [0x0f, 0x3f];

/** What a handler has beside the processor. */
export interface HostAccess {
  /** What the supervisor remembers: an immutable record, replaced as a whole. A handler that faults has not replaced it. */
  state: object;
  /** The machine's store of disks: those that no drive of the machine shows are the supervisor's to give to others. */
  disks: readonly Disk[];
  /**
   * All of memory as a value, for work on whole pages: reading it costs as much as was written since it was last read, replacing it
   * as much as differs.
   */
  memory: PageMap;
  /** Steps that this processor has made. */
  readonly steps: number;
  /** Time goes by while the handler is at work, beyond the tick that it is: devices do what they do by themselves. */
  elapse(ticks: number): void;
  /** Tells who observes such events of one. */
  note(event: MachineEvent): void;
  /** Whether anybody does. */
  observes(kind: EventKind): boolean;
}

/** Draws nothing from outside of its arguments, never blocks, and may ask to be entered again. Throws a `Fault` as instructions do. */
export type HostHandler = (port: ProcessorPort, access: HostAccess) => void;

/** A place that is entered, and the name of its handler. */
export interface HostEntry {
  readonly physical: number;
  readonly handler: string;
}

/** One supervisor of a machine. */
export interface Supervisor {
  readonly kind: string;
  /** What its handlers do may change with it. */
  readonly version: number;
  readonly entries: readonly HostEntry[];
  /** Plain data; absent for a kind that remembers nothing beyond the machine's memory. */
  readonly state?: object;
}

export interface Supervisors {
  readonly [name: string]: Supervisor;
}

/** A kind of supervisor: what its entries may name. */
export interface SupervisorKind {
  readonly version: number;
  readonly handlers: Readonly<Record<string, HostHandler>>;
  /** Why a state that was loaded is none of this kind; undefined where it is one. */
  readonly refuse?: (state: unknown) => string | undefined;
}

/** A handler by the supervisor it belongs to. */
export interface HostCall {
  readonly supervisor: string;
  readonly handler: HostHandler;
}

export type HostCalls = ReadonlyMap<number, HostCall>;

const kinds = new Map<string, SupervisorKind>([["bios", { version: 1, handlers: biosHandlers }]]);

/** Makes a kind known, once, when the level above that has it is loaded. */
export function defineSupervisor(kind: string, definition: SupervisorKind): void {
  kinds.set(kind, definition);
}

const NONE: HostCalls = new Map();
/** Made from entries alone, so that no value depends on it. */
const known = new WeakMap<readonly HostEntry[], ReadonlyMap<number, HostHandler>>();

function handlersOf({ kind, entries }: Supervisor): ReadonlyMap<number, HostHandler> {
  let handlers = known.get(entries);
  if (handlers === undefined) {
    handlers = new Map(entries.map(({ physical, handler }) => [physical, kinds.get(kind)!.handlers[handler]!]));
    known.set(entries, handlers);
  }
  return handlers;
}

/** Whether both have the same entries, so that the same calls are theirs. */
export function sameEntries(a: Supervisors | undefined, b: Supervisors | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name]!.entries === b[name]?.entries);
}

/** The handlers by physical address. */
export function hostCallsOf(supervisors: Supervisors | undefined): HostCalls {
  if (supervisors === undefined) return NONE;
  const calls = new Map<number, HostCall>();
  for (const [supervisor, value] of Object.entries(supervisors))
    for (const [physical, handler] of handlersOf(value)) calls.set(physical, { supervisor, handler });
  return calls;
}

/** @throws VirtlabError for supervisors that this version does not have. */
export function checkSupervisors(supervisors: Supervisors | undefined): void {
  for (const [name, supervisor] of Object.entries(supervisors ?? {})) {
    const { kind, version, entries, state } = supervisor ?? {};
    const definition = kinds.get(kind);
    if (definition === undefined || version !== definition.version || !Array.isArray(entries))
      throw new VirtlabError(`supervisors.${name}: of an unknown kind or version (${kind} ${version})`);
    for (const { physical, handler } of entries as readonly Partial<HostEntry>[]) {
      if (!Number.isSafeInteger(physical) || !Object.hasOwn(definition.handlers, handler ?? ""))
        throw new VirtlabError(`supervisors.${name}: there is no handler "${handler}"`);
    }
    const refused = definition.refuse?.(state);
    if (refused !== undefined) throw new VirtlabError(`supervisors.${name}: ${refused}`);
  }
}
