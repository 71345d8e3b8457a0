// The disassembler against iced-x86, which was written by others from the same manuals.
import { Code, CpuidFeature, Decoder, DecoderOptions, Formatter, FormatterSyntax, Mnemonic } from "iced-x86";
import { describe, expect, it } from "vitest";
import { disassemble } from "./disassembler.js";
import { rows } from "./table/index.js";

const ADDRESS = 0x10000;
const formatter = new Formatter(FormatterSyntax.Nasm);
Object.assign(formatter, {
  hexPrefix: "0x",
  hexSuffix: "",
  uppercaseHex: false,
  spaceAfterOperandSeparator: true,
  branchLeadingZeros: false,
  displacementLeadingZeros: false,
  showBranchSize: false,
});

interface Reading {
  readonly text: string;
  readonly length: number;
  /** Name of the encoding in iced's list; undefined for no instruction. */
  readonly code: string | undefined;
}

function icedReads(bytes: Uint8Array): Reading {
  const decoder = new Decoder(32, bytes, DecoderOptions.None);
  decoder.ip = BigInt(ADDRESS);
  const instruction = decoder.decode();
  const code = instruction.code === Code.INVALID ? undefined : Code[instruction.code];
  // We show a byte that is extended by its sign with it.
  formatter.signedImmediateOperands =
    code !== undefined &&
    /(rm16|rm32)_imm8$|^Push[wd]_imm8$/.test(code) &&
    !/^(Rol|Ror|Rcl|Rcr|Sh|Sal|Sar|Bt)/.test(code);
  const reading = { text: formatter.format(instruction), length: instruction.length, code };
  instruction.free();
  decoder.free();
  return reading;
}

/** Where two right answers differ: both are brought to one form. */
function normal(text: string): string {
  let plain = text
    // Prefixes without an effect: we leave them out, iced gives them their newer meanings.
    .replace(/^(?:(?:bnd|notrack|xacquire|xrelease|[csdefg]s) )+/, "")
    .replace(/^(o16 )?(?:(?:bnd|notrack|[csdefg]s|rep|repe|repne) )+(j|call|loop|ret)/, "$1$2")
    .replace(/^lock (?:xacquire|xrelease) /, "lock ")
    .replace(/^(?:xacquire|xrelease) lock /, "lock ")
    // Whether the mnemonic, an operand or o16 tells the operand size is a matter of taste.
    .replace(/^o16 /, "")
    // Another name of the same.
    .replace(/^sal /, "shl ")
    // A processor without these instructions ignores the F3.
    .replace(/^tzcnt /, "bsf ")
    .replace(/^lzcnt /, "bsr ")
    .replace(/^wbnoinvd$/, "wbinvd")
    // The operands of XCHG can be written either way.
    .replace(
      /^(lock )?xchg (.*), (.*)$/,
      (_all, lock: string | undefined, a: string, b: string) => `${lock ?? ""}xchg ${[a, b].sort().join(", ")}`,
    )
    // IMUL with twice the same register.
    .replace(/^imul (\w+), \1, /, "imul $1, ");
  // A selector in a register: its low 16 bits count, and both names of the register are accepted.
  if (/^(lar|lsl) \w+, \w+$|^mov [cdefgs]s, e?\w\w$/.test(plain)) plain = plain.replace(/, e(\w\w)$/, ", $1");
  return plain;
}

/** Compares one encoding; gives what is wrong, or undefined. */
function disagreement(bytes: Uint8Array): string | undefined {
  const [ours] = disassemble(bytes, { address: ADDRESS, count: 1 });
  const theirs = icedReads(bytes);
  const hex = Buffer.from(bytes.subarray(0, 15)).toString("hex");
  if (ours!.group === undefined) return undefined;
  if (theirs.code === undefined) return `${hex}: "${ours!.text}" is no instruction`;
  // iced has BSWAP with 16 bits, of which the manual says that the result is undefined.
  if (theirs.code === "Bswap_r16") return undefined;
  if (ours!.bytes.length !== theirs.length) return `${hex}: "${ours!.text}" has ${theirs.length} bytes`;
  if (normal(ours!.text) !== normal(theirs.text)) return `${hex}: "${ours!.text}" should be "${theirs.text}"`;
  return undefined;
}

/** A seeded generator of bytes (a linear congruential one; its high bits are good enough here). */
function byteSource(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  };
}

const prefixes = [[], [0x66], [0x64], [0x2e, 0x66], [0xf3], [0xf2], [0xf0], [0xf0, 0x66]];
const sibs = [0x24, 0x65, 0x8d, 0x05, 0xe3];

/** Each row with these prefixes, all ModR/M forms and some SIB bytes. */
function* encodingsOfRows(): Iterable<Uint8Array> {
  const random = byteSource(1);
  for (const row of rows) {
    for (const prefix of prefixes) {
      const head = [
        ...prefix,
        ...(row.mandatoryPrefix === undefined ? [] : [row.mandatoryPrefix]),
        ...(row.escaped ? [0x0f] : []),
      ];
      const tail = Array.from({ length: 10 }, random);
      const opcodes = row.plusRegister ? Array.from({ length: 8 }, (_, register) => row.byte + register) : [row.byte];
      for (const opcode of opcodes) {
        if (row.modrm === "none") {
          yield Uint8Array.from([...head, opcode, ...tail]);
          continue;
        }
        for (let modrm = 0; modrm < 256; modrm++) {
          if (typeof row.modrm === "number" && ((modrm >> 3) & 7) !== row.modrm) continue;
          const hasSib = modrm >> 6 !== 3 && (modrm & 7) === 4;
          for (const sib of hasSib ? sibs : [tail[0]!]) yield Uint8Array.from([...head, opcode, modrm, sib, ...tail]);
        }
      }
    }
  }
}

const text = (hex: string, address = 0): string[] =>
  disassemble(Buffer.from(hex.replaceAll(" ", ""), "hex"), { address }).map((one) => one.text);

describe("disassembler", () => {
  it("says the same as iced about every row with every ModR/M byte and several prefixes", () => {
    const wrong = [];
    let read = 0;
    for (const bytes of encodingsOfRows()) {
      read++;
      const problem = disagreement(bytes);
      if (problem !== undefined) wrong.push(problem);
    }
    expect(read).toBeGreaterThan(100_000);
    expect(wrong.slice(0, 20)).toEqual([]);
  });

  it("says the same as iced about seeded random bytes, and never more than iced", () => {
    const random = byteSource(20261101);
    const wrong = [];
    for (let round = 0; round < 40_000; round++) {
      const bytes = Uint8Array.from({ length: 15 }, random);
      if (round % 3 === 0) bytes[0] = 0x0f;
      if (round % 7 === 0) bytes.set([0x66, 0x0f]);
      const problem = disagreement(bytes);
      if (problem !== undefined) wrong.push(problem);
    }
    expect(wrong.slice(0, 20)).toEqual([]);
  });

  it("gives each row at least one text with its mnemonic", () => {
    const seen = new Set(
      [...encodingsOfRows()].map((bytes) => disassemble(bytes, { count: 1 })[0]!.mnemonic.split(" ").at(-1)),
    );
    const missing = rows
      .map(({ mnemonic }) => mnemonic.toLowerCase())
      .filter((name) => ![...seen].some((known) => known?.startsWith(name)));
    expect(missing).toEqual([]);
  });

  it("knows every instruction of the processors up to the Pentium's integer unit, with the known exceptions", () => {
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
        if (disassemble(bytes, { count: 1 })[0]!.group !== undefined) continue;
        const decoder = new Decoder(32, bytes, DecoderOptions.None);
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
    expect([...missing]).toEqual(["f1 Int1", "0fb9 Ud1", "0fff Ud0"]);
  });

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
    // 0F 10 is MOVUPS, 67 the address-size prefix, 0F 22 C8 would load CR1, 8E C8 would load CS.
    for (const hex of ["0f10c1", "678b00", "0f22c8", "8ec8", "8cf0", "b80100"]) expect(text(hex)[0]).toBe("(bad)");
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
