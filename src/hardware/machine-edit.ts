/** What people may edit of a machine, and what no machine could be after it. */
import { produce } from "immer";
import { VirtlabError } from "../state/error.js";
import { type FloatingState, MXCSR_BITS } from "./cpu/floating.js";
import { includes } from "./cpu/model.js";
import { type CpuState, codeBitsOf, FLAG, generalNames, isCanonical, noWide, WIDE_WORDS } from "./cpu/state.js";
import type { DeviceSet } from "./devices/bus.js";
import { firstMisfit } from "./machine-content.js";
import { isWide, type LongRegisters, longNames, longRegisters } from "./registers.js";
import type { MachineState } from "./state.js";

/** What `machine.edit` may change. */
export interface EditableMachine {
  /** RAX to R15 and RIP are there where the processor has long mode. EAX is the low half of RAX: change one of them. */
  registers: { -readonly [K in (typeof generalNames)[number] | "eip" | "eflags"]: number } & {
    -readonly [K in (typeof longNames)[number] | "rip"]: bigint;
  };
  /** x87, MMX and XMM registers with their control words; what a register has no room for is cut off. */
  floating: { -readonly [K in keyof FloatingState]: FloatingState[K] extends number ? number : bigint[] };
  devices: { -readonly [K in keyof DeviceSet]: DeviceSet[K] };
}

type EditedRegisters = Record<(typeof generalNames)[number] | "eip" | "eflags", number> & Partial<LongRegisters>;

/** All EFLAGS bits but those that always read as zero. */
const DEFINED_FLAGS = 0x3f7fd7;

/**
 * The state with registers or devices edited; registers of the processor with this number, or of the one whose turn it is.
 *
 * @throws VirtlabError for what no machine could be: unknown registers or devices, another VM flag, values that are no
 * numbers; and for a processor that the machine has not.
 */
export function editedState(
  state: MachineState,
  recipe: (draft: EditableMachine) => void,
  processor: number = state.turn?.processor ?? 0,
): MachineState {
  const { devices } = state;
  const cpu = processorOf(state, processor);
  const before = { registers: editable(cpu), floating: cpu.floating, devices };
  const after = produce(before, (draft) => {
    recipe(draft as unknown as EditableMachine); // what it returns, as a short arrow function does, is not meant
  });
  if (((after.registers.eflags ^ cpu.eflags) & FLAG.VM) !== 0)
    throw new VirtlabError("edit: EFLAGS.VM cannot be changed: the segment registers would have to change with it");
  for (const [name, value] of Object.entries(after.registers)) {
    const old = before.registers[name as "eax"] as number | bigint | undefined;
    if (old === undefined) throw new VirtlabError(`edit: there is no register "${name}"`);
    if (typeof old === "number" && !Number.isInteger(value))
      throw new VirtlabError(`edit: ${name} is not a whole number (${String(value)})`);
    if (typeof old === "bigint" && typeof value !== "bigint")
      throw new VirtlabError(`edit: ${name} is not a bigint (${String(value)})`);
  }
  const misfit = firstMisfit(before, after, "edit") ?? firstMisfit(after, before, "edit");
  if (misfit !== undefined) throw new VirtlabError(`${misfit} is unknown, missing or of the wrong type`);
  const edited = editedCpu(cpu, before.registers, after.registers);
  const floating = editedFloating(cpu.floating, after.floating);
  return { ...withProcessor(state, processor, { ...edited, floating }), devices: after.devices };
}

/** Where a processor stands among those whose turn it is not; undefined for the one whose turn it is. */
function indexOfOther({ turn }: MachineState, number: number): number | undefined {
  if (number === (turn?.processor ?? 0)) return undefined;
  return turn !== undefined && number > turn.processor ? number - 1 : number;
}

/** A processor by its number. */
export function processorOf(state: MachineState, number: number): CpuState {
  const index = indexOfOther(state, number);
  const cpu = index === undefined ? state.cpu : state.turn?.others[index];
  if (cpu === undefined) throw new VirtlabError(`edit: there is no processor ${number}`);
  return cpu;
}

function withProcessor(state: MachineState, number: number, cpu: CpuState): MachineState {
  const index = indexOfOther(state, number);
  if (index === undefined || state.turn === undefined) return { ...state, cpu };
  return { ...state, turn: { ...state.turn, others: state.turn.others.map((old, at) => (at === index ? cpu : old)) } };
}

/** FCW's bits, and the one that is always set. Spec: SDM Vol. 1, "x87 FPU Control Word". */
const [FCW_BITS, FCW_ONES] = [0x1f3f, 0x40];

function editedFloating(old: FloatingState, now: FloatingState): FloatingState {
  if (now === old) return old;
  const cut = (bits: number, values: readonly bigint[]): readonly bigint[] =>
    Object.freeze(values.map((value) => BigInt.asUintN(bits, value)));
  return {
    ...now,
    control: (now.control & FCW_BITS) | FCW_ONES,
    status: now.status & 0xffff,
    tags: now.tags & 0xffff,
    opcode: now.opcode & 0x7ff,
    instructionSelector: now.instructionSelector & 0xffff,
    dataSelector: now.dataSelector & 0xffff,
    mxcsr: now.mxcsr & MXCSR_BITS,
    registers: cut(80, now.registers),
    xmm: cut(128, now.xmm),
  };
}

function editable(cpu: CpuState): EditedRegisters {
  const { eax, ecx, edx, ebx, esp, ebp, esi, edi, eip, eflags } = cpu;
  const narrow = { eax, ecx, edx, ebx, esp, ebp, esi, edi, eip, eflags };
  if (!includes(cpu.system.model, "LM") && !isWide(cpu)) return narrow;
  const { rflags: _rflags, ...long } = longRegisters(cpu);
  return { ...narrow, ...long };
}

/** Which of two names of a register was used. */
function changed(
  old: EditedRegisters,
  now: EditedRegisters,
  narrow: keyof EditedRegisters,
  long: keyof LongRegisters,
): boolean {
  const isLong = old[long] !== now[long];
  if (isLong && old[narrow] !== now[narrow])
    throw new VirtlabError(`edit: ${narrow} and ${long} are one register: change one of them`);
  return isLong;
}

const word = (value: bigint): number => Number(BigInt.asIntN(32, value));

function editedCpu(cpu: CpuState, old: EditedRegisters, now: EditedRegisters): CpuState {
  const edited: Record<string, number> = {};
  const wide = Array.from({ length: WIDE_WORDS }, (_, index) => cpu.wide[index]!);
  for (const [number, long] of longNames.entries()) {
    const narrow = generalNames[number];
    const value = now[long];
    if (narrow === undefined) {
      const at = 8 + 2 * (number - 8);
      if (value !== undefined && old[long] !== value) [wide[at], wide[at + 1]] = [word(value), word(value >> 32n)];
    } else if (changed(old, now, narrow, long)) {
      edited[narrow] = word(value!);
      wide[number] = word(value! >> 32n);
    } else edited[narrow] = now[narrow] | 0;
  }
  const eip = changed(old, now, "eip", "rip") ? pointerOf(now.rip!) : now.eip;
  const code64 = codeBitsOf(cpu.system) === 64;
  if (code64 && !isCanonical(eip)) throw new VirtlabError("edit: rip is no canonical address");
  return {
    ...cpu,
    ...edited,
    wide: sealed(cpu.wide, wide),
    eip: code64 ? eip : eip | 0,
    eflags: (now.eflags | FLAG.RESERVED) & DEFINED_FLAGS,
  };
}

function sealed(old: readonly number[], now: readonly number[]): readonly number[] {
  if (now.every((part, index) => part === old[index])) return old;
  return now.every((part) => part === 0) ? noWide : Object.freeze(now);
}

const pointerOf = (rip: bigint): number => Number(BigInt.asIntN(64, rip));
