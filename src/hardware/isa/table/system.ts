/**
 * Model-specific registers, descriptor-table registers, CPUID, caches and TLB.
 * Spec: SDM Vol. 1, "System Instructions"; Vol. 3A, "Privileged Instructions".
 */

import { writeCr0 } from "../../cpu/control-registers.js";
import { loadIdentity } from "../../cpu/cpuid.js";
import { msrWord, readMsr, timestampCounter, writeMsr } from "../../cpu/msr.js";
import { effectiveAddress, operandAddress, readOperand, writeOperand } from "../../cpu/operands.js";
import { Fault, type ProcessorPort, VECTOR } from "../../cpu/processor.js";
import { highWord, readAddress, writeQuad } from "../../cpu/quadwords.js";
import { CR0, CR4, FLAG, isCanonical, segmentNames } from "../../cpu/state.js";
import { i32, narrow, type Replay, shr } from "../code.js";
import { type DecodedInstruction, type Definition, define, type SystemInstruction } from "../instruction.js";
import { intercept, intercepted, privileged, supervisedWithUmip } from "./common.js";
import { storeAddress } from "./system-register-moves.js";

const system = { group: "system" } as const;

/** Bytes of a base: 64-bit code has all of it. */
function storeTable(name: "gdtr" | "idtr"): SystemInstruction {
  return supervisedWithUmip(
    intercepted((port, instruction) => {
      const { base, limit } = port.system[name];
      const user = port.cpl === 3;
      port.writeLinear(operandAddress(port, instruction, 2, true), 2, limit, user);
      if (port.codeBits === 64)
        writeQuad(port, operandAddress(port, instruction, 8, true, 2), base | 0, highWord(base), user);
      else port.writeLinear(operandAddress(port, instruction, 4, true, 2), 4, base, user);
    }),
  );
}

function loadTable(name: "gdtr" | "idtr"): SystemInstruction {
  return privileged(
    intercepted((port, instruction) => {
      const limit = port.readLinear(operandAddress(port, instruction, 2, false), 2, false);
      port.setSystem({ [name]: Object.freeze({ base: tableBase(port, instruction), limit }) });
    }),
  );
}

function tableBase(port: ProcessorPort, instruction: DecodedInstruction): number {
  if (port.codeBits !== 64) {
    const base = port.readLinear(operandAddress(port, instruction, 4, false, 2), 4, false);
    return instruction.size === 16 ? base & 0xffffff : base;
  }
  const base = readAddress(port, operandAddress(port, instruction, 8, false, 2), false);
  if (!isCanonical(base)) throw new Fault(VECTOR.GP, 0, "address-not-canonical");
  return base;
}

/** EDX:EAX. */
function setPair(port: ProcessorPort, value: bigint): void {
  port.setRegister(0, Number(value & 0xffffffffn));
  port.setRegister(2, Number(value >> 32n));
}

/** The page, not the access: neither the rights nor the limit of the segment are checked. */
const invalidatePage = privileged((port, instruction) => {
  const { segment } = instruction.memory!;
  const { base } = port.system.segments[segmentNames[segment]!];
  const offset = effectiveAddress(port, instruction);
  const linear = port.codeBits !== 64 ? (base + offset) >>> 0 : segment < FS ? offset : base + offset;
  intercept(port, instruction, linear);
  if (port.codeBits !== 64 || isCanonical(linear)) port.invalidate(linear);
});
const FS = 4;

const readTimestamp: SystemInstruction = (port, instruction) => {
  if ((port.system.cr4 & CR4.TSD) !== 0 && port.cpl !== 0) throw new Fault(VECTOR.GP, 0, "rdtsc-forbidden");
  intercept(port, instruction);
  setPair(port, timestampCounter(port));
};

/** It is time that goes on, and nothing else decides what is read. */
function readTimestampAgain(code: Replay): void {
  const value = code.let(code.timestamp());
  code.setRegister(0, 32, narrow(value));
  code.setRegister(2, 32, narrow(shr(value, i32(32))));
}

/** CLAC and STAC. */
const setAlignmentFlag =
  (set: boolean): SystemInstruction =>
  (port) => {
    if (port.cpl !== 0) throw new Fault(VECTOR.UD, undefined, "only-at-cpl-0");
    const eflags = port.getEflags();
    port.setEflags(set ? eflags | FLAG.AC : eflags & ~FLAG.AC);
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
    system: supervisedWithUmip((port, instruction) => {
      const [target] = instruction.operands;
      port.guest?.check(port, { kind: "control-register", access: "smsw", number: 0 });
      const cr0 = port.guest?.seenControl(port, 0) ?? port.system.cr0;
      writeOperand(port, instruction, target!, cr0, target!.kind === "memory" ? 16 : undefined);
    }),
  },
  {
    ...system,
    mnemonic: "LMSW",
    summary: "Loads the low four bits of CR0; PE cannot be cleared.",
    spec: "SDM Vol. 2A, LMSW—Load Machine Status Word",
    forms: [["0F 01 /6", "Ew"]],
    system: privileged((port, instruction) => {
      const [source] = instruction.operands;
      const value = readOperand(port, instruction, source!, 16);
      const cr0 = (port.system.cr0 & ~14) | (value & 15) | (port.system.cr0 & 1);
      if (port.guest !== undefined) {
        const from = source!.kind === "memory" ? { linear: operandAddress(port, instruction, 2, false) } : {};
        const cause = { kind: "control-register", access: "lmsw", number: 0, value: BigInt(value), ...from } as const;
        port.guest.check(port, cause);
      }
      writeCr0(port, port.guest?.loadedControl(port, 0, cr0) ?? cr0);
    }),
  },
  {
    ...system,
    mnemonic: "INVLPG",
    summary: "Drops the TLB entry of a linear address.",
    spec: "SDM Vol. 2A, INVLPG—Invalidate TLB Entries",
    forms: [["0F 01 /7", "Mb"]],
    needs: "I486",
    system: invalidatePage,
    // Translations are never stale here: stores to page tables drop what they change.
    replay: (code) => {
      code.asSupervisor();
      code.unlessLeaves("INVLPG");
      code.done();
    },
  },
  {
    ...system,
    mnemonic: "CLTS",
    summary: "Clears CR0.TS.",
    spec: "SDM Vol. 2A, CLTS—Clear Task-Switched Flag in CR0",
    forms: [["0F 06"]],
    system: privileged((port) => {
      port.guest?.check(port, { kind: "control-register", access: "clts", number: 0 });
      const cr0 = port.system.cr0 & ~CR0.TS;
      port.setSystem({ cr0: port.guest?.loadedControl(port, 0, cr0) ?? cr0 });
    }),
  },
  {
    ...system,
    mnemonic: "INVD",
    summary: "Drops the caches; nothing to drop here.",
    spec: "SDM Vol. 2A, INVD—Invalidate Internal Caches",
    forms: [["0F 08"]],
    needs: "I486",
    system: privileged(intercept),
  },
  {
    ...system,
    mnemonic: "WBINVD",
    summary: "Writes back and drops the caches; nothing to drop here.",
    spec: "SDM Vol. 2B, WBINVD—Write Back and Invalidate Cache",
    forms: [["0F 09"]],
    needs: "I486",
    system: privileged(intercept),
  },
  {
    ...system,
    mnemonic: "RDTSC",
    summary: "Reads the time-stamp counter; with CR4.TSD at CPL 0 only.",
    spec: "SDM Vol. 2B, RDTSC—Read Time-Stamp Counter",
    forms: [["0F 31"]],
    needs: "TSC",
    system: readTimestamp,
    replay: (code) => {
      code.unlessLeaves("RDTSC");
      readTimestampAgain(code);
      code.done();
    },
  },
  {
    ...system,
    mnemonic: "RDTSCP",
    summary: "Reads the time-stamp counter, and into ECX the number that the system gave the processor.",
    spec: "SDM Vol. 2B, RDTSCP—Read Time-Stamp Counter and Processor ID",
    forms: [["0F 01 F9"]],
    needs: "RDTSCP",
    system: (port, instruction) => {
      port.guest?.requireEnabled(port, "RDTSCP");
      readTimestamp(port, instruction);
      port.setRegister(1, msrWord(port, "IA32_TSC_AUX"));
    },
    replay: (code) => {
      code.unlessLeaves("RDTSCP");
      readTimestampAgain(code);
      code.setRegister(1, 32, code.timestampAuxiliary());
      code.done();
    },
  },
  {
    ...system,
    mnemonic: "RDPID",
    summary: "Reads the number that the system gave the processor.",
    spec: "SDM Vol. 2B, RDPID—Read Processor ID",
    forms: [
      ["F3 0F C7 F8+i", "Rd", "not64"],
      ["F3 0F C7 F8+i", "Rq", "only64"],
    ],
    needs: "RDPID",
    system: (port, instruction) => storeAddress(port, instruction.operands[0], msrWord(port, "IA32_TSC_AUX")),
  },
  {
    ...system,
    mnemonic: "CLAC",
    summary: "Clears AC: with CR4.SMAP the supervisor does not access pages of the user.",
    spec: "SDM Vol. 2A, CLAC—Clear AC Flag in EFLAGS Register",
    forms: [["NP 0F 01 CA"]],
    needs: "SMAP",
    system: setAlignmentFlag(false),
  },
  {
    ...system,
    mnemonic: "STAC",
    summary: "Sets AC: the supervisor may access pages of the user.",
    spec: "SDM Vol. 2B, STAC—Set AC Flag in EFLAGS Register",
    forms: [["NP 0F 01 CB"]],
    needs: "SMAP",
    system: setAlignmentFlag(true),
  },
  {
    ...system,
    mnemonic: "RDPMC",
    summary: "Reads a performance-monitoring counter, of which there is none; with CR4.PCE at any CPL.",
    spec: "SDM Vol. 2B, RDPMC—Read Performance-Monitoring Counters",
    forms: [["0F 33"]],
    needs: "P6",
    system: (port, instruction) => {
      if ((port.system.cr4 & CR4.PCE) === 0 && port.cpl !== 0) throw new Fault(VECTOR.GP, 0, "rdpmc-forbidden");
      intercept(port, instruction);
      throw new Fault(VECTOR.GP, 0, "no-performance-counter");
    },
  },
  {
    ...system,
    mnemonic: "RDMSR",
    summary: "Reads a model-specific register.",
    spec: "SDM Vol. 2B, RDMSR—Read From Model Specific Register",
    forms: [["0F 32"]],
    needs: "MSR",
    system: privileged((port) => {
      const address = port.getRegister(1);
      port.guest?.check(port, { kind: "msr", access: "read", address });
      setPair(port, readMsr(port, address));
    }),
  },
  {
    ...system,
    mnemonic: "WRMSR",
    summary: "Writes a model-specific register.",
    spec: "SDM Vol. 2B, WRMSR—Write to Model Specific Register",
    forms: [["0F 30"]],
    needs: "MSR",
    system: privileged((port) => {
      const address = port.getRegister(1);
      const value = (BigInt(port.getRegister(2)) << 32n) | BigInt(port.getRegister(0));
      port.guest?.check(port, { kind: "msr", access: "write", address });
      writeMsr(port, address, value);
    }),
  },
  {
    mnemonic: "CPUID",
    group: "miscellaneous",
    summary: "Identifies the processor.",
    spec: "SDM Vol. 2A, CPUID—CPU Identification",
    forms: [["0F A2"]],
    needs: "I486",
    system: intercepted((port) => {
      const { localApic, apicId, processors, codeBits } = port;
      const place = { apic: localApic?.on ?? false, apicId, processors, code64: codeBits === 64 };
      loadIdentity(port, port.system.model, place);
    }),
  },
];

export const systemRows = definitions.flatMap(define);
