// The disassembler against iced-x86, which was written by others from the same manuals.
import { Code, CpuidFeature, Decoder, DecoderOptions, Mnemonic } from "iced-x86";
import { describe, expect, it } from "vitest";
import { disassemble } from "./disassembler.js";
import {
  ADDRESS,
  encodingsOfRows,
  icedReads,
  mayDiffer,
  normal,
  type Reading,
  randomEncodings,
} from "./encodings.test-helper.js";
import type { CodeBits } from "./instruction.js";
import { rows } from "./table/index.js";

/** What is wrong with our reading, or undefined. */
function disagreement(bytes: Uint8Array, bits: CodeBits, theirs: Reading): string | undefined {
  const [ours] = disassemble(bytes, { address: ADDRESS, bits, count: 1 });
  const hex = Buffer.from(bytes.subarray(0, 15)).toString("hex");
  if (ours!.group === undefined) return undefined;
  if (mayDiffer(ours!.text, theirs.code)) return undefined;
  if (theirs.code === undefined) return `${hex}: "${ours!.text}" is no instruction`;
  if (ours!.bytes.length !== theirs.length) return `${hex}: "${ours!.text}" has ${theirs.length} bytes`;
  if (normal(ours!.text) !== normal(theirs.text)) return `${hex}: "${ours!.text}" should be "${theirs.text}"`;
  return undefined;
}

function disagreements(list: readonly Uint8Array[], bits: CodeBits): readonly string[] {
  return icedReads(list, bits)
    .map((theirs, index) => disagreement(list[index]!, bits, theirs))
    .filter((problem) => problem !== undefined);
}

const text = (hex: string, bits: CodeBits = 32): string[] =>
  disassemble(Buffer.from(hex.replaceAll(" ", ""), "hex"), { bits }).map((one) => one.text);

describe("disassembler", () => {
  it.each([16, 32, 64] as const)("says the same as iced about every row with its ModR/M bytes, %i bits", (bits) => {
    // In 64-bit code there are REX prefixes, so that a sixth of the ModR/M bytes is as much.
    const encodings = encodingsOfRows(1, bits);
    expect(encodings.length).toBeGreaterThan(70_000);
    expect(disagreements(encodings, bits).slice(0, 20)).toEqual([]);
  });

  it.each([16, 32, 64] as const)("says the same as iced about seeded random bytes, and never more, %i bits", (bits) => {
    expect(disagreements(randomEncodings(20_000, 20261101, bits), bits).slice(0, 20)).toEqual([]);
  });

  it("gives each row at least one text with its mnemonic", () => {
    const mnemonics = ([32, 64] as const).flatMap((bits) =>
      encodingsOfRows(9, bits).map((bytes) => disassemble(bytes, { bits, count: 1 })[0]!.mnemonic.split(" ").at(-1)),
    );
    const seen = [...new Set(mnemonics)];
    const missing = rows
      .map(({ mnemonic }) => mnemonic.toLowerCase())
      .filter((name) => !seen.some((known) => known?.startsWith(name)));
    expect(missing).toEqual([]);
  });

  it.each([16, 32] as const)(
    "knows every instruction up to the Pentium's integer unit, with the known exceptions, %i bits",
    (bits) => {
      const features = new Set(
        ["INTEL8086", "INTEL186", "INTEL286", "INTEL386", "INTEL486", "CPUID", "CX8", "TSC", "MSR"].map(
          (name) => CpuidFeature[name as "CX8"],
        ),
      );
      const missing = new Set<string>();
      for (let opcode = 0; opcode < 0x200; opcode++) {
        const head = opcode < 0x100 ? [opcode] : [0x0f, opcode - 0x100];
        // Prefixes and escapes are not opcodes.
        if (opcode < 0x100 && [0x0f, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3].includes(opcode))
          continue;
        for (let modrm = 0; modrm < 256; modrm++) {
          const bytes = Uint8Array.from([...head, modrm, 0x45, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc]);
          if (disassemble(bytes, { bits, count: 1 })[0]!.group !== undefined) continue;
          const decoder = new Decoder(bits, bytes, DecoderOptions.None);
          const instruction = decoder.decode();
          if (
            instruction.code !== Code.INVALID &&
            [...instruction.cpuidFeatures()].every((feature) => features.has(feature))
          ) {
            missing.add(
              `${head.map((byte) => byte.toString(16).padStart(2, "0")).join("")} ${Mnemonic[instruction.mnemonic]}`,
            );
          }
          instruction.free();
          decoder.free();
        }
      }
      // INT1 is for debuggers; UD0 and UD1 raise #UD, as no row does too.
      expect(["f1 Int1", "0fb9 Ud1", "0fff Ud0"]).toEqual(expect.arrayContaining([...missing]));
    },
  );

  it("writes what NASM reads", () => {
    expect(text("c7442408 01000000")).toEqual(["mov dword [esp+8], 1"]);
    expect(text("83e4f0 89e5 8d4476fc")).toEqual(["and esp, -0x10", "mov ebp, esp", "lea eax, [esi+esi*2-4]"]);
    expect(text("f3a5 64f3a4 f2ae 90 f390 6698 98")).toEqual([
      "rep movsd",
      "fs rep movsb",
      "repne scasb",
      "nop",
      "pause",
      "cbw",
      "cwde",
    ]);
    expect(text("f0ff00 0f22d8 8ed8 cd80 ea001000000800")).toEqual([
      "lock inc dword [eax]",
      "mov cr3, eax",
      "mov ds, ax",
      "int 0x80",
      "jmp 8:0x1000",
    ]);
  });

  it("writes what NASM reads of 16-bit code", () => {
    expect(text("8b4004 8b4600 678b0418 a13412 67a178563412 678b1d05000000", 16)).toEqual([
      "mov ax, [bx+si+4]",
      "mov ax, [bp]",
      "mov ax, [eax+ebx]",
      "mov ax, [0x1234]",
      "mov ax, [dword 0x12345678]",
      "mov bx, [dword 5]",
    ]);
    expect(text("90 6690 c3 66c3 6660 98 6698 66cf e3fe 67e3fd e2fe 67e2fd", 16)).toEqual([
      ...["nop", "xchg eax, eax", "ret", "retd", "pushad", "cbw", "cwde", "iretd"],
      ...["jcxz 0xd", "jecxz 0xf", "loop 0x12", "loop 0x14, ecx"],
    ]);
    expect(text("f367a4 6726ac 66ad 67d7", 16)).toEqual(["a32 rep movsb", "a32 es lodsb", "lodsd", "a32 xlatb"]);
    expect(text("666a05 66ea001000000800 ff2f 66ff2f 660f0117 661e 66e900000000 660f8400000000", 16)).toEqual([
      "push dword 5",
      "jmp dword 8:0x1000",
      "jmp far [bx]",
      "jmp dword far [bx]",
      "o32 lgdt [bx]",
      "o32 push ds",
      "jmp dword 0x1c",
      "o32 je 0x23",
    ]);
  });

  it("writes what NASM reads of 64-bit code", () => {
    expect(text("4889d8 4d8b6c2408 40b680 450fb6c7 48c7c0ffffffff 48b8efcdab8967452301", 64)).toEqual([
      ...["mov rax, rbx", "mov r13, [r12+8]", "mov sil, 0x80", "movzx r8d, r15b"],
      ...["mov rax, 0xffffffffffffffff", "mov rax, 0x123456789abcdef"],
    ]);
    expect(text("48a18877665544332211 8b0425000000ff 658b042508000000 488b0500100000", 64)).toEqual([
      ...["mov rax, [qword 0x1122334455667788]", "mov eax, [0xffffffffff000000]", "mov eax, [gs:8]"],
      "mov rax, [rel 0x1020]",
    ]);
    expect(text("55 6655 9c 4898 4899 48cf cf 48a5 f348ab 480fc70e e3fe 67e3fd 0f05 480f07 0f01f8 4863c8", 64)).toEqual(
      [
        ...["push rbp", "push bp", "pushf", "cdqe", "cqo", "iretq", "iret", "movsq", "rep stosq", "cmpxchg16b [rsi]"],
        ...["jrcxz 0x14", "jecxz 0x16", "syscall", "o64 sysret", "swapgs", "movsxd rcx, eax"],
      ],
    );
  });

  it("shows addresses of 64-bit code in the canonical form", () => {
    const address = -0x7f000000;
    const [jump, load] = disassemble(Buffer.from("eb0e488d05f9ffffff", "hex"), { address, bits: 64 });
    expect([jump!.address, jump!.target, jump!.text]).toEqual([address, address + 16, "jmp 0xffffffff81000010"]);
    expect(load!.text).toBe("lea rax, [rel 0xffffffff81000002]");
  });

  it("shows the displacement of POP [ESP+n] as it is encoded", () => {
    expect(text("8f442404")).toEqual(["pop dword [esp+4]"]);
  });

  it("counts targets and addresses from the address it is given", () => {
    const [jump, call] = disassemble(Uint8Array.of(0x75, 0x10, 0xe8, 0, 0, 0, 0), { address: 0x100000 });
    expect([jump!.address, jump!.target, jump!.text, jump!.group]).toEqual([
      0x100000,
      0x100012,
      "jne 0x100012",
      "control transfer",
    ]);
    expect([call!.address, call!.target, [...call!.bytes]]).toEqual([0x100002, 0x100007, [0xe8, 0, 0, 0, 0]]);
    expect([call!.mnemonic, call!.operands]).toEqual(["call", "0x100007"]);
  });

  it("shows one byte as (bad) where there is no instruction, where the bytes end, and for registers that do not exist", () => {
    // 0F 3A 44 is PCLMULQDQ, 0F 22 C8 would load CR1, 8E C8 would load CS.
    for (const hex of ["660f3a44c100", "0f22c8", "8ec8", "8cf0", "b80100"]) expect(text(hex)[0]).toBe("(bad)");
    expect(disassemble(Uint8Array.of(0xb8, 0x01))).toHaveLength(2);
    expect(disassemble(Uint8Array.of())).toEqual([]);
  });

  it("does not hand out the caller's bytes", () => {
    const bytes = Uint8Array.of(0x90, 0xc3);
    const [first] = disassemble(bytes);
    first!.bytes[0] = 0xcc;
    expect(bytes[0]).toBe(0x90);
  });
});
