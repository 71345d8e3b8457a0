/** Runs cells on a machine and on QEMU, and reads what their handlers took down. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ModelName } from "../../src/hardware/cpu/model.js";
import { vectorNames } from "../../src/hardware/cpu/processor.js";
import { decode } from "../../src/hardware/isa/decoder.js";
import type { Row } from "../../src/hardware/isa/instruction.js";
import { Machine } from "../../src/hardware/machine.js";
import type { Cell, CellImage } from "./cell-image.js";
import { IMAGE, LOG, WORDS } from "./cell-layout.js";

/** What the handler of an exception or interrupt found: its frame, and registers. */
export interface CellRecord {
  readonly vector: number;
  readonly errorCode: number | undefined;
  readonly eip: number;
  readonly cs: number;
  readonly eflags: number;
  readonly esp: number;
  readonly ss: number;
  readonly eax: number;
  readonly edx: number;
  readonly cr2: number;
  readonly dr6: number;
  /** EFLAGS in the handler, TR, CR0, and DS of what was interrupted. */
  readonly handlerEflags: number;
  readonly tr: number;
  readonly cr0: number;
  readonly ds: number;
  readonly notes: readonly number[];
}

export interface CellRun {
  /** By cell. */
  readonly records: readonly (readonly CellRecord[])[];
  /** How the run ended; "debug-exit" when all cells were run. */
  readonly end: string;
}

const NONE = 0xffffffff;
/** Far more than any image needs, and few enough to end soon where a fault makes faults for ever. */
const STEPS = 8_000_000;

function parse(bytes: Uint8Array, cells: number): CellRecord[][] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const records: CellRecord[][] = Array.from({ length: cells }, () => []);
  for (let at = 0; at + 4 * WORDS <= bytes.length; at += 4 * WORDS) {
    const words = Array.from({ length: WORDS }, (_, index) => view.getUint32(at + 4 * index, true));
    const [cell, vector, error, eip, cs, eflags, esp, ss, eax, edx, cr2, dr6, handlerEflags, tr, cr0, ds] = words as [
      ...[number, number, number, number, number, number, number, number],
      ...[number, number, number, number, number, number, number, number],
    ];
    const errorCode = error === NONE ? undefined : error & 0xffff;
    records[cell]!.push({
      ...{ vector, errorCode, eip, cs: cs & 0xffff, eflags, esp, ss: ss & 0xffff, eax, edx, cr2, dr6 },
      ...{ handlerEflags, tr, cr0, ds, notes: words.slice(16) },
    });
  }
  return records;
}

/** The machine behind the last cell. */
export function runMachine(image: CellImage, model: ModelName = "pentium2"): Machine {
  return Machine.boot({ image: image.bytes, memory: "16M", model }).run({ maxInstructions: STEPS });
}

/** The records as they lie in memory: those of a machine that did not come to the end, too. */
function recorded(machine: Machine, { high }: CellImage): Uint8Array {
  const next = new DataView(machine.memory.read(high.symbols["log_next"]!, 4).buffer).getUint32(0, true);
  return machine.memory.read(LOG, Math.max(0, Math.min(next, machine.memory.size) - LOG));
}

/** The cells on a machine. */
export function runCells(image: CellImage, cells: readonly Cell[], model?: ModelName): CellRun {
  const machine = runMachine(image, model);
  const output = recorded(machine, image);
  const reason = machine.stop?.reason ?? "none";
  const detail = machine.stop?.reason === "unsupported" ? `: ${machine.stop.detail}` : "";
  return { records: parse(output, cells.length), end: reason + detail };
}

/** The cells on QEMU. */
export function runCellsOnQemu(program: string, image: CellImage, cells: readonly Cell[], cpu = "pentium2"): CellRun {
  const folder = mkdtempSync(join(tmpdir(), "virtlab-cells-"));
  try {
    const kernel = join(folder, "cells.bin");
    writeFileSync(kernel, image.bytes);
    const { status, stdout } = spawnSync(
      program,
      [
        ...["-kernel", kernel, "-m", "16", "-accel", "tcg", "-cpu", cpu, "-display", "none", "-serial", "none"],
        ...["-monitor", "none", "-nic", "none", "-no-reboot", "-debugcon", "stdio"],
        ...["-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
      ],
      { timeout: 60_000, maxBuffer: 1 << 26, stdio: ["ignore", "pipe", "ignore"] },
    );
    return { records: parse(stdout, cells.length), end: status === 1 ? "debug-exit" : `status ${status}` };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A record as text: "runs", "#GP(0)", "#BP behind", "INT 0x30 behind"; places other than `.at` and `.end` by label. */
export function outcomeOf(image: CellImage, cell: number, record: CellRecord | undefined): string {
  if (record === undefined) return "nothing";
  const place = placeOf(image, cell, record.eip);
  if (record.vector === 6 && place === "end") return "runs";
  const name = vectorNames[record.vector] ?? `INT 0x${record.vector.toString(16)}`;
  const code =
    record.errorCode === undefined ? "" : `(${record.errorCode === 0 ? "0" : `0x${record.errorCode.toString(16)}`})`;
  return `${name}${code}${place === "at" ? "" : place === "end" ? " behind" : ` at ${place}`}`;
}

const placeNames = ["at", "end", "landed", "next", "second", "third"];
/** Labels of what is added to the image. */
const sharedNames = ["target", "handler", "task_entry", "take_stack.taken", "task_note"];

const lowNames = ["low_handler", "low_taken"];

function placeOf(image: CellImage, cell: number, eip: number): string {
  const own = placeNames.find((name) => image.label(cell, name) === eip);
  const shared = own ?? sharedNames.find((name) => image.high.symbols[name] === eip);
  return shared ?? lowNames.find((name) => image.low.symbols[name] === eip) ?? `0x${eip.toString(16)}`;
}

/** The row of the instruction at `.at` of a cell. */
export function rowOfCell({ high, low, label }: CellImage, cells: readonly Cell[], cell: number): Row | undefined {
  const at = label(cell, "at");
  if (at === undefined) return undefined;
  const { mode } = cells[cell]!;
  const wide = mode.kind === "protected" && mode.bits !== 16;
  const [bytes, offset] = wide ? [high.bytes, at - IMAGE] : [low.bytes, at];
  return decode((index) => bytes[offset + index]!, at, wide ? 32 : 16).row;
}
