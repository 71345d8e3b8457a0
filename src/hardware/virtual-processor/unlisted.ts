/**
 * Instructions that are sensitive and yet have no meaning in TypeScript, because generated code executes them: PUSHF alone.
 * Who executes a guest's privileged code one instruction at a time needs it, since it shows flags that the guest does not
 * really have. The meaning is that of its row (`isa/table/flag-control.ts`), on the processor port; a test compares both.
 * Spec: SDM Vol. 2B, PUSHF/PUSHFD/PUSHFQ—Push EFLAGS Register Onto the Stack.
 */
import { push } from "../cpu/operands.js";
import { Fault, VECTOR } from "../cpu/processor.js";
import { FLAG } from "../cpu/state.js";
import type { Row, SystemInstruction } from "../isa/instruction.js";

const pushFlags: SystemInstruction = (port, { size }) => {
  const flags = port.getEflags();
  if ((flags & FLAG.VM) !== 0 && (flags & FLAG.IOPL) !== FLAG.IOPL) throw new Fault(VECTOR.GP, 0);
  push(port, (flags & ~(FLAG.VM | FLAG.RF)) >>> 0, (size / 8) as 2 | 4 | 8);
};

const unlisted: Readonly<Record<string, SystemInstruction>> = { PUSHF: pushFlags };

/** How a row is executed in TypeScript; undefined for those that only generated code executes. */
export const systemOf = (row: Row): SystemInstruction | undefined => row.system ?? unlisted[row.mnemonic];
