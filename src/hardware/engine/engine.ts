/**
 * The engine: a cache of one machine value. `open` brings a value in, `run` executes on it at full speed, `seal` gives the
 * next value. What it remembers in between (page slots, TLB, decoded blocks) never shows in a value: the TLB is kept
 * coherent by sending every store to a page-table or code page through a slow path.
 */
import { PAGE_SIZE } from "../../state/pages.js";
import { deliver, type EventSource, TripleFault } from "../cpu/exceptions.js";
import { PTE, type PhysicalMemory, translate, type Translation } from "../cpu/paging.js";
import { type AccessSize, Fault, type ProcessorPort, Unsupported, VECTOR, vectorNames } from "../cpu/processor.js";
import { ACCESS, cplOf, type CpuState, CR0, FLAG, isFlat, type SegmentName, segmentNames, type SystemState } from "../cpu/state.js";
import * as bus from "../devices/bus.js";
import { type DecodedInstruction, decode } from "../isa/decoder.js";
import type { Counts, EventKind, MachineEvent, MachineState, Stop } from "../state.js";
import { Blocks, type CodeMode } from "./blocks.js";
import { generateInterpreter, type SlowPaths } from "./interpreter.js";
import {
  EFLAGS_REST, EXIT, EXIT_ERROR_CODE, EXIT_LEFT, EXIT_RECORD, EXIT_TARGET, EXIT_VECTOR, FLAG_CARRIES, FLAG_CARRY, FLAG_RESULT, FLAG_SIGN,
  JUMP_CACHE_BASE, JUMP_CACHE_ENTRIES, JUMP_CACHE_ENTRY_SIZE, JUMP_CACHE_SUPERVISOR, JUMP_CACHE_USER, MEMORY_SIZE, REGISTERS, REPEATS, SLOTS, SLOW_EXIT,
  TLB_BASE, TLB_DELTA, TLB_ENTRIES, TLB_ENTRY_SIZE, TLB_INVALID, TLB_SUPERVISOR, TLB_USER, TLB_WRITE_TAG,
} from "./layout.js";
import { PageSlots, SLOT } from "./page-slots.js";
import { prebuiltInterpreter } from "./prebuilt.js";

type Go = (record: number, left: number) => number;

const ARITHMETIC = FLAG.CF | FLAG.PF | FLAG.AF | FLAG.ZF | FLAG.SF | FLAG.OF | FLAG.RESERVED;
/** Steps a call into the generated code runs at the most: V8 replaces a function by its optimized form between calls. */
const SLICE = 1_000_000;
/** Reads of physical addresses where there is nothing give all ones, as an open bus does. */
const OPEN_BUS = -1;

let compiled: WebAssembly.Module | undefined;

function interpreterModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(prebuiltInterpreter === undefined ? generateInterpreter() : Uint8Array.from(atob(prebuiltInterpreter), (c) => c.charCodeAt(0)));
  return compiled;
}

export interface RunOptions {
  /** Steps at the most. */
  readonly limit: number;
  /** Stop in front of the instruction at this EIP. */
  readonly untilEip?: number | undefined;
  /** Stop once the serial port has put out this text. */
  readonly untilSerial?: string | undefined;
  readonly observe?: ReadonlySet<EventKind> | undefined;
}

export interface RunResult {
  readonly stop: Stop | undefined;
  readonly events: readonly MachineEvent[];
}

/** Why `execute` came back before its budget was used up. */
interface Attention {
  readonly stop?: Stop;
}

/** Registers in front of an instruction; one is enough, because deliveries do not nest. */
interface Checkpoint {
  readonly registers: Int32Array;
  eflags: number;
  system: SystemState;
}

export class Engine implements ProcessorPort {
  readonly #u8: Uint8Array;
  readonly #i32: Int32Array;
  readonly #view: DataView;
  readonly #slots: PageSlots;
  readonly #blocks: Blocks;
  readonly #flat: Go;
  readonly #segmented: Go;

  // The open value. `#value` is the one the engine's memory equals, if it equals one.
  #value: MachineState | undefined;
  #system!: SystemState;
  #eip = 0;
  #halted = false;
  #shadow = false;
  #shutdown = false;
  #frames = 0;
  #memorySize = 0;
  #devices!: bus.DeviceSet;
  #counts!: Counts;
  /** Steps and ticks at the start of the present call of the generated code; `#budget` is what it was given. */
  #steps = 0;
  #ticks = 0;
  #nextEvent = 0;

  // While executing.
  #cpl = 0;
  #budget = 0;
  #left = 0;
  #nextEip = 0;
  #repeating = false;
  #attention: Attention | undefined;
  /** One instruction runs alone: it may store to code and page tables. */
  #single = false;
  /** Stores of a single step are kept as patches. */
  #patching = false;
  #pendingFault: Fault | undefined;
  #flushAfter = false;
  #evictNext = false;
  #mode!: CodeMode;
  readonly #modes = new Map<string, CodeMode>();
  /** TLB entries with a write tag since the last seal, and slots the walker has read since the last flush. */
  #writeTags: number[] = [];
  #tableSlots: number[] = [];
  /** A run is under way: if it was left by an error, nothing remembered can be trusted. */
  #running = false;
  readonly #saved: Checkpoint = { registers: new Int32Array(16), eflags: 0, system: undefined as unknown as SystemState };
  #observe: ReadonlySet<EventKind> | undefined;
  #events: MachineEvent[] = [];

  readonly #translation: Translation = { physical: 0, errorCode: 0, writable: false };
  readonly #access = { write: false, user: false };
  readonly #walker: PhysicalMemory;

  /** `slotLimit` bounds how many page frames are held at a time; fewer than there are is for tests. */
  constructor(slotLimit?: number) {
    const memory = new WebAssembly.Memory({ initial: MEMORY_SIZE / 65536 });
    const buffer = memory.buffer;
    this.#u8 = new Uint8Array(buffer);
    this.#i32 = new Int32Array(buffer);
    this.#view = new DataView(buffer);
    this.#slots = new PageSlots(buffer, slotLimit);
    this.#blocks = new Blocks(buffer, {
      byte: (slot, offset) => this.#u8[SLOTS + slot * PAGE_SIZE + offset]!,
      nextPage: (linear) => this.#codeSlot(((linear & 0xfffff000) + PAGE_SIZE) >>> 0),
    });
    const slow: SlowPaths = {
      load: (linear, size) => this.#slowLoad(linear >>> 0, size, false),
      loadForWrite: (linear, size) => this.#slowLoad(linear >>> 0, size, true),
      store: (linear, size, value) => this.#slowStore(linear >>> 0, size, value),
      segment: (segment, offset, access) => this.#slowSegment(segment, offset >>> 0, access),
    };
    const { exports } = new WebAssembly.Instance(interpreterModule(), { engine: { memory, ...slow } });
    this.#flat = exports["flat"] as Go;
    this.#segmented = exports["segmented"] as Go;
    this.#walker = {
      read32: (physical) => {
        const frame = physical >>> 12;
        if (frame >= this.#frames) return OPEN_BUS;
        const slot = this.#slots.slot(frame);
        if ((this.#slots.flags[slot]! & SLOT.TABLE) === 0) {
          this.#protect(slot, SLOT.TABLE);
          this.#tableSlots.push(slot);
        }
        return this.#i32[(SLOTS + slot * PAGE_SIZE + (physical & 0xfff)) >> 2]!;
      },
      write32: (physical, value) => {
        const frame = physical >>> 12;
        if (frame < this.#frames) this.#writeSlot(this.#slots.slot(frame), physical & 0xfff, 4, value);
      },
    };
    this.#flush();
  }

  // ---- values -----------------------------------------------------------------------------------------------------

  /** Makes `state` the open value. Free when it is the one that was sealed last. */
  open(state: MachineState): void {
    if (this.#value === state) return;
    const { cpu } = state;
    if (this.#running) this.#recover();
    let tables = false;
    this.#dropWriteTags();
    this.#slots.open(state.memory, (slot) => {
      const flags = this.#slots.flags[slot]!;
      if ((flags & SLOT.TABLE) !== 0) tables = true;
      if ((flags & SLOT.CODE) !== 0) this.#dropCode(slot);
    });
    const old = this.#system as SystemState | undefined;
    const { system } = cpu;
    this.#system = system;
    this.#memorySize = state.memorySize;
    const frames = state.memorySize / PAGE_SIZE;
    if (tables || frames !== this.#frames || !old || old.cr3 !== system.cr3 || old.cr0 !== system.cr0 || old.cr4 !== system.cr4) {
      this.#frames = frames;
      this.#flush();
    }
    this.#writeCpu(cpu);
    if (old !== system) this.#segmentsChanged();
    this.#devices = state.devices;
    this.#counts = state.counts;
    this.#steps = state.steps;
    this.#ticks = state.ticks;
    this.#shutdown = state.shutdown;
    this.#nextEvent = bus.nextEvent(this.#devices, this.#ticks);
    this.#value = state;
  }

  #recover(): void {
    this.#running = this.#single = this.#patching = this.#flushAfter = false;
    this.#pendingFault = undefined;
    this.#i32[SLOW_EXIT >> 2] = this.#i32[REPEATS >> 2] = 0;
    this.#evict();
  }

  /** The open machine as a value. */
  seal(): MachineState {
    if (this.#value) return this.#value;
    this.#dropWriteTags();
    this.#value = {
      cpu: this.#readCpu(),
      memorySize: this.#memorySize,
      memory: this.#slots.seal(),
      devices: this.#devices,
      steps: this.#steps,
      ticks: this.#ticks,
      counts: this.#counts,
      shutdown: this.#shutdown,
    };
    return this.#value;
  }

  #writeCpu(cpu: CpuState): void {
    const r = REGISTERS >> 2;
    const words = this.#i32;
    words[r] = cpu.eax;
    words[r + 2] = cpu.ecx;
    words[r + 4] = cpu.edx;
    words[r + 6] = cpu.ebx;
    words[r + 8] = cpu.esp;
    words[r + 10] = cpu.ebp;
    words[r + 12] = cpu.esi;
    words[r + 14] = cpu.edi;
    this.setEflags(cpu.eflags);
    this.#eip = cpu.eip >>> 0;
    this.#halted = cpu.halted;
    this.#shadow = cpu.shadow;
  }

  #readCpu(): CpuState {
    const r = REGISTERS >> 2;
    const words = this.#i32;
    return {
      eax: words[r]!,
      ecx: words[r + 2]!,
      edx: words[r + 4]!,
      ebx: words[r + 6]!,
      esp: words[r + 8]!,
      ebp: words[r + 10]!,
      esi: words[r + 12]!,
      edi: words[r + 14]!,
      eip: this.#eip | 0,
      eflags: this.getEflags(),
      system: this.#system,
      halted: this.#halted,
      shadow: this.#shadow,
    };
  }

  // ---- running ----------------------------------------------------------------------------------------------------

  /** Runs the open value. */
  run({ limit, untilEip, untilSerial, observe }: RunOptions): RunResult {
    this.#running = true;
    this.#observe = observe;
    this.#events = [];
    const end = this.#steps + limit;
    const exact = untilEip !== undefined || (observe?.has("instruction") ?? false);
    this.#patching = limit === 1;
    let stop: Stop | undefined;
    let output = this.#devices.uart.output;
    let first = true;
    while (stop === undefined) {
      if (this.#steps >= end) {
        stop = { reason: "limit" };
        break;
      }
      if (untilEip !== undefined && !first && this.#eip === untilEip && !this.#halted) {
        stop = { reason: "until" };
        break;
      }
      first = false;
      stop = this.#advance(exact ? 1 : end - this.#steps);
      if (untilSerial !== undefined && this.#devices.uart.output !== output) {
        output = this.#devices.uart.output;
        if (stop === undefined && output.includes(untilSerial)) stop = { reason: "until" };
      }
    }
    const events = this.#events;
    this.#events = [];
    this.#observe = undefined;
    this.#patching = false;
    this.#running = false;
    return { stop, events };
  }

  /** One turn: an interrupt, or instructions up to the next thing that needs attention. */
  #advance(limit: number): Stop | undefined {
    if (this.#shutdown) return { reason: "triple-fault" };
    if (this.#halted) {
      const stop = this.#idle();
      if (stop) return stop;
    }
    if (this.#ticks >= this.#nextEvent) this.#timePasses();
    if (!this.#shadow && this.#interruptible()) {
      const { devices, vector } = bus.acknowledge(this.#devices);
      this.#changed();
      this.#devices = devices;
      this.#halted = false;
      this.#nextEvent = bus.nextEvent(devices, this.#ticks);
      this.#counts = { ...this.#counts, interrupts: this.#counts.interrupts + 1 };
      if (this.#observe?.has("interrupt")) this.#events.push({ kind: "interrupt", tick: this.#ticks, eip: this.#eip, cpl: this.#cpl, vector });
      const stop = this.#deliver(vector, undefined, "interrupt");
      if (stop) return stop;
      this.#steps++;
      this.#ticks++;
      return undefined;
    }
    // An interrupt that waits for the instruction after STI is looked at right behind it.
    const budget = this.#shadow ? 1 : Math.min(limit, SLICE, Math.max(1, this.#nextEvent - this.#ticks));
    return this.#execute(budget);
  }

  #interruptible(): boolean {
    return (this.#i32[EFLAGS_REST >> 2]! & FLAG.IF) !== 0 && bus.interruptRequested(this.#devices);
  }

  #timePasses(): void {
    const devices = bus.advance(this.#devices, this.#ticks);
    if (devices !== this.#devices) {
      this.#changed();
      this.#devices = devices;
    }
    this.#nextEvent = bus.nextEvent(devices, this.#ticks);
  }

  /** HLT: time goes on to the event that ends it. */
  #idle(): Stop | undefined {
    const before = { value: this.#value, devices: this.#devices, ticks: this.#ticks, nextEvent: this.#nextEvent };
    for (;;) {
      if (this.#ticks >= this.#nextEvent) this.#timePasses();
      if (this.#interruptible()) return undefined;
      const enabled = (this.#i32[EFLAGS_REST >> 2]! & FLAG.IF) !== 0;
      if (!enabled || this.#nextEvent === Number.POSITIVE_INFINITY || !bus.canWakeByItself(this.#devices, this.#ticks)) {
        // Nothing happened: the value is the one it was.
        this.#value = before.value;
        this.#devices = before.devices;
        this.#ticks = before.ticks;
        this.#nextEvent = before.nextEvent;
        return { reason: "halted", waitsForInput: enabled };
      }
      this.#changed();
      this.#ticks = this.#nextEvent;
    }
  }

  /** The open machine is no longer the value it was. */
  #changed(): void {
    this.#value = undefined;
  }

  #execute(budget: number): Stop | undefined {
    this.#changed();
    this.#attention = undefined;
    this.#budget = budget;
    this.#left = budget;
    this.#shadow = false;
    this.#cpl = cplOf(this.#system);
    try {
      while (this.#left > 0 && this.#attention === undefined) this.#turn();
    } finally {
      const used = this.#budget - this.#left;
      this.#steps += used;
      this.#ticks += used;
      this.#budget = this.#left = 0;
      const repeats = this.#i32[REPEATS >> 2]!;
      if (repeats !== 0) {
        this.#i32[REPEATS >> 2] = 0;
        this.#counts = { ...this.#counts, repeats: this.#counts.repeats + repeats };
      }
    }
    return (this.#attention as Attention | undefined)?.stop;
  }

  /** One call of the generated code, and what it came back for. */
  #turn(): void {
    if (this.#evictNext || this.#slots.full) this.#evict();
    let record: number;
    try {
      record = this.#find(this.#eip);
    } catch (thrown) {
      if (thrown instanceof Fault) this.#exception(thrown);
      else this.#halt(thrown);
      return;
    }
    let reserve = 0;
    if (this.#single) {
      reserve = this.#left - 1;
      this.#left = 1;
    }
    if (this.#observe?.has("instruction")) this.#observeInstruction();
    const count = this.#blocks.count(record);
    const go = this.#mode.flat ? this.#flat : this.#segmented;
    const alone = this.#left === 1;
    if (alone) this.#single = true;
    const code = count <= this.#left ? go(record, this.#left - count) : go(this.#blocks.truncated(record, this.#left), 0);
    if (alone) this.#single = false;
    let left = this.#i32[EXIT_LEFT >> 2]!;
    const at = this.#i32[EXIT_RECORD >> 2]!;
    switch (code) {
      case EXIT.budget:
        left += this.#blocks.count(at);
        this.#eip = this.#blocks.eip(at);
        this.#left = left + reserve;
        break;
      case EXIT.lookup:
        this.#eip = this.#i32[EXIT_TARGET >> 2]! >>> 0;
        this.#left = left + reserve;
        break;
      case EXIT.stop:
      case EXIT.repeat:
        this.#eip = this.#blocks.eip(at);
        this.#left = left + reserve;
        break;
      case EXIT.fault: {
        this.#eip = this.#blocks.eip(at);
        this.#left = left + reserve;
        const errorCode = this.#i32[EXIT_ERROR_CODE >> 2]!;
        const fault = this.#pendingFault ?? new Fault(this.#i32[EXIT_VECTOR >> 2]!, errorCode < 0 ? undefined : errorCode);
        this.#pendingFault = undefined;
        this.#i32[SLOW_EXIT >> 2] = 0;
        this.#exception(fault);
        break;
      }
      case EXIT.system:
        this.#eip = this.#blocks.eip(at);
        this.#left = left + reserve;
        this.#systemInstruction(at);
        break;
      case EXIT.bail:
        this.#eip = this.#blocks.eip(at);
        this.#left = left + reserve;
        this.#i32[SLOW_EXIT >> 2] = 0;
        this.#single = true;
        break;
    }
    if (this.#flushAfter) {
      this.#flushAfter = false;
      this.#flush();
    }
  }

  /** Executes an instruction that has no generated code. */
  #systemInstruction(record: number): void {
    const instruction = this.#blocks.instruction(record);
    if (instruction.row === undefined) {
      this.#exception(new Fault(instruction.vector, instruction.vector === VECTOR.GP ? 0 : undefined));
      return;
    }
    this.#nextEip = (this.#eip + instruction.length) >>> 0;
    this.#repeating = false;
    this.#single = true;
    const before = this.#checkpoint();
    try {
      instruction.row.system!(this, instruction as DecodedInstruction);
    } catch (thrown) {
      this.#single = false;
      this.#restore(before);
      if (thrown instanceof Fault) this.#exception(thrown);
      else this.#halt(thrown);
      return;
    }
    this.#single = false;
    this.#eip = this.#repeating ? this.#eip : this.#nextEip;
    this.#left--;
    if (this.#repeating) this.#i32[REPEATS >> 2]!++;
    const cpl = cplOf(this.#system);
    if (cpl !== this.#cpl) this.#privilegeChanged(cpl);
  }

  /** Registers as they are before an instruction in TypeScript: a fault takes back what it did to them. */
  #checkpoint(): Checkpoint {
    const saved = this.#saved;
    for (let index = 0; index < 16; index++) saved.registers[index] = this.#i32[(REGISTERS >> 2) + index]!;
    saved.eflags = this.getEflags();
    saved.system = this.#system;
    return saved;
  }

  #restore({ registers, eflags, system }: Checkpoint): void {
    this.#i32.set(registers, REGISTERS >> 2);
    this.setEflags(eflags);
    // CR2 is what a page fault leaves behind, so it stays.
    if (this.#system !== system) this.setSystem({ ...system, cr2: this.#system.cr2 });
  }

  /** A stop that is not the machine's doing alone. */
  #halt(thrown: unknown): void {
    if (thrown instanceof Unsupported) this.#attention = { stop: { reason: "unsupported", detail: `${thrown.detail} at EIP 0x${this.#eip.toString(16)}` } };
    else if (thrown instanceof TripleFault) {
      this.#shutdown = true;
      this.#attention = { stop: { reason: "triple-fault" } };
    } else throw thrown;
  }

  #exception(fault: Fault): void {
    this.#counts = { ...this.#counts, exceptions: this.#counts.exceptions + 1 };
    if (this.#observe?.has("exception")) {
      this.#events.push({
        kind: "exception",
        tick: this.#now,
        eip: this.#eip,
        cpl: this.#cpl,
        vector: fault.vector,
        name: vectorNames[fault.vector] ?? `vector ${fault.vector}`,
        ...(fault.errorCode === undefined ? {} : { errorCode: fault.errorCode }),
        ...(fault.vector === VECTOR.PF ? { cr2: this.#system.cr2 >>> 0 } : {}),
      });
    }
    const stop = this.#deliver(fault.vector, fault.errorCode, "exception");
    if (stop) this.#attention = { stop };
    if (stop?.reason !== "unsupported") this.#left--;
  }

  #deliver(vector: number, errorCode: number | undefined, source: EventSource): Stop | undefined {
    this.#nextEip = this.#eip;
    this.#cpl = cplOf(this.#system);
    const before = this.#checkpoint();
    this.#single = true;
    try {
      deliver(this, vector, errorCode, source, this.#eip);
      this.#eip = this.#nextEip;
      const cpl = cplOf(this.#system);
      if (cpl !== this.#cpl) this.#privilegeChanged(cpl);
      return undefined;
    } catch (thrown) {
      this.#restore(before);
      if (thrown instanceof Unsupported) return { reason: "unsupported", detail: `${thrown.detail} at EIP 0x${this.#eip.toString(16)}` };
      if (!(thrown instanceof TripleFault)) throw thrown;
      this.#shutdown = true;
      return { reason: "triple-fault" };
    } finally {
      this.#single = false;
      if (this.#flushAfter) {
        this.#flushAfter = false;
        this.#flush();
      }
    }
  }

  #privilegeChanged(cpl: number): void {
    if (this.#observe?.has("privilege")) this.#events.push({ kind: "privilege", tick: this.#now, eip: this.#eip, from: this.#cpl, to: cpl });
    this.#cpl = cpl;
    this.#selectHalves();
  }

  #observeInstruction(): void {
    const { row } = decode((index) => this.readLinear((this.#mode.csBase + this.#eip + index) >>> 0, 1, this.#cpl === 3), this.#eip);
    this.#events.push({ kind: "instruction", tick: this.#now, eip: this.#eip, cpl: this.#cpl, mnemonic: row?.mnemonic ?? "(bad)", group: row?.group ?? "miscellaneous" });
  }

  get #now(): number {
    return this.#ticks + this.#budget - this.#left;
  }

  // ---- code -------------------------------------------------------------------------------------------------------

  #find(eip: number): number {
    const entry = (this.#i32[JUMP_CACHE_BASE >> 2]! + (eip & (JUMP_CACHE_ENTRIES - 1)) * JUMP_CACHE_ENTRY_SIZE) >> 2;
    if (this.#i32[entry] === (eip | 0) && this.#i32[entry + 1] !== 0) return this.#i32[entry + 1]!;
    if (this.#blocks.full) {
      this.#blocks.dropAll();
      this.#clearJumpCaches();
      for (let slot = 0; slot < this.#slots.flags.length; slot++) this.#slots.flags[slot]! &= ~SLOT.CODE;
    }
    if (eip > this.#mode.csLimit) throw new Fault(VECTOR.GP, 0);
    const slot = this.#codeSlot((this.#mode.csBase + eip) >>> 0);
    const record = this.#blocks.find(slot, eip, this.#mode);
    this.#i32[entry] = eip | 0;
    this.#i32[entry + 1] = record;
    return record;
  }

  /** Slot of the page that code at `linear` is fetched from. Throws #PF. */
  #codeSlot(linear: number): number {
    const physical = this.#translate(linear, false, this.#cpl === 3);
    const frame = physical >>> 12;
    if (frame >= this.#frames) throw new Unsupported(`code at physical address 0x${physical.toString(16)}, where there is no memory`);
    const slot = this.#slots.slot(frame);
    this.#protect(slot, SLOT.CODE);
    return slot;
  }

  /** Takes a slot out of what stores reach without asking. */
  #protect(slot: number, flag: number): void {
    const flags = this.#slots.flags[slot]!;
    if ((flags & flag) !== 0) return;
    this.#slots.flags[slot] = flags | flag;
    if ((flags & SLOT.DIRTY) !== 0) this.#dropWriteTags();
  }

  #dropCode(slot: number): void {
    this.#blocks.drop(slot);
    this.#slots.flags[slot]! &= ~SLOT.CODE;
    this.#clearJumpCaches();
  }

  #clearJumpCaches(): void {
    this.#u8.fill(0, JUMP_CACHE_SUPERVISOR, JUMP_CACHE_USER + JUMP_CACHE_ENTRIES * JUMP_CACHE_ENTRY_SIZE);
  }

  #segmentsChanged(): void {
    const { segments, cr0 } = this.#system;
    this.#cpl = (cr0 & CR0.PE) !== 0 ? segments.cs.selector & 3 : 0;
    this.#selectHalves();
    const flatSegments = segmentNames.map((name) => isFlat(segments[name]));
    const flat = flatSegments[0]! && flatSegments[2]! && flatSegments[3]! && isFlat({ ...segments.cs, access: segments.cs.access | ACCESS.WRITABLE });
    const { base, limit } = segments.cs;
    const name = `${flatSegments.map(Number).join("")} ${base} ${limit}`;
    const old = this.#mode as CodeMode | undefined;
    let mode = this.#modes.get(name);
    if (!mode) this.#modes.set(name, (mode = { key: this.#modes.size, flat, csBase: base, csLimit: limit, flatSegments }));
    this.#mode = mode;
    if (old && old !== mode) this.#clearJumpCaches();
  }

  /** Supervisor and user code see different halves of the TLB and of the jump cache. */
  #selectHalves(): void {
    const user = this.#cpl === 3;
    this.#i32[TLB_BASE >> 2] = user ? TLB_USER : TLB_SUPERVISOR;
    this.#i32[JUMP_CACHE_BASE >> 2] = user ? JUMP_CACHE_USER : JUMP_CACHE_SUPERVISOR;
  }

  // ---- memory -----------------------------------------------------------------------------------------------------

  #flush(): void {
    const words = this.#i32;
    const end = (TLB_USER + TLB_ENTRIES * TLB_ENTRY_SIZE) >> 2;
    words.fill(TLB_INVALID, TLB_SUPERVISOR >> 2, end);
    this.#clearJumpCaches();
    this.#writeTags = [];
    for (const slot of this.#tableSlots) this.#slots.flags[slot]! &= ~SLOT.TABLE;
    this.#tableSlots = [];
  }

  #dropWriteTags(): void {
    for (const entry of this.#writeTags) this.#i32[(entry + TLB_WRITE_TAG) >> 2] = TLB_INVALID;
    if (this.#writeTags.length > 0) this.#writeTags = [];
  }

  #evict(): void {
    this.#evictNext = false;
    this.#slots.evict();
    this.#slots.flags.fill(0);
    this.#blocks.dropAll();
    this.#tableSlots = [];
    this.#flush();
  }

  /** Physical address of an access; throws #PF, with CR2 set. */
  #translate(linear: number, write: boolean, user: boolean): number {
    this.#access.write = write;
    this.#access.user = user;
    const { physical, errorCode } = translate(this.#walker, this.#system, linear, this.#access, true, this.#translation);
    if (physical < 0) {
      this.#system = { ...this.#system, cr2: linear | 0 };
      throw new Fault(VECTOR.PF, errorCode);
    }
    return physical;
  }

  #fill(linear: number, slot: number, write: boolean): void {
    const entry = this.#i32[TLB_BASE >> 2]! + ((linear >>> 12) & (TLB_ENTRIES - 1)) * TLB_ENTRY_SIZE;
    const page = linear & 0xfffff000;
    const writable = write && (this.#slots.flags[slot]! & (SLOT.CODE | SLOT.TABLE)) === 0;
    const at = entry >> 2;
    if (writable) {
      this.#i32[at + (TLB_WRITE_TAG >> 2)] = page;
      this.#writeTags.push(entry);
      this.#slots.markDirty(slot);
    } else if (this.#i32[at] !== page) this.#i32[at + (TLB_WRITE_TAG >> 2)] = TLB_INVALID;
    this.#i32[at] = page;
    this.#i32[at + (TLB_DELTA >> 2)] = (SLOTS + slot * PAGE_SIZE - page) | 0;
  }

  #readSlot(slot: number, offset: number, size: number): number {
    const at = SLOTS + slot * PAGE_SIZE + offset;
    return size === 4 ? this.#view.getInt32(at, true) : size === 2 ? this.#view.getInt16(at, true) : this.#view.getInt8(at);
  }

  /** Stores to a slot, and drops what was remembered of the bytes. */
  #writeSlot(slot: number, offset: number, size: number, value: number): void {
    this.#slots.write(slot, offset, size, value, this.#patching);
    const flags = this.#slots.flags[slot]!;
    if ((flags & SLOT.CODE) !== 0 && this.#blocks.hits(slot, offset, size)) this.#dropCode(slot);
  }

  /** The generated code missed the TLB. */
  #slowLoad(linear: number, size: number, forWrite: boolean): number {
    try {
      if (!this.#single && this.#slots.full) return this.#bail(true);
      const user = this.#cpl === 3;
      if ((linear & 0xfff) + size > PAGE_SIZE) return this.#readAcross(linear, size, forWrite, user);
      const physical = this.#translate(linear, forWrite, user);
      const frame = physical >>> 12;
      if (frame >= this.#frames) return OPEN_BUS;
      const slot = this.#slots.slot(frame);
      if (forWrite && !this.#single && (this.#slots.flags[slot]! & (SLOT.CODE | SLOT.TABLE)) !== 0) return this.#bail(false);
      this.#fill(linear, slot, forWrite && !this.#patching);
      return this.#readSlot(slot, physical & 0xfff, size);
    } catch (thrown) {
      return this.#slowFault(thrown);
    }
  }

  #slowStore(linear: number, size: number, value: number): number {
    try {
      if (!this.#single && this.#slots.full) {
        this.#evictNext = true;
        return EXIT.bail;
      }
      const user = this.#cpl === 3;
      if ((linear & 0xfff) + size > PAGE_SIZE) {
        if (!this.#single) return EXIT.bail;
        this.#writeAcross(linear, size, value, user);
        return 0;
      }
      const physical = this.#translate(linear, true, user);
      const frame = physical >>> 12;
      if (frame >= this.#frames) return 0;
      const slot = this.#slots.slot(frame);
      const special = this.#slots.flags[slot]! & (SLOT.CODE | SLOT.TABLE);
      if (special !== 0 && !this.#single) {
        // Data beside code: nothing decoded is hit, so the block may go on.
        if ((special & SLOT.TABLE) !== 0 || this.#blocks.hits(slot, physical & 0xfff, size)) return EXIT.bail;
      }
      if ((special & SLOT.TABLE) !== 0) this.#flushAfter = true;
      this.#writeSlot(slot, physical & 0xfff, size, value);
      if (special === 0 && !this.#patching) this.#fill(linear, slot, true);
      return 0;
    } catch (thrown) {
      this.#slowFault(thrown);
      return EXIT.fault;
    }
  }

  #slowSegment(segment: number, offset: number, access: number): number {
    try {
      return this.segmentAddress(segment, offset, access & 15, (access & 16) !== 0) | 0;
    } catch (thrown) {
      return this.#slowFault(thrown);
    }
  }

  #bail(evict: boolean): number {
    if (evict) this.#evictNext = true;
    this.#i32[SLOW_EXIT >> 2] = EXIT.bail;
    return 0;
  }

  #slowFault(thrown: unknown): number {
    if (!(thrown instanceof Fault)) throw thrown;
    this.#pendingFault = thrown;
    this.#i32[SLOW_EXIT >> 2] = EXIT.fault;
    return 0;
  }

  /** An access over the end of a page: both pages are checked first. Over the end of the address space it is a #GP. */
  #pagesOf(linear: number, size: number, write: boolean, user: boolean): readonly [first: number, second: number] {
    const secondPage = ((linear & 0xfffff000) >>> 0) + PAGE_SIZE;
    if (secondPage > 0xffffffff) throw new Fault(VECTOR.GP, 0);
    const first = this.#translate(linear, write, user);
    return [first, this.#translate(secondPage, write, user)];
  }

  #readAcross(linear: number, size: number, forWrite: boolean, user: boolean): number {
    const [first, second] = this.#pagesOf(linear, size, forWrite, user);
    const split = PAGE_SIZE - (linear & 0xfff);
    let value = 0;
    for (let index = 0; index < size; index++) value |= this.#readPhysical(index < split ? first + index : second + index - split) << (8 * index);
    return size === 2 ? (value << 16) >> 16 : value;
  }

  #writeAcross(linear: number, size: number, value: number, user: boolean): void {
    const [first, second] = this.#pagesOf(linear, size, true, user);
    const split = PAGE_SIZE - (linear & 0xfff);
    for (let index = 0; index < size; index++) this.#writePhysical(index < split ? first + index : second + index - split, 1, value >>> (8 * index));
  }

  #readPhysical(physical: number): number {
    const frame = physical >>> 12;
    return frame < this.#frames ? this.#u8[SLOTS + this.#slots.slot(frame) * PAGE_SIZE + (physical & 0xfff)]! : 0xff;
  }

  #writePhysical(physical: number, size: number, value: number): void {
    const frame = physical >>> 12;
    if (frame >= this.#frames) return;
    const slot = this.#slots.slot(frame);
    if ((this.#slots.flags[slot]! & SLOT.TABLE) !== 0) this.#flushAfter = true;
    this.#writeSlot(slot, physical & 0xfff, size, value);
  }

  // ---- processor port ---------------------------------------------------------------------------------------------

  getRegister(number: number): number {
    return this.#i32[(REGISTERS >> 2) + 2 * number]! >>> 0;
  }

  setRegister(number: number, value: number): void {
    this.#i32[(REGISTERS >> 2) + 2 * number] = value;
  }

  getEflags(): number {
    const words = this.#i32;
    const result = words[FLAG_RESULT >> 2]!;
    const sign = words[FLAG_SIGN >> 2]!;
    const carry = words[FLAG_CARRY >> 2]!;
    const carries = words[FLAG_CARRIES >> 2]!;
    let parity = sign & 0xff;
    parity ^= parity >> 4;
    parity = (0x9669 >> (parity & 15)) & 1;
    return (
      words[EFLAGS_REST >> 2]! | FLAG.RESERVED | carry | (parity << 2) | (carries & FLAG.AF) | (result === 0 ? FLAG.ZF : 0) | ((sign >>> 31) << 7) | (((carries >>> 31) ^ carry) << 11)
    );
  }

  setEflags(value: number): void {
    const words = this.#i32;
    const carry = value & 1;
    words[FLAG_RESULT >> 2] = (value & FLAG.ZF) !== 0 ? 0 : 1;
    words[FLAG_SIGN >> 2] = ((value & FLAG.SF) << 24) | ((value & FLAG.PF) !== 0 ? 0 : 1);
    words[FLAG_CARRY >> 2] = carry;
    words[FLAG_CARRIES >> 2] = (value & FLAG.AF) | ((((value >> 11) & 1) ^ carry) << 31);
    words[EFLAGS_REST >> 2] = value & ~ARITHMETIC;
    if ((value & FLAG.TF) !== 0) throw new Unsupported("single-stepping with TF");
    if ((value & FLAG.IF) !== 0) this.#attention ??= {};
  }

  get eip(): number {
    return this.#eip;
  }

  get nextEip(): number {
    return this.#nextEip;
  }

  set nextEip(value: number) {
    this.#nextEip = value >>> 0;
  }

  get cpl(): number {
    return cplOf(this.#system);
  }

  get system(): SystemState {
    return this.#system;
  }

  setSystem(change: Partial<SystemState>): void {
    this.#system = Object.freeze({ ...this.#system, ...change });
    if (change.segments || change.cr0 !== undefined) this.#segmentsChanged();
  }

  invalidate(): void {
    // INVLPG of one page and a flush of all are the same here: nothing stale is ever visible.
    this.#flush();
  }

  readLinear(linear: number, size: AccessSize, user: boolean): number {
    const value = (linear & 0xfff) + size > PAGE_SIZE ? this.#readAcross(linear, size, false, user) : this.#readWithin(this.#translate(linear, false, user), size);
    return size === 4 ? value >>> 0 : value & (size === 2 ? 0xffff : 0xff);
  }

  #readWithin(physical: number, size: number): number {
    const frame = physical >>> 12;
    return frame < this.#frames ? this.#readSlot(this.#slots.slot(frame), physical & 0xfff, size) : OPEN_BUS;
  }

  writeLinear(linear: number, size: AccessSize, value: number, user: boolean): void {
    if ((linear & 0xfff) + size > PAGE_SIZE) this.#writeAcross(linear, size, value, user);
    else this.#writePhysical(this.#translate(linear, true, user), size, value);
  }

  segmentAddress(segment: number, offset: number, size: number, write: boolean): number {
    const name = segmentNames[segment] as SegmentName;
    const { base, limit, access } = this.#system.segments[name];
    const fault = (): Fault => new Fault(name === "ss" ? VECTOR.SS : VECTOR.GP, 0);
    if (access === 0) throw fault();
    const code = (access & ACCESS.CODE) !== 0;
    if (write ? code || (access & ACCESS.WRITABLE) === 0 : code && (access & ACCESS.WRITABLE) === 0) throw fault();
    const last = offset + size - 1;
    const down = !code && (access & ACCESS.EXPAND_DOWN) !== 0;
    const outside = down ? offset <= limit || last > ((access & ACCESS.BIG) !== 0 ? 0xffffffff : 0xffff) : last > limit;
    if (outside) throw fault();
    return (base + offset) >>> 0;
  }

  portRead(port: number, size: AccessSize): number {
    const { devices, value } = bus.portRead(this.#devices, port, size, this.#now);
    this.#counts = { ...this.#counts, portReads: this.#counts.portReads + 1 };
    this.#portAccessed(devices, "in", port, size, value);
    return value;
  }

  portWrite(port: number, size: AccessSize, value: number): void {
    const { debugExit, reset } = this.#devices;
    const devices = bus.portWrite(this.#devices, port, size, value, this.#now);
    this.#counts = { ...this.#counts, portWrites: this.#counts.portWrites + 1 };
    this.#portAccessed(devices, "out", port, size, value);
    const exit = devices.debugExit;
    if (exit !== debugExit && exit?.exitValue !== undefined) this.#attention = { stop: { reason: "debug-exit", value: exit.exitValue, status: ((exit.exitValue << 1) | 1) & 0xff } };
    if (devices.reset !== reset && devices.reset.resetRequested) this.#attention = { stop: { reason: "reset" } };
  }

  #portAccessed(devices: bus.DeviceSet, direction: "in" | "out", port: number, size: number, value: number): void {
    if (this.#observe?.has("port")) this.#events.push({ kind: "port", tick: this.#now, eip: this.#eip, direction, port, size, value });
    if (devices === this.#devices) return;
    this.#devices = devices;
    this.#nextEvent = bus.nextEvent(devices, this.#now);
    this.#attention ??= {};
  }

  get timestamp(): bigint {
    return BigInt(this.#now);
  }

  halt(): void {
    this.#halted = true;
    this.#attention ??= {};
  }

  setShadow(): void {
    this.#shadow = true;
    this.#attention ??= {};
  }

  repeat(): void {
    this.#repeating = true;
  }
}
