/** Model-specific registers: every one of the table on every model, as RDMSR and WRMSR find it. */
import { describe, expect, it } from "vitest";
import { assemble } from "../isa/assembler/assembler.js";
import { Machine } from "../machine.js";
import { includes, type ModelName, modelNames, models } from "./model.js";
import { type ModelSpecificRegister, modelSpecificRegisters } from "./msr-table.js";

const CODE = 0x10000;
/** RDMSR and WRMSR of what the registers hold, as often as a test steps. */
const code = assemble("rdmsr\n hlt\n wrmsr\n rdmsr\n hlt", { address: CODE }).bytes;
const WRITE = CODE + 3;

const machines = new Map<ModelName, Machine>();
function machineOf(model: ModelName): Machine {
  const machine = machines.get(model) ?? Machine.create({ memory: "1M", model }).write(CODE, code);
  machines.set(model, machine);
  return machine;
}

/** EDX:EAX behind RDMSR, or of WRMSR and RDMSR; undefined where one is #GP(0). */
function access(
  model: ModelName,
  { address }: Pick<ModelSpecificRegister, "address">,
  value?: bigint,
): bigint | undefined {
  const end = machineOf(model)
    .edit((draft) => {
      draft.registers.eip = value === undefined ? CODE : WRITE;
      draft.registers.ecx = address;
      draft.registers.eax = Number((value ?? 0n) & 0xffffffffn);
      draft.registers.edx = Number((value ?? 0n) >> 32n);
    })
    .run({ maxInstructions: 4, observe: ["exception"] });
  if (end.events.length > 0) return undefined;
  return (BigInt(end.registers.edx) << 32n) | BigInt(end.registers.eax);
}

const here = (model: ModelName, { needs, ofApic, isThere }: ModelSpecificRegister): boolean =>
  includes(model, needs) && !ofApic && isThere?.(models[model]) !== false;
const counts = ({ name }: ModelSpecificRegister): boolean => /TIME_STAMP|TSC/.test(name);
const elsewhere = ({ name }: ModelSpecificRegister): boolean => /_BASE$|EFER|IA32_VMX_/.test(name);

describe("model-specific registers", () => {
  it.each(modelNames.filter((name) => includes(name, "MSR")))(
    "of %s are there with what they need, and #GP(0) without",
    (model) => {
      for (const register of modelSpecificRegisters) {
        const readable = here(model, register) && register.access !== "write-only";
        const value = access(model, register);
        expect([register.name, value === undefined]).toEqual([register.name, !readable]);
        if (readable && !counts(register) && !elsewhere(register))
          expect([register.name, value]).toEqual([register.name, register.reset]);
      }
      for (const address of [0x2, 0x11, 0x1ff, 0xc0000000, 0xffffffff])
        expect(access(model, { address })).toBeUndefined();
    },
  );

  it.each(["pentium2", "phenom", "max"] as const)(
    "of %s keep a bit that may be written, and refuse another",
    (model) => {
      for (const register of modelSpecificRegisters) {
        if (!here(model, register) || counts(register) || elsewhere(register) || register.access !== undefined)
          continue;
        const writable = register.writable(models[model]);
        const refused = register.refuse !== undefined;
        for (const bit of [0n, 8n, 11n, 12n, 31n, 32n, 36n, 40n, 63n]) {
          const value = register.reset ^ (1n << bit);
          if ((writable & (1n << bit)) === 0n)
            expect([register.name, bit, access(model, register, value)]).toEqual([register.name, bit, undefined]);
          else if (!refused && register.write === undefined)
            expect([register.name, bit, access(model, register, value)]).toEqual([register.name, bit, value]);
        }
      }
    },
  );

  it("cannot be written where they are read-only", () => {
    for (const register of modelSpecificRegisters.filter(({ access: kind }) => kind === "read-only"))
      expect(access("max", register, register.reset)).toBeUndefined();
  });

  it("take memory types and nothing else into PAT and MTRRs", () => {
    const named = (name: string): ModelSpecificRegister => modelSpecificRegisters.find((one) => one.name === name)!;
    const byte = (type: number): bigint => BigInt(type) << 8n;
    const types = (name: string): number[] =>
      [0, 1, 2, 3, 4, 5, 6, 7, 8].filter((type) => access("pentium2", named(name), byte(type)) !== undefined);
    expect(types("IA32_PAT")).toEqual([0, 1, 4, 5, 6, 7]);
    expect(types("IA32_MTRR_FIX64K_00000")).toEqual([0, 1, 4, 5, 6]);
    expect(access("pentium2", named("IA32_MTRR_DEF_TYPE"), 0xc06n)).toBe(0xc06n);
    expect(access("pentium2", named("IA32_MTRR_DEF_TYPE"), 0xc02n)).toBeUndefined();
  });

  it("have physical addresses as wide as those of the model", () => {
    const base = modelSpecificRegisters.find(({ name }) => name === "IA32_MTRR_PHYSBASE3")!;
    expect(access("pentium2", base, 0xf_ffff_f006n)).toBe(0xf_ffff_f006n);
    expect(access("pentium2", base, 0x10_0000_0006n)).toBeUndefined();
    expect(access("max", base, 0xff_ffff_f006n)).toBe(0xff_ffff_f006n);
  });

  it("let the time-stamp counter be moved: its low half before long mode, all of it from there on", () => {
    const counter = modelSpecificRegisters.find(({ address }) => address === 0x10)!;
    const value = 0x1234_5678_0000_0000n;
    expect(access("pentium2", counter, value)! >> 32n).toBe(0n);
    expect(access("core2", counter, value)! >> 32n).toBe(0x12345678n);
  });
});
