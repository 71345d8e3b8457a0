/** x87 comparisons and FXAM. Spec: SDM Vol. 1, "x87 FPU Comparison Instructions". */
import { type FloatingRegisters, STATUS } from "../../cpu/floating.js";
import type { ProcessorPort } from "../../cpu/processor.js";
import { compare, EXTENDED, isStopped, ORDER, type Order, unpack } from "../../cpu/softfloat/index.js";
import { FLAG } from "../../cpu/state.js";
import { begin, getStack, isEmpty, numeric, pop, report, setConditions, stackFault } from "../../cpu/x87.js";
import { floatOperand, integerOperand, type OperandReader } from "../../cpu/x87-operands.js";
import { type Definition, define, type SystemInstruction } from "../instruction.js";
import { x87 } from "./x87-forms.js";

const { C0, C1, C2, C3 } = STATUS;

/** Where a comparison's result goes. */
type Teller = (port: ProcessorPort, order: Order) => void;

const inStatus: Teller = ({ floating }, order) => {
  setConditions(
    floating,
    { [ORDER.greater]: 0, [ORDER.less]: C0, [ORDER.equal]: C3, [ORDER.unordered]: C3 | C2 | C0 }[order],
  );
};

const { CF, PF, ZF, OF, SF, AF } = FLAG;
const inFlags: Teller = (port, order) => {
  const flags = { [ORDER.greater]: 0, [ORDER.less]: CF, [ORDER.equal]: ZF, [ORDER.unordered]: ZF | PF | CF }[order];
  port.setEflags((port.getEflags() & ~(CF | PF | ZF | OF | SF | AF)) | flags);
};

interface Comparison {
  readonly tell: Teller;
  /** Quiet NaNs are not invalid. */
  readonly quiet: boolean;
  readonly pops: number;
}

/** Compares ST(0) with what is read; nothing is read of an empty register. */
function compareWith(
  port: ProcessorPort,
  { tell, quiet, pops }: Comparison,
  empty: boolean,
  read: (env: ReturnType<typeof begin>) => bigint,
): void {
  const { floating } = port;
  if (empty || isEmpty(floating, 0)) {
    if (!stackFault(floating, false)) return;
    tell(port, ORDER.unordered);
  } else {
    const env = begin(floating);
    const order = compare(EXTENDED, getStack(floating, 0), read(env), env, quiet);
    report(floating, env);
    if (isStopped(env)) return;
    tell(port, order);
  }
  pop(floating, pops);
}

const withMemory = (comparison: Comparison, read: OperandReader): SystemInstruction =>
  numeric((port, instruction) => compareWith(port, comparison, false, read(port, instruction)));

const withRegister = (comparison: Comparison): SystemInstruction =>
  numeric((port, { operands }) => {
    const other = operands.at(-1);
    const index = other?.kind === "x87" ? other.number : 1;
    compareWith(port, comparison, isEmpty(port.floating, index), () => getStack(port.floating, index));
  });

/** Spec: SDM Vol. 2A, "FXAM—Examine Floating-Point", table "FXAM Results". */
function classOf(floating: FloatingRegisters): number {
  if (isEmpty(floating, 0)) return C3 | C0;
  const { kind, denormal } = unpack(EXTENDED, getStack(floating, 0));
  if (denormal) return C3 | C2;
  return { unsupported: 0, quiet: C0, signaling: C0, finite: C2, infinity: C2 | C0, zero: C3 }[kind];
}

const FCOM = "SDM Vol. 2A, FCOM/FCOMP/FCOMPP—Compare Floating-Point Values";
const FUCOM = "SDM Vol. 2A, FUCOM/FUCOMP/FUCOMPP—Unordered Compare Floating-Point Values";
const FCOMI = "SDM Vol. 2A, FCOMI/FCOMIP/FUCOMI/FUCOMIP—Compare Floating-Point Values and Set EFLAGS";
const FICOM = "SDM Vol. 2A, FICOM/FICOMP—Compare Integer";

const ordered = { tell: inStatus, quiet: false, pops: 0 } as const;
const unordered = { tell: inStatus, quiet: true, pops: 0 } as const;

const definitions: readonly Definition[] = [
  ...([0, 1] as const).flatMap((pops): Definition[] => {
    const more = pops === 0 ? "" : " and pops";
    const suffix = pops === 0 ? "" : "P";
    const base = 0xd0 + 8 * pops;
    const registers = `${base.toString(16).toUpperCase()}+i`;
    return [
      {
        ...x87,
        mnemonic: `FCOM${suffix}`,
        summary: `Compares ST(0) with a number in memory${more}.`,
        spec: FCOM,
        forms: [
          [`D8 /${2 + pops}`, "Md"],
          [`DC /${2 + pops}`, "Mq"],
        ],
        system: withMemory({ ...ordered, pops }, floatOperand),
      },
      {
        ...x87,
        mnemonic: `FCOM${suffix}`,
        summary: `Compares ST(0) with ST(i)${more}.`,
        spec: FCOM,
        forms: [
          [`D8 ${registers}`, "STi"],
          [`DC ${registers}`, "STi"],
          ...(pops === 0 ? [] : [["DE D0+i", "STi"] as const]),
        ],
        system: withRegister({ ...ordered, pops }),
      },
      {
        ...x87,
        mnemonic: `FICOM${suffix}`,
        summary: `Compares ST(0) with an integer in memory${more}.`,
        spec: FICOM,
        forms: [
          [`DA /${2 + pops}`, "Md"],
          [`DE /${2 + pops}`, "Mw"],
        ],
        system: withMemory({ ...ordered, pops }, integerOperand),
      },
      {
        ...x87,
        mnemonic: `FUCOM${suffix}`,
        summary: `Compares ST(0) with ST(i)${more}; a quiet NaN is not invalid.`,
        spec: FUCOM,
        forms: [[pops === 0 ? "DD E0+i" : "DD E8+i", "STi"]],
        system: withRegister({ ...unordered, pops }),
      },
      {
        ...x87,
        mnemonic: pops === 0 ? "FCOMI" : "FCOMIP",
        summary: `Compares ST(0) with ST(i), sets EFLAGS${more}.`,
        spec: FCOMI,
        forms: [[pops === 0 ? "DB F0+i" : "DF F0+i", "ST0 STi"]],
        needs: ["FPU", "CMOV"],
        flags: { written: "OSZAPC" },
        system: withRegister({ tell: inFlags, quiet: false, pops }),
      },
      {
        ...x87,
        mnemonic: pops === 0 ? "FUCOMI" : "FUCOMIP",
        summary: `Compares ST(0) with ST(i), sets EFLAGS${more}; a quiet NaN is not invalid.`,
        spec: FCOMI,
        forms: [[pops === 0 ? "DB E8+i" : "DF E8+i", "ST0 STi"]],
        needs: ["FPU", "CMOV"],
        flags: { written: "OSZAPC" },
        system: withRegister({ tell: inFlags, quiet: true, pops }),
      },
    ];
  }),
  {
    ...x87,
    mnemonic: "FCOMPP",
    summary: "Compares ST(0) with ST(1) and pops both.",
    spec: FCOM,
    forms: [["DE D9"]],
    system: withRegister({ ...ordered, pops: 2 }),
  },
  {
    ...x87,
    mnemonic: "FUCOMPP",
    summary: "Compares ST(0) with ST(1) and pops both; a quiet NaN is not invalid.",
    spec: FUCOM,
    forms: [["DA E9"]],
    system: withRegister({ ...unordered, pops: 2 }),
  },
  {
    ...x87,
    mnemonic: "FTST",
    summary: "Compares ST(0) with 0.",
    spec: "SDM Vol. 2A, FTST—TEST",
    forms: [["D9 E4"]],
    system: numeric((port) => compareWith(port, ordered, false, () => 0n)),
  },
  {
    ...x87,
    mnemonic: "FXAM",
    summary: "Tells the class and the sign of ST(0).",
    spec: "SDM Vol. 2A, FXAM—Examine Floating-Point",
    forms: [["D9 E5"]],
    system: numeric(({ floating }) => {
      const negative = (getStack(floating, 0) & EXTENDED.signBit) !== 0n;
      setConditions(floating, classOf(floating) | (negative ? C1 : 0));
    }),
  },
];

export const x87CompareRows = definitions.flatMap(define);
