/** Control of x87 and SSE: initializing, control and status words, saving and restoring all registers. Spec: SDM Vol. 1, "x87 FPU Control Instructions", "MXCSR Control and Status Register". */
import { type FloatingRegisters, STATUS } from "../../cpu/floating.js";
import { raisePending, requireSse, requireX87 } from "../../cpu/floating-faults.js";
import {
  environmentSize,
  type FastFormat,
  fastMxcsr,
  fastSize,
  initialize,
  readEnvironment,
  readFast,
  readState,
  setControl,
  stateSize,
  writeEnvironment,
  writeFast,
  writeState,
} from "../../cpu/floating-images.js";
import { isAlignedTo16, operandAddress, readOperand, writeOperand } from "../../cpu/operands.js";
import { Fault, type ProcessorPort, VECTOR } from "../../cpu/processor.js";
import { CR0, CR4 } from "../../cpu/state.js";
import { control, waitingControl } from "../../cpu/x87.js";
import { type DecodedInstruction, type Definition, define, type SystemInstruction } from "../instruction.js";
import { x87 } from "./x87-forms.js";

/** An image on its way to or from memory, in words. */
const words = new Int32Array(128);
const image = new DataView(words.buffer);
/** The low 16 bits that are left of an image of 14 bytes. */
const HALF = 2;

function load(port: ProcessorPort, instruction: DecodedInstruction, size: number): void {
  const linear = operandAddress(port, instruction, size, false);
  const user = port.cpl === 3;
  port.readWords(linear, size >> 2, user, words);
  if ((size & HALF) !== 0) image.setUint16(size - HALF, port.readLinear(linear + size - HALF, HALF, user), true);
}

function store(port: ProcessorPort, instruction: DecodedInstruction, size: number, write: () => void): void {
  const linear = operandAddress(port, instruction, size, true);
  const user = port.cpl === 3;
  port.checkWrite(linear, size, user);
  write();
  if ((size & HALF) !== 0) port.writeLinear(linear + size - HALF, HALF, image.getUint16(size - HALF, true), user);
  port.writeWords(linear, size >> 2, user, words);
}

/** MXCSR's bits, and whether DAZ is one of them. */
const MXCSR_BITS = 0xffff;

const fastFormat = ({ system, codeBits }: ProcessorPort, { size }: DecodedInstruction): FastFormat => ({
  wide: size === 64,
  xmmCount: codeBits === 64 ? 16 : 8,
  mxcsrBits: (system.cr4 & CR4.OSFXSR) === 0 ? 0 : MXCSR_BITS,
});

/** An instruction on FXSAVE's region, which must be aligned: in which format it is, and how many bytes of it there are. */
const onRegion =
  (
    action: (port: ProcessorPort, instruction: DecodedInstruction, format: FastFormat, size: number) => void,
  ): SystemInstruction =>
  (port, instruction) => {
    requireX87(port);
    if (!isAlignedTo16(port, instruction)) throw new Fault(VECTOR.GP, 0, "operand-not-aligned");
    const format = fastFormat(port, instruction);
    action(port, instruction, format, fastSize(format.mxcsrBits === 0 ? 0 : format.xmmCount));
  };

/** What MXCSR may become. */
function requireMxcsr(value: number): void {
  if ((value & ~MXCSR_BITS) !== 0) throw new Fault(VECTOR.GP, 0, "mxcsr-reserved");
}

const storingWord = (of: (floating: FloatingRegisters) => number): SystemInstruction =>
  control((port, instruction) => writeOperand(port, instruction, instruction.operands[0]!, of(port.floating)));

type SizeOf = (operandSize: number) => number;
type Image = typeof writeState;

/** Stores an image, behind which the registers change. */
const storingImage = (sizeOf: SizeOf, write: Image, behind: (floating: FloatingRegisters) => void): SystemInstruction =>
  control((port, instruction) => {
    const { size } = instruction;
    store(port, instruction, sizeOf(size), () => write(port, image, size));
    behind(port.floating);
  });

const loadingImage = (sizeOf: SizeOf, read: Image): SystemInstruction =>
  waitingControl((port, instruction) => {
    load(port, instruction, sizeOf(instruction.size));
    read(port, image, instruction.size);
  });

const obsolete = [
  ["FNENI", "DB E0", "it let the 8087 interrupt"],
  ["FNDISI", "DB E1", "it kept the 8087 from interrupting"],
  ["FNSETPM", "DB E4", "it told the 287 of protected mode"],
] as const;

const definitions: readonly Definition[] = [
  {
    mnemonic: "WAIT",
    group: "x87",
    summary: "Raises the x87 exception that is pending; #NM while CR0.MP and CR0.TS are set.",
    spec: "SDM Vol. 2D, WAIT/FWAIT—Wait",
    forms: [["9B"]],
    system: (port) => {
      if ((port.system.cr0 & (CR0.MP | CR0.TS)) === (CR0.MP | CR0.TS))
        throw new Fault(VECTOR.NM, undefined, "x87-wait-task-switched");
      raisePending(port);
    },
  },
  {
    ...x87,
    mnemonic: "FNINIT",
    summary: "Initializes the x87 environment; registers stay, but are empty.",
    spec: "SDM Vol. 2A, FINIT/FNINIT—Initialize Floating-Point Unit",
    forms: [["DB E3"]],
    system: control(({ floating }) => initialize(floating)),
  },
  {
    ...x87,
    mnemonic: "FNCLEX",
    summary: "Clears the exception flags and what is pending.",
    spec: "SDM Vol. 2A, FCLEX/FNCLEX—Clear Exceptions",
    forms: [["DB E2"]],
    system: control(({ floating }) => {
      floating.status &= ~(STATUS.EXCEPTIONS | STATUS.STACK_FAULT | STATUS.SUMMARY | STATUS.BUSY);
    }),
  },
  ...obsolete.map(
    ([mnemonic, opcode, what]): Definition => ({
      ...x87,
      mnemonic,
      summary: `Does nothing; ${what}.`,
      spec: 'SDM Vol. 3B, "Obsolete Instructions and Undefined Opcodes"',
      forms: [[opcode]],
      system: control(() => {}),
    }),
  ),
  {
    ...x87,
    mnemonic: "FNSTCW",
    summary: "Stores the control word.",
    spec: "SDM Vol. 2A, FSTCW/FNSTCW—Store x87 FPU Control Word",
    forms: [["D9 /7", "Mw"]],
    system: storingWord(({ control: word }) => word),
  },
  {
    ...x87,
    mnemonic: "FLDCW",
    summary: "Loads the control word.",
    spec: "SDM Vol. 2A, FLDCW—Load x87 FPU Control Word",
    forms: [["D9 /5", "Mw"]],
    system: waitingControl((port, instruction) =>
      setControl(port.floating, readOperand(port, instruction, instruction.operands[0]!)),
    ),
  },
  {
    ...x87,
    mnemonic: "FNSTSW",
    summary: "Stores the status word, in memory or in AX.",
    spec: "SDM Vol. 2A, FSTSW/FNSTSW—Store x87 FPU Status Word",
    forms: [
      ["DD /7", "Mw"],
      ["DF E0", "AX"],
    ],
    system: storingWord(({ status }) => status),
  },
  {
    ...x87,
    mnemonic: "FNSTENV",
    summary: "Stores the x87 environment, and masks all exceptions.",
    spec: "SDM Vol. 2A, FSTENV/FNSTENV—Store x87 FPU Environment",
    forms: [["D9 /6", "M"]],
    sized: true,
    system: storingImage(environmentSize, writeEnvironment, (floating) =>
      setControl(floating, floating.control | STATUS.EXCEPTIONS),
    ),
  },
  {
    ...x87,
    mnemonic: "FLDENV",
    summary: "Loads the x87 environment.",
    spec: "SDM Vol. 2A, FLDENV—Load x87 FPU Environment",
    forms: [["D9 /4", "M"]],
    sized: true,
    system: loadingImage(environmentSize, readEnvironment),
  },
  {
    ...x87,
    mnemonic: "FNSAVE",
    summary: "Stores the x87 environment and registers, and initializes them.",
    spec: "SDM Vol. 2A, FSAVE/FNSAVE—Store x87 FPU State",
    forms: [["DD /6", "M"]],
    sized: true,
    system: storingImage(stateSize, writeState, initialize),
  },
  {
    ...x87,
    mnemonic: "FRSTOR",
    summary: "Loads the x87 environment and registers.",
    spec: "SDM Vol. 2A, FRSTOR—Restore x87 FPU State",
    forms: [["DD /4", "M"]],
    sized: true,
    system: loadingImage(stateSize, readState),
  },
  {
    ...x87,
    mnemonic: "FXSAVE",
    summary: "Stores the x87, MMX and SSE registers.",
    spec: "SDM Vol. 2A, FXSAVE—Save x87 FPU, MMX Technology, and SSE State",
    forms: [["NP 0F AE /0", "M"]],
    needs: "FXSR",
    rexSized: true,
    system: onRegion((port, instruction, format, size) =>
      store(port, instruction, size, () => writeFast(port, image, format)),
    ),
  },
  {
    ...x87,
    mnemonic: "FXRSTOR",
    summary: "Loads the x87, MMX and SSE registers.",
    spec: "SDM Vol. 2A, FXRSTOR—Restore x87 FPU, MMX, XMM, and MXCSR State",
    forms: [["NP 0F AE /1", "M"]],
    needs: "FXSR",
    rexSized: true,
    system: onRegion((port, instruction, format, size) => {
      load(port, instruction, size);
      if (format.mxcsrBits !== 0) requireMxcsr(fastMxcsr(image));
      readFast(port, image, format);
    }),
  },
  {
    mnemonic: "LDMXCSR",
    group: "x87",
    summary: "Loads MXCSR.",
    spec: "SDM Vol. 2A, LDMXCSR—Load MXCSR Register",
    forms: [["NP 0F AE /2", "Md"]],
    needs: "SSE",
    system: (port, instruction) => {
      requireSse(port);
      const value = readOperand(port, instruction, instruction.operands[0]!);
      requireMxcsr(value);
      port.floating.mxcsr = value;
    },
  },
  {
    mnemonic: "STMXCSR",
    group: "x87",
    summary: "Stores MXCSR.",
    spec: "SDM Vol. 2B, STMXCSR—Store MXCSR Register State",
    forms: [["NP 0F AE /3", "Md"]],
    needs: "SSE",
    system: (port, instruction) => {
      requireSse(port);
      writeOperand(port, instruction, instruction.operands[0]!, port.floating.mxcsr);
    },
  },
];

export const x87ControlRows = definitions.flatMap(define);
