import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { guest, VirtlabError } from "../../index.js";
import { Machine } from "../machine.js";
import { errorCodeText } from "./error-code.js";
import { why } from "./why.js";

const rings = Machine.boot({ image: guest("rings"), memory: "16M" }).run({ until: { serial: "hello" } });
const faults = Machine.boot({
  image: new Uint8Array(readFileSync(join(__dirname, "../../../guests/images/faults.elf"))),
  memory: "16M",
});
/** A machine that is to execute these bytes. */
const about = (...bytes: number[]): Machine => Machine.boot({ image: Uint8Array.from(bytes), memory: "2M" });

describe("why, of an exception that is still to come", () => {
  it("names the instruction, the check and the section, and gives the machine just before", () => {
    const answer = why(rings, "#GP");
    expect(answer).toMatchObject({ name: "#GP", when: "ahead", cpl: 3, instruction: { text: "cli", bytes: [0xfa] } });
    expect(answer.sentence).toMatch(/^cli at 0x[0-9a-f]{8} raises #GP\(0\): .*CPL is 3, IOPL is 0.*\.$/);
    expect(answer.chain[0]).toMatchObject({ exception: "#GP", errorCode: 0, spec: expect.stringMatching(/^SDM Vol/) });
    expect(answer.machine!.registers.eip).toBe(answer.instruction!.address);
    expect(answer.machine!.steps).toBe(rings.steps + answer.steps!);
    expect(answer.machine!.step().lastException!.chain[0]!.vector).toBe(13);
  });

  it("leaves the machine as it was, and gives the same answer again", () => {
    const { hash } = rings;
    expect(why(rings, "#PF").sentence).toBe(why(rings, "#PF").sentence);
    expect(rings.hash).toBe(hash);
    expect(rings.lastException).toBeUndefined();
  });

  it("tells which entry of the page walk failed", () => {
    const { sentence, chain } = why(rings, "#PF");
    expect(sentence).toMatch(
      /raises #PF: a user read of linear 0x00100000: the page table entry at physical 0x[0-9a-f]{8} \(0x[0-9a-f]{8}\) is for the supervisor only\.$/,
    );
    expect(chain[0]).toMatchObject({ cr2: 0x100000, walk: { fault: { errorCode: 5 } } });
  });

  it("tells the operands of a division", () => {
    expect(why(about(0x31, 0xc9, 0xf7, 0xf1)).sentence).toContain("the divisor (ecx) is 0");
    // mov edx, 2; mov ecx, 2; div ecx
    expect(why(about(0xba, 2, 0, 0, 0, 0xb9, 2, 0, 0, 0, 0xf7, 0xf1)).sentence).toMatch(
      /quotient of edx:eax \(00000002:[0-9a-f]{8}\) by ecx \(0x2\) does not fit into 32 bits/,
    );
    expect(why(about(0xd4, 0)).sentence).toContain("AAM divides by its immediate, which is 0");
  });

  it.each([
    [[0x0f, 0x0b], "ud2 at 0x00100000 raises #UD: UD2 exists to raise #UD"],
    [[0xf0, 0x01, 0xd8], "LOCK cannot stand before add eax, ebx"],
    [[0xff, 0xf8], "opcode FF is no instruction with 7 in the reg field of ModR/M (FF /7)"],
    [[0x8d, 0xc0], "opcode 8D needs a memory operand, and ModR/M C0 names a register"],
    [[0x0f, 0xff, 0], "no instruction has the opcode 0F FF"],
  ])("tells of the bytes %j why they are #UD", (bytes, expected) => {
    expect(why(about(...bytes), "#UD").sentence).toContain(expected);
  });

  it("tells a double fault by the two exceptions that make it", () => {
    const { sentence, chain } = why(faults, "#DF");
    expect(chain.map(({ exception }) => exception)).toEqual(["#GP", "#NP", "#DF"]);
    expect(chain[1]).toMatchObject({
      names: { table: "idt", index: 13 },
      errorCodeMeaning: expect.stringContaining("entry 13 of the IDT (#GP)"),
    });
    expect(chain[2]!.check).toBe("#NP was raised while #GP was being delivered.");
    expect(sentence).toMatch(
      /on the way to its handler came #NP\(0x6a, IDT entry 13\): .*; that makes a double fault \(#DF\)\.$/,
    );
  });

  it("finds a fault in the delivery of a software interrupt", () => {
    const found = why(faults, "#NP");
    expect(found.when).toBe("ahead");
    expect(found.chain.some(({ exception }) => exception === "#NP")).toBe(true);
  });

  it("says when there is none within reach, and why the machine goes no further", () => {
    const answer = why(rings, "#UD");
    expect(answer).toMatchObject({ when: "never", chain: [] });
    expect(answer.sentence).toMatch(
      /no #UD comes within the next [\d,]+ steps; then the machine stops \(debug-exit\)\.$/,
    );
    // jmp $
    expect(why(about(0xeb, 0xfe)).sentence).toBe(
      "There was no exception, and none comes within the next 1,000,000 steps.",
    );
  });
});

describe("why, of the last exception", () => {
  it("answers from what the machine remembers, however far it has come", () => {
    const after = why(rings, "#GP").machine!.run({ maxInstructions: 50 });
    expect(why(after, "#GP")).toMatchObject({ when: "before", instruction: { text: "cli" } });
    expect(why(after)).toMatchObject({ name: "#GP", when: "before" });
    expect(why(after, "#GP").sentence).toMatch(/^cli at 0x[0-9a-f]{8} raised #GP\(0\)/);
    expect(why(after, "#GP").machine).toBeUndefined();
  });

  it("looks ahead when the last exception was another", () => {
    const after = why(rings, "#GP").machine!.step();
    expect(why(after, "#PF").when).toBe("ahead");
  });

  it("says that the tables have changed where a page is mapped by now", () => {
    const touched = rings.run({ until: { serial: "mapped" } });
    expect(touched.lastException!.chain[0]).toMatchObject({ vector: 14, cr2: 0x300000 });
    expect(why(touched, "#PF").sentence).toContain("no page was present there (the tables have changed since)");
  });

  it("tells a triple fault to its end", () => {
    // No IDT: any exception is three.
    const dead = about(0x0f, 0x0b).run();
    expect(dead.stop).toEqual({ reason: "triple-fault" });
    expect(why(dead).chain.map(({ exception }) => exception)).toEqual(["#UD", "#GP", "#GP", "#DF", "#GP"]);
    expect(why(dead).sentence).toMatch(/the processor shuts down \(triple fault\)\.$/);
  });

  it("stands outside of hash and difference", () => {
    const after = why(rings, "#GP").machine!.step();
    const forgetful = Machine.load(after.save());
    expect(forgetful.lastException).toBeUndefined();
    expect(forgetful.hash).toBe(after.hash);
    expect(Machine.diff(after, forgetful)).toEqual({ state: [], memory: [] });
  });
});

it("why refuses what is no exception", () => {
  expect(() => why(rings, "#XY")).toThrow(VirtlabError);
  expect(why(rings, "gp").name).toBe("#GP");
});

it.each([
  [13, 0, "no selector or gate takes part"],
  [13, 0x28, "entry 5 of the GDT"],
  [11, 0x0c, "entry 1 of the LDT"],
  [11, 0x6b, "entry 13 of the IDT (#GP), while an event was being delivered (EXT)"],
  [14, 7, "a user write, and the rights do not allow it"],
  [8, 0, undefined],
])("the error code of vector %i, 0x%s, is put into words", (vector, code, expected) => {
  expect(errorCodeText(vector, code)).toBe(expected);
});
