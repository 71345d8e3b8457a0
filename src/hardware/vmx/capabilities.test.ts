/** The capability registers, against what VM entry accepts and what each model has. */
import { describe, expect, it } from "vitest";
import { includes, type ModelName, modelNames, models } from "../cpu/model.js";
import { readMsr, writeMsr } from "../cpu/msr.js";
import { Fault } from "../cpu/processor.js";
import { capabilityOf, vmxCapabilities } from "./capabilities.js";
import { type ControlWord, controlWords, isAllowed, secondaryControls } from "./controls.js";
import { fieldNames, fields } from "./fields.js";
import { REVISION } from "./vmcs.js";
import { testPort } from "./vmx.test-helper.js";

const virtualizing = modelNames.filter((name) => includes(name, "VMX"));
const registers: Readonly<Record<ControlWord, string>> = {
  pin: "TRUE_PINBASED_CTLS",
  primary: "TRUE_PROCBASED_CTLS",
  secondary: "PROCBASED_CTLS2",
  exit: "TRUE_EXIT_CTLS",
  entry: "TRUE_ENTRY_CTLS",
};
const words = Object.keys(registers) as ControlWord[];
const read = (model: ModelName, address: number): bigint | undefined => {
  try {
    return readMsr(testPort(model), address);
  } catch (thrown) {
    if (thrown instanceof Fault) return undefined;
    throw thrown;
  }
};

describe("VT-x of the models", () => {
  it("is there from Core 2 on, with what each part had", () => {
    expect(virtualizing).toEqual(["core2", "nehalem", "max"]);
    expect(models.core2.secondaryControls).not.toContain("enable EPT");
    expect(models.nehalem.secondaryControls).toEqual(expect.arrayContaining(["enable EPT", "enable VPID"]));
    expect(models.nehalem.secondaryControls).not.toContain("unrestricted guest");
    expect([...models.max.secondaryControls].sort()).toEqual([...secondaryControls].sort());
  });

  it.each(virtualizing)("of %s allows exactly the settings that its registers tell", (model) => {
    for (const word of words) {
      const told = capabilityOf(models[model], registers[word]);
      const must = Number(told & 0xffffffffn);
      const may = Number(told >> 32n);
      expect([word, must & ~may]).toEqual([word, 0]);
      expect([word, isAllowed(model, word, must)]).toEqual([word, true]);
      expect([word, isAllowed(model, word, may)]).toEqual([word, true]);
      for (let bit = 0; bit < 32; bit++) {
        const changed = (must ^ (1 << bit)) >>> 0;
        const allowed = (must & (1 << bit)) === 0 && (may & (1 << bit)) !== 0;
        expect([word, bit, isAllowed(model, word, changed)]).toEqual([word, bit, allowed]);
      }
    }
  });

  it.each(virtualizing)("of %s tells in the older registers that all of the default1 class must be 1", (model) => {
    for (const word of ["pin", "primary", "exit", "entry"] as const) {
      const told = capabilityOf(models[model], registers[word]);
      const older = capabilityOf(models[model], registers[word].slice("TRUE_".length));
      expect(older >> 32n).toBe(told >> 32n);
      expect(older & 0xffffffffn).toBe(BigInt(controlWords[word].default1));
    }
  });

  it("says how big a VMCS is, that there are TRUE registers, and the highest field", () => {
    const basic = capabilityOf(models.max, "BASIC");
    expect(basic & 0xffffffffn).toBe(BigInt(REVISION));
    expect((basic >> 32n) & 0x1fffn).toBe(4096n);
    expect([(basic >> 50n) & 15n, (basic >> 55n) & 1n, (basic >> 48n) & 1n]).toEqual([6n, 1n, 0n]);
    const highest = Math.max(...fieldNames.map((name) => fields[name].encoding & 0x3fe));
    expect(capabilityOf(models.max, "VMCS_ENUM")).toBe(BigInt(highest));
    expect((capabilityOf(models.max, "MISC") >> 16n) & 0x1ffn).toBe(4n);
  });

  it("fixes PE, NE, PG and VMXE, and leaves the other bits there are", () => {
    expect(capabilityOf(models.max, "CR0_FIXED0")).toBe(0x80000021n);
    expect(capabilityOf(models.max, "CR4_FIXED0")).toBe(0x2000n);
    for (const model of virtualizing) expect(capabilityOf(models[model], "CR4_FIXED1")).toBe(BigInt(models[model].cr4));
  });

  it("has the registers of EPT, VPID and VMFUNC only with them", () => {
    expect(virtualizing.map((model) => read(model, 0x48c) !== undefined)).toEqual([false, true, true]);
    expect(virtualizing.map((model) => read(model, 0x491) !== undefined)).toEqual([false, false, true]);
    expect(modelNames.map((model) => read(model, 0x480) !== undefined)).toEqual(
      modelNames.map((model) => includes(model, "VMX")),
    );
    for (const { address, isThere } of vmxCapabilities)
      if (isThere === undefined && address !== 0x3a) expect(read("core2", address)).toBeTypeOf("bigint");
  });

  it("is switched on by a register that can be locked", () => {
    const port = testPort("max", { msrs: {} });
    expect(readMsr(port, 0x3a)).toBe(0n);
    writeMsr(port, 0x3a, 4n);
    writeMsr(port, 0x3a, 5n);
    expect(readMsr(port, 0x3a)).toBe(5n);
    expect(() => writeMsr(port, 0x3a, 5n)).toThrow(Fault as never);
    expect(() => writeMsr(testPort("max", { msrs: {} }), 0x3a, 2n)).toThrow(Fault as never);
  });
});
