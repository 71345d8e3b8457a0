/** The host's own x87 as a judge of single instructions, and the same in the machine. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CR0 } from "../../src/hardware/cpu/state.js";
import { Engine } from "../../src/hardware/engine/engine.js";
import type { MachineState } from "../../src/hardware/state.js";
import { PAGE_SIZE, Page } from "../../src/state/pages.js";
import { stateWith } from "./engine-states.js";
import { findPeer } from "./peers.js";
import { packageRoot } from "./virtlab.js";
import { CODE, codeBytes, DATA, imageOf, operandBytes, type X87Case } from "./x87-cases.js";

/** What an instruction left. */
export interface X87Outcome {
  /** 6 for #UD, 16 for #MF; 0 for none. */
  readonly vector: number;
  readonly control: number;
  readonly status: number;
  /** As programs see it, from left to right R7 to R0. */
  readonly tags: number;
  readonly stack: readonly bigint[];
  readonly operand: bigint;
  readonly eflags: number;
  readonly eax: number;
  readonly instructionPointer: number;
  readonly dataPointer: number;
  readonly opcode: number;
}

const GIVEN = 192;
const FOUND = 144;
const EAX = 0x12345678;
/** The arithmetic flags. */
const ARITHMETIC = 0x8d5;

const quad = (view: DataView, at: number): bigint => view.getBigUint64(at, true);

function decodeImage(view: DataView, at: number) {
  return {
    control: view.getUint16(at, true),
    status: view.getUint16(at + 4, true),
    tags: view.getUint16(at + 8, true),
    instructionPointer: view.getUint32(at + 12, true),
    opcode: view.getUint16(at + 18, true) & 0x7ff,
    dataPointer: view.getUint32(at + 20, true),
    stack: Array.from(
      { length: 8 },
      (_, index) => (BigInt(view.getUint16(at + 36 + 10 * index, true)) << 64n) | quad(view, at + 28 + 10 * index),
    ),
  };
}

export interface X87Judge {
  run(cases: readonly X87Case[]): X87Outcome[];
  close(): void;
}

/** The judge, or what is missing for it. */
export function openX87Judge(): X87Judge | string {
  const gcc = findPeer("gcc");
  if (gcc === undefined) return "gcc is not installed";
  if (process.arch !== "x64") return "the host has no x87";
  const directory = mkdtempSync(join(tmpdir(), "virtlab-x87-"));
  const close = (): void => rmSync(directory, { recursive: true, force: true });
  const program = join(directory, "runner");
  const source = join(packageRoot, "tests", "support", "x87-runner.c");
  const built = spawnSync(gcc, ["-O1", "-mno-red-zone", "-o", program, source]);
  if (built.status !== 0) {
    close();
    return `gcc cannot build x87-runner.c (${String(built.stderr).trim()})`;
  }
  return { close, run: (cases) => judge(program, cases) };
}

function judge(program: string, cases: readonly X87Case[]): X87Outcome[] {
  const input = new Uint8Array(cases.length * GIVEN);
  const view = new DataView(input.buffer);
  cases.forEach((test, index) => {
    const at = index * GIVEN;
    input.set(codeBytes(test), at);
    input.set(imageOf(test), at + 16);
    view.setUint32(at + 124, test.eflags, true);
    input.set(operandBytes(test), at + 128);
  });
  const { stdout, status } = spawnSync(program, { input, maxBuffer: 2 ** 30 });
  if (status !== 0 || stdout.length !== cases.length * FOUND) throw new Error("the x87 program ended too early");
  const found = new DataView(stdout.buffer, stdout.byteOffset, stdout.length);
  return cases.map((_test, index) => {
    const at = index * FOUND;
    return {
      vector: found.getUint32(at, true),
      eflags: found.getUint32(at + 4, true) & ARITHMETIC,
      eax: found.getUint32(at + 8, true),
      ...decodeImage(found, at + 12),
      operand: quad(found, at + 120) | (quad(found, at + 128) << 64n),
    };
  });
}

const MEMORY = 16 * 2 ** 20;
/** FNSAVE [EDX], behind the instruction. */
const SAVE = [0xdd, 0x32];
const SAVED = 256;

export class X87Machine {
  readonly #engine = new Engine();
  readonly #blank = stateWith([], MEMORY);
  readonly #system = { ...this.#blank.cpu.system, model: "max", cr0: this.#blank.cpu.system.cr0 | CR0.NE } as const;
  readonly #page = new Uint8Array(PAGE_SIZE);

  #memory(test: X87Case): MachineState["memory"] {
    this.#page.fill(0);
    this.#page.set([...test.code, ...SAVE]);
    const memory = this.#blank.memory.set(CODE >>> 12, Page.copyFrom(this.#page));
    this.#page.fill(0);
    this.#page.set(operandBytes(test));
    return memory.set(DATA >>> 12, Page.copyFrom(this.#page));
  }

  run(test: X87Case): X87Outcome {
    const { cpu } = this.#blank;
    const top = (test.status >>> 11) & 7;
    const registers = Array.from({ length: 8 }, (_, number) => test.stack[(number - top) & 7]!);
    const floating = { ...cpu.floating, control: test.control, status: test.status, tags: test.tags, registers };
    const general = { eip: CODE, eax: EAX, ecx: DATA, edx: DATA + SAVED, eflags: test.eflags | 2 };
    this.#engine.open({
      ...this.#blank,
      memory: this.#memory(test),
      cpu: { ...cpu, ...general, floating, system: this.#system },
    });
    const { events } = this.#engine.run({ limit: 1, observe: new Set(["exception"]) });
    const { eflags, eax } = this.#engine.seal().cpu;
    this.#engine.run({ limit: 1 });
    const page = this.#engine
      .seal()
      .memory.get(DATA >>> 12)!
      .bytes();
    const view = new DataView(page.buffer, page.byteOffset, page.length);
    const [event] = events;
    return {
      vector: event?.kind === "exception" ? event.vector : 0,
      eflags: eflags & ARITHMETIC,
      eax: eax >>> 0,
      ...decodeImage(view, SAVED),
      operand: quad(view, 0) | (quad(view, 8) << 64n),
    };
  }
}
