/** x87 as system software meets it: what raises exceptions, and images in memory. Numbers are compared in tests/x87.test.ts. */
import { describe, expect, it } from "vitest";
import type { FloatingState } from "../../cpu/floating.js";
import type { ModelName } from "../../cpu/model.js";
import { Machine } from "../../machine.js";
import { assemble } from "../assembler/assembler.js";

const CODE = 0x10000;
/** A quotient by zero that is not masked: x87's control word says so first. */
const DIVIDE_BY_ZERO = "fninit\n mov word [0x3000], 0x37b\n fldcw [0x3000]\n fld1\n fldz\n fdivp";

function run(text: string, { model = "max", bits = 32 }: { model?: ModelName; bits?: 16 | 32 } = {}): Machine {
  const { bytes } = assemble(`${text}\n hlt`, { bits, address: CODE });
  return Machine.create({ memory: "1M", model })
    .write(CODE, bytes)
    .edit((draft) => {
      draft.registers.eip = CODE;
      draft.registers.esp = 0x9000;
    })
    .run({ maxInstructions: 60, observe: ["exception"] });
}

const faultOf = ({ events: [first] }: Machine): string | undefined =>
  first?.kind === "exception" ? `${first.name} at ${(first.eip - CODE).toString(16)}` : undefined;
const floating = (machine: Machine): FloatingState => machine.cpu.floating;
const words = (machine: Machine, address: number, count: number): number[] => [
  ...new Uint32Array(machine.memory.read(address, 4 * count).buffer),
];
/** Sets bits of a control register. */
const set = (register: string, bits: number): string => `mov eax, ${register}\n or eax, ${bits}\n mov ${register}, eax`;

describe("x87 instructions", () => {
  it("are #NM while CR0.EM or CR0.TS is set, even those that do nothing", () => {
    expect(faultOf(run(`${set("cr0", 4)}\n fninit`))).toBe("#NM at 9");
    expect(faultOf(run(`${set("cr0", 8)}\n fnop`))).toBe("#NM at 9");
    expect(faultOf(run(`${set("cr0", 8)}\n clts\n fnop`))).toBeUndefined();
  });

  it("that wait are #MF behind an exception that is not masked, and others are not", () => {
    const raised = `${set("cr0", 0x20)}\n ${DIVIDE_BY_ZERO}`;
    const length = assemble(raised, { bits: 32 }).bytes.length;
    expect(faultOf(run(`${raised}\n fld1`))).toBe(`#MF at ${length.toString(16)}`);
    expect(faultOf(run(`${raised}\n wait`))).toBe(`#MF at ${length.toString(16)}`);
    const calm = run(`${raised}\n fnstsw ax\n fnclex\n fld1`);
    expect(faultOf(calm)).toBeUndefined();
    // Zero divide, with summary and busy; both operands are still there.
    expect(calm.registers.eax & 0xffff).toBe(0xb084);
    expect(floating(calm).tags).toBe(0x03ff);
  });

  it("end the run where an error would be told by IRQ 13, which is not there", () => {
    expect(run(`${DIVIDE_BY_ZERO}\n fld1`).stop).toMatchObject({ reason: "unsupported" });
  });

  it("are no instructions to a model without an FPU", () => {
    expect(faultOf(run("fninit", { model: "486" }))).toBe("#UD at 0");
  });

  it("change nothing where their operand in memory cannot be written", () => {
    const before = "fninit\n fldpi";
    const end = run(`${before}\n fistp qword [0xfffffffc]`);
    expect(faultOf(end)).toMatch(/^#(GP|SS)/);
    expect(floating(end).status).toBe(0x3800);
    expect(floating(end).registers[7]).toBe(0x4000c90fdaa22168c235n);
  });

  it("that load an empty register with a full stack meet an underflow, not an overflow", () => {
    const full = `fninit\n${" fld1\n".repeat(8)} ffree st3\n`;
    expect(floating(run(`${full} fld st3`)).status & 0x241).toBe(0x041);
    expect(floating(run(`${full} fld st2`)).status & 0x241).toBe(0x241);
  });

  it("WAIT is #NM while CR0.MP and CR0.TS are set, and not with one of them", () => {
    expect(faultOf(run(`${set("cr0", 10)}\n wait`))).toBe("#NM at 9");
    expect(faultOf(run(`${set("cr0", 8)}\n wait`))).toBeUndefined();
  });
});

describe("the x87 environment", () => {
  it("is as FNINIT leaves it, whatever it was", () => {
    const end = run("fninit\n fld1\n fld1\n fdecstp\n fninit");
    expect(floating(end)).toMatchObject({ control: 0x37f, status: 0, tags: 0xffff, opcode: 0, instructionPointer: 0 });
  });

  it("has the last instruction's address, opcode and operand, which control instructions leave", () => {
    const end = run("fninit\n mov ebx, 0x3000\n fld qword [ebx+8]\n fnstcw [ebx]");
    expect(floating(end)).toMatchObject({
      instructionPointer: CODE + 7,
      instructionSelector: 8,
      dataPointer: 0x3008,
      dataSelector: 0x10,
      opcode: 0x543,
    });
  });

  it("is stored by FNSTENV in 28 bytes with reserved bits set, tags telling what registers hold, and masks all", () => {
    const end = run("fninit\n fldz\n fld1\n mov word [0x3000], 0x340\n fldcw [0x3000]\n fnstenv [0x3100]");
    const [control, status, tags, pointer, selector, data, dataSelector] = words(end, 0x3100, 7);
    expect([control, status, tags]).toEqual([0xffff0340, 0xffff3000, 0xffff4fff]);
    expect([pointer, selector, data, dataSelector]).toEqual([CODE + 4, 0x01e80008, 0, 0xffff0000]);
    expect(floating(end).control).toBe(0x37f);
  });

  it("is 14 bytes with 16-bit operands", () => {
    const end = run("fninit\n fld1\n o16 fnstenv [0x3100]");
    expect([...new Uint16Array(end.memory.read(0x3100, 16).buffer)]).toEqual([0x37f, 0x3800, 0x3fff, 2, 8, 0, 0, 0]);
  });

  it("goes through FNSAVE and FRSTOR, between which it is initialized", () => {
    const through = run("fninit\n fldpi\n fldz\n fnsave [0x3100]\n mov eax, 1\n frstor [0x3100]");
    const straight = run("fninit\n fldpi\n fldz");
    expect(floating(through)).toMatchObject({
      status: floating(straight).status,
      tags: floating(straight).tags,
      registers: floating(straight).registers,
    });
    expect(floating(run("fninit\n fldpi\n fnsave [0x3100]")).tags).toBe(0xffff);
  });
});

describe("FXSAVE and FXRSTOR", () => {
  const enabled = set("cr4", 0x600);

  it("store and load everything, with one bit for each register's tag", () => {
    const end = run(`${enabled}\n fninit\n fldpi\n fxsave [0x3100]\n fninit\n fldz\n fxrstor [0x3100]`);
    expect(words(end, 0x3100, 2)).toEqual([0x3800037f, 0x01eb0080]);
    expect(words(end, 0x3118, 2)).toEqual([0x1f80, 0xffff]);
    expect(words(end, 0x3120, 3)).toEqual([0x2168c235, 0xc90fdaa2, 0x4000]);
    expect(floating(end)).toMatchObject({ status: 0x3800, tags: 0x3fff });
    expect(floating(end).registers[7]).toBe(0x4000c90fdaa22168c235n);
  });

  it("store zeros in what is reserved, whatever an image before them held", () => {
    const end = run(`${enabled}\n fninit\n fldl2e\n fldl2e\n fldl2e\n fldl2e\n fnsave [0x3400]\n fxsave [0x3100]`);
    const reserved = [7, 6, 5, 4].flatMap((number) => words(end, 0x3120 + 16 * number + 8, 2));
    expect(reserved.map((word, at) => (at % 2 === 0 ? word >>> 16 : word))).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    expect(end.memory.read(0x3105, 1)[0]).toBe(0);
  });

  it("are #GP where the region is not aligned, or MXCSR would get a reserved bit", () => {
    expect(faultOf(run("fxsave [0x3108]"))).toBe("#GP at 0");
    const reserved = `${enabled}\n fxsave [0x3100]\n mov dword [0x3118], 0x10000\n fxrstor [0x3100]`;
    expect(faultOf(run(reserved))).toMatch(/^#GP/);
    expect(faultOf(run(`${enabled}\n mov dword [0x3000], 0x10000\n ldmxcsr [0x3000]`))).toMatch(/^#GP/);
  });

  it("LDMXCSR and STMXCSR are #UD until CR4.OSFXSR is set, and then move MXCSR", () => {
    expect(faultOf(run("stmxcsr [0x3000]"))).toBe("#UD at 0");
    const end = run(`${enabled}\n mov dword [0x3000], 0x3f80\n ldmxcsr [0x3000]\n stmxcsr [0x3004]`);
    expect(words(end, 0x3004, 1)).toEqual([0x3f80]);
  });
});

describe("MMX registers", () => {
  it("are the significands of R0 to R7: writing one makes all valid, clears TOP and fills the exponent", () => {
    const end = run("fninit\n fldpi\n mov eax, 0x12345678\n movd mm3, eax");
    expect(floating(end)).toMatchObject({ tags: 0, status: 0 });
    expect(floating(end).registers[3]).toBe(0xffff0000000012345678n);
    expect(floating(end).registers[7]).toBe(0x4000c90fdaa22168c235n);
    expect(floating(run("fninit\n movd mm3, eax\n emms")).tags).toBe(0xffff);
  });

  it("raise a pending x87 exception", () => {
    expect(faultOf(run(`${set("cr0", 0x20)}\n ${DIVIDE_BY_ZERO}\n movd mm3, eax`))).toMatch(/^#MF/);
  });
});

describe("floating-point registers in a machine", () => {
  it("are part of its value: in hash, difference, save and forks", () => {
    const machine = run("fninit\n fldpi");
    const other = run("fninit\n fldl2e");
    expect(Machine.load(machine.save()).hash).toBe(machine.hash);
    expect(Machine.load(machine.save()).cpu.floating).toEqual(machine.cpu.floating);
    expect(Machine.diff(machine, other).state.map(({ path }) => path)).toEqual([
      "cpu.floating.opcode",
      "cpu.floating.registers[7]",
    ]);
  });

  it("stay the same record while no instruction writes them", () => {
    const machine = run("fninit\n fldpi");
    expect(
      machine
        .edit((draft) => {
          draft.registers.eip = CODE;
        })
        .write(CODE, Uint8Array.of(0x40))
        .step().cpu.floating,
    ).toBe(machine.cpu.floating);
  });
});
