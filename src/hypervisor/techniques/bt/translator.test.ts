import { describe, expect, it } from "vitest";
import { assemble } from "../../../hardware/isa/assembler/assembler.js";
import { disassemble } from "../../../hardware/isa/disassembler.js";
import { rows } from "../../../hardware/isa/table/index.js";
import { translate } from "./translator.js";

const GUEST = 0x10_0000;
const CACHE = 0xfc12_0000;

function translated(text: string, known: Readonly<Record<number, number>> = {}) {
  const { bytes } = assemble(text, { address: GUEST });
  const unit = translate({
    guest: GUEST,
    byteAt: (linear) => {
      const byte = bytes[linear - GUEST];
      if (byte === undefined) throw new Error("not there");
      return byte;
    },
    at: CACHE,
    translated: (guest) => known[guest],
    model: "pentium2",
  });
  const lines = disassemble(unit.output, { address: CACHE }).map(({ text: line }) => line.replaceAll("  ", " "));
  return { ...unit, lines };
}

describe("translation", () => {
  it("copies innocuous instructions, and a jump to what is translated is one instruction as in the guest", () => {
    const text = "add eax, [ebx+4]\nmov [esp], ecx\nrep movsd\nlock inc dword [edi]\n";
    const { bytes } = assemble(text, { address: GUEST });
    const { output, places } = translated(`${text}jmp 0x180000`, { [0x18_0000]: 0xfc13_0000 });
    expect([...output.slice(0, bytes.length)]).toEqual([...bytes]);
    expect(disassemble(output.slice(bytes.length), { address: CACHE + bytes.length })[0]!.text).toContain("fc130000");
    expect(places.map(({ start, extra }) => [start, extra])).toEqual(new Array(5).fill([true, 0]));
  });

  it("makes call-outs of what is privileged or sensitive", () => {
    for (const text of [
      "cli",
      "pushfd",
      "popfd",
      "mov eax, ss",
      "push cs",
      "sgdt [eax]",
      "smsw ax",
      "str ax",
      "in al, dx",
      "hlt",
    ]) {
      const { places, output } = translated(`${text}\nret`);
      expect([text, places[0]!.callOut?.kind, output[0], output[1]]).toEqual([text, "emulate", 0xcd, 0xf1]);
    }
    expect(translated("mov eax, [gs:4]\nret").places[0]!.callOut).toEqual({ kind: "simulate" });
    expect(translated("mov eax, [cs:4]\nret").places[0]!.callOut).toEqual({ kind: "simulate" });
    expect(translated("fld1\nret").places[0]!.callOut).toEqual({ kind: "simulate" });
  });

  it("pushes the guest's own return address", () => {
    const { lines } = translated("call 0x180000");
    expect(lines).toContain(`push ${"0x"}100005`);
  });

  it("gives every jump that leads nowhere yet a call-out with the place to patch", () => {
    const { places, output } = translated("jz 0x180000\njmp 0x190000");
    const chains = places.flatMap(({ callOut }) => (callOut?.kind === "chain" ? [callOut] : []));
    expect(chains).toEqual([
      { kind: "chain", target: 0x19_0000, patch: 6 },
      { kind: "chain", target: 0x18_0000, patch: 0 },
    ]);
    expect([...output.slice(0, 2)]).toEqual([0x0f, 0x84]);
  });

  it("leads a loop inside of a unit to its own beginning", () => {
    const { places } = translated("again: dec ecx\njnz again\njmp again");
    expect(places.every(({ callOut }) => callOut === undefined)).toBe(true);
  });

  it("ends at the end of a page, and where nothing can be fetched", () => {
    const { input, places } = translated("nop");
    expect(input.length).toBe(1);
    expect(places.at(-1)!.callOut).toMatchObject({ kind: "chain", target: GUEST + 1 });
    expect(translated("").places).toEqual([
      { at: 0, guest: GUEST, extra: 0, saved: 0, start: true, callOut: { kind: "emulate" } },
    ]);
  });

  it("has a treatment for every row that transfers control", () => {
    const mnemonics = new Set(
      rows.filter(({ endsBlock, system }) => endsBlock === true && !system).map((row) => row.mnemonic),
    );
    expect([...mnemonics].sort()).toEqual(["CALL", "JMP", "RET", "UD2"]);
  });
});
