/**
 * Machines that `virtlab state make` has booted once on this computer, to begin at their prompt. Reads files, so it works
 * in Node alone; it asks Node for its modules when it is called, so that the package can still be loaded in a browser.
 */
import { Machine } from "../hardware/machine.js";
import { VirtlabError } from "../state/error.js";

export const STATE_KIND = "virtlab built state";
export const STATE_VERSION = 1;

/** No path leads out of the folder. */
const NAME = /^[a-z0-9-]+$/;

/** What is written of a built state beside its file. */
export interface BuiltStateRecord {
  readonly kind: typeof STATE_KIND;
  readonly version: typeof STATE_VERSION;
  readonly name: string;
  /** Hash of the machine, which is also the name of its file. */
  readonly hash: string;
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

/**
 * A machine that was booted once by `virtlab state make NAME`, as it stood at its prompt.
 *
 * @throws VirtlabError where it was not made yet, saying how to make it, and outside of Node.
 */
export function builtState(name: string): Machine {
  const { fs } = nodeModules();
  const record = builtStateRecord(name);
  if (record !== undefined && fs.existsSync(stateFile(record.hash))) {
    const machine = Machine.load(new Uint8Array(fs.readFileSync(stateFile(record.hash))), stateFile(record.hash));
    if (machine.hash === record.hash) return machine;
  }
  throw new VirtlabError(`state "${name}" is not on this computer: make it once with "virtlab state make ${name}"`);
}
