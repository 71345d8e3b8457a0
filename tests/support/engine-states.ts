/** Machine states for tests that drive engines directly, and a digest of them that shares nothing with the machine's own hash. */
import { createHash } from "node:crypto";
import { loadImage } from "../../src/hardware/boot/image.js";
import { flatProtectedMode } from "../../src/hardware/cpu/state.js";
import { createDevices } from "../../src/hardware/devices/bus.js";
import type { Engine } from "../../src/hardware/engine/engine.js";
import type { MachineState, Stop } from "../../src/hardware/state.js";
import { PAGE_SIZE, Page } from "../../src/state/pages.js";
import { PersistentMap } from "../../src/state/persistent-map.js";

/** The fewest page slots an engine can run with, almost: it evicts all the time. */
export const FEW_SLOTS = 76;

/** A state after reset with bytes at physical addresses. */
export function stateWith(
  segments: readonly { readonly address: number; readonly bytes: Uint8Array }[],
  memorySize: number,
): MachineState {
  const pages = new Map<number, Uint8Array>();
  for (const { address, bytes } of segments) {
    for (let index = 0; index < bytes.length; index++) {
      const frame = Math.floor((address + index) / PAGE_SIZE);
      const page = pages.get(frame) ?? new Uint8Array(PAGE_SIZE);
      page[(address + index) % PAGE_SIZE] = bytes[index]!;
      pages.set(frame, page);
    }
  }
  let memory = PersistentMap.empty<Page>();
  for (const [frame, page] of pages) memory = memory.set(frame, Page.copyFrom(page));
  return {
    rom: [],
    cpu: flatProtectedMode,
    memorySize,
    memory,
    devices: createDevices({ debugConsolePort: 0xe9, debugExitPort: 0xf4 }),
    steps: 0,
    ticks: 0,
    counts: { repeats: 0, exceptions: 0, interrupts: 0, portReads: 0, portWrites: 0 },
    shutdown: false,
  };
}

/** A guest's state at its entry point. */
export function bootState(image: Uint8Array, memorySize = 16 * 2 ** 20): MachineState {
  const plan = loadImage({ image, memorySize });
  const state = stateWith(plan.segments, memorySize);
  return { ...state, cpu: { ...state.cpu, ...plan.registers, eip: plan.entry | 0 } };
}

const pageDigests = new WeakMap<Page, string>();
const zeros = Buffer.alloc(PAGE_SIZE);

function pageDigest(page: Page): string {
  let digest = pageDigests.get(page);
  if (digest === undefined) {
    const bytes = page.bytes();
    digest = zeros.equals(bytes) ? "" : createHash("sha1").update(bytes).digest("base64");
    pageDigests.set(page, digest);
  }
  return digest;
}

/** Everything in a state as text; pages by a digest, pages of zeros as absent. For comparing, and for reading what differs. */
export function describeState({ memory, cpu, ...rest }: MachineState): string {
  const { system, ...registers } = cpu;
  const pages = [...memory.entries()].map(([frame, page]) => `${frame}: ${pageDigest(page)}`);
  const written = pages.filter((text) => !text.endsWith(": "));
  const plain = (_name: string, value: unknown): unknown => (typeof value === "bigint" ? `${value}n` : value);
  return JSON.stringify({ registers, system, ...rest, pages: written }, plain, 1);
}

export interface RunTo {
  readonly state: MachineState;
  /** Why it went no further; "limit" if it did all steps. */
  readonly stop: Stop["reason"];
}

/**
 * Goes on from `state` until `steps` more were made or something else stopped it, in pieces of the given lengths
 * (repeated as needed), sealing behind each piece. `engineFor` says which engine runs a piece.
 */
export function runInPieces(
  state: MachineState,
  steps: number,
  pieces: readonly number[],
  engineFor: (piece: number) => Engine,
): RunTo {
  const end = state.steps + steps;
  let current = state;
  for (let piece = 0; current.steps < end; piece++) {
    const engine = engineFor(piece);
    const limit = Math.min(pieces[piece % pieces.length]!, end - current.steps);
    engine.open(current);
    const { stop } = engine.run({ limit });
    current = engine.seal();
    if (stop && stop.reason !== "limit") return { state: current, stop: stop.reason };
  }
  return { state: current, stop: "limit" };
}
