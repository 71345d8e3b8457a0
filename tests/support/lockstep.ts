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
import { PTE } from "../../src/hardware/cpu/paging-levels.js";
import { ACCESS, FLAG } from "../../src/hardware/cpu/state.js";
import type { DecodedInstruction } from "../../src/hardware/isa/instruction.js";
import { Machine, type Registers } from "../../src/hardware/machine.js";
import type { Stop } from "../../src/hardware/state.js";
import { VirtlabError } from "../../src/state/error.js";
import { adoptionOf, bytesWritten, descriptorsInUse, undefinedFlags } from "./lockstep-nature.js";
import {
  codeAt,
  differingPages,
  HOLE,
  instructionAt,
  PAGE,
  textOf,
  type Unequal,
  unequalRegisters,
  unequalSystem,
} from "./lockstep-state.js";
import type { Qemu } from "./qemu.js";

const adoptedAtStart = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eflags"] as const;

/** Longest answer of the stub to a request for memory. */
const LONGEST_READ = 2048;
/** Steps that a report shows. */
const RECENT = 10;
/** Steps virtlab may take to the address where the comparison is to begin. */
const LONGEST_APPROACH = 1e9;
const ALL_MASKED = 0xff;
/** Idle steps of QEMU in a row: its timers go by the host's clock, and the slower the host the more of them have expired. */
const MOST_IDLE = 100;
/** Bit 0 of an error code. */
const EXT = 1;
/** What tells an error code from the EIP that is on top of the stack where there is none. */
const LARGEST_ERROR_CODE = 0xffff;

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

const hex = (value: number): string => value.toString(16).padStart(8, "0");
const readWord = (bytes: Uint8Array): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
const hexBytes = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

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
  return new Lockstep(qemu, boot, await takeOver(qemu, arrived), options).run();
}

class Lockstep {
  #machine: Machine;
  #steps = 0;
  /** The machines in front of the last steps. */
  readonly #recent: Machine[] = [];
  readonly #adopted: Record<string, number> = {};

  constructor(
    private readonly qemu: Qemu,
    private readonly boot: Machine,
    private readonly start: Machine,
    private readonly options: LockstepOptions,
  ) {
    this.#machine = start;
  }

  async run(): Promise<Outcome> {
    const registers = await this.qemu.registers();
    const unequal = [
      ...unequalRegisters(this.start.registers, registers),
      ...unequalSystem(this.start, this.boot, await this.qemu.hiddenState()),
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
    for (let idle = 0; idle < MOST_IDLE && this.#idle(instruction, before.registers, ours.registers, theirs); idle++) {
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
      unequal.push(...unequalSystem(ours, this.boot, await this.qemu.hiddenState()));
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
    for (const linear of descriptorsInUse(ours)) {
      const { physical } = next.walk(linear);
      if (physical === undefined || before.memory.read(physical, 1)[0] === next.memory.read(physical, 1)[0]) continue;
      const theirs = await this.qemu.readPhysical(physical, 1);
      if ((next.memory.read(physical, 1)[0]! ^ ACCESS.ACCESSED) !== theirs[0] || (theirs[0] & ACCESS.ACCESSED) !== 0)
        continue;
      next = next.write(physical, theirs);
      this.#count("accessed bits of descriptors");
      // Where nothing is written, no page becomes dirty.
      for (const { address, entry } of next.walk(linear).entries) {
        const peer = await this.qemu.readPhysical(address, 4);
        if ((entry ^ readWord(peer)) !== PTE.D) continue;
        next = next.write(address, peer);
        this.#count("dirty flags of their pages");
      }
    }
    return next;
  }

  /** Behind an exception: flags of the walk for CR2's address, RF as pushed, and the error code's EXT bit. See `lockstep-nature.ts`. */
  async #adoptOfDelivery(ours: Machine): Promise<Machine> {
    let next = ours;
    for (const { address, entry, accessed } of ours.walk(ours.registers.cr2).entries) {
      const theirs = await this.qemu.readPhysical(address, 4);
      if (accessed || readWord(theirs) !== (entry | PTE.A) >>> 0) continue;
      next = next.write(address, theirs);
      this.#count("accessed flags of walks that fault");
    }
    const top = (next.cpu.system.segments.ss.base + next.registers.esp) >>> 0;
    // EFLAGS lies behind EIP and CS, and behind an error code if there is one.
    for (const offset of [8, 12]) {
      const at = next.walk((top + offset) >>> 0).physical;
      if (at === undefined) continue;
      const pushed = readWord(next.memory.read(at, 4));
      const peer = await this.qemu.readPhysical(at, 4);
      if ((pushed & FLAG.RF) === 0 || readWord(peer) !== (pushed & ~FLAG.RF) >>> 0) continue;
      next = next.write(at, peer);
      this.#count("RF of pushed flags");
    }
    const { physical } = next.walk(top);
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
          bytes: Uint8Array.from(codeAt(before).subarray(0, instructionAt(before)?.length ?? 1)),
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
