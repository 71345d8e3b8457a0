/**
 * A virtual processor makes the steps of machines that meet everything there is: cells of privileges, exceptions, transfers,
 * paging and long mode, the local APIC, our kernel with a disk, and many random programs.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type BootOptions, bootState } from "../../src/hardware/boot/start.js";
import { Engine } from "../../src/hardware/engine/engine.js";
import {
  type Along,
  type Counts,
  compareAlong,
} from "../../src/hardware/virtual-processor/against-engine.test-helper.js";
import { apicCellImage, apicCells } from "../support/apic-cells.js";
import { cellImage } from "../support/cell-image.js";
import { doubleFaultCells } from "../support/double-fault-cells.js";
import { exceptionCells } from "../support/exception-cells.js";
import { images } from "../support/guests.js";
import { longCellImage } from "../support/long-cell-image.js";
import { longGateCells } from "../support/long-gate-cells.js";
import { amdCells, longInstructionCells, newCells } from "../support/long-instruction-cells.js";
import { longPagingCells } from "../support/long-paging-cells.js";
import { longReturnCells } from "../support/long-return-cells.js";
import { longSystemCells } from "../support/long-system-cells.js";
import { longTransferCells } from "../support/long-transfer-cells.js";
import { multibootDisk } from "../support/multiboot-disk.js";
import { pagingCells } from "../support/paging-cells.js";
import { peer } from "../support/peers.js";
import { privilegeCells } from "../support/privilege-cells.js";
import { Random } from "../support/random.js";
import { randomProgram } from "../support/random-programs.js";
import { more, moreLow, transferCells } from "../support/transfer-cells.js";

const engine = new Engine();

/** The whole of most runs, and a part of those in which little happens. */
const ALL = { window: 1000, skip: 0 } as const;
const SOME = { window: 100, skip: 300 } as const;
const HALF = { window: 100, skip: 100 } as const;

function along(options: BootOptions, part: Pick<Along, "window" | "skip"> = ALL): Counts {
  const counts: Counts = {};
  compareAlong(engine, bootState({ memory: "16M", ...options }), { ...part, steps: 2_500_000, counts });
  return counts;
}

describe("a virtual processor makes the steps of", () => {
  it.each([
    ["privileges", cellImage(privilegeCells()), SOME, 10_000, 200],
    ["exceptions", cellImage(exceptionCells), ALL, 8000, 190],
    ["two exceptions", cellImage(doubleFaultCells), ALL, 1500, 20],
    ["transfers", cellImage(transferCells, more, moreLow), ALL, 2000, 30],
  ] as const)("cells of %s", (_, { bytes: image }, part, instructions, faults) => {
    const { done, raised } = along({ image }, part);
    expect(done).toBeGreaterThanOrEqual(instructions);
    expect(raised).toBeGreaterThanOrEqual(faults);
  });

  it("cells of PAE paging", () => {
    const { done, raised } = along({ image: cellImage(pagingCells).bytes, model: "max" });
    expect(done).toBeGreaterThanOrEqual(1000);
    expect(raised).toBeGreaterThanOrEqual(15);
  });

  it.for([
    ["gates", longGateCells, "core2"],
    ["returns", longReturnCells, "core2"],
    ["transfers", longTransferCells, "core2"],
    ["system registers", longSystemCells, "core2"],
    ["instructions", longInstructionCells, "core2"],
    ["AMD's instructions", amdCells, "phenom"],
    ["new instructions", newCells, "max"],
    ["paging", longPagingCells, "max"],
  ] as const)("cells of %s in long mode", ([, cells, model], context) => {
    const { bytes: image } = longCellImage(peer(context, "nasm"), cells);
    expect(along({ image, model }, HALF).done).toBeGreaterThan(400);
  });

  it("cells of the local APIC", () => {
    const image = apicCellImage(apicCells);
    expect(along({ image, machine: "pc", model: "nehalem" }, SOME).done).toBeGreaterThan(50);
  });

  it("our kernel with a disk", () => {
    const image = readFileSync(join(images, "kernel.elf"));
    expect(along({ image, disks: [multibootDisk("kernel.elf")] }, { window: 500, skip: 2000 }).done).toBeGreaterThan(
      700,
    );
  });

  it("200 random programs", () => {
    const counts: Counts = {};
    for (let seed = 1000; seed < 1200; seed++) {
      const random = new Random(seed);
      const seeds = Array.from({ length: 48 }, () => random.word());
      const { state } = randomProgram((own) => new Random(own), seeds);
      compareAlong(engine, state, { steps: 400, window: 400, skip: 0, counts });
    }
    const { done, raised, "triple-fault": shutdowns } = counts;
    expect(done).toBeGreaterThan(15_000);
    expect(raised).toBeGreaterThan(8000);
    expect(shutdowns).toBeGreaterThan(10);
  });
});
