/** What the models say of themselves, and that it fits what they have. */
import { describe, expect, it } from "vitest";
import { VirtlabError } from "../../state/error.js";
import { rows } from "../isa/table/index.js";
import { checkedModel, identify, includes, modelNames, modelOf, models, signatureOf } from "./model.js";
import { modelSpecificRegisters } from "./msr.js";
import { CR4 } from "./state.js";

const FPU = 1 << 0;
const APIC = 1 << 9;
const MTRR = 1 << 12;
const MCA = 1 << 14;
const MMX = 1 << 23;

describe("a processor model", () => {
  it("is found by its name; another name is refused with the names there are", () => {
    expect(modelNames.map((name) => modelOf(name).name)).toEqual([...modelNames]);
    expect(() => modelOf("386")).toThrow(VirtlabError);
    expect(() => modelOf("386")).toThrow('model "386" is unknown (known: 486, pentium, pentium2)');
    expect(() => modelOf("toString")).toThrow(VirtlabError);
    expect(checkedModel()).toBe("pentium2");
  });

  it("includes what came with it and before it", () => {
    expect(modelNames.map((name) => includes(name, "pentium"))).toEqual([false, true, true]);
    expect(modelNames.map((name) => includes(name, undefined))).toEqual([true, true, true]);
  });

  it("has the signature of a real part", () => {
    expect(modelNames.map(signatureOf)).toEqual([0x42a, 0x52c, 0x652]);
  });

  it("is of Intel, and answers leaves beyond its last one as the last one", () => {
    for (const name of modelNames) {
      const [last, ...text] = identify(name, 0);
      const [ebx, ecx, edx] = text;
      expect(Buffer.from(Int32Array.of(ebx!, edx!, ecx!).buffer).toString()).toBe("GenuineIntel");
      for (const leaf of [last + 1, 0x80000000, -1]) expect(identify(name, leaf)).toEqual(identify(name, last));
    }
    expect(modelNames.map((name) => identify(name, 0)[0])).toEqual([1, 1, 2]);
  });

  it("announces nothing that is not here", () => {
    for (const name of modelNames) expect(identify(name, 1)[3] & (FPU | APIC | MTRR | MCA | MMX)).toBe(0);
    expect(identify("486", 1)[3]).toBe(0);
  });

  it("announces instructions and registers exactly where it has them", () => {
    const flagsOf: Readonly<Record<string, number>> = {
      RDTSC: 1 << 4,
      RDMSR: 1 << 5,
      WRMSR: 1 << 5,
      CMPXCHG8B: 1 << 8,
      SYSENTER: 1 << 11,
      SYSEXIT: 1 << 11,
      CMOVE: 1 << 15,
    };
    for (const [mnemonic, flag] of Object.entries(flagsOf)) {
      const { since } = rows.find((row) => row.mnemonic === mnemonic)!;
      for (const name of modelNames)
        expect([mnemonic, name, (identify(name, 1)[3] & flag) !== 0]).toEqual([mnemonic, name, includes(name, since)]);
    }
    const sysenter = modelSpecificRegisters.filter(({ name }) => name.startsWith("IA32_SYSENTER"));
    expect(sysenter.map(({ since }) => since)).toEqual(["pentium2", "pentium2", "pentium2"]);
  });

  it("has the CR4 bits of its features", () => {
    expect(modelNames.map((name) => models[name].cr4)).toEqual([
      0,
      CR4.VME | CR4.PVI | CR4.TSD | CR4.DE | CR4.PSE | CR4.MCE,
      CR4.VME | CR4.PVI | CR4.TSD | CR4.DE | CR4.PSE | CR4.PAE | CR4.MCE | CR4.PGE | CR4.PCE,
    ]);
  });
});
