/**
 * Decoded code: blocks of records in the engine's memory, by page and EIP. A block runs to the first instruction that
 * always leaves, or to the end of its page; conditional branches stay inside and give back what they skip.
 */
import { PAGE_SIZE } from "../../state/pages.js";
import { Fault, VECTOR } from "../cpu/processor.js";
import type { DecodedInstruction, InvalidInstruction } from "../isa/instruction.js";
import type { DecodedCode } from "./bus-memory.js";
import { HANDLER } from "./forms.js";
import type { CodeMode, InstructionSet } from "./instruction-set.js";
import {
  ARENA,
  ARENA_END,
  CODE_PAGES,
  EXIT_TARGET_HIGH,
  FLOAT_REGISTER_SIZE,
  JUMP_CACHE_BASE,
  JUMP_CACHE_COUNT,
  JUMP_CACHE_ENTRIES,
  JUMP_CACHE_ENTRY_SIZE,
  JUMP_CACHE_HIGH,
  JUMP_CACHE_RECORD,
  JUMP_CACHE_SIZE,
  JUMP_CACHES,
  MAX_BLOCK,
  NO_BLOCK,
  RECORD,
  RECORD_FLAG,
  RECORD_SIZE,
  REGISTER_SIZE,
  REGISTERS,
  RIP_HIGH,
  SCRATCH,
  X87_REGISTERS,
  XMM_REGISTERS,
  ZERO_SLOT,
} from "./layout.js";
import { difference, noStops, type StopPlaces, stopsAt } from "./stops.js";
import { SIDES, type Side } from "./tlb.js";

/** Where the bytes of code come from: the address space. */
export interface CodeSource {
  /** Slot of the page that code at `linear` is fetched from; throws a Fault. */
  codeSlot(linear: number): number;
  codeByte(slot: number, offset: number): number;
  /** No code is decoded any more. */
  releaseCode(): void;
}

interface PageCode {
  /** Per mode: record address by the lower half of EIP. */
  readonly byMode: Map<number, Map<number, number>>;
  /** Base of the code segment of each of those modes. */
  readonly bases: Map<number, number>;
  /** 1 for each byte that is part of a decoded instruction. */
  readonly decoded: Uint8Array;
}

const GIB4 = 2 ** 32;
/** An address by its two words; addresses of 64-bit code are signed. */
export const wholeAddress = (low: number, high: number): number => high * GIB4 + (low >>> 0);
/** The upper word of an address. */
export const upperHalf = (address: number): number => Math.floor(address / GIB4);
/** A byte stands for every page whose number ends in these bits. */
const CODE_PAGE_MASK = 2 ** 20 - 1;
const entryWords = JUMP_CACHE_ENTRY_SIZE / 4;

/** Jump cache entries that are listed one by one, to be cleared one by one. */
const MOST_LISTED = 4096;

const CROSSES = Symbol("instruction reaches over the page");
const register = (number: number, size: number, rex?: true): number =>
  size === 8 && number >= 4 && number < 8 && !rex
    ? REGISTERS + REGISTER_SIZE * (number - 4) + 1
    : REGISTERS + REGISTER_SIZE * number;

/** Linear address of an offset in the code segment. */
const linearOf = ({ kind, csBase }: CodeMode, eip: number): number => (kind === "long" ? eip : (csBase + eip) >>> 0);
/** Where the next page begins. */
function nextPage(linear: number, { kind }: CodeMode): number {
  const next = linear - (linear & (PAGE_SIZE - 1)) + PAGE_SIZE;
  return kind === "long" ? next : next >>> 0;
}

/** Whether a block ends with this instruction. */
function endsBlock(instruction: DecodedInstruction | InvalidInstruction): boolean {
  const { row } = instruction;
  if (row === undefined || row.endsBlock) return true;
  return row.system !== undefined && row.group === "control transfer";
}

export class Blocks<Mode extends CodeMode = CodeMode> implements DecodedCode {
  readonly #set: InstructionSet<Mode>;
  readonly #u8: Uint8Array;
  readonly #u16: Uint16Array;
  readonly #i32: Int32Array;
  readonly #pages = new Map<number, PageCode>();
  /** Second slot of blocks that lie on two pages, by record address. */
  readonly #second = new Map<number, number>();
  /** Whose jump cache each one is (mode key, side, user or not), and which to take next. */
  readonly #cacheOwners = new Int32Array(JUMP_CACHE_COUNT).fill(-1);
  #nextCache = 0;
  #selected = -1;
  #side: Side = 0;
  /** The cache in use, and the one before, which is often the next. */
  #selectedCache = 0;
  #lastCache = 0;
  /** Where code stops: a block there begins with a stop record, and no other block goes on past it. */
  #stops: StopPlaces = noStops;
  /** Grows whenever blocks or the way to them are forgotten: what is being executed may be among them. */
  generation = 0;
  /** By side: entries of the jump caches in use, as word indices; none when there are too many to list. */
  readonly #filled: (number[] | undefined)[] = SIDES.map(() => undefined);
  /** By side: linear pages that code was looked up on since all was forgotten. */
  readonly #foundPages: number[][] = SIDES.map(() => []);
  #instructions: (DecodedInstruction | InvalidInstruction)[] = [];
  #next = ARENA;

  constructor(buffer: ArrayBuffer, set: InstructionSet<Mode>) {
    this.#set = set;
    this.#u8 = new Uint8Array(buffer);
    this.#u16 = new Uint16Array(buffer);
    this.#i32 = new Int32Array(buffer);
    // Record 0 stands for every block that is not known (HANDLER.miss), and costs nothing to enter.
    this.#u8.fill(0, 0, RECORD_SIZE);
    for (let cache = 0; cache < JUMP_CACHE_COUNT; cache++) this.#clearCache(JUMP_CACHES + cache * JUMP_CACHE_SIZE);
  }

  /** The block at `eip`, out of the jump cache or decoded. Throws a Fault where code cannot be fetched. */
  find(eip: number, mode: Mode, source: CodeSource): number {
    const high = mode.kind === "long" ? upperHalf(eip) : 0;
    this.#i32[RIP_HIGH >> 2] = high;
    // Where long code last went to; other code leaves the lower half alone.
    if (high === 0) this.#i32[EXIT_TARGET_HIGH >> 2] = 0;
    const entry = (this.#i32[JUMP_CACHE_BASE >> 2]! + (eip & (JUMP_CACHE_ENTRIES - 1)) * JUMP_CACHE_ENTRY_SIZE) >> 2;
    if (this.#i32[entry] === (eip | 0) && this.#i32[entry + (JUMP_CACHE_HIGH >> 2)] === high) {
      const record = this.#i32[entry + (JUMP_CACHE_RECORD >> 2)]!;
      if (record !== NO_BLOCK) return record;
    }
    return this.#look(entry, eip, mode, source);
  }

  #look(entry: number, eip: number, mode: Mode, source: CodeSource): number {
    if (this.#next > ARENA_END - (MAX_BLOCK + 3) * RECORD_SIZE) {
      this.dropAll();
      source.releaseCode();
    }
    if (eip > mode.csLimit) throw new Fault(VECTOR.GP, 0);
    const linear = linearOf(mode, eip);
    const slot = source.codeSlot(linear);
    this.#found(linear);
    const record = this.#known(slot, eip, mode, linear, source) ?? this.#decodeBlock(slot, eip, mode, source);
    if (this.#second.has(record)) this.#found(nextPage(linear, mode));
    this.#i32[entry] = eip | 0;
    this.#i32[entry + (JUMP_CACHE_HIGH >> 2)] = this.#i32[RIP_HIGH >> 2]!;
    this.#i32[entry + (JUMP_CACHE_RECORD >> 2)] = record;
    this.#list(entry);
    return record;
  }

  #list(entry: number): void {
    const filled = this.#filled[this.#side];
    if (filled && filled.push(entry) > MOST_LISTED) this.#filled[this.#side] = undefined;
  }

  /** Makes the jump cache of a mode, side and privilege the current one. Gives whether another had to give its own up. */
  select(mode: Mode, user: boolean, side: Side = 0): boolean {
    const owner = mode.key * 4 + side * 2 + (user ? 1 : 0);
    this.#side = side;
    if (owner === this.#selected) return false;
    let taken = false;
    this.#selected = owner;
    let cache = this.#lastCache;
    if (this.#cacheOwners[cache] !== owner) cache = this.#cacheOwners.indexOf(owner);
    if (cache < 0) {
      cache = this.#nextCache;
      this.#nextCache = (cache + 1) % JUMP_CACHE_COUNT;
      taken = this.#cacheOwners[cache] !== -1;
      if (taken) this.#clearCache(JUMP_CACHES + cache * JUMP_CACHE_SIZE);
      this.#cacheOwners[cache] = owner;
    }
    this.#lastCache = this.#selectedCache;
    this.#selectedCache = cache;
    this.#i32[JUMP_CACHE_BASE >> 2] = JUMP_CACHES + cache * JUMP_CACHE_SIZE;
    return taken;
  }

  #clearCache(address: number): void {
    this.#u8.fill(0, address, address + JUMP_CACHE_SIZE);
    // An empty entry would match a jump to 0; only the first one can be asked for it.
    this.#i32[address >> 2] = 1;
  }

  #known(slot: number, eip: number, mode: Mode, linear: number, source: CodeSource): number | undefined {
    const record = this.#pages
      .get(slot)
      ?.byMode.get(mode.key)
      ?.get(eip >>> 0);
    if (record === undefined) return undefined;
    const second = this.#second.get(record);
    return second === undefined || second === source.codeSlot(nextPage(linear, mode)) ? record : undefined;
  }

  count(record: number): number {
    return this.#u16[(record + RECORD.left) >> 1]!;
  }

  eip(record: number): number {
    return wholeAddress(this.#i32[(record + RECORD.eip) >> 2]!, this.#i32[RIP_HIGH >> 2]!);
  }

  /** The instruction of a record that is executed outside of the generated code. */
  instruction(record: number): DecodedInstruction | InvalidInstruction {
    return this.#instructions[this.#i32[(record + RECORD.link) >> 2]!]!;
  }

  /** Where generated code is to stop from now on. Blocks that this would not be true of are forgotten. */
  stopAt(stops: StopPlaces): void {
    const offsets = difference(this.#stops.offsets, stops.offsets);
    const addresses = difference(this.#stops.addresses, stops.addresses);
    this.#stops = stops;
    if (offsets.length + addresses.length === 0) return;
    for (const [slot, page] of [...this.#pages]) if (this.#coversAny(page, offsets, addresses)) this.drop(slot);
  }

  #coversAny({ byMode, bases }: PageCode, offsets: readonly number[], addresses: readonly number[]): boolean {
    for (const [key, map] of byMode) {
      const base = bases.get(key)!;
      // Low words are enough: a block too many may be forgotten.
      const places = [...offsets, ...addresses.map((address) => address - base)].map((place) => place >>> 0);
      for (const [eip, record] of map) {
        const first = this.behindStop(record);
        const last = this.#i32[(first + (this.count(first) - 1) * RECORD_SIZE + RECORD.eip) >> 2]! >>> 0;
        for (const place of places) if (place >= eip && place <= last) return true;
      }
    }
    return false;
  }

  /** The first record of a block to be executed, which its stop record may stand before. */
  behindStop(record: number): number {
    return this.#u16[(record + RECORD.handler) >> 1] === HANDLER.stop ? record + RECORD_SIZE : record;
  }

  /** A copy of a block's first `count` records that stops behind them. */
  truncated(record: number, count: number): number {
    const words = RECORD_SIZE / 4;
    this.#i32.copyWithin(SCRATCH >> 2, record >> 2, (record >> 2) + count * words);
    for (let index = 0; index < count; index++)
      this.#u16[(SCRATCH + index * RECORD_SIZE + RECORD.left) >> 1] = count - index;
    const stop = SCRATCH + count * RECORD_SIZE;
    this.#u16[(stop + RECORD.handler) >> 1] = HANDLER.stop;
    this.#u16[(stop + RECORD.left) >> 1] = 0;
    this.#i32[(stop + RECORD.eip) >> 2] = this.eip(record + count * RECORD_SIZE);
    return SCRATCH;
  }

  hits(slot: number, offset: number, size: number): boolean {
    const page = this.#pages.get(slot);
    if (!page) return false;
    for (let at = offset; at < offset + size; at++) if (page.decoded[at] === 1) return true;
    return false;
  }

  drop(slot: number): void {
    this.generation++;
    for (const map of this.#pages.get(slot)?.byMode.values() ?? [])
      for (const [eip, record] of map) this.#unlist(eip, record);
    this.#pages.delete(slot);
    for (const [record, second] of this.#second) {
      if (second !== slot) continue;
      this.#second.delete(record);
      for (const { byMode } of this.#pages.values()) for (const map of byMode.values()) this.#deleteRecord(map, record);
    }
  }

  #deleteRecord(map: Map<number, number>, record: number): void {
    for (const [eip, found] of map) {
      if (found !== record) continue;
      map.delete(eip);
      this.#unlist(eip, record);
    }
  }

  /** Takes a block out of the jump caches. */
  #unlist(eip: number, record: number): void {
    for (let cache = 0; cache < JUMP_CACHE_COUNT; cache++) {
      const entry =
        (JUMP_CACHES + cache * JUMP_CACHE_SIZE + (eip & (JUMP_CACHE_ENTRIES - 1)) * JUMP_CACHE_ENTRY_SIZE) >> 2;
      if (this.#i32[entry + (JUMP_CACHE_RECORD >> 2)] === record) this.#empty(entry);
    }
  }

  /** An empty entry holds an EIP that is looked for in another one. */
  #empty(entry: number): void {
    this.#i32[entry] = ~((entry - (JUMP_CACHES >> 2)) / entryWords);
    this.#i32[entry + (JUMP_CACHE_RECORD >> 2)] = NO_BLOCK;
  }

  forget(side: Side): void {
    this.generation++;
    const filled = this.#filled[side];
    if (filled) for (const entry of filled) this.#empty(entry);
    else this.#clearCachesOf(side);
    this.#filled[side] = [];
    const pages = this.#foundPages[side]!;
    for (const page of pages) this.#u8[CODE_PAGES + page]! &= ~(1 << side);
    if (pages.length > 0) this.#foundPages[side] = [];
  }

  #clearCachesOf(side: Side): void {
    this.#cacheOwners.forEach((owner, cache) => {
      if (owner >= 0 && ((owner >> 1) & 1) === side) this.#clearCache(JUMP_CACHES + cache * JUMP_CACHE_SIZE);
    });
  }

  #found(linear: number): void {
    const page = (linear >>> 12) & CODE_PAGE_MASK;
    const bit = 1 << this.#side;
    if ((this.#u8[CODE_PAGES + page]! & bit) !== 0) return;
    this.#u8[CODE_PAGES + page]! |= bit;
    this.#foundPages[this.#side]!.push(page);
  }

  isFoundOn(page: number): boolean {
    return this.#u8[CODE_PAGES + (page & CODE_PAGE_MASK)] !== 0;
  }

  dropAll(): void {
    this.#pages.clear();
    this.#second.clear();
    this.#instructions = [];
    this.#next = ARENA;
    for (const side of SIDES) this.forget(side);
  }

  #decodeBlock(slot: number, eip: number, mode: Mode, source: CodeSource): number {
    const start = this.#next;
    const pageOffset = (mode.csBase + eip) & (PAGE_SIZE - 1);
    let crossing = -1;
    let at = start;
    let current = eip;
    let offset = pageOffset;
    let ends = false;
    /** Whether nothing behind the last instruction is reached by going on. A system instruction may go to the next one. */
    let leaves = false;
    let count = 0;
    const marks: [slot: number, from: number, to: number][] = [];
    const stops = stopsAt(this.#stops, eip, mode.csBase);
    if (stops) {
      this.#stop(start, eip);
      at += RECORD_SIZE;
    }
    const first = at;
    while (!ends && count < MAX_BLOCK && offset < PAGE_SIZE) {
      if (count > 0 && this.#stops !== noStops && stopsAt(this.#stops, current, mode.csBase)) break;
      let instruction: DecodedInstruction | InvalidInstruction;
      try {
        instruction = this.#set.decode(
          (index) => {
            if (offset + index < PAGE_SIZE) return source.codeByte(slot, offset + index);
            if (count > 0) throw CROSSES;
            if (crossing < 0) crossing = source.codeSlot(nextPage(linearOf(mode, eip), mode));
            return source.codeByte(crossing, offset + index - PAGE_SIZE);
          },
          current,
          mode,
        );
      } catch (thrown) {
        if (thrown === CROSSES) break;
        throw thrown;
      }
      // An instruction that reaches over the limit of CS faults instead of running.
      if (current + instruction.length - 1 > mode.csLimit)
        instruction = { row: undefined, eip: current, vector: VECTOR.GP, length: instruction.length };
      marks.push([slot, offset, Math.min(offset + instruction.length, PAGE_SIZE)]);
      if (offset + instruction.length > PAGE_SIZE) marks.push([crossing, 0, offset + instruction.length - PAGE_SIZE]);
      this.#write(at, instruction, mode);
      at += RECORD_SIZE;
      count++;
      current = mode.kind === "long" ? current + instruction.length : (current + instruction.length) >>> 0;
      offset += instruction.length;
      ends = endsBlock(instruction);
      leaves = ends && instruction.row?.system === undefined;
    }
    for (let index = 0; index < count; index++)
      this.#u16[(first + index * RECORD_SIZE + RECORD.left) >> 1] = count - index;
    // What TypeScript executes may go on behind itself after all, as INTO does, or a far jump to the next instruction.
    if (!leaves) {
      this.#goto(at, eip, current, mode);
      at += RECORD_SIZE;
    }
    if (crossing >= 0) {
      this.#u8[start + RECORD.flags]! |= RECORD_FLAG.twoPages;
      this.#second.set(start, crossing);
    }
    this.#next = at;
    for (const [marked, from, to] of marks) this.#page(marked).decoded.fill(1, from, to);
    const page = this.#page(slot);
    const byEip = page.byMode.get(mode.key) ?? new Map<number, number>();
    page.byMode.set(mode.key, byEip.set(eip >>> 0, start));
    page.bases.set(mode.key, mode.csBase);
    return start;
  }

  #page(slot: number): PageCode {
    const page = this.#pages.get(slot) ?? {
      byMode: new Map(),
      bases: new Map(),
      decoded: new Uint8Array(PAGE_SIZE),
    };
    this.#pages.set(slot, page);
    return page;
  }

  #clear(record: number): void {
    this.#u8.fill(0, record, record + RECORD_SIZE);
  }

  /** A record that costs nothing to enter and leaves. */
  #stop(record: number, eip: number): void {
    this.#clear(record);
    this.#u16[(record + RECORD.handler) >> 1] = HANDLER.stop;
    this.#i32[(record + RECORD.eip) >> 2] = eip;
  }

  #goto(record: number, from: number, to: number, mode: Mode): void {
    this.#clear(record);
    this.#u16[(record + RECORD.handler) >> 1] = HANDLER.goto;
    this.#i32[(record + RECORD.eip) >> 2] = to;
    this.#leadTo(record, from, to, mode);
  }

  /** The target of a direct branch. */
  #leadTo(record: number, from: number, to: number, mode: Mode): void {
    this.#i32[(record + RECORD.immediate) >> 2] = to;
    if (mode.kind === "long") this.#i32[(record + RECORD.displacement) >> 2] = upperHalf(to) - upperHalf(from);
    const near = Math.floor(linearOf(mode, from) / PAGE_SIZE) === Math.floor(linearOf(mode, to) / PAGE_SIZE);
    if (near) this.#u8[record + RECORD.flags]! |= RECORD_FLAG.linkable;
  }

  #write(record: number, instruction: DecodedInstruction | InvalidInstruction, mode: Mode): void {
    this.#clear(record);
    this.#i32[(record + RECORD.eip) >> 2] = instruction.eip;
    this.#u8[record + RECORD.length] = instruction.length;
    if (instruction.row === undefined || instruction.row.semantics === undefined) {
      this.#u16[(record + RECORD.handler) >> 1] = HANDLER.system;
      this.#i32[(record + RECORD.link) >> 2] = this.#instructions.length;
      this.#instructions.push(instruction);
      if (instruction.row === undefined || instruction.row.replay === undefined) return;
    }
    const { row, size, operands, memory, segment, repeat } = instruction;
    const { forms, memoryForm } = this.#set;
    const handler = forms.handlerOf(row, size, memoryForm(instruction, mode), repeat ?? "once");
    this.#u16[(record + RECORD.handler) >> 1] = handler;
    operands.forEach((operand, position) => {
      if (operand.kind === "register" && position < 2) {
        this.#u16[(record + (position === 0 ? RECORD.operandA : RECORD.operandB)) >> 1] = register(
          operand.number,
          operand.size,
          operand.rex,
        );
      } else if ((operand.kind === "xmm" || operand.kind === "mmx") && position < 2) {
        const registers = operand.kind === "xmm" ? XMM_REGISTERS : X87_REGISTERS;
        this.#u16[(record + (position === 0 ? RECORD.operandA : RECORD.operandB)) >> 1] =
          registers + FLOAT_REGISTER_SIZE * operand.number;
      } else if (operand.kind === "immediate") {
        const { value, high } = operand;
        this.#i32[(record + RECORD.immediate) >> 2] = high ?? value;
        if (high !== undefined) this.#i32[(record + RECORD.displacement) >> 2] = value;
      } else if (operand.kind === "target") this.#leadTo(record, instruction.eip, operand.value, mode);
    });
    if (instruction.addressSize === (mode.kind === "long" ? 32 : 16))
      this.#u8[record + RECORD.flags]! |= RECORD_FLAG.narrowAddress;
    if (memory?.relative) this.#u8[record + RECORD.flags]! |= RECORD_FLAG.relative;
    this.#u8[record + RECORD.segment] = memory ? memory.segment : segment;
    this.#u16[(record + RECORD.base) >> 1] = memory && memory.base >= 0 ? register(memory.base, 32) : ZERO_SLOT;
    this.#u16[(record + RECORD.index) >> 1] = indexField(instruction);
    this.#u8[record + RECORD.scale] = memory?.scale ?? 0;
    if (memory) this.#i32[(record + RECORD.displacement) >> 2] = memory.displacement;
    if (memory?.displacementHigh !== undefined) this.#i32[(record + RECORD.immediate) >> 2] = memory.displacementHigh;
  }
}

/** The index register, or the register of the third operand of an instruction without a memory operand. */
function indexField({ memory, operands }: DecodedInstruction): number {
  if (memory) return memory.index >= 0 ? register(memory.index, 32) : ZERO_SLOT;
  const third = operands[2];
  return third?.kind === "register" ? register(third.number, third.size) : ZERO_SLOT;
}
