// The assembler against NASM, byte by byte. NASM decides, except for what `exceptions` says.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { peer } from "../../../../tests/support/peers.js";
import { decode } from "../decoder.js";
import { disassemble } from "../disassembler.js";
import { encodingsOfRows } from "../encodings.test-helper.js";
import type { CodeBits, Row } from "../instruction.js";
import { rows } from "../table/index.js";
import { assemble } from "./assembler.js";
import { programs, statements } from "./nasm-corpus.test-helper.js";
import { longPrograms, longStatements } from "./nasm-long-corpus.test-helper.js";

/** What NASM makes of a text, or its first complaint. */
function nasmBytes(nasm: string, text: string, bits: CodeBits): Uint8Array {
  const directory = mkdtempSync(join(tmpdir(), "virtlab-nasm-"));
  try {
    const source = join(directory, "text.asm");
    const output = join(directory, "text.bin");
    writeFileSync(source, `bits ${bits}\n${text}\n`);
    const { status, stderr } = spawnSync(nasm, ["-w-all", "-f", "bin", "-o", output, source], { encoding: "utf8" });
    if (status !== 0) {
      const lines = stderr.split("\n").slice(0, 10);
      throw new Error(
        lines.map((line) => `${line} -- ${text.split("\n")[Number(/:(\d+):/.exec(line)?.[1]) - 2]}`).join("\n"),
      );
    }
    return new Uint8Array(readFileSync(output));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Room for a statement, so that one of another length does not move those behind it. */
const ROOM = 32;
const spread = (list: readonly string[]): string => list.map((one) => `align ${ROOM}, db 0\n${one}`).join("\n");

/** Statements of which NASM and we make different bytes. */
function differences(nasm: string, list: readonly string[], bits: CodeBits): readonly string[] {
  const theirs = nasmBytes(nasm, spread(list), bits);
  const ours = assemble(spread(list), { bits }).bytes;
  const hexAt = (bytes: Uint8Array, index: number): string =>
    Buffer.from(bytes.subarray(index * ROOM, (index + 1) * ROOM))
      .toString("hex")
      .replace(/(?:00)+$/, "");
  return list.flatMap((statement, index) => {
    const [a, b] = [hexAt(ours, index), hexAt(theirs, index)];
    return a === b ? [] : [`${statement}: ${a}, NASM has ${b}`];
  });
}

/** Texts that NASM refuses or encodes in another way, and why we do not. */
const exceptions: readonly (readonly [pattern: RegExp, why: string])[] = [
  [
    /^mov[sz]x (?:\w\w|r\d+w), (?:word|\w[xip]|r\d+w)\b/,
    "MOVZX of 16 bits to 16 bits is MOV for the processor, and no mistake",
  ],
  [/^retw \d/, "NASM 2.16 forgets the prefix, in 32-bit code only"],
  [/^movsxd (?:e\w\w|\w\w|r\d+[dw]),/, "NASM has MOVSXD to 64 bits only: the others do nothing that MOV does not"],
  [/^(?:pmovmskb r\w+, |pextrw r\w+, mm|pextrb r(?!\d+d))/, "NASM has the registers of 32 bits, which is the same"],
  [/^rdsspd /, "NASM has a prefix in 16-bit code that plays no part"],
  [/^skinit$/, "NASM has it in 64-bit code only"],
  [/^fnsetpm$/, "NASM leaves it out where the processor is to do nothing"],
  [/^o(?:16|32) j\w+ .*1000/, "NASM computes the distance, but not its width, for the size of the prefix"],
];

/** Texts for each row with its prefixes and several ModR/M bytes, as the disassembler has them. */
function textsOfRows(bits: CodeBits): readonly string[] {
  const texts = encodingsOfRows(19, bits)
    .map((bytes) => disassemble(bytes, { bits, count: 1 })[0]!)
    .filter(({ group }) => group !== undefined)
    .flatMap(({ text, target }) => {
      if (target === undefined) return [text];
      // NASM never makes a jump to a number short, ours are: a distance is the same for both.
      const distances = /\b(?:loop|j[er]?cxz)/.test(text) ? ["$+5"] : ["$+5", "$+1000"];
      return distances.map((distance) => text.replace(/ (?:0x[\da-f]+|\d)(?=,|$)/, ` ${distance}`));
    });
  return [...new Set(texts)].filter((text) => !exceptions.some(([pattern]) => pattern.test(text)));
}

/** Rows that are in the bytes of an assembled text. */
function rowsIn(list: readonly string[], bits: CodeBits): ReadonlySet<Row> {
  const { listing } = assemble(list.join("\n"), { bits });
  const decoded = listing.map(({ bytes }) =>
    bytes.length === 0 ? undefined : decode((at) => bytes[at] ?? 0, 0, bits),
  );
  return new Set(decoded.flatMap((one) => (one?.row ? [one.row] : [])));
}

const statementsOf = (bits: CodeBits): readonly string[] => (bits === 64 ? longStatements : statements);

describe.each([16, 32, 64] as const)("the assembler and NASM, %i bits", (bits) => {
  it("make the same bytes of a text for every row", (context) => {
    const nasm = peer(context, "nasm", ["-v"]);
    const texts = textsOfRows(bits);
    expect(texts.length).toBeGreaterThan(2000);
    expect(differences(nasm, texts, bits)).toEqual([]);
  });

  it("make the same bytes of statements as people write them", (context) => {
    const nasm = peer(context, "nasm", ["-v"]);
    expect(differences(nasm, statementsOf(bits), bits)).toEqual([]);
  });

  it("make the same bytes of programs", (context) => {
    const nasm = peer(context, "nasm", ["-v"]);
    for (const program of bits === 64 ? longPrograms : programs) {
      const ours = Buffer.from(assemble(program, { bits }).bytes).toString("hex");
      expect(ours, program).toBe(Buffer.from(nasmBytes(nasm, program, bits)).toString("hex"));
    }
  });
});

/** Encodings that no text asks for: the manual has another one, of the same length, for the same. */
const isSecond = ({ mnemonic, opcode, operands: [first] }: Row): boolean =>
  opcode.startsWith("82 ") ||
  // See the exceptions.
  mnemonic === "FNSETPM" ||
  mnemonic === "SKINIT" ||
  mnemonic === "RDSSPD" ||
  (mnemonic === "NOP" && /^0F 1[9A-E]/.test(opcode)) ||
  /^(DC D|DE D0|D[DF] C8|DF D)/.test(opcode) ||
  (mnemonic === "MOVQ" && first?.method === "U") ||
  (mnemonic === "PEXTRW" && first?.method === "R") ||
  (mnemonic === "TEST" && opcode.endsWith("/1")) ||
  (mnemonic === "SHL" && opcode.endsWith("/6"));

describe("the assembler", () => {
  it("makes every row, but for second encodings of the same", () => {
    const reached = ([16, 32, 64] as const).map((bits) => rowsIn([...statementsOf(bits), ...textsOfRows(bits)], bits));
    const missing = rows.filter((row) => !reached.some((set) => set.has(row)));
    expect(missing.filter((row) => !isSecond(row)).map(({ mnemonic, opcode }) => `${mnemonic} ${opcode}`)).toEqual([]);
  });
});
