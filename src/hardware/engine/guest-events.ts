/** What is told of VM entries and VM exits, read where the hypervisor will read it: in the VMCS or the VMCB. */
import type { ProcessorPort } from "../cpu/processor.js";
import type { VmExitEvent } from "../state.js";
import { exitCodes } from "../svm/exit-codes.js";
import { readField as readVmcb } from "../svm/vmcb.js";
import { ENTRY_FAILURE, exitReasons } from "../vmx/exit-reasons.js";
import { readField as readVmcs, readWord } from "../vmx/vmcs.js";

const RAX = 0;
const INVALID = -1;
const CODES = new Map(exitCodes.map(({ code, name }) => [Number(BigInt.asIntN(64, code)), name]));

/** The VMCS or VMCB of the guest that runs, or that the last instruction was to enter. */
export interface ControlBlock {
  readonly technology: "vmx" | "svm";
  readonly address: number;
}

export function controlBlock(port: ProcessorPort): ControlBlock {
  const { virtualization } = port.system;
  if (virtualization?.kind === "vmx") return { technology: "vmx", address: virtualization.current ?? 0 };
  // A VMRUN that is refused leaves its operand where it was.
  const refused = (port.getRegisterHigh(RAX) >>> 0) * 2 ** 32 + (port.getRegister(RAX) >>> 0);
  return { technology: "svm", address: virtualization?.guest?.vmcb ?? refused };
}

/** Where the guest was to go on that has been refused. */
export const guestAddress = (port: ProcessorPort, { technology, address }: ControlBlock): number =>
  Number(
    BigInt.asIntN(64, technology === "vmx" ? readVmcs(port, address, "Guest RIP") : readVmcb(port, address, "RIP")),
  );

/** The exit that has just been told to the host. */
export function exitEvent(
  port: ProcessorPort,
  { technology, address }: ControlBlock,
  where: Pick<VmExitEvent, "tick" | "eip">,
): VmExitEvent {
  const common = { kind: "vm-exit", ...where } as const;
  if (technology === "vmx") {
    const told = readWord(port, address, "Exit reason");
    const reason = told & 0xffff;
    const name = exitReasons.get(reason)?.name ?? `reason ${reason}`;
    const qualification = readVmcs(port, address, "Exit qualification");
    return { ...common, technology, reason, name, qualification, entryFailed: (told & ENTRY_FAILURE) !== 0 };
  }
  const [code, info1, info2] = ["EXITCODE", "EXITINFO1", "EXITINFO2"].map((field) => readVmcb(port, address, field));
  const reason = Number(BigInt.asIntN(64, code!));
  const name = CODES.get(reason) ?? `EXITCODE 0x${code!.toString(16)}`;
  return { ...common, technology, reason, name, info1: info1!, info2: info2!, entryFailed: reason === INVALID };
}
