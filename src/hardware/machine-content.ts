/**
 * The content of a machine: what of its state is described by name, its digest, its pages, and whether a description
 * fits a machine.
 */
import { hex, sha256 } from "../state/hash.js";
import { PAGE_SIZE, Page, zeroPage } from "../state/pages.js";
import type { ABSENT, PersistentMap } from "../state/persistent-map.js";
import type { MachineState } from "./state.js";

/** Freezes plain data in place, before it is handed out. What is frozen already is frozen all the way down. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const part of Object.values(value)) deepFreeze(part);
  return Object.freeze(value);
}

interface MemoryDigest {
  readonly digest: Uint8Array;
}
const digests = new WeakMap<object, MemoryDigest | typeof ABSENT>();
const zeroDigest = hex(zeroPage.hash());

/** A digest of memory content: pages that are all zeros count as absent, so that it does not matter whether they were written. */
export function memoryDigest(memory: PersistentMap<Page>): string {
  const root = memory.fold<MemoryDigest>(
    (page) => (hex(page.hash()) === zeroDigest ? undefined : { digest: page.hash() }),
    (children, height) => {
      const parts = new Uint8Array(1 + children.length * 33);
      parts[0] = height;
      children.forEach((child, index) => {
        if (!child) return;
        parts[1 + index * 33] = 1;
        parts.set(child.digest, 2 + index * 33);
      });
      return { digest: sha256(parts) };
    },
    digests,
  );
  return root ? hex(root.digest) : "";
}

/** Everything but memory, by name: what is hashed, saved and compared. */
export function describe(state: MachineState): Record<string, unknown> {
  const { memory: _memory, lastException: _lastException, ...rest } = state;
  return rest;
}

/** Path of the first field of `model` that `value` lacks or has with another type. */
export function firstMisfit(model: unknown, value: unknown, path = "state"): string | undefined {
  if (typeof model !== typeof value || (model === null) !== (value === null)) return path;
  if (typeof model !== "object" || model === null) return undefined;
  if (Array.isArray(model) !== Array.isArray(value)) return path;
  for (const [name, part] of Object.entries(model)) {
    // Which debug ports there are is the machine's own choice.
    if (part === undefined || name === "debugConsole" || name === "debugExit" || path === "state.devices.config")
      continue;
    const misfit = firstMisfit(part, (value as Record<string, unknown>)[name], `${path}.${name}`);
    if (misfit !== undefined) return misfit;
  }
  return undefined;
}

export function* nonZeroPages(memory: PersistentMap<Page>): IterableIterator<[number, Uint8Array]> {
  for (const [frame, page] of memory.entries()) {
    if (hex(page.hash()) !== zeroDigest) yield [frame, page.bytes()];
  }
}

export function writeBytes(memory: PersistentMap<Page>, address: number, bytes: Uint8Array): PersistentMap<Page> {
  const scratch = new Uint8Array(PAGE_SIZE);
  for (let at = 0; at < bytes.length; ) {
    const frame = Math.floor((address + at) / PAGE_SIZE);
    const offset = (address + at) % PAGE_SIZE;
    const count = Math.min(bytes.length - at, PAGE_SIZE - offset);
    (memory.get(frame) ?? zeroPage).copyTo(scratch);
    scratch.set(bytes.subarray(at, at + count), offset);
    memory = memory.set(frame, Page.copyFrom(scratch));
    at += count;
  }
  return memory;
}
