/**
 * virtlab and QEMU, one step at a time from the same state, until something differs.
 *
 * Both begin with QEMU's general registers, EFLAGS and memory at the image's entry, because a loader leaves them as it
 * likes. Behind every step all registers are compared, and the bytes that virtlab's step wrote; behind a step that
 * changed system state, the descriptors, table and debug registers behind the selectors as well; at the end, all memory.
 *
 * Interrupts stay off on both sides: QEMU masks them while it is stepped, and a delivery in virtlab is taken back with
 * its interrupt controller masked. So the comparison ends at HLT, and a guest that waits for a tick waits for ever.
 * Steps agree otherwise: QEMU, too, stops behind one REP iteration and behind the delivery of one exception. What differs
 * by nature is in `lockstep-nature.ts`.
 */
import { PTE } from "../../src/hardware/cpu/paging.js";
import type { Segment, TableRegister } from "../../src/hardware/cpu/state.js";
import { ACCESS, segmentNames } from "../../src/hardware/cpu/state.js";
import { decode } from "../../src/hardware/isa/decoder.js";
import { disassemble } from "../../src/hardware/isa/disassembler.js";
import type { DecodedInstruction } from "../../src/hardware/isa/instruction.js";
import { Machine, type Registers } from "../../src/hardware/machine.js";
import type { Stop } from "../../src/hardware/state.js";
import { VirtlabError } from "../../src/state/error.js";
import { adoptionOf, bytesWritten, descriptorsLoaded, undefinedFlags } from "./lockstep-nature.js";
import type { HiddenState, Qemu } from "./qemu.js";

/** In the order in which the first difference is looked for. */
export const comparedRegisters = [
  ...["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip", "eflags"],
  ...["cs", "ss", "ds", "es", "fs", "gs", "cr0", "cr2", "cr3", "cr4"],
] as readonly (keyof Registers)[];
const adoptedAtStart = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eflags"] as const;

const PAGE = 4096;
const LONGEST_INSTRUCTION = 15;
/** Longest answer of the stub to a request for memory. */
const LONGEST_READ = 2048;
/** Steps that a report shows. */
const RECENT = 10;
/** Video memory, which is a device, and behind it QEMU's ROMs, which are not written. */
const HOLE = { start: 0xa_0000, end: 0x10_0000 } as const;
/** Steps virtlab may take to the address where the comparison is to begin. */
const LONGEST_APPROACH = 1e9;
const ALL_MASKED = 0xff;
/** Bit 0 of an error code. */
const EXT = 1;
/** What tells an error code from the EIP that is on top of the stack where there is none. */
const LARGEST_ERROR_CODE = 0xffff;
/** In the type of a system descriptor. */
const TSS_BUSY = 2;

/** One thing that is not the same: a register by name, or "memory at 0x…", or how a run ended. */
export interface Unequal {
  readonly what: string;
  readonly ours: string;
  readonly qemu: string;
}

export interface Difference {
  /** What differs behind the step; the first is the one to look at. */
  readonly unequal: readonly [Unequal, ...Unequal[]];
  /** Of the step that made it, counted from 1; 0 if the machines did not begin alike. */
  readonly step: number;
  /** Linear address and bytes of the instruction that made it, and its text in both disassemblers. */
  readonly instruction: {
    readonly address: number;
    readonly bytes: Uint8Array;
    readonly text: string;
    readonly qemu: string;
  };
  readonly before: Registers;
  readonly after: { readonly ours: Registers; readonly qemu: Registers | undefined };
  /** The steps up to it, the last one included. */
  readonly recent: readonly { readonly address: number; readonly text: string }[];
}

export interface Outcome {
  /** Steps that were compared. */
  readonly steps: number;
  /** Why the comparison ended. */
  readonly end: "difference" | "limit" | "halt" | "debug-exit" | "reset" | "triple-fault";
  readonly difference?: Difference;
  /** How often something that differs by nature did differ and was taken over from QEMU. */
  readonly adopted: Readonly<Record<string, number>>;
}

export interface LockstepOptions {
  /** Steps at the most. */
  readonly steps: number;
  /** Begin in front of the instruction at this EIP; up to there both run freely. */
  readonly from?: number | undefined;
  /** How virtlab makes a step; another one is for tests of the comparison itself. */
  readonly step?: (machine: Machine) => Machine;
  readonly progress?: (steps: number) => void;
}

const hex = (value: number, digits = 8): string => (value >>> 0).toString(16).padStart(digits, "0");
const readWord = (bytes: Uint8Array): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
const hexBytes = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** Bytes at EIP, as many as are mapped and an instruction can have. */
export function codeAt(machine: Machine): Uint8Array {
  const linear = (machine.cpu.system.segments.cs.base + machine.registers.eip) >>> 0;
  const first = Math.min(LONGEST_INSTRUCTION, PAGE - (linear % PAGE));
  const here = readIfMapped(machine, linear, first);
  if (here.length < first || first === LONGEST_INSTRUCTION) return here;
  return Buffer.concat([here, readIfMapped(machine, (linear + first) >>> 0, LONGEST_INSTRUCTION - first)]);
}

function readIfMapped(machine: Machine, linear: number, length: number): Uint8Array {
  try {
    return machine.readLinear(linear, length);
  } catch (error) {
    if (error instanceof VirtlabError) return new Uint8Array();
    throw error;
  }
}

const ENDED = Symbol("end of what is mapped");

/** The instruction at EIP; undefined if there is none, or not all of it is mapped. */
export function instructionAt(machine: Machine): DecodedInstruction | undefined {
  const bytes = codeAt(machine);
  try {
    const decoded = decode((index) => {
      if (bytes[index] === undefined) throw ENDED;
      return bytes[index];
    }, machine.registers.eip);
    return decoded.row === undefined ? undefined : decoded;
  } catch (thrown) {
    if (thrown === ENDED) return undefined;
    throw thrown;
  }
}

function textOf(machine: Machine): string {
  const [instruction] = disassemble(codeAt(machine), { address: machine.registers.eip, count: 1 });
  return instruction?.text ?? "(not mapped)";
}

function unequalRegisters(ours: Registers, qemu: Registers): Unequal[] {
  return comparedRegisters
    .filter((name) => ours[name] !== qemu[name])
    .map((name) => ({ what: name, ours: hex(ours[name]), qemu: hex(qemu[name]) }));
}

/**
 * Descriptors of selectors that are not null, and the table registers that the guest has loaded. QEMU's hidden copies
 * keep the accessed and busy bits as they were in memory before the load; nothing sees them there.
 */
function unequalSystem(machine: Machine, start: Machine, qemu: HiddenState): Unequal[] {
  const { system } = machine.cpu;
  const initial = start.cpu.system;
  const found: Unequal[] = [];
  const compare = (what: string, ours: object, theirs: object): void => {
    const show = (record: object): string =>
      Object.entries(record)
        .map(([name, value]) => `${name} ${hex(value as number)}`)
        .join(", ");
    if (show(ours) !== show(theirs)) found.push({ what, ours: show(ours), qemu: show(theirs) });
  };
  const descriptor = ({ selector, base, limit, access }: Segment) => ({
    ...{ selector, base, limit },
    access: access & ~((access & ACCESS.S) === 0 ? TSS_BUSY : ACCESS.ACCESSED),
  });
  const table = ({ base, limit }: TableRegister) => ({ base, limit });
  for (const name of segmentNames) {
    if ((system.segments[name].selector & 0xfffc) !== 0)
      compare(`descriptor of ${name}`, descriptor(system.segments[name]), descriptor(qemu.segments[name]));
  }
  for (const name of ["ldtr", "tr"] as const) {
    if (system[name] !== initial[name] && (system[name].selector & 0xfffc) !== 0)
      compare(name, descriptor(system[name]), descriptor(qemu[name]));
  }
  for (const name of ["gdtr", "idtr"] as const) {
    if (system[name] !== initial[name]) compare(name, table(system[name]), table(qemu[name]));
  }
  compare("debug registers", { ...system.debug }, { ...qemu.debug });
  return found;
}

/** The machine in QEMU's memory, registers and flags. */
async function takeOver(qemu: Qemu, machine: Machine): Promise<Machine> {
  const registers = await qemu.registers();
  const memory = await qemu.readAllMemory(machine.memory.size);
  let next = machine.edit((draft) => {
    for (const name of adoptedAtStart) draft.registers[name] = registers[name];
  });
  for (const address of differingPages(machine, memory))
    next = next.write(address, memory.subarray(address, address + PAGE));
  return next;
}

function differingPages(machine: Machine, memory: Uint8Array): number[] {
  const found: number[] = [];
  for (let address = 0; address < memory.length; address += PAGE) {
    if (address >= HOLE.start && address < HOLE.end) continue;
    if (Buffer.compare(machine.memory.read(address, PAGE), memory.subarray(address, address + PAGE)) !== 0)
      found.push(address);
  }
  return found;
}

/** Both in front of the instruction at `from`, each having run there by itself. */
async function approach(qemu: Qemu, machine: Machine, from: number): Promise<Machine> {
  const where = `0x${from.toString(16)}`;
  const there = machine.run({ until: from, maxInstructions: LONGEST_APPROACH });
  if (there.stop?.reason !== "until") throw new VirtlabError(`virtlab did not come to ${where}: ${there.stop?.reason}`);
  const stop = await qemu.continueTo(from);
  if (!stop.stopped) throw new VirtlabError(`QEMU did not come to ${where}: it ended with status ${stop.status}`);
  return there;
}

/** Compares from QEMU's present place, which must be the entry of `boot`'s image. */
export async function lockstep(qemu: Qemu, boot: Machine, options: LockstepOptions): Promise<Outcome> {
  const { from = boot.registers.eip } = options;
  const arrived = from === boot.registers.eip ? boot : await approach(qemu, boot, from);
  return new Lockstep(qemu, await takeOver(qemu, arrived), options).run();
}

class Lockstep {
  #machine: Machine;
  #steps = 0;
  /** The machines in front of the last steps. */
  readonly #recent: Machine[] = [];
  readonly #adopted: Record<string, number> = {};

  constructor(
    private readonly qemu: Qemu,
    private readonly start: Machine,
    private readonly options: LockstepOptions,
  ) {
    this.#machine = start;
  }

  async run(): Promise<Outcome> {
    const registers = await this.qemu.registers();
    const unequal = [
      ...unequalRegisters(this.start.registers, registers),
      ...unequalSystem(this.start, this.start, await this.qemu.hiddenState()),
    ];
    if (unequal.length > 0) return this.#difference(unequal, this.start, registers);
    while (this.#steps < this.options.steps) {
      const outcome = await this.#step();
      if (outcome !== undefined) return outcome;
      this.options.progress?.(this.#steps);
    }
    return this.#end("limit");
  }

  async #step(): Promise<Outcome | undefined> {
    const before = this.#machine;
    const instruction = instructionAt(before);
    this.#recent.push(before);
    if (this.#recent.length > RECENT) this.#recent.shift();
    this.#steps++;
    let ours = this.#ownStep(before);
    const { stop } = ours;
    if (stop !== undefined && stop.reason !== "limit" && stop.reason !== "halted") return this.#stopped(stop, ours);
    if (ours.halted) return this.#end("halt");

    const peer = await this.qemu.step();
    if (!peer.stopped)
      return this.#difference([{ what: "end", ours: "goes on", qemu: `ended with status ${peer.status}` }], ours);
    let theirs = await this.qemu.registers();
    if (this.#idle(instruction, before.registers, ours.registers, theirs)) {
      await this.qemu.step();
      theirs = await this.qemu.registers();
      this.#count("idle steps");
    }
    if (ours.counters.exceptions !== before.counters.exceptions) ours = await this.#adoptOfDelivery(ours);
    else if (instruction) ours = await this.#adopt(instruction, before, ours, theirs);
    ours = await this.#adoptAccessedBits(before, ours);

    const unequal = unequalRegisters(ours.registers, theirs);
    unequal.push(...(await this.#unequalMemory(before, ours)));
    if (ours.cpu.system !== before.cpu.system)
      unequal.push(...unequalSystem(ours, this.start, await this.qemu.hiddenState()));
    if (unequal.length > 0) return this.#difference(unequal, ours, theirs);
    this.#machine = ours;
    return undefined;
  }

  /**
   * Whether a step of QEMU did not execute what it was to: it has only looked whether its APIC has an interrupt, or (some
   * versions) ended a repetition by finding ECX 0.
   */
  #idle(instruction: DecodedInstruction | undefined, before: Registers, ours: Registers, theirs: Registers): boolean {
    if (theirs.eip !== before.eip || unequalRegisters(ours, theirs).length === 0) return false;
    const ended = instruction?.repeat !== undefined && ours.eip !== theirs.eip && theirs.ecx === 0;
    return ended || unequalRegisters(before, theirs).length === 0;
  }

  /** A step without interrupts. What a masked controller reads as does not matter: what IN gives is taken from QEMU. */
  #ownStep(machine: Machine): Machine {
    const { step = (one: Machine) => one.step() } = this.options;
    const next = step(machine);
    if (next.counters.interrupts === machine.counters.interrupts) return next;
    return step(
      machine.edit(({ devices }) => {
        devices.pic = { ...devices.pic, master: { ...devices.pic.master, IMR: ALL_MASKED } };
      }),
    );
  }

  async #adopt(instruction: DecodedInstruction, before: Machine, ours: Machine, theirs: Registers): Promise<Machine> {
    const { registers, memory } = adoptionOf(instruction);
    const open = undefinedFlags(instruction, before.registers);
    const eflags = (ours.registers.eflags & ~open) | (theirs.eflags & open);
    const changed = registers.filter((name) => ours.registers[name] !== theirs[name]);
    let next = ours;
    if (changed.length > 0 || eflags !== ours.registers.eflags) {
      next = ours.edit((draft) => {
        for (const name of changed) draft.registers[name] = theirs[name];
        draft.registers.eflags = eflags;
      });
    }
    if (changed.length > 0) this.#count(instruction.row.mnemonic);
    if (eflags !== ours.registers.eflags) this.#count(`flags of ${instruction.row.mnemonic}`);
    for (const linear of memory ? bytesWritten(instruction, before) : []) {
      const { physical } = ours.walk(linear);
      if (physical !== undefined) next = next.write(physical, await this.qemu.readPhysical(physical, 1));
    }
    return next;
  }

  /** Where a step loaded a segment register: accessed bits that virtlab sets in the descriptor and QEMU does not. */
  async #adoptAccessedBits(before: Machine, ours: Machine): Promise<Machine> {
    let next = ours;
    for (const linear of descriptorsLoaded(before, ours)) {
      const { physical } = next.walk(linear);
      if (physical === undefined) continue;
      const theirs = await this.qemu.readPhysical(physical, 1);
      if ((next.memory.read(physical, 1)[0]! ^ ACCESS.ACCESSED) !== theirs[0] || (theirs[0] & ACCESS.ACCESSED) !== 0)
        continue;
      next = next.write(physical, theirs);
      this.#count("accessed bits of descriptors");
    }
    return next;
  }

  /** Behind an exception: flags of the walk for CR2's address, and the error code's EXT bit. See `lockstep-nature.ts`. */
  async #adoptOfDelivery(ours: Machine): Promise<Machine> {
    let next = ours;
    for (const { address, entry, accessed } of ours.walk(ours.registers.cr2).entries) {
      const theirs = await this.qemu.readPhysical(address, 4);
      if (accessed || readWord(theirs) !== (entry | PTE.A) >>> 0) continue;
      next = next.write(address, theirs);
      this.#count("accessed flags of walks that fault");
    }
    const { physical } = next.walk(next.cpu.system.segments.ss.base + next.registers.esp);
    if (physical === undefined) return next;
    const own = readWord(next.memory.read(physical, 4));
    const theirs = await this.qemu.readPhysical(physical, 4);
    if (own > LARGEST_ERROR_CODE || (own & EXT) === 0 || readWord(theirs) !== own - EXT) return next;
    this.#count("EXT of error codes");
    return next.write(physical, theirs);
  }

  #count(name: string): void {
    this.#adopted[name] = (this.#adopted[name] ?? 0) + 1;
  }

  async #unequalMemory(before: Machine, ours: Machine): Promise<Unequal[]> {
    const found: Unequal[] = [];
    for (const { address, after } of Machine.diff(before, ours).memory) {
      if (address >= HOLE.start && address < HOLE.end) continue;
      for (let at = 0; at < after.length; at += LONGEST_READ) {
        const own = after.subarray(at, at + LONGEST_READ);
        const theirs = await this.qemu.readPhysical(address + at, own.length);
        if (Buffer.compare(own, theirs) !== 0)
          found.push({ what: `memory at 0x${hex(address + at)}`, ours: hexBytes(own), qemu: hexBytes(theirs) });
      }
    }
    return found;
  }

  /** virtlab has come to an end: so must QEMU. */
  async #stopped(stop: Stop, ours: Machine): Promise<Outcome> {
    const [own, expected] =
      stop.reason === "debug-exit"
        ? [`debug exit, status ${stop.status}`, stop.status]
        : stop.reason === "unsupported"
          ? [`stops at what it does not have: ${stop.detail}`, undefined]
          : [stop.reason, 0];
    const peer = await this.qemu.step();
    // A reset asked for is carried out behind the instruction.
    const status =
      peer.stopped && expected !== undefined ? await this.qemu.runToEnd() : peer.stopped ? undefined : peer.status;
    if (expected !== undefined && status === expected) return this.#end(stop.reason as Outcome["end"]);
    const theirs = status === undefined ? "goes on" : `ended with status ${status}`;
    return this.#difference([{ what: "end", ours: own, qemu: theirs }], ours);
  }

  async #end(end: Outcome["end"]): Promise<Outcome> {
    if (end === "limit" || end === "halt") {
      const memory = await this.qemu.readAllMemory(this.#machine.memory.size);
      const unequal = differingPages(this.#machine, memory).map((address) => this.#pageDifference(address, memory));
      if (unequal.length > 0) return this.#difference(unequal, this.#machine, await this.qemu.registers());
    }
    return { steps: this.#steps, end, adopted: this.#adopted };
  }

  #pageDifference(page: number, memory: Uint8Array): Unequal {
    const own = this.#machine.memory.read(page, PAGE);
    const offset = own.findIndex((byte, index) => byte !== memory[page + index]);
    const theirs = memory.subarray(page + offset, page + Math.min(offset + 16, PAGE));
    const what = `memory at 0x${hex(page + offset)}, found at the end`;
    return { what, ours: hexBytes(own.subarray(offset, offset + theirs.length)), qemu: hexBytes(theirs) };
  }

  async #difference(unequal: readonly Unequal[], ours: Machine, theirs?: Registers): Promise<Outcome> {
    const before = this.#recent.at(-1) ?? this.start;
    const line = (machine: Machine) => {
      const { eip } = machine.registers;
      return { address: eip, text: textOf(machine) };
    };
    const linear = (before.cpu.system.segments.cs.base + before.registers.eip) >>> 0;
    return {
      steps: this.#steps,
      end: "difference",
      adopted: this.#adopted,
      difference: {
        unequal: unequal as [Unequal, ...Unequal[]],
        step: this.#steps,
        instruction: {
          address: linear,
          bytes: codeAt(before).subarray(0, instructionAt(before)?.length ?? 1),
          text: textOf(before),
          qemu: await this.qemu.disassemble(linear).catch(() => "(QEMU has ended)"),
        },
        before: before.registers,
        after: { ours: ours.registers, qemu: theirs },
        recent: this.#recent.map(line),
      },
    };
  }
}
