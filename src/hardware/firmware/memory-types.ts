/**
 * The memory type range registers as a BIOS leaves them, the same in every processor: memory is written back but for the
 * screen's, ROM and its shadow are write-protected, and what is above all memory belongs to devices.
 * Spec: SDM Vol. 3A, "Memory Type Range Registers (MTRRs)".
 */
import { includes, models } from "../cpu/model.js";
import type { CpuState } from "../cpu/state.js";
import type { MachineState } from "../state.js";

const TYPE = { writeProtected: 5n, writeBack: 6n } as const;
const EIGHT = 0x0101_0101_0101_0101n;
/** E and FE: variable and fixed ranges count. */
const ENABLED = 0xc00n;
const VALID = 0x800n;

/** No machine has memory from here to 4 GiB. */
const DEVICES = { base: 0xc000_0000n, size: 0x4000_0000n } as const;

const FIXED: Readonly<Record<string, bigint>> = {
  IA32_MTRR_FIX64K_00000: EIGHT * TYPE.writeBack,
  IA32_MTRR_FIX16K_80000: EIGHT * TYPE.writeBack,
  ...Object.fromEntries(
    ["C0", "C8", "D0", "D8", "E0", "E8", "F0", "F8"].map((range) => [
      `IA32_MTRR_FIX4K_${range}000`,
      EIGHT * TYPE.writeProtected,
    ]),
  ),
};

function withRanges(cpu: CpuState): CpuState {
  const { system } = cpu;
  const addresses = (1n << BigInt(models[system.model].physicalBits)) - 1n;
  const msrs = {
    ...system.msrs,
    ...FIXED,
    IA32_MTRR_PHYSBASE0: DEVICES.base,
    IA32_MTRR_PHYSMASK0: (addresses & ~(DEVICES.size - 1n)) | VALID,
    IA32_MTRR_DEF_TYPE: ENABLED | TYPE.writeBack,
  };
  return { ...cpu, system: { ...system, msrs: Object.freeze(msrs) } };
}

/** The machine as it is where the processor's model has these registers. */
export function withMemoryTypes(state: MachineState): MachineState {
  const { cpu, turn } = state;
  if (!includes(cpu.system.model, "MTRR")) return state;
  return {
    ...state,
    cpu: withRanges(cpu),
    ...(turn === undefined ? {} : { turn: { ...turn, others: turn.others.map(withRanges) } }),
  };
}
