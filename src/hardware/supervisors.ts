/**
 * Privileged software in TypeScript: where the processor enters it, and which handlers these places have.
 *
 * An entry is a place in physical memory whose bytes are the host-call opcode. Arriving there, at whatever privilege and in
 * whatever mode the hardware's rules allow, the processor runs a handler instead: one step, through the processor port. The
 * same bytes anywhere else are #UD.
 */
import { VirtlabError } from "../state/error.js";
import type { ProcessorPort } from "./cpu/processor.js";
import { biosHandlers } from "./firmware/bios/services.js";

/** 0F 3F: the SDM's opcode map (Vol. 2D, Appendix A, "Two-byte Opcode Map") has no instruction there. */
export const HOST_CALL: readonly number[] = [0x0f, 0x3f];

/** Draws nothing from outside of the port, never blocks, and may ask to be entered again. Throws a `Fault` as instructions do. */
export type HostHandler = (port: ProcessorPort) => void;

/** A place that is entered, and the name of its handler. */
export interface HostEntry {
  readonly physical: number;
  readonly handler: string;
}

/** One supervisor of a machine. */
export interface Supervisor {
  readonly kind: "bios";
  /** What its handlers do may change with it. */
  readonly version: 1;
  readonly entries: readonly HostEntry[];
}

export interface Supervisors {
  readonly [name: string]: Supervisor;
}

export type HostCalls = ReadonlyMap<number, HostHandler>;

const KINDS: { readonly [K in Supervisor["kind"]]: Readonly<Record<string, HostHandler>> } = { bios: biosHandlers };

const NONE: HostCalls = new Map();
/** Made from supervisors alone, so that no value depends on it. */
const known = new WeakMap<Supervisors, HostCalls>();

/** The handlers by physical address. */
export function hostCallsOf(supervisors: Supervisors | undefined): HostCalls {
  if (supervisors === undefined) return NONE;
  let calls = known.get(supervisors);
  if (calls === undefined) {
    calls = new Map(
      Object.values(supervisors).flatMap(({ kind, entries }) =>
        entries.map(({ physical, handler }) => [physical, KINDS[kind][handler]!] as const),
      ),
    );
    known.set(supervisors, calls);
  }
  return calls;
}

/** @throws VirtlabError for supervisors that this version does not have. */
export function checkSupervisors(supervisors: Supervisors | undefined): void {
  for (const [name, supervisor] of Object.entries(supervisors ?? {})) {
    const { kind, version, entries } = supervisor ?? {};
    if (!Object.hasOwn(KINDS, kind) || version !== 1 || !Array.isArray(entries))
      throw new VirtlabError(`supervisors.${name}: of an unknown kind or version (${kind} ${version})`);
    for (const { physical, handler } of entries as readonly Partial<HostEntry>[]) {
      if (!Number.isSafeInteger(physical) || !Object.hasOwn(KINDS[kind], handler ?? ""))
        throw new VirtlabError(`supervisors.${name}: there is no handler "${handler}"`);
    }
  }
}
