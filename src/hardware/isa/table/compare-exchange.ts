/**
 * CMPXCHG8B and CMPXCHG16B.
 * Spec: SDM Vol. 2A, CMPXCHG8B/CMPXCHG16B—Compare and Exchange Bytes.
 */
import { includes } from "../../cpu/model.js";
import { isAlignedTo16, operandAddress } from "../../cpu/operands.js";
import { Fault, VECTOR } from "../../cpu/processor.js";
import { type Definition, define, type SystemInstruction } from "../instruction.js";
import { setZero } from "./common.js";

const [RAX, RCX, RDX, RBX] = [0, 1, 2, 3] as const;
const memory = new Int32Array(4);

/** The destination is written in either case: a fault comes first. */
const compareExchange: SystemInstruction = (port, instruction) => {
  const user = port.cpl === 3;
  const wide = instruction.size === 64;
  const bytes = wide ? 16 : 8;
  if (wide && !includes(port.system.model, "CX16")) throw new Fault(VECTOR.UD, undefined, "no-cmpxchg16b");
  if (wide && !isAlignedTo16(port, instruction)) throw new Fault(VECTOR.GP, 0, "data-not-aligned-to-16");
  const linear = operandAddress(port, instruction, bytes, true);
  port.checkWrite(linear, bytes, user);
  port.readWords(linear, bytes / 4, user, memory);
  const low = [memory[0]! >>> 0, wide ? memory[1]! >>> 0 : 0] as const;
  const high = wide ? ([memory[2]! >>> 0, memory[3]! >>> 0] as const) : ([memory[1]! >>> 0, 0] as const);
  const has = (number: number, [word, upper]: readonly [number, number]): boolean =>
    port.getRegister(number) === word && (!wide || port.getRegisterHigh(number) === upper);
  const equal = has(RAX, low) && has(RDX, high);
  if (equal && wide) {
    memory[0] = port.getRegister(RBX);
    memory[1] = port.getRegisterHigh(RBX);
    memory[2] = port.getRegister(RCX);
    memory[3] = port.getRegisterHigh(RCX);
  } else if (equal) {
    memory[0] = port.getRegister(RBX);
    memory[1] = port.getRegister(RCX);
  }
  port.writeWords(linear, bytes / 4, user, memory);
  setZero(port, equal);
  if (equal) return;
  port.setRegister(RAX, ...low);
  port.setRegister(RDX, ...high);
};

const definitions: readonly Definition[] = [
  {
    mnemonic: "CMPXCHG8B",
    group: "data transfer",
    summary: "Compares EDX:EAX with 8 bytes and exchanges them with ECX:EBX if equal; with REX.W 16 bytes and RDX:RAX.",
    spec: "SDM Vol. 2A, CMPXCHG8B/CMPXCHG16B—Compare and Exchange Bytes",
    forms: [["0F C7 /1", "Myy"]],
    needs: "CX8",
    lock: true,
    flags: { written: "Z" },
    system: compareExchange,
  },
];

export const compareExchangeRows = definitions.flatMap(define);
