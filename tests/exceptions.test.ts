/**
 * Exceptions, each raised for real in the ways it arises: vector, error code, saved EIP (of the instruction for a fault,
 * of the next one for a trap), RF, CR2, DR6, and that the program goes on behind IRET. The same image runs on QEMU.
 */
import { describe, expect, it } from "vitest";
import { FLAG } from "../src/hardware/cpu/state.js";
import { Machine } from "../src/hardware/machine.js";
import { type Cell, cellImage } from "./support/cell-image.js";
import { testSeries } from "./support/cell-series.js";
import { runCells, runCellsOnQemu, runMachine } from "./support/cells.js";
import { doubleFaultCells } from "./support/double-fault-cells.js";
import { exceptionCells, ring0, user } from "./support/exception-cells.js";
import { peer } from "./support/peers.js";

/** Cells QEMU 7.2 (TCG) does not run as the manual has it, and why. */
const qemuDiffers: readonly (readonly [RegExp, string])[] = [
  [
    /limit is #|offset 0xffff|offset beyond 64|beyond the limit|null selector is|read-only segment is #GP\(0\)|through CS|execute-only CS/,
    "it does not check limits and rights of segments on access",
  ],
  [/DR7\.GD/, "it has no general detection"],
  [/INT1/, "it takes INT1 for a breakpoint of its debugger"],
  [/LOCK on MOV/, "it does not look at LOCK there"],
  [/CR0\.(PG|NW) without|bit of CR4/, "it takes any CR0 and CR4"],
  [
    /reserved bit (of a (4-MiB|PAE)|in a)|with a reserved bit/,
    "it leaves P clear beside RSVD, and does not look into the pointer table",
  ],
  [/an MSR that is not there/, "it reads every MSR"],
  [/while #(UD|BR) is delivered/, "it leaves EXT clear"],
  [/#AC/, "it does not check alignment"],
];
describe("an exception", () => testSeries(exceptionCells, { qemuDiffers }));
describe("of two exceptions", () => testSeries(doubleFaultCells, { qemuDiffers }));

describe("a handler", () => {
  const run = (mode: Cell["mode"], code: string, eflags: number) => {
    const cells: readonly Cell[] = [{ name: "gate", mode, code, eflags }];
    return runCells(cellImage(cells), cells).records[0]![0]!;
  };

  it("behind an interrupt gate has IF clear, and the saved image has it as it was", () => {
    const { eflags, handlerEflags } = run(ring0, ".at: int 0x31", FLAG.IF);
    expect([eflags & FLAG.IF, handlerEflags & FLAG.IF]).toEqual([FLAG.IF, 0]);
  });

  it("behind a trap gate has IF as it was", () => {
    const { eflags, handlerEflags } = run(user, ".at: int 0x30", FLAG.IF);
    expect([eflags & FLAG.IF, handlerEflags & FLAG.IF]).toEqual([FLAG.IF, FLAG.IF]);
  });

  it("has TF and NT clear, and the saved image has them as they were", () => {
    const both = FLAG.TF | FLAG.NT;
    const { eflags, handlerEflags } = run(user, ".at: int 0x30", both);
    expect([eflags & both, handlerEflags & both]).toEqual([both, 0]);
  });
});

describe("an NMI", () => {
  const cells: readonly Cell[] = [{ name: "loop", mode: user, code: ".next: inc eax\njmp .next", resume: true }];
  const image = cellImage(cells);
  const next = image.label(0, "next")!;
  const inLoop = (): Machine => Machine.boot({ image: image.bytes, memory: "16M" }).run({ until: next });
  const handler = image.high.symbols["handle"]!;

  it("is vector 2 without an error code, and saves the next instruction", () => {
    const handling = inLoop().nmi().run({ until: handler });
    const frame = new Uint32Array(handling.memory.read(handling.registers.esp, 24).buffer);
    expect([...frame.subarray(0, 3)]).toEqual([2, next, 0x3b]);
    expect(handling.cpl).toBe(0);
  });

  it("waits while an NMI handler runs, and comes behind its IRET", () => {
    const handling = inLoop().nmi().run({ until: handler }).nmi();
    const later = handling.run({ maxInstructions: 40 });
    expect(later.cpu.pending).toMatchObject({ nmi: true, nmiBlocked: true });
    const back = later.run({ until: next });
    expect(back.registers.eip).toBe(next);
    expect(back.run({ until: handler, maxInstructions: 3 }).stop?.reason).toBe("until");
  });
});

describe("a triple fault", () => {
  const shuts: readonly Cell[] = [{ name: "shutdown", mode: ring0, code: ".at: int3", prepare: "lidt [zero_table]" }];
  const image = cellImage(shuts, "zero_table: dw 0\n dd 0");

  it("is an exception while #DF is delivered: the machine has shut down", () => {
    expect(runMachine(image).stop?.reason).toBe("triple-fault");
  });

  it("resets QEMU, too", (context) => {
    expect(runCellsOnQemu(peer(context, "qemu-system-i386"), image, shuts).end).toBe("status 0");
  });
});
