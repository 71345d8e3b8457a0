/**
 * Ways between code of flat segments that TypeScript has gone: through gates, and back by IRET. Each is written down with
 * the words of memory that decided it, so that generated code can go it again (`replay.ts`). A cache, as the TLB is.
 *
 * A way leads from a place to a place. A place is what segment registers hold, with how code is read there.
 */
import { type Descriptor, SYSTEM_TYPE } from "../cpu/descriptors.js";
import type { GateWay } from "../cpu/processor.js";
import { ACCESS, FLAG, type Segment, type SystemState, type TableRegister } from "../cpu/state.js";
import type { X86CodeMode } from "../isa/x86.js";
import {
  CPL,
  GATE_WAY_COUNT,
  GATE_WAYS,
  JUMP_CACHE_BASE,
  PLACE,
  RETURN_WAY_COUNT,
  RETURN_WAYS,
  TLB_BASE,
  WAY,
  WAY_SIZE,
} from "./layout.js";
import type { Side } from "./tlb.js";

export interface Place extends Readonly<SystemState["segments"]> {
  readonly mode: X86CodeMode;
  readonly user: boolean;
  readonly basis: Basis;
}

/** More places than that are forgotten together with all ways. */
const MOST_PLACES = 64;
/** So many bases are known again: a host's, those of its guests, and of each with CR0.TS set and clear. */
const MOST_BASES = 16;
/** A place no way begins at. */
const NOWHERE = -1;

/**
 * What ways depend on beside memory: tables and control registers, and whether a guest goes them. No way leads from one basis
 * to another. What a guest's controls ask for decides none: generated code looks at that each time.
 */
interface Basis extends Pick<SystemState, "gdtr" | "idtr" | "ldtr" | "tr" | "cr0" | "cr4" | "model"> {
  readonly side: Side;
}

const sameSegment = (a: Segment, b: Segment): boolean =>
  a === b || (a.selector === b.selector && a.base === b.base && a.limit === b.limit && a.access === b.access);

const sameTable = (a: TableRegister, b: TableRegister): boolean =>
  a === b || (a.base === b.base && a.limit === b.limit);

const isBasis = (a: Basis, b: SystemState, side: Side): boolean =>
  a.side === side &&
  a.cr0 === b.cr0 &&
  a.cr4 === b.cr4 &&
  a.model === b.model &&
  sameTable(a.gdtr, b.gdtr) &&
  sameTable(a.idtr, b.idtr) &&
  sameSegment(a.ldtr, b.ldtr) &&
  sameSegment(a.tr, b.tr);

export class Ways {
  readonly #i32: Int32Array;
  /** By number; there is no place 0. */
  readonly #places: (Place | undefined)[] = [undefined];
  /** Address of the way that is being gone: where it leads is known when it has been. */
  #going = 0;
  /** 1 if it began with INT n. */
  #software = 0;
  #empty = false;
  /** The present one and some before it. */
  #bases: Basis[] = [];
  #basis: Basis | undefined;

  constructor(buffer: ArrayBuffer) {
    this.#i32 = new Int32Array(buffer);
    this.forget();
  }

  /** Where the processor is; 0 where no way may begin. */
  get place(): number {
    return this.#i32[PLACE >> 2]!;
  }

  placeOf(number: number): Place | undefined {
    return this.#places[number];
  }

  /** Ways are to begin and end under these tables and control registers. Those of others outlive that. */
  use(system: SystemState, side: Side): void {
    if (this.#basis !== undefined && isBasis(this.#basis, system, side)) return;
    this.#basis = this.#bases.find((basis) => isBasis(basis, system, side));
    if (this.#basis !== undefined) return;
    const { gdtr, idtr, ldtr, tr, cr0, cr4, model } = system;
    this.#basis = { side, gdtr, idtr, ldtr, tr, cr0, cr4, model };
    if (this.#bases.length === MOST_BASES) this.#bases.shift();
    this.#bases.push(this.#basis);
  }

  /** Something that every way depends on is another: jump caches. */
  forget(): void {
    this.#going = 0;
    this.#i32[PLACE >> 2] = 0;
    if (this.#empty) return;
    this.#empty = true;
    this.#places.length = 1;
    for (let index = 0; index < GATE_WAY_COUNT + RETURN_WAY_COUNT; index++)
      this.#i32[(GATE_WAYS + index * WAY_SIZE + WAY.from) >> 2] = NOWHERE;
  }

  /** Where no way begins or ends: segments are not flat, or somebody watches, or it is not known yet what holds here. */
  nowhere(): void {
    this.#going = 0;
    this.#i32[PLACE >> 2] = 0;
  }

  /** What was being gone has been taken back. */
  abandon(): void {
    this.#going = 0;
  }

  /** The processor is here now. What it was going is known from end to end. */
  arrive(segments: SystemState["segments"], mode: X86CodeMode, user: boolean): void {
    const from = this.place;
    const to = this.#numberOf(segments, mode, user);
    this.#i32[PLACE >> 2] = to;
    const way = this.#going;
    if (way === 0) return;
    this.#going = 0;
    if (from === 0 || !alike(this.#places[from]!, this.#places[to]!)) return;
    this.#set(way, WAY.to, to);
    this.#set(way, WAY.tlb, this.#i32[TLB_BASE >> 2]!);
    this.#set(way, WAY.jumpCache, this.#i32[JUMP_CACHE_BASE >> 2]!);
    this.#set(way, WAY.cpl, this.#i32[CPL >> 2]!);
    this.#set(way, WAY.from, way < RETURN_WAYS ? from * 2 + this.#software : from);
  }

  #numberOf(segments: SystemState["segments"], mode: X86CodeMode, user: boolean): number {
    const basis = this.#basis!;
    for (let number = this.#places.length - 1; number > 0; number--) {
      const place = this.#places[number]!;
      if (place.basis === basis && isAt(place, segments, mode, user)) return number;
    }
    if (this.#places.length > MOST_PLACES) this.forget();
    const { es, cs, ss, ds, fs, gs } = segments;
    this.#places.push({ es, cs, ss, ds, fs, gs, mode, user, basis });
    this.#empty = false;
    return this.#places.length - 1;
  }

  #set(way: number, field: number, value: number): void {
    this.#i32[(way + field) >> 2] = value;
  }

  #setWords(way: number, field: number, { low, high }: Pick<Descriptor, "low" | "high">): void {
    this.#set(way, field, low);
    this.#set(way, field + 4, high);
  }

  /** A delivery is about to change the registers: it has passed all checks. Gives whether that is noted. */
  throughGate(way: GateWay, gate: number, stack: Descriptor | undefined, { tr, segments }: SystemState): boolean {
    const { vector, code } = way;
    if (this.place === 0 || way.size !== 4 || way.level !== 0 || !isAccessed(code)) return false;
    if (stack !== undefined && ((tr.access & 15) !== SYSTEM_TYPE.BUSY_TSS32 || !isAccessed(stack))) return false;
    const index = vector * 4 + (this.#i32[CPL >> 2]! >> 1);
    const at = this.#begin(GATE_WAYS + index * WAY_SIZE, code, stack);
    this.#software = way.software ? 1 : 0;
    this.#set(at, WAY.gate, gate);
    this.#setWords(at, WAY.gateWords, way);
    this.#set(at, WAY.handler, way.handler);
    this.#set(at, WAY.flags, way.kept);
    this.#set(at, WAY.cs, segments.cs.selector);
    this.#set(at, WAY.ss, segments.ss.selector);
    // ESP0 and SS0 lie behind the link. Spec: SDM Vol. 3A, "Task-State Segment (TSS)".
    this.#set(at, WAY.tss, stack === undefined ? 0 : tr.base + 4);
    return true;
  }

  /** The same for IRET, which loads the flags of `may` into `eflags`. */
  back(selector: number, code: Descriptor, stack: Descriptor | undefined, eflags: number, may: number): boolean {
    if (this.place === 0 || !isAccessed(code) || (stack !== undefined && !isAccessed(stack))) return false;
    const index = ((selector >>> 3) ^ (this.place << 2)) & (RETURN_WAY_COUNT - 1);
    const at = this.#begin(RETURN_WAYS + index * WAY_SIZE, code, stack);
    this.#set(at, WAY.gate, selector);
    this.#set(at, WAY.iopl, eflags & FLAG.IOPL);
    this.#set(at, WAY.flags, may);
    return true;
  }

  /** Until its end is known nobody is to go it. */
  #begin(way: number, code: Descriptor, stack: Descriptor | undefined): number {
    this.#going = way;
    this.#set(way, WAY.from, NOWHERE);
    this.#set(way, WAY.code, code.address);
    this.#setWords(way, WAY.codeWords, code);
    this.#set(way, WAY.stack, stack?.address ?? 0);
    if (stack !== undefined) {
      this.#setWords(way, WAY.stackWords, stack);
      this.#set(way, WAY.stackSelector, stack.selector);
    }
    return way;
  }
}

/** An accessed flag that has to be set is a change of the table. */
const isAccessed = ({ high }: Descriptor): boolean => (high & 0x100) !== 0;

const isAt = (place: Place, { es, cs, ss, ds, fs, gs }: SystemState["segments"], mode: X86CodeMode, user: boolean) =>
  place.mode === mode &&
  place.user === user &&
  sameSegment(place.cs, cs) &&
  sameSegment(place.ss, ss) &&
  sameSegment(place.ds, ds) &&
  sameSegment(place.es, es) &&
  sameSegment(place.fs, fs) &&
  sameSegment(place.gs, gs);

const isReadable = ({ access }: Segment): number => access & ACCESS.WRITABLE;

/** Whether nothing has to be told to the checks of accesses on the way from one to the other. */
const alike = (from: Place, to: Place): boolean =>
  sameSegment(from.ds, to.ds) &&
  sameSegment(from.es, to.es) &&
  sameSegment(from.fs, to.fs) &&
  sameSegment(from.gs, to.gs) &&
  isReadable(from.cs) === isReadable(to.cs);
