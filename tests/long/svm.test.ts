/**
 * AMD-V against QEMU: one image with a small hypervisor, which runs each guest of `support/svm-cells.ts` once and prints
 * why it was left.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { assemble } from "../../src/hardware/isa/assembler/assembler.js";
import { peer } from "../support/peers.js";
import { runProcessToFile } from "../support/processes.js";
import { expectedCode, type SvmCell, svmCells } from "../support/svm-cells.js";
import { readLine, svmSource } from "../support/svm-image.js";

const image = assemble(svmSource(svmCells), { bits: 32 }).bytes;

/** What QEMU prints of each cell. */
async function onQemu(qemu: string): Promise<readonly ReturnType<typeof readLine>[]> {
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

const differsInAll = ({ differs }: SvmCell): boolean => differs?.["all"] !== undefined;

describe("guests of AMD-V", () => {
  it("are left under QEMU for the reason that the manual says", async (context) => {
    const lines = await onQemu(peer(context, "qemu-system-x86_64"));
    expect(lines.length).toBe(svmCells.length);
    // Of VMEXIT_INVALID QEMU tells the low half.
    const wrong = svmCells.flatMap((cell, index) => {
      const code = lines[index]!.EXITCODE;
      return differsInAll(cell) || code === BigInt.asUintN(32, expectedCode(cell))
        ? []
        : [`${cell.name}: 0x${code.toString(16)}`];
    });
    expect(wrong).toEqual([]);
  });
});
