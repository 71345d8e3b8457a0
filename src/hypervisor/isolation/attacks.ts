/** Attacks of the guest `attacker`, by the word on its command line. */

interface Attack {
  /** What the guest does. */
  readonly tries: string;
  /** It goes on for ever. */
  readonly endless?: true;
}

const table = {
  memory: { tries: "a store to every page of memory, to as many behind its end, and to every MiB of the rest" },
  "page-tables": { tries: "stores through pages of any frame, walks through page tables at any frame" },
  "ports-in": { tries: "IN of every port" },
  "ports-out": { tries: "OUT to every port, but to those that end the machine" },
  "ports-user": { tries: "IN and OUT of a program, which no port is open to" },
  mmio: { tries: "registers of I/O APIC, local APIC, HPET and PCI devices" },
  dma: { tries: "a master of the bus is told to write behind the end of memory" },
  storm: { tries: "interrupts at the timer's highest rate" },
  nmi: { tries: "NMIs by the local APIC" },
  hypercalls: { tries: "VMCALL, VMMCALL and INT 82h with random registers" },
  virtualization: { tries: "instructions of VT-x and AMD-V" },
  "virtualization-on": { tries: "the switches of VT-x and AMD-V" },
  msr: { tries: "RDMSR and WRMSR of all model-specific registers, which are put back" },
  "memory-types": { tries: "other memory types in MTRRs and PAT, which stay" },
  "control-registers": { tries: "wild values for control registers" },
  cr4: { tries: "CR4 bit by bit" },
  "control-register-pairs": { tries: "bits of CR0 that do not go together" },
  segments: { tries: "the last 64 MiB of linear addresses, by segments that reach them" },
  "segment-limits": { tries: "the same beyond limits" },
  "triple-fault": { tries: "an exception with an empty IDT" },
  "reset-keyboard": { tries: "reset by the keyboard controller" },
  "reset-port-92": { tries: "reset by system control port A" },
  "reset-port-cf9": { tries: "reset by the chip set" },
  hog: { tries: "never halts, and takes no interrupt", endless: true },
} as const satisfies Readonly<Record<string, Attack>>;

export type AttackName = keyof typeof table;
export const attacks: Readonly<Record<AttackName, Attack>> = Object.freeze(table);
export const attackNames = Object.freeze(Object.keys(table) as AttackName[]);
