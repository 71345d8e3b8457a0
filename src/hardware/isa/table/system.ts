/**
 * Instructions executed in TypeScript: interrupts, segments, far transfers, system registers. Each makes the checks the
 * manual names, through the processor port.
 * Spec: SDM Vol. 1, "System Instructions"; Vol. 3A, "Privileged Instructions".
 */
import { deliver, interruptReturn, mergeEflags } from "../../cpu/exceptions.js";
import { identify } from "../../cpu/model.js";
import { operandAddress, peek, push, readOperand, release, writeOperand } from "../../cpu/operands.js";
import { Fault, type ProcessorPort, type SystemInstruction, Unsupported, VECTOR } from "../../cpu/processor.js";
import {
  inspect,
  loadDataSegment,
  loadLdt,
  loadTask,
  readCodeSegment,
  readStackSegment,
  SYSTEM_TYPE,
  withSegment,
} from "../../cpu/segments.js";
import { ACCESS, CR0, CR4, dplOf, FLAG, NULL_SEGMENT, type SegmentName, segmentNames } from "../../cpu/state.js";
import type { DecodedInstruction } from "../decoder.js";
import { type Definition, define } from "../instruction.js";

const system = { group: "system" } as const;

const privileged =
  (instruction: SystemInstruction): SystemInstruction =>
  (port, decoded) => {
    if (port.cpl !== 0) throw new Fault(VECTOR.GP, 0);
    instruction(port, decoded);
  };

const iopl = (port: ProcessorPort): number => (port.getEflags() & FLAG.IOPL) >> 12;
const stackSize = (instruction: DecodedInstruction): 2 | 4 => (instruction.size === 16 ? 2 : 4);

function clearInterrupts(port: ProcessorPort): void {
  if (port.cpl > iopl(port)) throw new Fault(VECTOR.GP, 0);
  port.setEflags(port.getEflags() & ~FLAG.IF);
}

function setInterrupts(port: ProcessorPort): void {
  if (port.cpl > iopl(port)) throw new Fault(VECTOR.GP, 0);
  if ((port.getEflags() & FLAG.IF) === 0) port.setShadow();
  port.setEflags(port.getEflags() | FLAG.IF);
}

function popFlags(port: ProcessorPort, instruction: DecodedInstruction): void {
  const size = stackSize(instruction);
  const old = port.getEflags();
  const value = peek(port, 0, size);
  port.setEflags(mergeEflags(old, size === 2 ? (old & 0xffff0000) | value : value, port.cpl, false) & ~FLAG.RF);
  release(port, size);
}

function softwareInterrupt(vector: number): SystemInstruction {
  return (port) => deliver(port, vector, undefined, "software", port.nextEip);
}

/** A data segment register as the ModRM reg field names it. */
function segmentOperand(instruction: DecodedInstruction, index: number): SegmentName {
  const operand = instruction.operands[index]!;
  const name = operand.kind === "segment" ? segmentNames[operand.number] : undefined;
  if (!name) throw new Fault(VECTOR.UD);
  return name;
}

function loadSegment(port: ProcessorPort, name: SegmentName, selector: number): void {
  if (name === "cs") throw new Fault(VECTOR.UD);
  loadDataSegment(port, name, selector);
  if (name === "ss") port.setShadow();
}

const moveToSegment: SystemInstruction = (port, instruction) => {
  const name = segmentOperand(instruction, 0);
  if (name === "cs") throw new Fault(VECTOR.UD);
  loadSegment(port, name, readOperand(port, instruction, instruction.operands[1]!, 16));
};

const moveFromSegment: SystemInstruction = (port, instruction) => {
  const { selector } = port.system.segments[segmentOperand(instruction, 1)];
  const [target] = instruction.operands;
  // A register gets the selector zero-extended to the operand size, memory always 16 bits.
  writeOperand(port, instruction, target!, selector, target!.kind === "memory" ? 16 : instruction.size);
};

const pushSegment: SystemInstruction = (port, instruction) =>
  push(port, port.system.segments[segmentOperand(instruction, 0)].selector, stackSize(instruction));

const popSegment: SystemInstruction = (port, instruction) => {
  const selector = peek(port, 0, stackSize(instruction)) & 0xffff;
  loadSegment(port, segmentOperand(instruction, 0), selector);
  release(port, stackSize(instruction));
};

/** LDS, LES, LFS, LGS, LSS. */
function loadFarPointer(name: SegmentName): SystemInstruction {
  return (port, instruction) => {
    const bytes = instruction.size === 16 ? 2 : 4;
    const user = port.cpl === 3;
    const offset = port.readLinear(operandAddress(port, instruction, bytes, false), bytes, user);
    const selector = port.readLinear(operandAddress(port, instruction, 2, false, bytes), 2, user);
    loadSegment(port, name, selector);
    writeOperand(port, instruction, instruction.operands[0]!, offset);
  };
}

function farTarget(port: ProcessorPort, instruction: DecodedInstruction): { selector: number; offset: number } {
  const [operand] = instruction.operands;
  if (operand!.kind === "far") return operand!;
  const bytes = instruction.size === 16 ? 2 : 4;
  const user = port.cpl === 3;
  return {
    offset: port.readLinear(operandAddress(port, instruction, bytes, false), bytes, user),
    selector: port.readLinear(operandAddress(port, instruction, 2, false, bytes), 2, user),
  };
}

const jumpFar: SystemInstruction = (port, instruction) => {
  const { selector, offset } = farTarget(port, instruction);
  const code = readCodeSegment(port, selector, "stay");
  if (offset > code.limit) throw new Fault(VECTOR.GP, 0);
  port.setSystem(withSegment(port.system, "cs", code));
  port.nextEip = offset;
};

const callFar: SystemInstruction = (port, instruction) => {
  const { selector, offset } = farTarget(port, instruction);
  const size = stackSize(instruction);
  const esp = port.getRegister(4);
  const code = readCodeSegment(port, selector, "stay");
  if (offset > code.limit) throw new Fault(VECTOR.GP, 0);
  const user = port.cpl === 3;
  // Both words are checked by the first address: the lower one is written first.
  const returnAddress = port.segmentAddress(2, (esp - 2 * size) >>> 0, 2 * size, true);
  port.writeLinear(returnAddress, size, port.nextEip, user);
  port.writeLinear((returnAddress + size) >>> 0, size, port.system.segments.cs.selector, user);
  port.setRegister(4, (esp - 2 * size) >>> 0);
  port.setSystem(withSegment(port.system, "cs", code));
  port.nextEip = offset;
};

function returnFar(port: ProcessorPort, instruction: DecodedInstruction): void {
  const size = stackSize(instruction);
  const extra = instruction.operands[0]?.kind === "immediate" ? instruction.operands[0].value & 0xffff : 0;
  const offset = peek(port, 0, size);
  const code = readCodeSegment(port, peek(port, size, size) & 0xffff, "return");
  if (offset > code.limit) throw new Fault(VECTOR.GP, 0);
  const target = code.selector & 3;
  if (target > port.cpl) {
    const esp = peek(port, 2 * size + extra, size);
    const stack = readStackSegment(port, peek(port, 3 * size + extra, size) & 0xffff, target, VECTOR.GP);
    const segments = { ...port.system.segments, cs: code, ss: stack };
    for (const name of ["es", "ds", "fs", "gs"] as const) {
      const { access } = segments[name];
      const conforming = (access & (ACCESS.CODE | ACCESS.CONFORMING)) === (ACCESS.CODE | ACCESS.CONFORMING);
      if (access !== 0 && !conforming && dplOf(access) < target) segments[name] = NULL_SEGMENT;
    }
    port.setSystem({ segments: Object.freeze(segments) });
    port.setRegister(4, (esp + extra) >>> 0);
  } else {
    port.setSystem(withSegment(port.system, "cs", code));
    release(port, 2 * size + extra);
  }
  port.nextEip = offset;
}

/** ENTER: a frame, with the enclosing frames' pointers at nesting levels above 0. */
const enter: SystemInstruction = (port, instruction) => {
  const size = stackSize(instruction);
  const [first, second] = instruction.operands;
  const bytes = readOperand(port, instruction, first!) & 0xffff;
  const level = readOperand(port, instruction, second!) & 31;
  const user = port.cpl === 3;
  let esp = port.getRegister(4);
  const store = (value: number): void => {
    esp = (esp - size) >>> 0;
    port.writeLinear(port.segmentAddress(2, esp, size, true), size, value, user);
  };
  const ebp = port.getRegister(5);
  store(ebp);
  const frame = esp;
  for (let depth = 1; depth < level; depth++) {
    const outer = (ebp - depth * size) >>> 0;
    store(port.readLinear(port.segmentAddress(2, outer, size, false), size, user));
  }
  if (level > 0) store(frame);
  const bottom = (esp - bytes) >>> 0;
  // The manual has ENTER fault if the new top of the stack could not be written.
  const probe = port.segmentAddress(2, bottom, size, true);
  port.writeLinear(probe, size, port.readLinear(probe, size, user), user);
  port.setRegister(5, size === 2 ? (ebp & 0xffff0000) | (frame & 0xffff) : frame);
  port.setRegister(4, bottom);
};

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

const moveToControl = privileged((port, instruction) => {
  const [control, source] = instruction.operands;
  const value = readOperand(port, instruction, source!);
  const number = control!.kind === "control" ? control!.number : -1;
  if (number === 0) writeCr0(port, value);
  else if (number === 2) port.setSystem({ cr2: value });
  else if (number === 3) {
    port.setSystem({ cr3: value });
    port.invalidate();
  } else if (number === 4) {
    if ((value & ~(CR4.PSE | CR4.TSD | CR4.DE)) !== 0) throw new Fault(VECTOR.GP, 0);
    port.setSystem({ cr4: value });
    port.invalidate();
  } else throw new Fault(VECTOR.UD);
});

const moveFromControl = privileged((port, instruction) => {
  const [target, control] = instruction.operands;
  const number = control!.kind === "control" ? control!.number : -1;
  const { cr0, cr2, cr3, cr4 } = port.system;
  const value = { 0: cr0, 2: cr2, 3: cr3, 4: cr4 }[number];
  if (value === undefined) throw new Fault(VECTOR.UD);
  writeOperand(port, instruction, target!, value);
});

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

const LAR_TYPES = [
  SYSTEM_TYPE.TSS16,
  SYSTEM_TYPE.LDT,
  SYSTEM_TYPE.BUSY_TSS16,
  SYSTEM_TYPE.CALL_GATE16,
  SYSTEM_TYPE.TASK_GATE,
  SYSTEM_TYPE.TSS32,
  SYSTEM_TYPE.BUSY_TSS32,
  SYSTEM_TYPE.CALL_GATE32,
];
const LSL_TYPES = [
  SYSTEM_TYPE.TSS16,
  SYSTEM_TYPE.LDT,
  SYSTEM_TYPE.BUSY_TSS16,
  SYSTEM_TYPE.TSS32,
  SYSTEM_TYPE.BUSY_TSS32,
];

function setZero(port: ProcessorPort, zero: boolean): void {
  port.setEflags(zero ? port.getEflags() | FLAG.ZF : port.getEflags() & ~FLAG.ZF);
}

const loadAccessRights: SystemInstruction = (port, instruction) => {
  const found = inspect(port, readOperand(port, instruction, instruction.operands[1]!, 16), LAR_TYPES);
  setZero(port, found !== undefined);
  if (found) writeOperand(port, instruction, instruction.operands[0]!, found.high & 0x00f0ff00);
};

const loadLimit: SystemInstruction = (port, instruction) => {
  const found = inspect(port, readOperand(port, instruction, instruction.operands[1]!, 16), LSL_TYPES);
  setZero(port, found !== undefined);
  if (found) writeOperand(port, instruction, instruction.operands[0]!, found.limit);
};

function verify(write: boolean): SystemInstruction {
  return (port, instruction) => {
    const found = inspect(port, readOperand(port, instruction, instruction.operands[0]!, 16), []);
    const code = found !== undefined && (found.access & ACCESS.CODE) !== 0;
    const may =
      found !== undefined &&
      (write ? !code && (found.access & ACCESS.WRITABLE) !== 0 : !code || (found.access & ACCESS.WRITABLE) !== 0);
    setZero(port, may);
  };
}

const compareExchange8: SystemInstruction = (port, instruction) => {
  const user = port.cpl === 3;
  const address = operandAddress(port, instruction, 8, true);
  const low = port.readLinear(address, 4, user);
  const high = port.readLinear((address + 4) >>> 0, 4, user);
  const equal = low === port.getRegister(0) && high === port.getRegister(2);
  // The destination is written in either case; the upper half first, so that a fault leaves the value whole.
  port.writeLinear((address + 4) >>> 0, 4, equal ? port.getRegister(1) : high, user);
  port.writeLinear(address, 4, equal ? port.getRegister(3) : low, user);
  setZero(port, equal);
  if (!equal) {
    port.setRegister(0, low);
    port.setRegister(2, high);
  }
};

const TSC_MSR = 0x10;
const readTimestamp = (port: ProcessorPort): void => {
  const value = port.timestamp;
  port.setRegister(0, Number(value & 0xffffffffn));
  port.setRegister(2, Number((value >> 32n) & 0xffffffffn));
};

const definitions: readonly Definition[] = [
  {
    ...system,
    mnemonic: "CLI",
    group: "flag control",
    summary: "Clears IF.",
    spec: "SDM Vol. 2A, CLI—Clear Interrupt Flag",
    forms: [["FA"]],
    system: clearInterrupts,
  },
  {
    ...system,
    mnemonic: "STI",
    group: "flag control",
    summary: "Sets IF after the next instruction.",
    spec: "SDM Vol. 2B, STI—Set Interrupt Flag",
    forms: [["FB"]],
    system: setInterrupts,
  },
  {
    ...system,
    mnemonic: "POPF",
    group: "flag control",
    summary: "Pops EFLAGS; what the privilege does not allow stays, silently.",
    spec: "SDM Vol. 2B, POPF/POPFD/POPFQ—Pop Stack Into EFLAGS Register",
    forms: [["9D"]],
    sized: true,
    flags: { written: "OSZAPC" },
    system: popFlags,
  },
  {
    mnemonic: "INT3",
    group: "control transfer",
    summary: "Raises #BP.",
    spec: "SDM Vol. 2A, INT n/INTO/INT3/INT1—Call to Interrupt Procedure",
    forms: [["CC"]],
    system: softwareInterrupt(VECTOR.BP),
  },
  {
    mnemonic: "INT",
    group: "control transfer",
    summary: "Calls the interrupt handler of the given vector.",
    spec: "SDM Vol. 2A, INT n/INTO/INT3/INT1—Call to Interrupt Procedure",
    forms: [["CD", "Ib"]],
    system: (port, instruction) =>
      softwareInterrupt(readOperand(port, instruction, instruction.operands[0]!) & 0xff)(port, instruction),
  },
  {
    mnemonic: "INTO",
    group: "control transfer",
    summary: "Raises #OF if OF is set.",
    spec: "SDM Vol. 2A, INT n/INTO/INT3/INT1—Call to Interrupt Procedure",
    forms: [["CE"]],
    system: (port, instruction) => {
      if ((port.getEflags() & FLAG.OF) !== 0) softwareInterrupt(VECTOR.OF)(port, instruction);
    },
  },
  {
    mnemonic: "IRET",
    group: "control transfer",
    summary: "Returns from an interrupt, to the same or an outer privilege.",
    spec: "SDM Vol. 2A, IRET/IRETD/IRETQ—Interrupt Return",
    forms: [["CF"]],
    sized: true,
    system: (port, instruction) => {
      if (instruction.size === 16) throw new Unsupported("IRET with 16-bit operands");
      interruptReturn(port);
    },
  },
  {
    mnemonic: "JMP",
    group: "control transfer",
    summary: "Jumps to another code segment.",
    spec: "SDM Vol. 2A, JMP—Jump",
    forms: [
      ["EA", "Ap"],
      ["FF /5", "Mp"],
    ],
    system: jumpFar,
  },
  {
    mnemonic: "CALL",
    group: "control transfer",
    summary: "Calls a procedure in another code segment.",
    spec: "SDM Vol. 2A, CALL—Call Procedure",
    forms: [
      ["9A", "Ap"],
      ["FF /3", "Mp"],
    ],
    system: callFar,
  },
  {
    mnemonic: "RETF",
    group: "control transfer",
    summary: "Returns to another code segment.",
    spec: "SDM Vol. 2B, RET—Return From Procedure",
    forms: [["CB"], ["CA", "Iw"]],
    sized: true,
    system: returnFar,
  },
  {
    mnemonic: "ENTER",
    group: "control transfer",
    summary: "Makes a stack frame.",
    spec: "SDM Vol. 2A, ENTER—Make Stack Frame for Procedure Parameters",
    forms: [["C8", "Iw Ib"]],
    sized: true,
    system: enter,
  },
  {
    mnemonic: "MOV",
    group: "data transfer",
    summary: "Loads a segment register.",
    spec: "SDM Vol. 2B, MOV—Move",
    forms: [["8E /r", "Sw Ew"]],
    system: moveToSegment,
  },
  {
    mnemonic: "MOV",
    group: "data transfer",
    summary: "Stores a segment register.",
    spec: "SDM Vol. 2B, MOV—Move",
    forms: [["8C /r", "Ev Sw"]],
    system: moveFromSegment,
  },
  {
    mnemonic: "PUSH",
    group: "data transfer",
    summary: "Pushes a segment register.",
    spec: "SDM Vol. 2B, PUSH—Push Word, Doubleword, or Quadword Onto the Stack",
    forms: [
      ["06", "S0"],
      ["0E", "S1"],
      ["16", "S2"],
      ["1E", "S3"],
      ["0F A0", "S4"],
      ["0F A8", "S5"],
    ],
    sized: true,
    system: pushSegment,
  },
  {
    mnemonic: "POP",
    group: "data transfer",
    summary: "Pops a segment register.",
    spec: "SDM Vol. 2B, POP—Pop a Value From the Stack",
    forms: [
      ["07", "S0"],
      ["17", "S2"],
      ["1F", "S3"],
      ["0F A1", "S4"],
      ["0F A9", "S5"],
    ],
    sized: true,
    system: popSegment,
  },
  ...(["es", "ds", "ss", "fs", "gs"] as const).map(
    (name): Definition => ({
      mnemonic: `L${name.toUpperCase()}`,
      group: "data transfer",
      summary: `Loads ${name.toUpperCase()} and a register from a far pointer.`,
      spec: "SDM Vol. 2A, LDS/LES/LFS/LGS/LSS—Load Far Pointer",
      forms: [[{ es: "C4 /r", ds: "C5 /r", ss: "0F B2 /r", fs: "0F B4 /r", gs: "0F B5 /r" }[name], "Gv Mp"]],
      system: loadFarPointer(name),
    }),
  ),
  {
    mnemonic: "CMPXCHG8B",
    group: "data transfer",
    summary: "Compares EDX:EAX with 8 bytes and exchanges them with ECX:EBX if equal.",
    spec: "SDM Vol. 2A, CMPXCHG8B/CMPXCHG16B—Compare and Exchange Bytes",
    forms: [["0F C7 /1", "Mq"]],
    lock: true,
    flags: { written: "Z" },
    system: compareExchange8,
  },
  {
    ...system,
    mnemonic: "HLT",
    summary: "Stops until an interrupt.",
    spec: "SDM Vol. 2A, HLT—Halt",
    forms: [["F4"]],
    system: privileged((port) => port.halt()),
  },
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
    ...system,
    mnemonic: "SLDT",
    summary: "Stores the selector of the LDT.",
    spec: "SDM Vol. 2B, SLDT—Store Local Descriptor Table Register",
    forms: [["0F 00 /0", "Ev"]],
    system: (port, instruction) => {
      const [target] = instruction.operands;
      writeOperand(port, instruction, target!, port.system.ldtr.selector, target!.kind === "memory" ? 16 : undefined);
    },
  },
  {
    ...system,
    mnemonic: "STR",
    summary: "Stores the selector of the TSS.",
    spec: "SDM Vol. 2B, STR—Store Task Register",
    forms: [["0F 00 /1", "Ev"]],
    system: (port, instruction) => {
      const [target] = instruction.operands;
      writeOperand(port, instruction, target!, port.system.tr.selector, target!.kind === "memory" ? 16 : undefined);
    },
  },
  {
    ...system,
    mnemonic: "LLDT",
    summary: "Loads LDTR.",
    spec: "SDM Vol. 2A, LLDT—Load Local Descriptor Table Register",
    forms: [["0F 00 /2", "Ew"]],
    system: privileged((port, instruction) =>
      loadLdt(port, readOperand(port, instruction, instruction.operands[0]!, 16)),
    ),
  },
  {
    ...system,
    mnemonic: "LTR",
    summary: "Loads TR and marks the TSS busy.",
    spec: "SDM Vol. 2A, LTR—Load Task Register",
    forms: [["0F 00 /3", "Ew"]],
    system: privileged((port, instruction) =>
      loadTask(port, readOperand(port, instruction, instruction.operands[0]!, 16)),
    ),
  },
  {
    ...system,
    mnemonic: "VERR",
    summary: "Sets ZF if the segment may be read.",
    spec: "SDM Vol. 2B, VERR/VERW—Verify a Segment for Reading or Writing",
    forms: [["0F 00 /4", "Ew"]],
    flags: { written: "Z" },
    system: verify(false),
  },
  {
    ...system,
    mnemonic: "VERW",
    summary: "Sets ZF if the segment may be written.",
    spec: "SDM Vol. 2B, VERR/VERW—Verify a Segment for Reading or Writing",
    forms: [["0F 00 /5", "Ew"]],
    flags: { written: "Z" },
    system: verify(true),
  },
  {
    ...system,
    mnemonic: "LAR",
    summary: "Loads the access rights of a segment.",
    spec: "SDM Vol. 2A, LAR—Load Access Rights Byte",
    forms: [["0F 02 /r", "Gv Ew"]],
    flags: { written: "Z" },
    system: loadAccessRights,
  },
  {
    ...system,
    mnemonic: "LSL",
    summary: "Loads the limit of a segment.",
    spec: "SDM Vol. 2A, LSL—Load Segment Limit",
    forms: [["0F 03 /r", "Gv Ew"]],
    flags: { written: "Z" },
    system: loadLimit,
  },
  {
    ...system,
    mnemonic: "ARPL",
    summary: "Raises the RPL of a selector to that of another.",
    spec: "SDM Vol. 2A, ARPL—Adjust RPL Field of Segment Selector",
    forms: [["63 /r", "Ew Gw"]],
    flags: { written: "Z" },
    system: (port, instruction) => {
      const [target, source] = instruction.operands;
      const value = readOperand(port, instruction, target!, 16);
      const rpl = readOperand(port, instruction, source!, 16) & 3;
      if ((value & 3) < rpl) writeOperand(port, instruction, target!, (value & ~3) | rpl, 16);
      setZero(port, (value & 3) < rpl);
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
      const [eax, ebx, ecx, edx] = identify(port.getRegister(0));
      port.setRegister(0, eax);
      port.setRegister(3, ebx);
      port.setRegister(1, ecx);
      port.setRegister(2, edx);
    },
  },
];

export const systemRows = definitions.flatMap(define);
