/**
 * Machines that `virtlab state make` has booted once on this computer, to begin at their prompt. Reads files, so it works
 * in Node alone; it asks Node for its modules when it is called, so that the package can still be loaded in a browser.
 */
import { Machine } from "../hardware/machine.js";
import { VirtlabError } from "../state/error.js";

export const STATE_KIND = "virtlab built state";
export const STATE_VERSION = 2;

/** No path leads out of the folder. */
const NAME = /^[a-z0-9-]+$/;

/** How far a machine was, at some step of its boot. */
export interface BootSample {
  readonly steps: number;
  readonly instructions: number;
  readonly exceptions: number;
  readonly interrupts: number;
  /** Bytes of memory in pages that are not all zeros. */
  readonly memory: number;
}

/** The sample of a machine. */
export function bootSample({ steps, counters, memory }: Machine): BootSample {
  const { instructions, exceptions, interrupts } = counters;
  return { steps, instructions, exceptions, interrupts, memory: memory.used };
}

/** What is written of a built state beside its files. */
export interface BuiltStateRecord {
  readonly kind: typeof STATE_KIND;
  readonly version: typeof STATE_VERSION;
  readonly name: string;
  /** Hash of the machine, which is also the name of its file. */
  readonly hash: string;
  /** The same of the machine in front of its first instruction. */
  readonly start: string;
  /** From the first instruction to the prompt. */
  readonly course: readonly BootSample[];
  /** What it was made from: files of packages, without their folder. */
  readonly packages: readonly string[];
}

function nodeModules() {
  const node = typeof process === "undefined" ? undefined : process;
  const fs = node?.getBuiltinModule?.("node:fs");
  const path = node?.getBuiltinModule?.("node:path");
  const os = node?.getBuiltinModule?.("node:os");
  if (!node || !fs || !path || !os) throw new VirtlabError("built states are files, which can be read in Node only");
  return { fs, path, home: os.homedir(), environment: node.env };
}

/** Where what can be made or fetched again is kept. Manual: XDG Base Directory Specification. */
export function cacheFolder(): string {
  const { path, home, environment } = nodeModules();
  return path.join(environment["XDG_CACHE_HOME"] || path.join(home, ".cache"), "virtlab");
}

export const stateFolder = (): string => nodeModules().path.join(cacheFolder(), "states");

/** What is known of a built state; undefined if it was not made, or by another version of this library. */
export function builtStateRecord(name: string): BuiltStateRecord | undefined {
  const { fs, path } = nodeModules();
  if (!NAME.test(name)) return undefined;
  try {
    const text = fs.readFileSync(path.join(stateFolder(), `${name}.json`), "utf8");
    const record = JSON.parse(text) as Partial<BuiltStateRecord> | null;
    if (record?.kind !== STATE_KIND || record.version !== STATE_VERSION || typeof record.hash !== "string")
      return undefined;
    return record as BuiltStateRecord;
  } catch {
    return undefined;
  }
}

/** The file of a machine with this hash. */
export const stateFile = (hash: string): string => nodeModules().path.join(stateFolder(), `${hash}.machine`);

/** The machine with this hash; undefined if it is not there or another version of this library wrote it. */
function savedMachine(hash: string): Machine | undefined {
  const file = stateFile(hash);
  try {
    return Machine.load(new Uint8Array(nodeModules().fs.readFileSync(file)), file);
  } catch {
    return undefined;
  }
}

const notMade = (name: string): VirtlabError =>
  new VirtlabError(
    `state "${name}" is not on this computer: make it once with "virtlab state make ${name} --download"`,
  );

/**
 * A machine that was booted once by `virtlab state make NAME`, as it stood at its prompt.
 *
 * @throws VirtlabError where it was not made yet, or by another version of this library, saying how to make it; and
 * outside of Node.
 */
export function builtState(name: string): Machine {
  nodeModules();
  const record = builtStateRecord(name);
  const machine = record && savedMachine(record.hash);
  if (machine === undefined) throw notMade(name);
  return machine;
}

/** The boot that led to a built state. */
export interface BuiltBoot {
  /** The machine in front of its first instruction. */
  readonly start: Machine;
  /** How far it was at some hundred steps, from the first instruction to the prompt. */
  readonly course: readonly BootSample[];
}

/**
 * How the machine of `builtState(name)` was booted: where it started, and what was counted on the way. A run of the
 * start of as many steps as the prompt has leads to the same machine again.
 *
 * @throws VirtlabError as `builtState` does.
 */
export function builtStateBoot(name: string): BuiltBoot {
  nodeModules();
  const record = builtStateRecord(name);
  const start = record && savedMachine(record.start);
  if (record === undefined || start === undefined) throw notMade(name);
  return Object.freeze({ start, course: Object.freeze(record.course.map((sample) => Object.freeze(sample))) });
}
