/** Into long mode and out of it, as 32-bit code does it, and what is refused. Code inside of it: tests/long/long-mode.test.ts. */
import { describe, expect, it } from "vitest";
import { assemble } from "../isa/assembler/assembler.js";
import { Machine } from "../machine.js";
import type { ModelName } from "./model.js";
import { CR0, CR4, EFER } from "./state.js";

const CODE = 0x10000;
const TABLES = 0x20000;
const GDT = 0x30000;
/** Flat 32-bit code and data, code with L, and a 16-bit TSS. */
const gdt = [0, 0, 0xffff, 0x00cf9b00, 0xffff, 0x00cf9300, 0xffff, 0x00ef9b00, 0x00000067, 0x00008103];

const start = `
  lgdt [gdtr]
  jmp 8:loaded
loaded:
  mov eax, 0x20
  mov cr4, eax
  mov eax, ${TABLES}
  mov cr3, eax
  mov ecx, 0xc0000080
  mov eax, 0x100
  xor edx, edx
  wrmsr
`;
const paging = `
  mov eax, 0x80000011
  mov cr0, eax
`;
const efer = `
  mov ecx, 0xc0000080
  rdmsr
`;
const tables = `
  hlt
gdtr: dw ${gdt.length * 4 - 1}
  dd ${GDT}
`;

const little = (words: readonly number[]): Uint8Array => new Uint8Array(Uint32Array.from(words).buffer);

/** Runs 32-bit code at CPL 0 until HLT. One page of 2 MiB is mapped, by four levels and by PAE's three. */
function run(code: string, model: ModelName = "core2"): Machine {
  return Machine.create({ memory: "2M", model })
    .write(CODE, assemble(code + tables, { address: CODE }).bytes)
    .write(TABLES, little([TABLES + 0x1007, 0]))
    .write(TABLES + 0x1000, little([TABLES + 0x2007, 0]))
    .write(TABLES + 0x2000, little([0x83, 0]))
    .write(GDT, little(gdt))
    .edit((draft) => {
      draft.registers.eip = CODE;
      draft.registers.esp = 0x9000;
    })
    .run({ maxInstructions: 100, observe: ["exception"] });
}

/** Name and error code of the first exception. */
function faultOf({ events: [first] }: Machine): string | undefined {
  return first?.kind === "exception" ? `${first.name}(${first.errorCode ?? ""})` : undefined;
}

const systemOf = (machine: Machine) => {
  expect(faultOf(machine)).toBeUndefined();
  return machine.cpu.system;
};

describe("long mode", () => {
  it("begins when paging does, with LME and PAE set: LMA says so, and the code stays what it was", () => {
    const end = run(start + paging + efer);
    expect(systemOf(end)).toMatchObject({ efer: EFER.LME | EFER.LMA, cr4: CR4.PAE, pdptes: [] });
    expect(end.registers).toMatchObject({ eax: EFER.LME | EFER.LMA, edx: 0, cs: 8 });
  });

  it("ends with paging: LMA is cleared, LME stays", () => {
    const end = run(`${start}${paging}  mov eax, 0x11\n  mov cr0, eax\n${efer}`);
    expect(systemOf(end)).toMatchObject({ efer: EFER.LME, cr0: CR0.PE | CR0.ET });
    expect(end.registers.eax).toBe(EFER.LME);
  });

  it("begins again behind its end, and PAE paging without LME reads its pointers", () => {
    const off = "  mov eax, 0x11\n  mov cr0, eax\n";
    expect(systemOf(run(start + paging + off + paging)).efer).toBe(EFER.LME | EFER.LMA);
    // Bit 1 is reserved in a pointer of PAE paging, and the writable flag of a level of long mode.
    const plain = `${start}${paging}${off}  mov ecx, 0xc0000080\n  xor eax, eax\n  xor edx, edx\n  wrmsr\n${paging}`;
    expect(faultOf(run(plain))).toBe("#GP(0)");
  });

  it("does not begin without PAE, in code with the L flag, or with a 16-bit TSS: #GP(0)", () => {
    expect(faultOf(run(`${start}  xor eax, eax\n  mov cr4, eax\n${paging}`))).toBe("#GP(0)");
    expect(faultOf(run(`${start}  jmp 0x18:there\nthere:\n${paging}`))).toBe("#GP(0)");
    expect(faultOf(run(`${start}  mov ax, 0x20\n  ltr ax\n${paging}`))).toBe("#GP(0)");
  });

  it("leaves LME alone while there is paging: #GP(0)", () => {
    const change = "  mov ecx, 0xc0000080\n  xor eax, eax\n  xor edx, edx\n  wrmsr\n";
    expect(faultOf(run(start + paging + change))).toBe("#GP(0)");
    expect(systemOf(run(start + change)).efer).toBe(0);
  });

  it("keeps PAE: clearing it is #GP(0), also in compatibility mode", () => {
    expect(faultOf(run(`${start}${paging}  xor eax, eax\n  mov cr4, eax\n`))).toBe("#GP(0)");
  });

  it("has no task switches: a far jump to a TSS is #GP of its selector", () => {
    expect(faultOf(run(`${start}${paging}  jmp 0x20:0\n`))).toBe("#GP(32)");
  });

  it("is not there on models before it: IA32_EFER is no register, #GP(0)", () => {
    for (const model of ["pentium", "pentium2", "pentium3"] as const) expect(faultOf(run(efer, model))).toBe("#GP(0)");
    for (const model of ["core2", "nehalem", "phenom", "max"] as const) expect(systemOf(run(efer, model)).efer).toBe(0);
  });

  it("survives saving, and its hash is that of one run in pieces", () => {
    const text = start + paging + efer;
    const whole = run(text);
    expect(Machine.load(whole.save()).hash).toBe(whole.hash);
    expect(Machine.load(whole.save()).cpu.system.efer).toBe(EFER.LME | EFER.LMA);
  });
});

describe("SYSCALL outside of long mode", () => {
  const call = `
    mov ecx, 0xc0000080
    mov eax, 1
    xor edx, edx
    wrmsr
    mov ecx, 0xc0000081
    mov eax, target
    mov edx, 0x00330023
    wrmsr
    sti
  here:
    syscall
  behind:
    hlt
  target:
    hlt
  `;

  it("goes to EIP of IA32_STAR on a part of AMD, with interrupts off and ECX behind it", () => {
    const { symbols } = assemble(call + tables, { address: CODE });
    const end = run(call, "phenom");
    expect(faultOf(end)).toBeUndefined();
    expect(end.registers).toMatchObject({ cs: 0x20, ss: 0x28, eip: symbols["target"]! + 1, ecx: symbols["behind"]! });
    expect(end.registers.eflags & 0x200).toBe(0);
  });

  it("is no instruction on a part of Intel", () => {
    expect(faultOf(run(call, "core2"))).toBe("#UD()");
  });

  it("SYSRET goes to ECX at CPL 3 with interrupts on", () => {
    const back = call.replace(
      "target:\n    hlt",
      "target:\n    mov ecx, user\n    sysret\n  user:\n    mov ebx, esp\n    hlt",
    );
    const end = run(back, "phenom");
    expect(faultOf(end)).toBe("#GP(0)");
    expect(end.registers).toMatchObject({ cs: 0x33, ss: 0x3b, ebx: 0x9000 });
    expect(end.registers.eflags & 0x200).toBe(0x200);
  });
});
