/** SYSENTER and SYSEXIT: where they go, what they load, and when they are #GP or no instruction. */
import { describe, expect, it } from "vitest";
import type { ModelName } from "../../cpu/model.js";
import { Machine } from "../../machine.js";

const CODE = 0x10000;
const ENTRY = 0x11000;
const USER = 0x12000;
const word = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
const mov = (register: number, value: number): number[] => [0xb8 + register, ...word(value)];
/** MOV ECX, address; MOV EAX, value; XOR EDX, EDX; WRMSR. */
const wrmsr = (address: number, value: number): number[] => [
  ...[...mov(1, address), ...mov(0, value)],
  ...[0x31, 0xd2, 0x0f, 0x30],
];
const SYSENTER = [0x0f, 0x34];
const SYSEXIT = [0x0f, 0x35];
const setUp = [...wrmsr(0x174, 0x23), ...wrmsr(0x175, 0x8000), ...wrmsr(0x176, ENTRY)];
const STI = 0xfb;
const HLT = 0xf4;

function run(code: readonly number[], entry: readonly number[] = [HLT], model: ModelName = "pentium2"): Machine {
  return Machine.create({ memory: "1M", model })
    .write(CODE, Uint8Array.from([...code, HLT]))
    .write(ENTRY, Uint8Array.from(entry))
    .write(USER, Uint8Array.from([0x89, 0xe0, 0x0f, 0x20, 0xc3]))
    .edit((draft) => {
      draft.registers.eip = CODE;
      draft.registers.esp = 0x9000;
    })
    .run({ maxInstructions: 40, observe: ["exception", "privilege"] });
}

const faultOf = ({ events }: Machine): string | undefined => {
  const first = events.find(({ kind }) => kind === "exception");
  return first?.kind === "exception" ? `${first.name}(${first.errorCode ?? ""})` : undefined;
};

describe("SYSENTER", () => {
  it("goes to the procedure with flat segments behind IA32_SYSENTER_CS, the stack there, and interrupts off", () => {
    const end = run([...setUp, STI, ...SYSENTER]);
    expect(faultOf(end)).toBeUndefined();
    expect(end.registers).toMatchObject({ cs: 0x20, ss: 0x28, esp: 0x8000, eip: ENTRY + 1, ds: 0x10 });
    expect(end.registers.eflags & 0x200).toBe(0);
  });

  it("is #GP(0) with a null selector in IA32_SYSENTER_CS, and outside of protected mode", () => {
    expect(faultOf(run(SYSENTER))).toBe("#GP(0)");
    expect(faultOf(run([...wrmsr(0x174, 3), ...SYSENTER]))).toBe("#GP(0)");
    // MOV EAX, 10h; MOV CR0, EAX: out of protected mode.
    expect(faultOf(run([...setUp, ...mov(0, 0x10), 0x0f, 0x22, 0xc0, ...SYSENTER]))).toBe("#GP(0)");
  });

  it("is no instruction before the Pentium II", () => {
    expect(faultOf(run(SYSENTER, [HLT], "pentium"))).toBe("#UD()");
    expect(faultOf(run(SYSEXIT, [HLT], "486"))).toBe("#UD()");
  });
});

describe("SYSEXIT", () => {
  it("goes to EDX at CPL 3 with the stack at ECX, and segments further behind IA32_SYSENTER_CS", () => {
    const end = run([...setUp, ...SYSENTER], [...mov(1, 0x7000), ...mov(2, USER), ...SYSEXIT]);
    expect(end.events.find(({ kind }) => kind === "privilege")).toMatchObject({ from: 0, to: 3 });
    // MOV EAX, ESP runs there; MOV EBX, CR0 is #GP(0), for which this machine has no handler.
    expect(faultOf(end)).toBe("#GP(0)");
    expect(end.registers).toMatchObject({ cs: 0x33, ss: 0x3b, eax: 0x7000, eip: USER + 2 });
  });

  it("is #GP(0) with a null selector, and at CPL 3", () => {
    expect(faultOf(run(SYSEXIT))).toBe("#GP(0)");
    const twice = run([...setUp, ...mov(1, 0x7000), ...mov(2, CODE + setUp.length + 10), ...SYSEXIT, ...SYSEXIT]);
    expect(faultOf(twice)).toBe("#GP(0)");
  });
});
