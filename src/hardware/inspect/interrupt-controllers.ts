/**
 * The two 8259As as a list of lines: who drives each, what is requested, masked and in service, and what comes next.
 * Manual: Intel 8259A datasheet; IBM PC/AT Technical Reference, "System Interrupts".
 */
import { FLAG } from "../cpu/state.js";
import type { PicPairState } from "../devices/pic-pair.js";
import { type Pic8259State, requestedLevel, vectorOf } from "../devices/pic8259.js";
import { INTERRUPT_LINES } from "../devices/port-map.js";
import type { Machine } from "../machine.js";
import { deepFreeze } from "../machine-content.js";

export interface InterruptControllerLine {
  /** 0 to 15. */
  readonly line: number;
  readonly chip: "master" | "slave";
  /** What drives the line: "pit", "uart", or "slave" for line 2. Absent where nothing does. */
  readonly device?: string;
  readonly sense: "edge" | "level";
  /** The pin is high. */
  readonly input: boolean;
  /** In IRR. */
  readonly requested: boolean;
  /** In ISR. */
  readonly inService: boolean;
  /** In IMR; a line of the slave is masked by line 2 of the master, too. */
  readonly masked: boolean;
  /** Place among the levels of its chip: 0 is served first, 7 last. */
  readonly priority: number;
  readonly vector: number;
}

export interface InterruptController {
  readonly chip: "master" | "slave";
  readonly IRR: number;
  readonly ISR: number;
  readonly IMR: number;
  /** Vector of line 0 of the chip. */
  readonly vectorBase: number;
  readonly autoEndOfInterrupt: boolean;
  readonly specialMask: boolean;
  /** The initialization command word it waits for, 1 to 4; 0 when it is initialized. */
  readonly awaitsIcw: number;
}

export interface InterruptControllers {
  readonly chips: readonly InterruptController[];
  /** Lines 0 to 15. */
  readonly lines: readonly InterruptControllerLine[];
  /** What the processor would be given now; absent where INTR is low. */
  readonly next?: { readonly line: number; readonly vector: number };
  /** EFLAGS.IF. */
  readonly enabled: boolean;
}

const CASCADE = 2;
const AUTO_END = 2;
const LEVEL_TRIGGERED = 8;

/**
 * Both interrupt controllers: their lines, and the interrupt they would give next.
 *
 * @example
 * const machine = Machine.boot({ image: guest("rings") }).run({ until: { serial: "hello" } });
 * const { lines, chips } = interruptControllers(machine);
 * lines.filter(({ masked }) => !masked).map(({ line, device, vector }) => [line, device, vector]) // => [ [ 0, 'pit', 32 ] ]
 * chips.map(({ vectorBase }) => vectorBase) // => [ 32, 40 ]
 */
export function interruptControllers(machine: Machine): InterruptControllers {
  const { pic } = machine.devices;
  const next = nextOf(pic);
  return deepFreeze({
    chips: [chipOf("master", pic.master), chipOf("slave", pic.slave)],
    lines: Array.from({ length: 16 }, (_, line) => lineOf(pic, line)),
    ...(next === undefined ? {} : { next }),
    enabled: (machine.registers.eflags & FLAG.IF) !== 0,
  });
}

const chipOf = (chip: InterruptController["chip"], state: Pic8259State): InterruptController => ({
  chip,
  IRR: state.IRR,
  ISR: state.ISR,
  IMR: state.IMR,
  vectorBase: vectorOf(state, 0),
  autoEndOfInterrupt: (state.ICW4 & AUTO_END) !== 0,
  specialMask: state.specialMask,
  awaitsIcw: state.ICW1 === 0 ? 1 : state.nextIcw,
});

function lineOf(pic: PicPairState, line: number): InterruptControllerLine {
  const chip = line < 8 ? "master" : "slave";
  const state = pic[chip];
  const level = line & 7;
  const has = (register: number): boolean => ((register >> level) & 1) !== 0;
  const device = line === CASCADE ? "slave" : INTERRUPT_LINES.find((one) => one.line === line)?.device;
  return {
    line,
    chip,
    ...(device === undefined ? {} : { device }),
    sense: (state.ICW1 & LEVEL_TRIGGERED) !== 0 || has(state.ELCR) ? "level" : "edge",
    input: has(state.inputs),
    requested: has(state.IRR),
    inService: has(state.ISR),
    masked: has(state.IMR) || (chip === "slave" && (pic.master.IMR & (1 << CASCADE)) !== 0),
    priority: (level - state.lowestPriority - 1) & 7,
    vector: vectorOf(state, level),
  };
}

/** As the acknowledgement would find it, which takes nothing here. */
function nextOf(pic: PicPairState): InterruptControllers["next"] {
  const level = requestedLevel(pic.master);
  if (level < 0) return undefined;
  if (level !== CASCADE) return { line: level, vector: vectorOf(pic.master, level) };
  // The slave's request may be gone by now: then it answers with its lowest level.
  const line = 8 + (requestedLevel(pic.slave) & 7);
  return { line, vector: vectorOf(pic.slave, line & 7) };
}
