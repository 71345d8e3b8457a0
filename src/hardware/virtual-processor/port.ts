/** The processor port of a processor that is a record: nothing is copied before it is written. */
import { anyBreakpoint, anyDataBreakpoint, dataBreakpoints, portBreakpoints } from "../cpu/debug.js";
import type { FloatingRegisters } from "../cpu/floating.js";
import {
  type AccessSize,
  type Between,
  Fault,
  type LocalApicPort,
  type ProcessorPort,
  Unsupported,
  VECTOR,
} from "../cpu/processor.js";
import { checkAccess } from "../cpu/segment-checks.js";
import {
  type CpuState,
  CR0,
  codeBitsOf,
  cplOf,
  FLAG,
  isCanonical,
  isLong,
  type Mode,
  modeOf,
  noEvents,
  type PendingEvents,
  type Segment,
  type SegmentName,
  type Shadow,
  type SystemState,
  segmentNumbered,
} from "../cpu/state.js";
import { alignmentMask } from "../engine/access-checks.js";
import type { VirtualBoard } from "./board.js";
import { VirtualFloating } from "./floating.js";
import { GeneralRegisters, type SavedRegisters } from "./general-registers.js";
import { type Accessor, VirtualLinearMemory } from "./linear-memory.js";

const [SS, FS] = [2, 4];
/** What `readPair` reads, on its way. */
const pair = new Int32Array(2);

const GUEST_OF_GUEST = "a virtual machine inside of a virtual machine";

/** What a fault takes back. */
interface Checkpoint {
  readonly registers: SavedRegisters;
  readonly eflags: number;
  readonly system: SystemState;
}

export class VirtualPort implements ProcessorPort, Accessor {
  readonly board: VirtualBoard;
  readonly #memory: VirtualLinearMemory;
  readonly #registers: GeneralRegisters;
  readonly #floatingState: CpuState["floating"];
  #floating: VirtualFloating | undefined;
  #system: SystemState;
  #eflags: number;
  #checkpoint: Checkpoint | undefined;
  /** CR2 as the last page fault left it, which nothing takes back. */
  #faultAddress: number | undefined;
  eip: number;
  nextEip = 0;
  halted: boolean;
  shadow: Shadow;
  pending: PendingEvents;
  low = 0;
  high = 0;
  begunAsUser = false;
  /** Each access has to be looked at: #AC, data breakpoints. */
  #aligned = false;
  #watched = false;
  /** DR6 bits of the #DB that is being delivered. */
  protected dr6 = 0;
  protected repeating = false;
  /** A fault was met on the way to a handler. */
  protected faultMet = false;

  constructor(cpu: CpuState, board: VirtualBoard) {
    this.board = board;
    this.#registers = new GeneralRegisters(cpu);
    this.#floatingState = cpu.floating;
    this.#system = cpu.system;
    this.#eflags = cpu.eflags;
    this.eip = codeBitsOf(cpu.system) === 64 ? cpu.eip : cpu.eip >>> 0;
    this.halted = cpu.halted;
    this.shadow = cpu.shadow;
    this.pending = cpu.pending;
    this.#memory = new VirtualLinearMemory(this, board);
  }

  /** What the processor has become. */
  get cpu(): CpuState {
    return this.#registers.toCpu({
      eip: this.codeBits === 64 ? this.eip : this.eip | 0,
      eflags: this.#eflags | FLAG.RESERVED,
      system: this.#system,
      floating: this.#floating?.state ?? this.#floatingState,
      halted: this.halted,
      shadow: this.shadow,
      pending: this.pending,
    });
  }

  // ---- instructions and deliveries --------------------------------------------------------------------------------

  /** An instruction or a delivery begins. */
  protected begin(): void {
    this.#checkpoint = { registers: this.#registers.save(), eflags: this.#eflags, system: this.#system };
    this.#faultAddress = undefined;
    this.repeating = false;
    this.faultMet = false;
    const system = this.#system;
    this.begunAsUser = this.cpl === 3;
    this.#aligned = this.begunAsUser && (system.cr0 & CR0.AM) !== 0 && (this.#eflags & FLAG.AC) !== 0;
    this.#watched = anyDataBreakpoint(system);
    this.refuseGuest();
  }

  /** A guest of a guest would have to be left for its own host, which nobody here knows how to do. */
  protected refuseGuest(): void {
    if (this.#system.virtualization?.guest !== undefined) throw new Unsupported(GUEST_OF_GUEST);
  }

  /** Takes back what it did to the registers before it faulted. */
  protected takeBack(): void {
    const { registers, eflags, system } = this.#checkpoint!;
    this.#registers.restore(registers);
    this.#eflags = eflags;
    this.#system = this.#faultAddress === undefined ? system : { ...system, cr2: this.#faultAddress };
  }

  /** The bytes of the instruction at EIP, by their numbers. */
  protected get codeHere(): (index: number) => number {
    return this.#memory.code(this.linearEip);
  }

  protected get linearEip(): number {
    return this.codeBits === 64 ? this.eip : (this.#system.segments.cs.base + this.eip) >>> 0;
  }

  /** Single instructions are looked at: by TF, or a breakpoint. */
  protected get isDebugged(): boolean {
    return (this.#eflags & FLAG.TF) !== 0 || anyBreakpoint(this.#system);
  }

  changePending(change: Partial<PendingEvents>): void {
    const { debug, nmi, nmiBlocked } = { ...this.pending, ...change };
    this.pending = debug === 0 && !nmi && !nmiBlocked ? noEvents : { debug, nmi, nmiBlocked };
  }

  // ---- registers --------------------------------------------------------------------------------------------------

  getRegister(number: number): number {
    return this.#registers.get(number);
  }

  setRegister(number: number, value: number, high = 0): void {
    this.#registers.set(number, value, high);
  }

  getRegisterHigh(number: number): number {
    return this.#registers.getHigh(number);
  }

  getEflags(): number {
    return this.#eflags | FLAG.RESERVED;
  }

  setEflags(value: number): void {
    this.#eflags = value | FLAG.RESERVED;
  }

  get floating(): FloatingRegisters {
    this.#floating ??= new VirtualFloating(this.#floatingState);
    return this.#floating;
  }

  get mode(): Mode {
    return modeOf(this.#system, this.#eflags);
  }

  get codeBits(): 16 | 32 | 64 {
    return codeBitsOf(this.#system);
  }

  get long(): boolean {
    return isLong(this.#system);
  }

  get cpl(): number {
    return cplOf(this.#system, this.#eflags);
  }

  get system(): SystemState {
    return this.#system;
  }

  setSystem(change: Partial<SystemState>): void {
    this.#system = { ...this.#system, ...change };
  }

  setSegment(name: SegmentName, segment: Segment): void {
    this.#system = { ...this.#system, segments: { ...this.#system.segments, [name]: segment } };
  }

  // ---- memory -----------------------------------------------------------------------------------------------------

  /** No translation is remembered. */
  invalidate(): void {}

  readLinear(linear: number, size: AccessSize, user: boolean): number {
    return this.#memory.read(linear, size, user);
  }

  writeLinear(linear: number, size: AccessSize, value: number, user: boolean): void {
    this.#memory.write(linear, size, value, user);
  }

  readPair(linear: number): void {
    this.#memory.readWords(linear, 2, false, pair);
    this.low = pair[0]!;
    this.high = pair[1]!;
  }

  readWords(linear: number, count: number, user: boolean, words: Int32Array): void {
    this.#memory.readWords(linear, count, user, words);
  }

  writeWords(linear: number, count: number, user: boolean, words: Int32Array): void {
    this.#memory.writeWords(linear, count, user, words);
  }

  readBytes(linear: number, bytes: Uint8Array, user: boolean): void {
    for (let index = 0; index < bytes.length; index++) bytes[index] = this.#memory.read(linear + index, 1, user);
  }

  writeBytes(linear: number, bytes: Uint8Array, user: boolean): void {
    for (const [index, byte] of bytes.entries()) this.#memory.write(linear + index, 1, byte, user);
  }

  checkWrite(linear: number, size: number, user: boolean): void {
    this.#memory.checkWrite(linear, size, user);
  }

  readPhysical(physical: number): number {
    return this.#memory.readPhysical(physical);
  }

  writePhysical(physical: number, value: number): void {
    this.#memory.store(physical, 4, value);
  }

  pageFaultAt(linear: number): void {
    this.#faultAddress = this.long ? linear : linear | 0;
    this.setSystem({ cr2: this.#faultAddress });
  }

  segmentAddress(segment: number, offset: number, size: number, write: boolean): number {
    const linear = this.#checkedAddress(segment, offset, size, write);
    if (this.#aligned && (linear & alignmentMask(size)) !== 0) throw new Fault(VECTOR.AC, 0, "data-not-aligned");
    if (this.#watched) this.trap(dataBreakpoints(this.#system, linear, size, write));
    return linear;
  }

  #checkedAddress(segment: number, offset: number, size: number, write: boolean): number {
    const register = segmentNumbered(this.#system.segments, segment);
    if (this.codeBits !== 64) {
      checkAccess(segment, register, offset, size, write);
      return (register.base + offset) >>> 0;
    }
    const linear = segment < FS ? offset : register.base + offset;
    if (!isCanonical(linear) || !isCanonical(linear + size - 1))
      throw new Fault(segment === SS ? VECTOR.SS : VECTOR.GP, 0, "address-not-canonical");
    return linear;
  }

  // ---- devices ----------------------------------------------------------------------------------------------------

  get localApic(): LocalApicPort | undefined {
    return this.board.localApic;
  }

  portRead(port: number, size: AccessSize): number {
    const value = this.board.portRead(port, size);
    this.trap(portBreakpoints(this.#system, port, size));
    return value;
  }

  portWrite(port: number, size: AccessSize, value: number): void {
    this.board.portWrite(port, size, value);
    this.trap(portBreakpoints(this.#system, port, size));
  }

  get apicId(): number {
    return this.board.apicId;
  }

  get processors(): number {
    return this.board.processors;
  }

  get now(): number {
    return this.board.now;
  }

  // ---- events -----------------------------------------------------------------------------------------------------

  halt(): void {
    this.halted = true;
  }

  /** Whose turn it is among several processors is for who runs them. */
  pause(): void {}

  setShadow(by: "sti" | "mov-ss"): void {
    this.shadow = by;
  }

  trap(dr6: number): void {
    if (dr6 !== 0) this.changePending({ debug: this.pending.debug | dr6 });
  }

  faulted(_fault: Fault): void {
    this.faultMet = true;
  }

  wentThroughGate(): void {}

  wentBack(): void {}

  /** There is none, see `refuseGuest`. */
  get guest(): undefined {
    return undefined;
  }

  get between(): Between {
    const { halted, shadow, pending } = this;
    return { halted, shadow, pending };
  }

  setBetween({ halted = this.halted, shadow = this.shadow, pending }: Partial<Between>): void {
    this.halted = halted;
    this.shadow = shadow;
    if (pending !== undefined) this.changePending(pending);
  }

  payloadOf(vector: number): number {
    const { cr2 } = this.#system;
    if (vector === VECTOR.PF) return this.long ? cr2 : cr2 >>> 0;
    return vector === VECTOR.DB ? this.dr6 : 0;
  }

  leave(): void {
    throw new Unsupported(GUEST_OF_GUEST);
  }

  inject(): void {
    throw new Unsupported(GUEST_OF_GUEST);
  }

  unblockNmi(): void {
    if (this.pending.nmiBlocked) this.changePending({ nmiBlocked: false });
  }

  repeat(): void {
    this.repeating = true;
  }
}
