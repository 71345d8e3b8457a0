/** What a BIOS, or a loader in its place, leaves in memory type range registers. */
import { describe, expect, it } from "vitest";
import { bzImage, pvhElf } from "../boot/linux-fixtures.test-helper.js";
import { includes, modelNames, models } from "../cpu/model.js";
import { modelSpecificRegisters } from "../cpu/msr-table.js";
import { Machine } from "../machine.js";

const withRegisters = modelNames.filter((name) => includes(name, "MTRR"));

describe("memory type range registers", () => {
  it.each(withRegisters)("of %s have only values that WRMSR takes, the same in each processor", (model) => {
    const { cpu, turn } = Machine.boot({ image: pvhElf(), machine: "pc", processors: 2, model });
    const { msrs } = cpu.system;
    expect(turn!.others[0]!.system.msrs).toEqual(msrs);
    for (const [name, value] of Object.entries(msrs)) {
      const register = modelSpecificRegisters.find((one) => one.name === name)!;
      expect([name, value & ~register.writable(models[model])]).toEqual([name, 0n]);
      expect([name, register.refuse?.(value, undefined as never)]).toEqual([name, undefined]);
    }
  });

  it("say where devices are, and that all else is written back", () => {
    const { msrs } = Machine.boot({ image: bzImage(), model: "pentium3" }).cpu.system;
    expect(msrs).toMatchObject({
      IA32_MTRR_DEF_TYPE: 0xc06n,
      IA32_MTRR_PHYSBASE0: 0xc000_0000n,
      IA32_MTRR_PHYSMASK0: 0xf_c000_0800n,
      IA32_MTRR_FIX64K_00000: 0x0606_0606_0606_0606n,
      IA32_MTRR_FIX4K_F8000: 0x0505_0505_0505_0505n,
    });
    expect(msrs).not.toHaveProperty("IA32_MTRR_FIX16K_A0000");
  });

  it("are as after reset for what finds no BIOS, and not there before the P6", () => {
    expect(Machine.boot({ image: Uint8Array.of(0xf4) }).cpu.system.msrs).toEqual({});
    expect(Machine.boot({ image: bzImage(), model: "pentium" }).cpu.system.msrs).toEqual({});
  });
});
