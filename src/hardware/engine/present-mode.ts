/**
 * How code is read at present: the code mode, and with it all that generated code looks up by mode, privilege and segments.
 * Worked out anew when something it follows from has changed; generated code that repeats a way through a gate goes from
 * one known place to another (`ways.ts`), which is seen behind it.
 */
import { anyBreakpoint, anyDataBreakpoint, dataBreakpoints } from "../cpu/debug.js";
import { mmxFault, sseFault, x87Fault } from "../cpu/floating-faults.js";
import { stackMask } from "../cpu/operands.js";
import { ACCESS, CR0, CR4, cplOf, FLAG, isFlat, isLong, type Segment } from "../cpu/state.js";
import type { X86CodeMode } from "../isa/x86.js";
import type { AddressSpace } from "./address-space.js";
import type { Blocks } from "./blocks.js";
import { CodeModes } from "./code-modes.js";
import {
  CODE_LIMIT,
  CPL,
  CPL_GUEST,
  EXCEPTIONS_LEAVE,
  FLOAT_FAULT,
  INSTRUCTIONS_LEAVE,
  LEAVES,
  MMX_FAULT,
  SSE_FAULT,
  STACK_MASK,
} from "./layout.js";
import type { Processor } from "./processor.js";
import { Timestamp } from "./timestamp.js";
import { Ways } from "./ways.js";

const REPEATED = Object.keys(LEAVES) as (keyof typeof LEAVES)[];

export class PresentMode {
  readonly ways: Ways;
  readonly timestamp: Timestamp;
  /** Whether generated code may repeat deliveries; not where it matters what an instruction accessed before it faulted. */
  repeats = true;
  readonly #processor: Processor;
  readonly #space: AddressSpace;
  readonly #blocks: Blocks<X86CodeMode>;
  readonly #i32: Int32Array;
  readonly #modes = new CodeModes();
  /** Undefined: to be worked out before code is read again. */
  #mode: X86CodeMode | undefined;
  /** The place that segments and mode are those of. */
  #place = 0;
  /** The segments the generated code knows, by number; which of them are flat; and whether every access is looked at. */
  readonly #loaded: (Segment | undefined)[] = Array.from({ length: 6 }, () => undefined);
  #flatSegments = 0;
  #checked = false;

  constructor(processor: Processor, buffer: ArrayBuffer, space: AddressSpace, blocks: Blocks<X86CodeMode>) {
    this.#processor = processor;
    this.#space = space;
    this.#blocks = blocks;
    this.#i32 = new Int32Array(buffer);
    this.ways = new Ways(buffer);
    this.timestamp = new Timestamp(buffer);
  }

  /** Selects what the generated code looks up by mode and privilege. */
  get mode(): X86CodeMode {
    this.#mode ??= this.#workOut();
    return this.#mode;
  }

  /** What decided how code is read has not changed since it was worked out. */
  get isKnown(): boolean {
    return this.#mode !== undefined;
  }

  forget(): void {
    this.#mode = undefined;
  }

  /** The generated code knows the segments of another processor. */
  forgetSegments(): void {
    this.#mode = undefined;
    this.#loaded.fill(undefined);
  }

  #workOut(): X86CodeMode {
    const processor = this.#processor;
    const { system } = processor;
    const { eflags } = processor.registers;
    const cpl = cplOf(system, eflags);
    const user = cpl === 3;
    processor.debugging.notePrivilege();
    const space = this.#space;
    const aligned = user && (system.cr0 & CR0.AM) !== 0 && (eflags & FLAG.AC) !== 0;
    const watched = anyDataBreakpoint(system);
    const checked = aligned || watched;
    if (checked !== this.#checked) this.#loaded.fill(undefined);
    this.#checked = checked;
    space.checks.alignmentChecked = aligned;
    space.checks.watch = watched ? this.#watchData : undefined;
    const { segments } = system;
    this.#load(0, segments.es);
    this.#load(1, segments.cs);
    this.#load(2, segments.ss);
    this.#load(3, segments.ds);
    this.#load(4, segments.fs);
    this.#load(5, segments.gs);
    const mode = this.#modes.of(system.model, isLong(system), segments.cs, this.#flatSegments, checked);
    const long = mode.kind === "long";
    if (long) processor.registers.wideChanges = true;
    space.select(user, long, long && checked);
    this.#i32[CPL >> 2] = processor.guest === undefined ? cpl : cpl | CPL_GUEST;
    this.#noteWhatLeaves();
    this.timestamp.follow(processor);
    this.#i32[FLOAT_FAULT >> 2] = x87Fault(system);
    this.#i32[MMX_FAULT >> 2] = mmxFault(system);
    this.#i32[SSE_FAULT >> 2] = sseFault(system);
    // Ways lead to jump caches.
    if (this.#blocks.select(mode, user, space.side)) this.ways.forget();
    if (mode.kind === "segmented") {
      this.#i32[STACK_MASK >> 2] = stackMask(segments.ss);
      this.#i32[CODE_LIMIT >> 2] = mode.csLimit;
    }
    if (this.#mayRepeat(mode)) {
      this.ways.use(system, space.side);
      this.ways.arrive(segments, mode, user);
    } else this.ways.nowhere();
    this.#place = this.ways.place;
    return mode;
  }

  /** Lets generated code see what TypeScript has to look at, most of it on behalf of the guest that runs, if one does. */
  #noteWhatLeaves(): void {
    const { guest, system, processors } = this.#processor;
    let instructions = processors === 1 ? 0 : LEAVES.PAUSE;
    if ((system.cr4 & CR4.TSD) !== 0) instructions |= LEAVES.RDTSC | LEAVES.RDTSCP;
    if (guest !== undefined)
      for (const name of REPEATED) if (guest.asksFor(this.#processor, name)) instructions |= LEAVES[name];
    this.#i32[INSTRUCTIONS_LEAVE >> 2] = instructions;
    this.#i32[EXCEPTIONS_LEAVE >> 2] = guest?.exceptionsAskedFor(this.#processor) ?? 0;
  }

  /** Whether ways may begin and end here. Gates of long mode have another form. */
  #mayRepeat(mode: X86CodeMode): boolean {
    const { system, processors, observe } = this.#processor;
    return (
      mode.kind === "flat" &&
      !isLong(system) &&
      this.repeats &&
      processors === 1 &&
      observe === undefined &&
      !anyBreakpoint(system)
    );
  }

  readonly #watchData = (linear: number, size: number, write: boolean): void => {
    const processor = this.#processor;
    processor.trap(dataBreakpoints(processor.system, linear, size, write));
  };

  /** Lets the generated code check accesses through a segment register, unless it does so already. */
  #load(number: number, segment: Segment): void {
    if (this.#loaded[number] === segment) return;
    this.#loaded[number] = segment;
    this.#space.checks.loadSegment(number, segment);
    // A code segment may be read but never written, so accesses through one are always checked.
    const flat = (segment.access & ACCESS.CODE) === 0 && isFlat(segment);
    this.#flatSegments = (this.#flatSegments & ~(1 << number)) | (flat ? 1 << number : 0);
  }

  /** Generated code has been at work: sees where it went. */
  catchUp(): void {
    const number = this.ways.place;
    if (number === this.#place) return;
    const { cs, ss, mode, user } = this.ways.placeOf(number)!;
    const { systemRegisters } = this.#processor;
    this.#place = number;
    systemRegisters.setSegment("cs", cs);
    systemRegisters.setSegment("ss", ss);
    this.#loaded[1] = cs;
    this.#loaded[2] = ss;
    this.#mode = mode;
    this.#blocks.select(mode, user, this.#space.side);
  }
}
