/**
 * Control, debug and model-specific registers, descriptor-table registers, CPUID, caches and TLB.
 * Spec: SDM Vol. 1, "System Instructions"; Vol. 3A, "Privileged Instructions".
 */

import { identify } from "../../cpu/model.js";
import { operandAddress, readOperand, writeOperand } from "../../cpu/operands.js";
import { Fault, type ProcessorPort, Unsupported, VECTOR } from "../../cpu/processor.js";
import { CR0, CR4 } from "../../cpu/state.js";
import { type Definition, define, type Operand, type SystemInstruction } from "../instruction.js";
import { privileged, requireRing0 } from "./common.js";

const system = { group: "system" } as const;

function storeTable(name: "gdtr" | "idtr"): SystemInstruction {
  return (port, instruction) => {
    const { base, limit } = port.system[name];
    const user = port.cpl === 3;
    port.writeLinear(operandAddress(port, instruction, 2, true), 2, limit, user);
    port.writeLinear(operandAddress(port, instruction, 4, true, 2), 4, base, user);
  };
}

function loadTable(name: "gdtr" | "idtr"): SystemInstruction {
  return privileged((port, instruction) => {
    const limit = port.readLinear(operandAddress(port, instruction, 2, false), 2, false);
    const base = port.readLinear(operandAddress(port, instruction, 4, false, 2), 4, false);
    port.setSystem({ [name]: Object.freeze({ base: instruction.size === 16 ? base & 0xffffff : base, limit }) });
  });
}

const CR0_WRITABLE = CR0.PE | CR0.MP | CR0.EM | CR0.TS | CR0.NE | CR0.WP | CR0.AM | CR0.NW | CR0.CD | CR0.PG;

function writeCr0(port: ProcessorPort, value: number): void {
  const old = port.system.cr0;
  if ((value & CR0.PG) !== 0 && (value & CR0.PE) === 0) throw new Fault(VECTOR.GP, 0);
  if ((value & CR0.NW) !== 0 && (value & CR0.CD) === 0) throw new Fault(VECTOR.GP, 0);
  if ((value & CR0.PE) === 0) throw new Unsupported("leaving protected mode (CR0.PE cleared)");
  const next = (value & CR0_WRITABLE) | CR0.ET;
  port.setSystem({ cr0: next });
  if (((old ^ next) & (CR0.PG | CR0.WP)) !== 0) port.invalidate();
}

/** Number of a control register that exists; any other is no instruction, at whatever privilege. */
function controlNumber(operand: Operand | undefined): number {
  if (operand?.kind !== "control" || ![0, 2, 3, 4].includes(operand.number)) throw new Fault(VECTOR.UD);
  return operand.number;
}

const moveToControl: SystemInstruction = (port, instruction) => {
  const [control, source] = instruction.operands;
  const number = controlNumber(control);
  requireRing0(port);
  const value = readOperand(port, instruction, source!);
  if (number === 0) writeCr0(port, value);
  else if (number === 2) port.setSystem({ cr2: value });
  else if (number === 3) {
    port.setSystem({ cr3: value });
    port.invalidate();
  } else {
    if ((value & ~(CR4.PSE | CR4.TSD | CR4.DE)) !== 0) throw new Fault(VECTOR.GP, 0);
    port.setSystem({ cr4: value });
    port.invalidate();
  }
};

const moveFromControl: SystemInstruction = (port, instruction) => {
  const [target, control] = instruction.operands;
  const name = `cr${controlNumber(control) as 0 | 2 | 3 | 4}` as const;
  requireRing0(port);
  writeOperand(port, instruction, target!, port.system[name]);
};

/** DR4 and DR5 are DR6 and DR7 while CR4.DE is clear. */
function debugIndex(port: ProcessorPort, number: number): number {
  if (number === 4 || number === 5) {
    if ((port.system.cr4 & CR4.DE) !== 0) throw new Fault(VECTOR.UD);
    return number;
  }
  return number < 4 ? number : number - 2;
}

const moveToDebug = privileged((port, instruction) => {
  const [debug, source] = instruction.operands;
  const index = debugIndex(port, debug!.kind === "debug" ? debug!.number : 0);
  const value = readOperand(port, instruction, source!);
  if (index === 5 && (value & 0xff) !== 0) throw new Unsupported("breakpoints in DR7");
  const next = [...port.system.debug] as [number, number, number, number, number, number];
  next[index] = (index === 4 ? (value & 0xe00f) | 0xffff0ff0 : index === 5 ? (value & 0xffff2bff) | 0x400 : value) | 0;
  port.setSystem({ debug: Object.freeze(next) });
});

const moveFromDebug = privileged((port, instruction) => {
  const [target, debug] = instruction.operands;
  writeOperand(
    port,
    instruction,
    target!,
    port.system.debug[debugIndex(port, debug!.kind === "debug" ? debug!.number : 0)]!,
  );
});

const TSC_MSR = 0x10;

const readTimestamp = (port: ProcessorPort): void => {
  const value = port.timestamp;
  port.setRegister(0, Number(value & 0xffffffffn));
  port.setRegister(2, Number((value >> 32n) & 0xffffffffn));
};

const definitions: readonly Definition[] = [
  {
    ...system,
    mnemonic: "SGDT",
    summary: "Stores GDTR.",
    spec: "SDM Vol. 2B, SGDT—Store Global Descriptor Table Register",
    forms: [["0F 01 /0", "Ms"]],
    sized: true,
    system: storeTable("gdtr"),
  },
  {
    ...system,
    mnemonic: "SIDT",
    summary: "Stores IDTR.",
    spec: "SDM Vol. 2B, SIDT—Store Interrupt Descriptor Table Register",
    forms: [["0F 01 /1", "Ms"]],
    sized: true,
    system: storeTable("idtr"),
  },
  {
    ...system,
    mnemonic: "LGDT",
    summary: "Loads GDTR.",
    spec: "SDM Vol. 2A, LGDT/LIDT—Load Global/Interrupt Descriptor Table Register",
    forms: [["0F 01 /2", "Ms"]],
    sized: true,
    system: loadTable("gdtr"),
  },
  {
    ...system,
    mnemonic: "LIDT",
    summary: "Loads IDTR.",
    spec: "SDM Vol. 2A, LGDT/LIDT—Load Global/Interrupt Descriptor Table Register",
    forms: [["0F 01 /3", "Ms"]],
    sized: true,
    system: loadTable("idtr"),
  },
  {
    ...system,
    mnemonic: "SMSW",
    summary: "Stores the low half of CR0.",
    spec: "SDM Vol. 2B, SMSW—Store Machine Status Word",
    forms: [["0F 01 /4", "Ev"]],
    system: (port, instruction) => {
      const [target] = instruction.operands;
      writeOperand(port, instruction, target!, port.system.cr0, target!.kind === "memory" ? 16 : undefined);
    },
  },
  {
    ...system,
    mnemonic: "LMSW",
    summary: "Loads the low four bits of CR0; PE cannot be cleared.",
    spec: "SDM Vol. 2A, LMSW—Load Machine Status Word",
    forms: [["0F 01 /6", "Ew"]],
    system: privileged((port, instruction) => {
      const value = readOperand(port, instruction, instruction.operands[0]!, 16);
      writeCr0(port, (port.system.cr0 & ~14) | (value & 15) | (port.system.cr0 & 1));
    }),
  },
  {
    ...system,
    mnemonic: "INVLPG",
    summary: "Drops the TLB entry of a linear address.",
    spec: "SDM Vol. 2A, INVLPG—Invalidate TLB Entries",
    forms: [["0F 01 /7", "Mb"]],
    system: privileged((port, instruction) => port.invalidate(operandAddress(port, instruction, 1, false))),
  },
  {
    mnemonic: "WAIT",
    group: "miscellaneous",
    summary: "Waits for the x87, of which there is none; #NM while CR0.MP and CR0.TS are set.",
    spec: "SDM Vol. 2D, WAIT/FWAIT—Wait",
    forms: [["9B"]],
    system: (port) => {
      if ((port.system.cr0 & (CR0.MP | CR0.TS)) === (CR0.MP | CR0.TS)) throw new Fault(VECTOR.NM);
    },
  },
  {
    ...system,
    mnemonic: "CLTS",
    summary: "Clears CR0.TS.",
    spec: "SDM Vol. 2A, CLTS—Clear Task-Switched Flag in CR0",
    forms: [["0F 06"]],
    system: privileged((port) => port.setSystem({ cr0: port.system.cr0 & ~CR0.TS })),
  },
  {
    ...system,
    mnemonic: "INVD",
    summary: "Drops the caches; nothing to drop here.",
    spec: "SDM Vol. 2A, INVD—Invalidate Internal Caches",
    forms: [["0F 08"]],
    system: privileged(() => {}),
  },
  {
    ...system,
    mnemonic: "WBINVD",
    summary: "Writes back and drops the caches; nothing to drop here.",
    spec: "SDM Vol. 2B, WBINVD—Write Back and Invalidate Cache",
    forms: [["0F 09"]],
    system: privileged(() => {}),
  },
  {
    ...system,
    mnemonic: "MOV",
    summary: "Loads a control register.",
    spec: "SDM Vol. 2B, MOV—Move to/from Control Registers",
    forms: [["0F 22 /r", "Cd Rd"]],
    system: moveToControl,
  },
  {
    ...system,
    mnemonic: "MOV",
    summary: "Stores a control register.",
    spec: "SDM Vol. 2B, MOV—Move to/from Control Registers",
    forms: [["0F 20 /r", "Rd Cd"]],
    system: moveFromControl,
  },
  {
    ...system,
    mnemonic: "MOV",
    summary: "Loads a debug register.",
    spec: "SDM Vol. 2B, MOV—Move to/from Debug Registers",
    forms: [["0F 23 /r", "Dd Rd"]],
    system: moveToDebug,
  },
  {
    ...system,
    mnemonic: "MOV",
    summary: "Stores a debug register.",
    spec: "SDM Vol. 2B, MOV—Move to/from Debug Registers",
    forms: [["0F 21 /r", "Rd Dd"]],
    system: moveFromDebug,
  },
  {
    ...system,
    mnemonic: "RDTSC",
    summary: "Reads the time-stamp counter; with CR4.TSD at CPL 0 only.",
    spec: "SDM Vol. 2B, RDTSC—Read Time-Stamp Counter",
    forms: [["0F 31"]],
    system: (port) => {
      if ((port.system.cr4 & CR4.TSD) !== 0 && port.cpl !== 0) throw new Fault(VECTOR.GP, 0);
      readTimestamp(port);
    },
  },
  {
    ...system,
    mnemonic: "RDMSR",
    summary: "Reads a model-specific register.",
    spec: "SDM Vol. 2B, RDMSR—Read From Model Specific Register",
    forms: [["0F 32"]],
    system: privileged((port) => {
      if (port.getRegister(1) !== TSC_MSR) throw new Fault(VECTOR.GP, 0);
      readTimestamp(port);
    }),
  },
  {
    ...system,
    mnemonic: "WRMSR",
    summary: "Writes a model-specific register; none can be written here.",
    spec: "SDM Vol. 2B, WRMSR—Write to Model Specific Register",
    forms: [["0F 30"]],
    system: privileged((port) => {
      throw port.getRegister(1) === TSC_MSR
        ? new Unsupported("writing the time-stamp counter")
        : new Fault(VECTOR.GP, 0);
    }),
  },
  {
    mnemonic: "CPUID",
    group: "miscellaneous",
    summary: "Identifies the processor.",
    spec: "SDM Vol. 2A, CPUID—CPU Identification",
    forms: [["0F A2"]],
    system: (port) => {
      const [eax, ebx, ecx, edx] = identify(port.system.model, port.getRegister(0));
      port.setRegister(0, eax);
      port.setRegister(3, ebx);
      port.setRegister(1, ecx);
      port.setRegister(2, edx);
    },
  },
];

export const systemRows = definitions.flatMap(define);
