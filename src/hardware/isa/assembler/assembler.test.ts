import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { VirtlabError } from "../../../state/error.js";
import { type AssembleOptions, assemble } from "./assembler.js";
import { mnemonics } from "./forms.js";
import { statements } from "./nasm-corpus.test-helper.js";

const hex = (text: string, options?: AssembleOptions): string =>
  Buffer.from(assemble(text, options).bytes).toString("hex");

function messageOf(text: string, options?: AssembleOptions): string {
  try {
    assemble(text, options);
  } catch (thrown) {
    if (thrown instanceof VirtlabError) return thrown.message;
    throw thrown;
  }
  return "no error";
}

describe("assemble", () => {
  it("gives bytes, symbols and one line of listing for each statement", () => {
    const { bytes, address, symbols, listing } = assemble(
      "org 0x7c00\nsize equ 2 + 1\n\nstart: ; here\n  times size nop\n.loop: jmp .loop",
    );
    expect([...bytes]).toEqual([0x90, 0x90, 0x90, 0xeb, 0xfe]);
    expect(address).toBe(0x7c00);
    expect(symbols).toEqual({ size: 3, start: 0x7c00, "start.loop": 0x7c03 });
    expect(listing.map((line) => [line.line, line.address, [...line.bytes], line.text])).toEqual([
      [1, 0x7c00, [], "org 0x7c00"],
      [2, 0x7c00, [], "size equ 2 + 1"],
      [4, 0x7c00, [], "start: ; here"],
      [5, 0x7c00, [0x90, 0x90, 0x90], "times size nop"],
      [6, 0x7c03, [0xeb, 0xfe], ".loop: jmp .loop"],
    ]);
  });

  it("begins with the size and at the address that are asked for", () => {
    expect(hex("mov ax, 1", { bits: 16 })).toBe("b80100");
    expect(hex("mov ax, 1")).toBe("66b80100");
    expect(hex("dd $, $$", { address: 0x100000 })).toBe("0000100000001000");
    expect(assemble("x: org 5", { address: 3 }).symbols).toEqual({ x: 5 });
  });

  it("makes short jumps to numbers too", () => {
    expect(hex("jmp 0x10\njne 0x10")).toBe("eb0e750c");
  });

  it("lets addresses be in any expression, as there is nothing to relocate", () => {
    expect(hex("db low & 0xff, low >> 8\nlow:", { address: 0x1234 })).toBe("3612");
  });

  it("hands out nothing through which its result could be changed, and accepts any name", () => {
    const result = assemble("__proto__: nop\nconstructor equ 5\ntoString: nop\ndd constructor");
    expect(Object.entries(result.symbols)).toEqual([
      ["__proto__", 0],
      ["constructor", 5],
      ["toString", 1],
    ]);
    result.listing[0]!.bytes[0] = 0xcc;
    expect(result.bytes[0]).toBe(0x90);
    expect([result, result.symbols, result.listing, result.listing[0]].every(Object.isFrozen)).toBe(true);
  });

  it("makes nothing of nothing", () => {
    for (const text of ["", "\n\r\n  \t; only a comment\n"])
      expect(assemble(text)).toMatchObject({ bytes: new Uint8Array(), symbols: {}, listing: [] });
  });
});

describe("a mistake in the text is told by", () => {
  it.each([
    ["nop\n\n  mov al, ebx", /^3:3: mov: no form takes "al, ebx"; its forms are "mov r\/m8, r8"/],
    ["loop word $", /^1:1: loop: no form takes "word \$"/],
    ["push al", /^1:1: push: no form takes "al"; its forms are "push r16\/32"/],
    ["cli 5", /^1:1: cli: no form takes "5"; its forms are "cli"$/],
    ["mvo eax, 1", /^1:1: no instruction or directive is called "mvo"; the nearest is mov /],
    ["rep mosvb", /^1:5: .*the nearest is movsb/],
    ["nopp", /the nearest is nop/],
    ["xyzzy", /^1:1: no instruction or directive is called "xyzzy" \(a label needs a colon\)$/],
    ["mov al, 256", /^1:9: mov: 256 \(0x100\) does not fit in 8 bits \(-128 to 255\)$/],
    ["add eax, byte 200", /^1:10: add: 200 \(0xc8\) does not fit in a signed byte/],
    ["mov ax, [bx+0x12345]", /^1:9: mov: address 74565 \(0x12345\) does not fit in 16 bits/],
    ["mov al, [byte eax+200]", /^1:9: mov: displacement 200 \(0xc8\) does not fit in a signed byte/],
    ["dw 0, -40000", /^1:7: -40000 \(-0x9c40\) does not fit in 16 bits \(-32768 to 65535\)$/],
    ["jmp nowhere", /^1:5: the symbol nowhere is not defined$/],
    ["x: nop\nX: nop\nx: nop", /^3:1: x is already defined in line 1$/],
    ["x equ y\ny equ x", /^\d:7: the symbol [xy] is defined by itself$/],
    [
      "x: times 200 nop\n loop x",
      /^2:7: loop: the target 0 is -202 bytes away, and "loop target" reaches -128 to 127$/,
    ],
    ["jmp short x\n times 200 nop\nx:", /^1:5: jmp: the target 202 \(0xca\) is 200 bytes away/],
    ["inc [eax]", /^1:1: inc: say byte, word or dword before the \[address\]$/],
    ["mov eax, [bx+eax]", /^1:10: 16-bit and 32-bit registers cannot be in one address$/],
    ["mov eax, [eax*3+ebx]", /^1:10: no address has these registers/],
    ["mov eax, [ax]", /^1:10: no 16-bit address has these registers/],
    ["mov eax, [al]", /^1:11: the register al cannot be part of an expression$/],
    ["a16 mov al, [ebx]", /^1:13: this address has 32 bits, and a prefix or an operand says 16$/],
    ["o16 mov eax, 5", /^1:5: mov: o16 contradicts name and operands$/],
    ["a16 jecxz $", /^1:5: jecxz: a16 contradicts name and operands$/],
    ["a32 loop $, cx", /^1:5: loop: a32 contradicts name and operands$/],
    ["mov eax, 5/(3-3)", /^1:11: division by zero$/],
    ["mov eax, 12x", /^1:10: 12x is no number/],
    ["dd 1.5", /^1:4: 1.5: floating-point numbers are not supported$/],
    ["dq 0x10000000000000000", /has more than 64 bits$/],
    ["db 'abc", /^1:4: the string has no end: ' is missing$/],
    ["db `\\q`", /^1:5: \\q is no escape$/],
    ["mov eax, 'abcdefghi'", /more than 8 characters are no number$/],
    ["mov eax, #", /^1:10: "#" means nothing here$/],
    ["mov eax,", /^1:9: a value expected, not the end of the line$/],
    ["mov eax, 5 5", /^1:12: the end of the line expected, not "5"$/],
    ["eax: nop", /^1:1: eax cannot be a label/],
    ["times -1 nop", /^1:7: times: -1 is not a number from 0 to/],
    ["times 99999999999 nop", /is not a number from 0 to/],
    ["times 9999999 dq 0", /more than 16777216 bytes$/],
    ["align 3", /power of two$/],
    ["bits 48", /^1:1: bits is 16, 32 or 64$/],
    ["mov rax, 1", /^1:5: this register is one of 64-bit code; say bits 64 before it$/],
    ["syscall\nswapgs", /^2:1: swapgs is no instruction of 32-bit code$/],
    ["bits 64\npusha", /^2:1: pusha is no instruction of 64-bit code$/],
    ["bits 64\nmov ah, r8b", /^2:1: mov: AH, CH, DH and BH cannot be in an instruction that needs a REX prefix$/],
    ["bits 64\nadd rax, 0x80000000", /^2:10: add: 2147483648 \(0x80000000\) does not fit in 32 bits with a sign$/],
    ["bits 64\nmov ebx, [0x80000000]", /^2:10: mov: address 2147483648 .*does not fit in 32 bits with a sign$/],
    ["mov eax, [rel 4]", /^1:10: "rel" is for 64-bit code/],
    ["org 0\norg 5", /^2:1: there can be one org/],
    ["equ 5", /^1:1: equ needs a name in front of it$/],
    ["section .text", /^1:1: section: there are no sections/],
    ["%macro x 0", /^1:1: %macro is not supported/],
    ["%define f(x) x", /^1:10: %define with parameters is not supported$/],
    ["x: times ($-$$+1) - x2 + x nop\nx2: times x2 nop", /do not settle|is not a number/],
    ["lock rep a32 o32 fs lock lock lock lock mov dword [eax+ebx*2+0x12345678], 5", /bytes; the processor reads 15$/],
  ])("%j", (text, message) => {
    expect(messageOf(text)).toMatch(message);
  });

  it("the name of the text, if it has one", () => {
    expect(messageOf("nop\n hop", { name: "boot.asm" })).toMatch(/^boot.asm:2:2: /);
  });

  it("one line, with options that make no sense too", () => {
    expect(messageOf("nop", { bits: 48 as 32 })).toBe("assemble: bits is 16, 32 or 64, not 48");
    expect(messageOf("nop", { address: -1 })).toBe("assemble: address is a whole number from 0 to 0xffffffff, not -1");
  });
});

describe("whatever the text,", () => {
  const word = fc.oneof(
    fc.constantFrom(...mnemonics),
    fc.constantFrom(
      ..."times db dw dd dq resb align org equ bits strict byte word dword far near short lock rep".split(" "),
    ),
    fc.constantFrom(
      ..."eax ax al cl ebp esp bx si ds cr0 dr7 a16 o32 es x y .z x.z $ $$ 5 -1 0x80 1b 070q 'a' \"\"".split(" "),
    ),
    fc.constantFrom(
      ..."[ ] ( ) + - * / // % %% << >> , : ; ` ' \" \n ? = ~ ! & | ^ {".split(" "),
      "\n",
      "x:",
      "%define",
    ),
    fc.string({ maxLength: 4, unit: "grapheme" }),
  );
  const text = fc.array(word, { maxLength: 30 }).map((words) => words.join(" "));

  it("what is thrown is a VirtlabError of one line", () => {
    fc.assert(
      fc.property(text, fc.constantFrom(16, 32), (random, bits) => {
        expect(messageOf(random, { bits: bits as 16 | 32 })).not.toContain("\n");
      }),
      { seed: 20261121, numRuns: 4000 },
    );
  });

  it("also when it is a good one with a piece of it changed", () => {
    const damaged = fc
      .tuple(fc.constantFrom(...statements), fc.nat(40), fc.nat(3), fc.oneof(word, fc.constant("")))
      .map(([statement, at, length, piece]) => statement.slice(0, at) + piece + statement.slice(at + length));
    fc.assert(
      fc.property(damaged, (random) => {
        expect(messageOf(random)).not.toContain("\n");
      }),
      { seed: 20261121, numRuns: 4000 },
    );
  });

  it("also when it is deep or long", () => {
    const deep = 100_000;
    for (const hard of [
      `db ${"(".repeat(deep)}1${")".repeat(deep)}`,
      `db ${"-".repeat(deep)}1`,
      `db ${"1+".repeat(deep)}1`,
      `db ${"1".repeat(deep)}`,
      `mov eax, [${"eax+".repeat(deep)}eax]`,
      `%define a a a\n${Array.from({ length: 30 }, (_, index) => `%define b${index + 1} b${index} b${index}`).join("\n")}\nb30`,
      Array.from({ length: 3000 }, (_, index) => `s${index} equ s${index + 1}+1`).join("\n"),
      `db ${"(1<<63)*".repeat(300)}1`,
      "x: times 1<<62 resb 1<<62",
      "resq 16777216",
    ]) {
      expect(messageOf(hard)).toMatch(/^\d+:\d+: /);
    }
  });
});
