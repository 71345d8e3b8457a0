/**
 * VT-x against Bochs: one image with a small hypervisor, which enters each guest of `support/vmx-cells.ts` and prints how that
 * ended and what was saved of it.
 */
import { describe, expect, it } from "vitest";
import { FLAG } from "../../src/hardware/cpu/state.js";
import { Machine } from "../../src/hardware/machine.js";
import { controlWords } from "../../src/hardware/vmx/controls.js";
import { ENTRY_FAILURE, REASON } from "../../src/hardware/vmx/exit-reasons.js";
import { VM_ERROR } from "../../src/hardware/vmx/vm-errors.js";
import { bochsOutputOf } from "../support/bochs.js";
import { peer } from "../support/peers.js";
import { type Ending, type VmxCell, vmxCells } from "../support/vmx-cells.js";
import { type Line, type LineField, leading, printed, readLine, vmxImage } from "../support/vmx-image.js";

/** Of each line its cell, and how it is to end. */
const linesOf = (cells: readonly VmxCell[]): readonly (readonly [cell: VmxCell, ending: Ending])[] =>
  cells.flatMap((cell) => cell.ends.map((ending) => [cell, ending] as const));

const here = (cells: readonly VmxCell[]): readonly Line[] => {
  const { elf } = vmxImage(cells);
  const machine = Machine.boot({ image: elf, memory: "64M", model: "max" }).run({ maxInstructions: 50_000_000 });
  expect(machine.stop).toMatchObject({ reason: "debug-exit", status: 33 });
  return machine.serial.trim().split("\n").map(readLine);
};

/** How a line says that the entry ended. */
function endingOf({ status, error, "Exit reason": reason }: Line): string {
  if (status !== 0) return status === 1 ? "VMfailInvalid" : `error ${error}`;
  return reason >= ENTRY_FAILURE ? `failed entry ${reason - ENTRY_FAILURE}` : `exit ${reason}`;
}

function textOf(ending: Ending): string {
  if (typeof ending === "string") return `exit ${REASON[ending]}`;
  return "error" in ending ? `error ${VM_ERROR[ending.error]}` : `failed entry ${REASON[ending.failedEntry]}`;
}

const EVENT_CODE = 1 << 11;
const hasCode = (information: number): boolean => information >= 0x8000_0000 && (information & EVENT_CODE) !== 0;
const isSoftware = (information: number): boolean =>
  information >= 0x8000_0000 && [4, 5, 6].includes((information >>> 8) & 7);

/** Exits of instructions, whose length is told. */
const WITH_LENGTH: ReadonlySet<number> = new Set([
  9, 10, 12, 13, 14, 15, 16, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 36, 39, 40, 46, 47, 50, 51, 53,
  54, 55, 57, 58, 59, 61,
]);
const WITH_INFORMATION: ReadonlySet<number> = new Set([19, 21, 22, 23, 25, 27, 46, 47, 50, 53, 57, 58, 61]);
const EPT: ReadonlySet<number> = new Set([REASON.EPT_VIOLATION, REASON.EPT_MISCONFIGURATION]);
const FAULTS: ReadonlySet<number> = new Set([...EPT, REASON.EXCEPTION_OR_NMI]);
const STRING = 1 << 4;
const LINEAR = 1 << 7;
const LMSW_MEMORY = 0x70;

/** Whether an exit defines a field. */
function isDefined(line: Line, field: LineField): boolean {
  const { "Exit reason": reason, "Exit qualification": qualification } = line;
  const string = reason === REASON.IO_INSTRUCTION && (qualification & STRING) !== 0;
  const lmsw = reason === REASON.CONTROL_REGISTER && (qualification & LMSW_MEMORY) === LMSW_MEMORY;
  switch (field) {
    case "VM-exit interruption error code":
      return hasCode(line["VM-exit interruption information"]);
    case "IDT-vectoring error code":
      return hasCode(line["IDT-vectoring information field"]);
    case "VM-exit instruction length":
      if (reason === REASON.TASK_SWITCH && qualification >= 0xc000_0000)
        return isSoftware(line["IDT-vectoring information field"]);
      return (
        WITH_LENGTH.has(reason) ||
        isSoftware(line["VM-exit interruption information"]) ||
        isSoftware(line["IDT-vectoring information field"])
      );
    case "VM-exit instruction information":
      return string || WITH_INFORMATION.has(reason);
    case "Guest-linear address":
      return string || lmsw || (reason === REASON.EPT_VIOLATION && (qualification & LINEAR) !== 0);
    case "Guest-physical address":
      return EPT.has(reason);
    default:
      return true;
  }
}

const OPERAND_SIZE = 1 << 11;
const ADDRESS_SIZE = 7 << 7;
const SEGMENT = 7 << 15;
const IN = 1 << 3;
const DESTINATION = 15 << 3;
const REGISTER_FORM = 1 << 10;
/** What Bochs never says: the operand size of LGDT and its like, and of RDRAND. */
const UNTOLD: Readonly<Record<number, number>> = { [REASON.GDTR_OR_IDTR]: OPERAND_SIZE, [REASON.RDRAND]: ~DESTINATION };

/** A field as far as it is defined, and Bochs has it. */
function meaning(
  { "Exit reason": reason, "Exit qualification": qualification, ...line }: Line,
  field: LineField,
): number {
  const value = field === "Exit reason" ? reason : field === "Exit qualification" ? qualification : line[field];
  // Bochs saves RF as it was in front of the fault.
  if (field === "Guest RFLAGS" && FAULTS.has(reason)) return value & ~FLAG.RF;
  if (field !== "VM-exit instruction information") return value;
  const ins = reason === REASON.IO_INSTRUCTION && (qualification & IN) !== 0 ? SEGMENT : 0;
  const register = (value & REGISTER_FORM) !== 0 ? ADDRESS_SIZE : 0;
  return value & ~((UNTOLD[reason] ?? 0) | ins | register);
}

/** What a failed entry defines. */
const compared = ({ status, "Exit reason": reason }: Line): readonly LineField[] => {
  if (status !== 0) return ["status", "error"];
  return reason >= ENTRY_FAILURE ? ["status", "Exit reason", "Exit qualification"] : [...leading, ...printed];
};

const hex = (value: number): string => `0x${value.toString(16)}`;

function differences({ differs = {} }: VmxCell, ours: Line, theirs: Line): readonly string[] {
  return compared(ours)
    .filter(
      (field) =>
        differs[field] === undefined && isDefined(ours, field) && meaning(ours, field) !== meaning(theirs, field),
    )
    .map((field) => `${field} ${hex(ours[field])}, Bochs ${hex(theirs[field])}`);
}

/** Controls that none of these guests has, and where they are tested. */
const ELSEWHERE: readonly string[] = [
  // Of 64-bit code: src/hardware/vmx/intercepts.test.ts.
  ...["CR8-load exiting", "CR8-store exiting"],
  // No model has MONITOR and MWAIT: they are #UD in front of any exit.
  ...["MONITOR exiting", "MWAIT exiting"],
  // Comes with any secondary control.
  "activate secondary controls",
];

describe("guests of VT-x", () => {
  it("have every control that there is", () => {
    const had = new Set<string>(vmxCells.flatMap(({ controls = {} }) => Object.values(controls).flat()));
    const all = Object.values(controlWords).flatMap(({ masks }) => Object.keys(masks));
    expect(all.filter((name) => !had.has(name)).sort()).toEqual([...ELSEWHERE].sort());
  });

  it("are entered and left here as the manual says", () => {
    const lines = here(vmxCells);
    const expected = linesOf(vmxCells);
    const wrong = expected.flatMap(([{ name }, ending], index) => {
      const line = lines[index];
      const ended = line === undefined ? "nothing" : endingOf(line);
      return ended === textOf(ending) ? [] : [`${name}: ${ended}, not ${textOf(ending)}`];
    });
    expect(wrong).toEqual([]);
    expect(lines.length).toBe(expected.length);
  });

  it("are entered and left in Bochs so, too, and with the same state", async (context) => {
    const cells = vmxCells.filter(({ differs }) => differs?.["all"] === undefined);
    const { elf, end } = vmxImage(cells);
    const text = await bochsOutputOf(peer(context, "bochs"), elf, end, "corei7_haswell_4770", { perSecond: 1_000_000 });
    const theirs = text.trim().split("\n").map(readLine);
    const ours = here(cells);
    const expected = linesOf(cells);
    const wrong = expected.flatMap(([cell, ending], index) => {
      const line = theirs[index];
      if (line === undefined) return [`${cell.name}: Bochs did not come to it`];
      if (endingOf(line) !== textOf(ending)) return [`${cell.name}: Bochs has ${endingOf(line)}`];
      const differing = differences(cell, ours[index]!, line);
      return differing.length === 0 ? [] : [`${cell.name}: ${differing.join("; ")}`];
    });
    expect(wrong).toEqual([]);
    expect(theirs.length).toBe(expected.length);
  }, 150_000);
});
