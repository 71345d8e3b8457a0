/**
 * The instructions of AMD-V.
 * Spec: AMD64 Architecture Programmer's Manual Vol. 3, "System Instruction Reference"; Vol. 2, "Secure Virtual Machine".
 */
import type { ProcessorPort } from "../../cpu/processor.js";
import { addressOf, registerAddress } from "../../cpu/quadwords.js";
import { clgi, invlpga, skinit, stgi, vmload, vmmcall, vmrun, vmsave } from "../../svm/instructions.js";
import { type DecodedInstruction, type Definition, define } from "../instruction.js";

const system = { group: "system" } as const;
const RAX = 0;

/** rAX as a physical address: as much of it as addresses have. */
function physicalOperand(port: ProcessorPort, { addressSize }: DecodedInstruction): number {
  const low = port.getRegister(RAX);
  if (addressSize === 64) return (port.getRegisterHigh(RAX) >>> 0) * 2 ** 32 + low;
  return addressSize === 16 ? low & 0xffff : low;
}

function linearOperand(port: ProcessorPort, { addressSize }: DecodedInstruction): number {
  if (addressSize === 64) return registerAddress(port, RAX);
  return addressOf(port.getRegister(RAX) & (addressSize === 16 ? 0xffff : -1), 0);
}

const definitions: readonly Definition[] = [
  {
    ...system,
    mnemonic: "VMRUN",
    summary: "Runs the guest of the virtual machine control block at rAX.",
    spec: "AMD64 Vol. 3, VMRUN—Run Virtual Machine",
    forms: [["0F 01 D8"]],
    addressSized: true,
    needs: "SVM",
    endsBlock: true,
    system: (port, instruction) => vmrun(port, physicalOperand(port, instruction), instruction),
  },
  {
    ...system,
    mnemonic: "VMMCALL",
    summary: "Leaves a guest for its hypervisor.",
    spec: "AMD64 Vol. 3, VMMCALL—Call VMM",
    forms: [["0F 01 D9"]],
    needs: "SVM",
    system: vmmcall,
  },
  {
    ...system,
    mnemonic: "VMLOAD",
    summary: "Loads FS, GS, LDTR, TR and what system calls use from the virtual machine control block at rAX.",
    spec: "AMD64 Vol. 3, VMLOAD—Load State from VMCB",
    forms: [["0F 01 DA"]],
    addressSized: true,
    needs: "SVM",
    endsBlock: true,
    system: (port, instruction) => vmload(port, physicalOperand(port, instruction), instruction),
  },
  {
    ...system,
    mnemonic: "VMSAVE",
    summary: "Saves FS, GS, LDTR, TR and what system calls use to the virtual machine control block at rAX.",
    spec: "AMD64 Vol. 3, VMSAVE—Save State to VMCB",
    forms: [["0F 01 DB"]],
    addressSized: true,
    needs: "SVM",
    system: (port, instruction) => vmsave(port, physicalOperand(port, instruction), instruction),
  },
  {
    ...system,
    mnemonic: "STGI",
    summary: "Sets the global interrupt flag.",
    spec: "AMD64 Vol. 3, STGI—Set Global Interrupt Flag",
    forms: [["0F 01 DC"]],
    needs: "SVM",
    endsBlock: true,
    system: stgi,
  },
  {
    ...system,
    mnemonic: "CLGI",
    summary: "Clears the global interrupt flag: interrupts, NMIs and INIT wait.",
    spec: "AMD64 Vol. 3, CLGI—Clear Global Interrupt Flag",
    forms: [["0F 01 DD"]],
    needs: "SVM",
    system: clgi,
  },
  {
    ...system,
    mnemonic: "SKINIT",
    summary: "Starts trusted software; no model has it.",
    spec: "AMD64 Vol. 3, SKINIT—Secure Init and Jump with Attestation",
    forms: [["0F 01 DE"]],
    needs: ["SVM", "SKINIT"],
    system: skinit,
  },
  {
    ...system,
    mnemonic: "INVLPGA",
    summary: "Drops the TLB entry of the linear address in rAX, of the address space in ECX.",
    spec: "AMD64 Vol. 3, INVLPGA—Invalidate TLB Entry in a Specified ASID",
    forms: [["0F 01 DF"]],
    addressSized: true,
    needs: "SVM",
    system: (port, instruction) => invlpga(port, linearOperand(port, instruction), instruction),
  },
];

export const svmRows = definitions.flatMap(define);
