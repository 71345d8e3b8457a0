/** CMOVcc: the flags decide what is moved, but not what is read. The host's processor decides about the rest. */
import { describe, expect, it } from "vitest";
import type { ModelName } from "../../cpu/model.js";
import { Machine } from "../../machine.js";

const CODE = 0x10000;
const word = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
const PAGING = 0x80000011;

function run(code: readonly number[], model: ModelName = "pentium2"): Machine {
  return Machine.create({ memory: "1M", model })
    .write(CODE, Uint8Array.from([...code, 0xf4]))
    .write(0x2000, Uint8Array.from(word(0x89abcdef)))
    .edit((draft) => {
      draft.registers.eip = CODE;
      draft.registers.eax = 0x12345678;
    })
    .run({ maxInstructions: 20, observe: ["exception"] });
}

const COMPARE_EQUAL = [0x39, 0xc0];
/** CMOVE or CMOVNE EAX, [address]. */
const cmov = (opcode: number, address: number): number[] => [0x0f, opcode, 0x05, ...word(address)];

describe("CMOVcc", () => {
  it("moves if the condition holds and else leaves the register, all of it", () => {
    expect(run([...COMPARE_EQUAL, ...cmov(0x44, 0x2000)]).registers.eax).toBe(0x89abcdef);
    expect(run([...COMPARE_EQUAL, ...cmov(0x45, 0x2000)]).registers.eax).toBe(0x12345678);
    expect(run([...COMPARE_EQUAL, 0x66, ...cmov(0x44, 0x2000)]).registers.eax).toBe(0x1234cdef);
    expect(run([...COMPARE_EQUAL, 0x66, ...cmov(0x45, 0x2000)]).registers.eax).toBe(0x12345678);
  });

  it("reads memory, and faults there, if the condition does not hold, too", () => {
    // A page directory of zeros but for its first entry, a page of 4 MiB.
    const paging = [
      ...[0xc7, 0x05, ...word(0x3000), ...word(0x83), 0xba, ...word(0x3000), 0x0f, 0x22, 0xda],
      ...[0xba, ...word(0x10), 0x0f, 0x22, 0xe2, 0xba, ...word(PAGING), 0x0f, 0x22, 0xc2],
    ];
    const end = run([...paging, ...COMPARE_EQUAL, ...cmov(0x45, 0x400000)]);
    expect(end.events[0]).toMatchObject({ kind: "exception", name: "#PF", cr2: 0x400000, errorCode: 0 });
    expect(end.registers.eax).toBe(0x12345678);
  });

  it("is no instruction before the Pentium II", () => {
    expect(run(cmov(0x44, 0x2000), "pentium").events[0]).toMatchObject({ name: "#UD" });
  });
});
