/**
 * AMD-V against QEMU: one image with a small hypervisor, which runs each guest of `support/svm-cells.ts` once and prints
 * why it was left and what was saved of it.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { assemble } from "../../src/hardware/isa/assembler/assembler.js";
import { Machine } from "../../src/hardware/machine.js";
import { peer } from "../support/peers.js";
import { runProcessToFile } from "../support/processes.js";
import { expectedCode, type SvmCell, svmCells } from "../support/svm-cells.js";
import { type PrintedField, printed, readLine, svmSource } from "../support/svm-image.js";

type Line = ReturnType<typeof readLine>;

const image = assemble(svmSource(svmCells), { bits: 32 }).bytes;

/** What QEMU prints of each cell. */
async function onQemu(qemu: string): Promise<readonly Line[]> {
  const folder = mkdtempSync(join(tmpdir(), "virtlab-svm-"));
  try {
    const file = join(folder, "svm.bin");
    writeFileSync(file, image);
    const ended = await runProcessToFile(qemu, [
      ...["-cpu", "phenom", "-m", "64", "-accel", "tcg", "-kernel", file, "-display", "none", "-serial", "stdio"],
      ...["-monitor", "none", "-nic", "none", "-no-reboot", "-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
    ]);
    expect(ended.status, ended.stderr).toBe(33);
    return ended.stdout.trim().split("\n").map(readLine);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const here = (): readonly Line[] => {
  const machine = Machine.boot({ image, memory: "64M", model: "phenom" }).run({ maxInstructions: 50_000_000 });
  expect(machine.stop).toMatchObject({ reason: "debug-exit", status: 33 });
  return machine.serial.trim().split("\n").map(readLine);
};

const differsInAll = ({ differs }: SvmCell): boolean => differs?.["all"] !== undefined;
/** Of VMEXIT_INVALID QEMU tells the low half. */
const lowHalf = (value: bigint): bigint => BigInt.asUintN(32, value);
const EVENT_VALID = 1n << 31n;
/** QEMU tells no address size of an access to a port. */
const ADDRESS_SIZES = 0x380n;

/** A field as it is compared: without what it does not mean. */
function meaning(cell: SvmCell, line: Line, field: PrintedField): bigint {
  const value = line[field];
  if (field === "EXITCODE") return lowHalf(value);
  if (field === "EXITINTINFO") return (value & EVENT_VALID) === 0n ? 0n : value;
  return field === "EXITINFO1" && cell.exit === "IOIO" ? value & ~ADDRESS_SIZES : value;
}

const refusalFields = ["EXITCODE", "EXITINFO1", "EXITINFO2", "EXITINTINFO"] as const;
/** What of the state behind a refused VMRUN is saved is nobody's to say. */
const compared = (cell: SvmCell): readonly PrintedField[] =>
  cell.exit === "INVALID"
    ? refusalFields.filter((field) => cell.differs?.[field] === undefined)
    : printed.filter((field) => cell.differs?.[field] === undefined);

function differences(cell: SvmCell, ours: Line, theirs: Line): readonly string[] {
  return compared(cell)
    .filter((field) => meaning(cell, ours, field) !== meaning(cell, theirs, field))
    .map((field) => `${field} 0x${ours[field].toString(16)}, QEMU 0x${theirs[field].toString(16)}`);
}

describe("guests of AMD-V", () => {
  it("are left here for the reason that the manual says", () => {
    const lines = here();
    expect(lines.length).toBe(svmCells.length);
    for (const [index, cell] of svmCells.entries()) {
      const { name, missing } = cell;
      const right = lines[index]!.EXITCODE === expectedCode(cell);
      expect([name, right, lines[index]!.EXITCODE]).toEqual([name, missing === undefined, lines[index]!.EXITCODE]);
    }
  });

  it("are left under QEMU for that reason, too, and with the same state", async (context) => {
    const theirs = await onQemu(peer(context, "qemu-system-x86_64"));
    const ours = here();
    expect(theirs.length).toBe(svmCells.length);
    const wrong = svmCells.flatMap((cell, index) => {
      if (differsInAll(cell)) return [];
      const { EXITCODE } = theirs[index]!;
      if (EXITCODE !== lowHalf(expectedCode(cell))) return [`${cell.name}: QEMU's exit is 0x${EXITCODE.toString(16)}`];
      if (cell.missing !== undefined) return [];
      const differing = differences(cell, ours[index]!, theirs[index]!);
      return differing.length === 0 ? [] : [`${cell.name}: ${differing.join("; ")}`];
    });
    expect(wrong).toEqual([]);
  });
});
