/** Encodings to try, and how iced-x86 reads them: it was written by others from the same manuals. */
import { Code, Decoder, DecoderOptions, Formatter, FormatterSyntax, Instruction } from "iced-x86";
import { takesModrm } from "./decoder.js";
import { type CodeBits, encodingHead } from "./instruction.js";
import { rows } from "./table/index.js";

export const ADDRESS = 0x4000;
/** Longest instruction. */
const LENGTH = 15;

const formatter = new Formatter(FormatterSyntax.Nasm);
Object.assign(formatter, {
  hexPrefix: "0x",
  hexSuffix: "",
  uppercaseHex: false,
  spaceAfterOperandSeparator: true,
  branchLeadingZeros: false,
  displacementLeadingZeros: false,
  showBranchSize: false,
  usePseudoOps: false,
});

export interface Reading {
  readonly text: string;
  readonly length: number;
  /** Name of the encoding in iced's list; undefined for no instruction. */
  readonly code: string | undefined;
}

/** Reads the first instruction of each encoding, as if at ADDRESS. */
export function icedReads(encodings: readonly Uint8Array[], bits: CodeBits): readonly Reading[] {
  const all = new Uint8Array(encodings.length * LENGTH);
  encodings.forEach((bytes, index) => {
    all.set(bytes.subarray(0, LENGTH), index * LENGTH);
  });
  const decoder = new Decoder(bits, all, DecoderOptions.None);
  const instruction = new Instruction();
  const readings = encodings.map((_bytes, index): Reading => {
    decoder.position = index * LENGTH;
    decoder.ip = BigInt(ADDRESS);
    decoder.decodeOut(instruction);
    const code = instruction.code === Code.INVALID ? undefined : Code[instruction.code];
    // We show a byte that is extended by its sign with it.
    formatter.signedImmediateOperands =
      code !== undefined &&
      /(rm16|rm32|rm64)_imm8$|^Push[wdq]_imm8$/.test(code) &&
      !/^(Rol|Ror|Rcl|Rcr|Sh|Sal|Sar|Bt|Pinsr)/.test(code);
    return { text: code === undefined ? "" : formatter.format(instruction), length: instruction.length, code };
  });
  instruction.free();
  decoder.free();
  return readings;
}

/** Where two right answers differ: both are brought to one form. */
export function normal(text: string): string {
  let plain = text
    // Prefixes without an effect: we leave them out, iced gives them their newer meanings.
    .replace(/^(?:(?:bnd|notrack|xacquire|xrelease|[csdefg]s) )+/, "")
    .replace(/^(o16 |o32 )?(?:(?:bnd|notrack|[csdefg]s|rep|repe|repne) )+(j|call|loop|ret)/, "$1$2")
    .replace(/^lock (?:xacquire|xrelease) /, "lock ")
    .replace(/^(?:xacquire|xrelease) lock /, "lock ")
    // Whether the mnemonic, an operand or a prefix tells the operand size is a matter of taste.
    .replace(/^o(?:16|32|64) /, "")
    .replace(/^(push|jmp|call) d?word (?=-?\d)/, "$1 ")
    .replace(/^(movsxd \w+), dword /, "$1, ")
    .replace(/^(pcmpestr[im])64 /, "$1 ")
    .replace(/^(pinsrw \w+), r(\d+|[a-z]\w),/, (_all, head: string, register: string) =>
      /\d/.test(register) ? `${head}, r${register}d,` : `${head}, e${register},`,
    )
    .replace(/^(pmovmskb|movmskp[sd]|pextrw) r(\d+|[a-z]\w)d?,/, (_all, name: string, register: string) =>
      /\d/.test(register) ? `${name} r${register}d,` : `${name} e${register},`,
    )
    // iced does not say the address size where no register does, nor that NASM must not split an index.
    .replace(/^a32 mov /, "mov ")
    .replace(/\[(?:a32 |[dq]?word |nosplit )(rel )?/, "[$1")
    // Another name of the same.
    .replace(/^sal /, "shl ")
    .replace(/^xchg (r?ax), \1$/, "nop")
    // A processor without these instructions ignores the F3.
    .replace(/^tzcnt /, "bsf ")
    .replace(/^lzcnt /, "bsr ")
    .replace(/^wbnoinvd$/, "wbinvd")
    // The operands of XCHG can be written either way.
    .replace(
      /^(lock )?xchg (.*), (.*)$/,
      (_all, lock: string | undefined, a: string, b: string) => `${lock ?? ""}xchg ${[a, b].sort().join(", ")}`,
    )
    // ST(0) as one of two operands, and ST(1) as the other one, can be left out.
    .replace(/^(f(?:add|mul|subr?|divr?)p|fxch|fu?comp?)$/, "$1 st1")
    .replace(/^(f(?:add|mul|subr?|divr?)) to (st\d)$|^(f(?:add|mul|subr?|divr?)p) (st\d)$/, "$1$3 $2$4, st0")
    .replace(/^(f(?:add|mul|subr?|divr?)|fcmov\w+|fu?comip?) (st\d)$/, "$1 st0, $2")
    // A processor without encrypted guests ignores the F3.
    .replace(/^vmgexit$/, "vmmcall")
    // iced names the registers, NASM need not.
    .replace(/^(?:a16 |a32 )?invlpga(?: \w+, ecx)?$/, "invlpga")
    // IMUL with twice the same register.
    .replace(/^imul (\w+), \1, /, "imul $1, ");
  // A selector in a register: its low 16 bits count, and both names of the register are accepted.
  if (/^(lar|lsl) \w+, \w+$|^mov [cdefgs]s, \w+$/.test(plain))
    plain = plain.replace(/, [er]([a-z]\w)$/, ", $1").replace(/, (r\d+)[dw]$/, ", $1");
  return plain;
}

/** Whether two right answers differ for good. */
export function mayDiffer(text: string, code: string | undefined): boolean {
  // No instruction with F3 for newer processors, which have another one there.
  if (code === undefined || code.startsWith("Senduipi")) return /^(rdrand|rdseed) /.test(text);
  // The manual says of BSWAP with 16 bits that the result is undefined.
  if (code === "Bswap_r16") return true;
  // A quirk: with 16 bits, the source has 16 as well.
  if (code === "Movsxd_r16_rm16") return true;
  // A processor that has nothing better to do there does nothing.
  return /^nop\b/.test(text) && /^(Reservednop|Cldemote|Rdssp|Endbr)/.test(code);
}

/** A seeded generator of bytes (a linear congruential one; its high bits are good enough here). */
export function byteSource(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  };
}

/** With these, every ModR/M byte is tried; with the others, which play no part in addressing, every fifth. */
const sizePrefixes: readonly (readonly number[])[] = [[], [0x66], [0x67], [0x2e, 0x66, 0x67]];
const otherPrefixes: readonly (readonly number[])[] = [[0x64], [0xf3], [0xf2, 0x67], [0xf0], [0xf0, 0x66]];
const allBytes = Array.from({ length: 256 }, (_, byte) => byte);
const sibs = [0x24, 0x65, 0x8d, 0x05, 0xe3];

/** REX prefixes, behind all others: of 64-bit code alone. */
const rexes: readonly (readonly number[])[] = [[], [0x48], [0x40], [0x45], [0x4b], [0x4f]];

/** Each row with some prefixes, one ModR/M byte of `every` that it takes, and some SIB bytes. */
export function encodingsOfRows(every = 1, bits: CodeBits = 32): readonly Uint8Array[] {
  const random = byteSource(1);
  const encodings: Uint8Array[] = [];
  const long = bits === 64;
  for (const row of rows.filter(({ where }) => where === undefined || (where === "only64") === long)) {
    // Vector instructions are many, and alike.
    const share = row.unit === undefined ? every : every * 7;
    const prefixes = [...sizePrefixes, ...otherPrefixes].flatMap((prefix) =>
      (long ? rexes : [[]]).map((rex) => ({ prefix, rex, rare: !sizePrefixes.includes(prefix) })),
    );
    for (const { prefix, rex, rare } of prefixes) {
      const step = share * (rare ? 5 : 1) * (long ? 6 : 1);
      const [mandatory, map] = encodingHead(row);
      const head = [...prefix, ...mandatory, ...rex, ...map];
      const tail = Array.from({ length: 10 }, random);
      const opcodes = row.plusRegister ? Array.from({ length: 8 }, (_, register) => row.byte + register) : [row.byte];
      for (const opcode of opcodes) {
        if (row.modrm === "none") {
          encodings.push(Uint8Array.from([...head, opcode, ...tail]));
          continue;
        }
        const all = allBytes.filter((modrm) => takesModrm(row, modrm));
        for (const modrm of all.filter((_modrm, index) => index % step === 0)) {
          const hasSib = modrm >> 6 !== 3 && (modrm & 7) === 4;
          for (const sib of hasSib ? sibs : [tail[0]!])
            encodings.push(Uint8Array.from([...head, opcode, modrm, sib, ...tail]));
        }
      }
    }
  }
  return encodings;
}

/** Seeded random bytes, with opcodes of two bytes and prefixes more often than chance has them. */
export function randomEncodings(count: number, seed: number, bits: CodeBits = 32): readonly Uint8Array[] {
  const random = byteSource(seed);
  return Array.from({ length: count }, (_, round) => {
    const bytes = Uint8Array.from({ length: LENGTH }, random);
    if (round % 3 === 0) bytes[0] = 0x0f;
    if (round % 5 === 0) bytes[0] = 0x67;
    if (round % 7 === 0) bytes.set([0x66, 0x0f]);
    if (bits === 64 && round % 2 === 0) return Uint8Array.of(0x40 | (bytes[14]! & 15), ...bytes.subarray(0, 14));
    return bytes;
  });
}
