/** What the models say of themselves, and that it fits what they have. */
import { describe, expect, it } from "vitest";
import { VirtlabError } from "../../state/error.js";
import { rows } from "../isa/table/index.js";
import { identify, signatureOf } from "./cpuid.js";
import { type Feature, features, type Needs } from "./features.js";
import { checkedModel, firstWith, includes, modelNames, modelOf, models } from "./model.js";
import { modelSpecificRegisters } from "./msr.js";
import { CR4 } from "./state.js";

const intel = modelNames.filter((name) => models[name].vendor === "intel");
const textOf = (words: readonly number[]): string => Buffer.from(Int32Array.from(words).buffer).toString();
const featuresOf = (needs: Needs): readonly Feature[] => (typeof needs === "string" ? [needs] : needs);

describe("a processor model", () => {
  it("is found by its name; another name is refused with the names there are", () => {
    expect(modelNames.map((name) => modelOf(name).name)).toEqual([...modelNames]);
    expect(() => modelOf("386")).toThrow(VirtlabError);
    expect(() => modelOf("386")).toThrow(
      'model "386" is unknown (known: 486, pentium, pentium2, pentium3, core2, nehalem, phenom, max)',
    );
    expect(() => modelOf("toString")).toThrow(VirtlabError);
    expect(checkedModel()).toBe("pentium2");
  });

  it("includes a feature, or all of several, or nothing that is needed", () => {
    expect(modelNames.slice(0, 3).map((name) => includes(name, "TSC"))).toEqual([false, true, true]);
    expect(modelNames.slice(0, 3).map((name) => includes(name, ["TSC", "SEP"]))).toEqual([false, false, true]);
    expect(modelNames.every((name) => includes(name, undefined))).toBe(true);
    expect([firstWith("TSC"), firstWith("P6"), firstWith("3DNOW")]).toEqual(["pentium", "pentium2", undefined]);
  });

  it("has the signature of a real part", () => {
    const signatures = [0x42a, 0x52c, 0x652, 0x673, 0x6fb, 0x106a3, 0x100f23, 0x706f0];
    expect(modelNames.map(signatureOf)).toEqual(signatures);
    expect(modelNames.map((name) => identify(name, 1)[0])).toEqual(signatures);
  });

  it("names its maker, and its own last leaf", () => {
    for (const name of modelNames) {
      const [last, ebx, ecx, edx] = identify(name, 0);
      expect(last).toBe(models[name].lastLeaf);
      expect(textOf([ebx, edx, ecx])).toBe(name === "phenom" ? "AuthenticAMD" : "GenuineIntel");
    }
  });

  it("answers a leaf beyond the last one as the last one does, or with zeros on a part of AMD", () => {
    for (const name of intel) {
      const last = identify(name, models[name].lastLeaf);
      for (const leaf of [models[name].lastLeaf + 1, 0x7fffffff, 0x40000000, 0x8fffffff, -1])
        expect([name, leaf, identify(name, leaf)]).toEqual([name, leaf, last]);
    }
    expect(identify("phenom", 0x7fffffff)).toEqual([0, 0, 0, 0]);
  });

  it("has no extended leaves before Core 2, and its name in them from there on", () => {
    for (const name of ["486", "pentium", "pentium2", "pentium3"] as const)
      expect(identify(name, 0x80000000)).toEqual(identify(name, models[name].lastLeaf));
    for (const name of ["core2", "nehalem", "phenom", "max"] as const) {
      const words = [2, 3, 4].flatMap((leaf) => [...identify(name, 0x80000000 + leaf)]);
      expect(textOf(words).replace(/\0+$/, "")).toBe(models[name].brand);
    }
  });

  it("announces a feature exactly where it has it", () => {
    const registers = ["eax", "ebx", "ecx", "edx"];
    const leaves: Readonly<Record<string, number>> = {
      extended1: 0x80000001,
      extended7: 0x80000007,
      extended10: 0x8000000a,
    };
    const place = { apic: true, apicId: 0, processors: 1, code64: true };
    for (const name of modelNames) {
      const { features: present, lastLeaf, lastExtendedLeaf = 0 } = models[name];
      for (const [feature, { flag }] of Object.entries(features)) {
        if (flag === undefined) continue;
        const [leafName, register] = flag[0].split(".") as [string, string];
        const leaf = leaves[leafName] ?? Number(leafName);
        if (leaf > (leaf < 0x80000000 ? lastLeaf : lastExtendedLeaf)) {
          expect([name, feature, present.has(feature as Feature)]).toEqual([name, feature, false]);
          continue;
        }
        const told = (identify(name, leaf, 0, place)[registers.indexOf(register)]! >>> flag[1]) & 1;
        expect([name, feature, told === 1]).toEqual([name, feature, present.has(feature as Feature)]);
      }
    }
  });

  it("tells of the local APIC only where there is one, and of SYSCALL on Intel's parts only to 64-bit code", () => {
    const APIC = 1 << 9;
    expect(identify("pentium2", 1)[3] & APIC).toBe(0);
    expect(identify("pentium2", 1, 0, { apic: true, apicId: 3, processors: 4, code64: false })).toEqual([
      0x652,
      (4 << 16) | (3 << 24),
      0,
      identify("pentium2", 1)[3] | APIC | (1 << 28),
    ]);
    const SYSCALL = 1 << 11;
    const in64 = { apic: false, apicId: 0, processors: 1, code64: true };
    expect(identify("core2", 0x80000001)[3] & SYSCALL).toBe(0);
    expect(identify("core2", 0x80000001, 0, in64)[3] & SYSCALL).toBe(SYSCALL);
    expect(identify("phenom", 0x80000001)[3] & SYSCALL).toBe(SYSCALL);
  });

  it("tells of its caches: in bytes on older parts, in leaf 4 on newer ones, in extended leaves on a part of AMD", () => {
    expect(identify("pentium2", 2)).toEqual([0x03020101, 0x0c040843, 0, 0]);
    const [eax, ebx, ecx] = identify("core2", 4, 2);
    expect([eax & 31, (eax >> 5) & 7]).toEqual([3, 2]);
    expect(((ebx >>> 22) + 1) * ((ebx & 0xfff) + 1) * (ecx + 1)).toBe(4096 * 1024);
    expect(identify("core2", 4, 3)).toEqual([0, 0, 0, 0]);
    expect(identify("phenom", 0x80000005)[2] >>> 24).toBe(64);
    expect(identify("phenom", 0x80000006)[2] >>> 16).toBe(512);
  });

  it("says how wide its addresses are", () => {
    expect(
      ["core2", "nehalem", "phenom", "max"].map((name) => identify(modelOf(name).name, 0x80000008)[0] & 0xff),
    ).toEqual([36, 36, 48, 40]);
  });

  it("needs for its instructions and registers nothing that no model has, but what is not implemented", () => {
    const notHere = new Set(Object.keys(features).filter((name) => firstWith(name as Feature) === undefined));
    for (const { mnemonic, needs } of rows)
      for (const feature of needs === undefined ? [] : featuresOf(needs))
        expect([mnemonic, feature in features]).toEqual([mnemonic, true]);
    for (const { name, needs } of modelSpecificRegisters)
      for (const feature of featuresOf(needs))
        expect([name, feature, feature in features]).toEqual([name, feature, true]);
    for (const name of modelNames)
      for (const feature of notHere) expect(includes(name, feature as Feature)).toBe(false);
  });

  it("has the CR4 bits of its features", () => {
    expect(models["486"].cr4).toBe(0);
    expect(models.pentium.cr4).toBe(CR4.VME | CR4.PVI | CR4.TSD | CR4.DE | CR4.PSE | CR4.MCE);
    const pentium2 = models.pentium.cr4 | CR4.PAE | CR4.PGE | CR4.PCE;
    expect(models.pentium2.cr4 & ~CR4.OSFXSR).toBe(pentium2);
    expect(models.core2.cr4 & ~(CR4.OSFXSR | CR4.OSXMMEXCPT)).toBe(pentium2);
  });

  it("has one register at each address", () => {
    const addresses = modelSpecificRegisters.map(({ address }) => address);
    expect(new Set(addresses).size).toBe(addresses.length);
    const names = modelSpecificRegisters.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});
