/** Runs cells of long mode on a machine and on QEMU, and reads what their handler took down. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ModelName } from "../../src/hardware/cpu/model.js";
import { vectorNames } from "../../src/hardware/cpu/processor.js";
import { Machine } from "../../src/hardware/machine.js";
import type { LongCellImage } from "./long-cell-image.js";
import { type Field, fields, LOG, LOG_NEXT } from "./long-cell-tables.js";

export type LongRecord = Readonly<Record<Field, bigint>>;

export interface LongRun {
  /** By cell; undefined where a cell did not come to its end. */
  readonly records: readonly (LongRecord | undefined)[];
  readonly end: string;
}

const STEPS = 8_000_000;

function parse(bytes: Uint8Array, cells: number): (LongRecord | undefined)[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const records: (LongRecord | undefined)[] = Array.from({ length: cells }, () => undefined);
  const size = 8 * fields.length;
  for (let at = 0; at + size <= bytes.length; at += size) {
    const entries = fields.map((name, index) => [name, view.getBigUint64(at + 8 * index, true)] as const);
    const record = Object.fromEntries(entries) as Record<Field, bigint>;
    records[Number(record.cell)] = record;
  }
  return records;
}

/** The cells on a machine. */
export function runLongCells(image: LongCellImage, cells: number, model: ModelName): LongRun {
  const machine = Machine.boot({ image: image.bytes, memory: "16M", model }).run({ maxInstructions: STEPS });
  const next = new DataView(machine.memory.read(LOG_NEXT, 4).buffer).getUint32(0, true);
  const output = machine.memory.read(LOG, Math.max(0, Math.min(next, machine.memory.size) - LOG));
  const { stop } = machine;
  const detail = stop?.reason === "unsupported" ? `: ${stop.detail}` : "";
  return { records: parse(output, cells), end: (stop?.reason ?? "none") + detail };
}

/** The cells on QEMU. Where one ends QEMU the run goes on with the next. */
export function runLongCellsOnQemu(program: string, image: LongCellImage, cells: number, cpu: string): LongRun {
  const folder = mkdtempSync(join(tmpdir(), "virtlab-long-"));
  const records: (LongRecord | undefined)[] = Array.from({ length: cells }, () => undefined);
  try {
    for (let first = 0; ; ) {
      const kernel = join(folder, "cells.bin");
      writeFileSync(kernel, image.from(first));
      const { status, stdout } = spawnSync(
        program,
        [
          ...["-kernel", kernel, "-m", "16", "-accel", "tcg", "-cpu", cpu, "-display", "none", "-serial", "none"],
          ...["-monitor", "none", "-nic", "none", "-no-reboot", "-debugcon", "stdio"],
          ...["-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
        ],
        { timeout: 20_000, maxBuffer: 1 << 26, stdio: ["ignore", "pipe", "ignore"] },
      );
      const parsed = parse(stdout, cells);
      for (const [cell, record] of parsed.entries()) records[cell] ??= record;
      if (status === 1) return { records, end: "debug-exit" };
      first = Math.max(first, parsed.findLastIndex((record) => record !== undefined) + 1) + 1;
      if (first >= cells) return { records, end: `status ${status}` };
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const NONE = 0xffff_ffff_ffff_ffffn;

/** A record as text: "runs", "#GP(0)", "#BP behind", "#UD at target". */
export function outcomeOf(image: LongCellImage, cell: number, record: LongRecord | undefined): string {
  if (record === undefined) return "nothing";
  const { vector, error, rip } = record;
  const place = placeOf(image, cell, rip);
  if (vector === 6n && place === "end") return "runs";
  const name = vectorNames[Number(vector)] ?? `INT 0x${vector.toString(16)}`;
  const code = error === NONE ? "" : `(${error === 0n ? "0" : `0x${error.toString(16)}`})`;
  return `${name}${code}${place === "at" ? "" : place === "end" ? " behind" : ` at ${place}`}`;
}

/** Where the first GiB of memory is mapped a second time. */
const ABOVE = 0xffff_ffff_8000_0000n;

function placeOf(image: LongCellImage, cell: number, address: bigint): string {
  if (address >= ABOVE) return `${placeOf(image, cell, address - ABOVE)} above`;
  const { at, end, target, target32 } = image;
  const rip = Number(address);
  if (rip === at[cell]) return "at";
  if (rip === end[cell]) return "end";
  if (rip === target) return "target";
  return rip === target32 ? "target32" : `0x${address.toString(16)}`;
}
