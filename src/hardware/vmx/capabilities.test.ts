/** The capability registers, against what VM entry accepts and what each model has. */
import { describe, expect, it } from "vitest";
import { eptFeatures } from "../cpu/ept-levels.js";
import { includes, type ModelName, modelNames, models } from "../cpu/model.js";
import { readMsr, writeMsr } from "../cpu/msr.js";
import { Fault } from "../cpu/processor.js";
import { capabilityOf, EPT_VPID, vmxCapabilities } from "./capabilities.js";
import { isEptPointer } from "./control-checks.js";
import { type ControlWord, controlWords, isAllowed, PIN, PRIMARY, secondaryControls } from "./controls.js";
import { fieldNames, fields } from "./fields.js";
import { invept, invvpid, vmlaunch } from "./instructions.js";
import { VM_ERROR } from "./vm-errors.js";
import { REVISION } from "./vmcs.js";
import { get, outcome, rootPort, set, testPort, turnOn, wordFields } from "./vmx.test-helper.js";

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

  it.each(virtualizing)("of %s enters no guest with a setting that they do not tell", (model) => {
    const port = rootPort(model);
    for (const word of words) {
      const told = capabilityOf(models[model], registers[word]);
      if (word === "secondary") {
        if (told >> 32n === 0n) continue;
        turnOn(port, "primary", "activate secondary controls");
      }
      const before = get(port, wordFields[word]);
      for (let bit = 0n; bit < 32n; bit++) {
        const must = ((told >> bit) & 1n) !== 0n;
        const may = ((told >> (32n + bit)) & 1n) !== 0n;
        if (may && !must) continue;
        set(port, wordFields[word], must ? before & ~(1n << bit) : before | (1n << bit));
        vmlaunch(port);
        expect([word, bit, outcome(port)]).toEqual([word, bit, VM_ERROR.INVALID_CONTROLS]);
      }
      set(port, wordFields[word], before);
    }
  });

  it("has a preemption timer and a monitor trap flag where it has EPT", () => {
    const bits = (register: string): readonly bigint[] =>
      virtualizing.map((model) => capabilityOf(models[model], register) >> 32n);
    expect(bits("TRUE_PINBASED_CTLS").map((word) => word & BigInt(PIN["activate VMX-preemption timer"]))).toEqual([
      ...[0n, 64n, 64n],
    ]);
    expect(bits("TRUE_PROCBASED_CTLS").map((word) => (word & BigInt(PRIMARY["monitor trap flag"])) !== 0n)).toEqual([
      ...[false, true, true],
    ]);
    expect(bits("TRUE_EXIT_CTLS").map((word) => (word >> 22n) & 1n)).toEqual([0n, 1n, 1n]);
  });

  it.each(["nehalem", "max"] as const)("of %s tells of EPT what its walk and its pointer accept", (model) => {
    const told = capabilityOf(models[model], "EPT_VPID_CAP");
    const tells = (bit: bigint): boolean => (told & bit) !== 0n;
    expect(tells(EPT_VPID.EXECUTE_ONLY)).toBe(eptFeatures[model].executeOnly);
    expect(tells(EPT_VPID.PAGES_1G)).toBe(eptFeatures[model].gigabytePages);
    expect(tells(EPT_VPID.PAGES_2M)).toBe(true);
    for (let type = 0; type < 8; type++)
      for (let levels = 1; levels <= 8; levels++)
        for (const flag of [0, 64]) {
          const typed = type === 0 ? tells(EPT_VPID.UNCACHEABLE) : type === 6 && tells(EPT_VPID.WRITE_BACK);
          const right =
            typed && levels === 4 && tells(EPT_VPID.WALK_4) && (flag === 0 || tells(EPT_VPID.ACCESSED_DIRTY));
          const low = 0x9000 | type | ((levels - 1) << 3) | flag;
          expect([low, isEptPointer({ model: models[model] }, low, 0)]).toEqual([low, right]);
        }
  });

  it.each(["nehalem", "max"] as const)("of %s tells of INVEPT and INVVPID the types they accept", (model) => {
    const told = capabilityOf(models[model], "EPT_VPID_CAP");
    const port = rootPort(model);
    for (let type = 0n; type < 8n; type++) {
      invept(port, type, 0x9000n | 6n | 24n);
      const ept = type > 0n && type < 3n && ((told >> (24n + type)) & 1n) !== 0n;
      expect([type, outcome(port)]).toEqual([type, ept ? "succeed" : VM_ERROR.INVALID_OPERAND]);
      invvpid(port, type, 1n, 0n);
      const vpid = type < 4n && ((told >> (40n + type)) & 1n) !== 0n;
      expect([type, outcome(port)]).toEqual([type, vpid ? "succeed" : VM_ERROR.INVALID_OPERAND]);
    }
  });

  it.each(virtualizing)("of %s accepts the activity states and CR3 targets that it tells", (model) => {
    const told = Number(capabilityOf(models[model], "MISC"));
    for (const state of [1, 2, 3]) {
      const port = rootPort(model);
      set(port, "Guest activity state", state);
      vmlaunch(port);
      const there = (told & (1 << (5 + state))) !== 0;
      expect([state, Number(get(port, "Exit reason"))]).toEqual([state, there ? 0 : 0x8000_0021]);
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
