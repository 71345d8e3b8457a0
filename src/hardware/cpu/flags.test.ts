/** Virtual interrupt flag, and real-mode delivery, on a processor that is a few variables. */
import { describe, expect, it } from "vitest";
import { deliver, TripleFault } from "./exceptions.js";
import { clearInterruptFlag, popFlags, pushFlags, setInterruptFlag } from "./flags.js";
import { Fault, type ProcessorPort, VECTOR } from "./processor.js";
import {
  CR0,
  CR4,
  cplOf,
  FLAG,
  flatProtectedMode,
  modeOf,
  noEvents,
  realSegment,
  type Segment,
  type SegmentName,
  type SystemState,
} from "./state.js";
import { redirectInterrupt } from "./virtual-8086.js";

const STACK = 0x5000;
const TSS = 0x2000;

/** SP is 100h at linear 5000h; memory is 128 KiB. */
function processor(eflags: number, system: Partial<SystemState> = {}): ProcessorPort & { bytes: DataView } {
  const real = realSegment(0, 0xf3);
  const registers = [0, 0, 0, 0, 0x100, 0, 0, 0];
  const data = { es: real, cs: real, ss: realSegment(STACK >> 4, 0xf3), ds: real, fs: real, gs: real };
  const segments: Record<SegmentName, Segment> = { ...data, ...system.segments };
  const tr = { selector: 8, base: TSS, limit: 0xff, access: 0x8b };
  const state = { ...flatProtectedMode.system, tr, ...system, segments };
  const bytes = new DataView(new ArrayBuffer(0x20000));
  let flags = eflags | FLAG.RESERVED;
  const absent = (): never => {
    throw new Error("not in this test");
  };
  return {
    bytes,
    getRegister: (number) => registers[number]!,
    setRegister: (number, value) => {
      registers[number] = value;
    },
    getRegisterHigh: () => 0,
    codeBits: 16,
    long: false,
    getEflags: () => flags,
    setEflags: (value) => {
      flags = value;
    },
    eip: 0x30,
    nextEip: 0x32,
    get mode() {
      return modeOf(state, flags);
    },
    get cpl() {
      return cplOf(state, flags);
    },
    system: state,
    guest: undefined,
    readPhysical: absent,
    writePhysical: absent,
    between: { halted: false, shadow: "none", pending: noEvents },
    setBetween: absent,
    leave: absent,
    inject: absent,
    payloadOf: absent,
    setSystem: (change) => Object.assign(state, change),
    setSegment: (name, segment) => {
      segments[name] = segment;
    },
    readLinear: (linear, size) =>
      size === 4 ? bytes.getUint32(linear, true) : size === 2 ? bytes.getUint16(linear, true) : bytes.getUint8(linear),
    writeLinear: (linear, size, value) => {
      if (size === 4) bytes.setUint32(linear, value, true);
      else if (size === 2) bytes.setUint16(linear, value, true);
      else bytes.setUint8(linear, value);
    },
    readPair: absent,
    low: 0,
    high: 0,
    readWords: absent,
    writeWords: absent,
    readBytes: absent,
    writeBytes: absent,
    checkWrite: absent,
    get floating() {
      return absent();
    },
    segmentAddress: (_segment, offset) => STACK + offset,
    now: 0,
    apicId: 0,
    processors: 1,
    invalidate: absent,
    localApic: undefined,
    portRead: absent,
    portWrite: absent,
    halt: absent,
    pause: absent,
    setShadow: () => {},
    faulted: () => {},
    trap: absent,
    wentThroughGate: absent,
    wentBack: () => {},
    unblockNmi: absent,
    repeat: absent,
  };
}

const gp0 = (action: () => void): void => {
  let thrown: unknown;
  try {
    action();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(Fault);
  expect(thrown).toMatchObject({ vector: VECTOR.GP, errorCode: 0 });
};
const at = (port: { bytes: DataView }, address: number): number => port.bytes.getUint16(address, true);

describe("the virtual interrupt flag in virtual-8086 mode with CR4.VME", () => {
  const vme = { cr4: CR4.VME };

  it("is what CLI and STI change below IOPL 3, and IF at IOPL 3", () => {
    const low = processor(FLAG.VM | FLAG.IF, vme);
    setInterruptFlag(low);
    expect(low.getEflags() & (FLAG.VIF | FLAG.IF)).toBe(FLAG.VIF | FLAG.IF);
    clearInterruptFlag(low);
    expect(low.getEflags() & (FLAG.VIF | FLAG.IF)).toBe(FLAG.IF);
    const high = processor(FLAG.VM | FLAG.IF | FLAG.IOPL, vme);
    clearInterruptFlag(high);
    expect(high.getEflags() & FLAG.IF).toBe(0);
  });

  it("cannot be set while VIP is set", () => {
    gp0(() => setInterruptFlag(processor(FLAG.VM | FLAG.VIP, vme)));
    const port = processor(FLAG.VM | FLAG.VIP, vme);
    port.bytes.setUint16(STACK + 0x100, FLAG.IF, true);
    gp0(() => popFlags(port, 2));
  });

  it("is IF in what PUSHF pushes and POPF pops, with IOPL 3", () => {
    const port = processor(FLAG.VM | FLAG.VIF | FLAG.CF, vme);
    pushFlags(port, 2);
    expect(at(port, STACK + 0xfe)).toBe(FLAG.IOPL | FLAG.IF | FLAG.CF | FLAG.RESERVED);
    port.bytes.setUint16(STACK + 0xfe, FLAG.ZF | FLAG.IOPL, true);
    popFlags(port, 2);
    expect(port.getEflags()).toBe(FLAG.VM | FLAG.ZF | FLAG.RESERVED);
    expect(port.getRegister(4)).toBe(0x100);
  });

  it("is not there for PUSHFD and POPFD, nor without VME", () => {
    gp0(() => pushFlags(processor(FLAG.VM, vme), 4));
    gp0(() => popFlags(processor(FLAG.VM, vme), 4));
    gp0(() => pushFlags(processor(FLAG.VM), 2));
    gp0(() => setInterruptFlag(processor(FLAG.VM)));
  });

  it("TF cannot be popped below IOPL 3", () => {
    const port = processor(FLAG.VM, vme);
    port.bytes.setUint16(STACK + 0x100, FLAG.TF, true);
    gp0(() => popFlags(port, 2));
  });
});

describe("CR4.PVI", () => {
  it("gives CPL 3 of protected mode a virtual interrupt flag, and no other level", () => {
    const { segments } = flatProtectedMode.system;
    const at3 = (cpl: number): ProcessorPort =>
      processor(0, { cr4: CR4.PVI, segments: { ...segments, cs: { ...segments.cs, selector: 0x18 | cpl } } });
    const port = at3(3);
    setInterruptFlag(port);
    expect(port.getEflags()).toBe(FLAG.VIF | FLAG.RESERVED);
    gp0(() => setInterruptFlag(at3(2)));
  });
});

describe("INT n in virtual-8086 mode with CR4.VME", () => {
  /** Bit 20h of the redirection bitmap, which begins 32 bytes below the I/O map base. */
  const redirected = (eflags: number, monitors: boolean): ReturnType<typeof processor> => {
    const port = processor(FLAG.VM | eflags, { cr4: CR4.VME });
    port.bytes.setUint16(TSS + 0x66, 0x88, true);
    port.bytes.setUint8(TSS + 0x68 + 4, monitors ? 1 : 0);
    port.bytes.setUint16(0x20 * 4, 0x1234, true);
    port.bytes.setUint16(0x20 * 4 + 2, 0x600, true);
    return port;
  };

  it("goes through the program's own table where the bitmap has a 0", () => {
    const port = redirected(FLAG.VIF | FLAG.IF, false);
    expect(redirectInterrupt(port, 0x20)).toBe(true);
    expect([port.system.segments.cs.base, port.nextEip]).toEqual([0x6000, 0x1234]);
    expect([at(port, STACK + 0xfa), at(port, STACK + 0xfe)]).toEqual([0x32, FLAG.IOPL | FLAG.IF | FLAG.RESERVED]);
    expect(port.getEflags()).toBe(FLAG.VM | FLAG.IF | FLAG.RESERVED);
  });

  it("is the monitor's where it has a 1: through the IDT at IOPL 3, else #GP(0)", () => {
    expect(redirectInterrupt(redirected(FLAG.IOPL, true), 0x20)).toBe(false);
    gp0(() => redirectInterrupt(redirected(0, true), 0x20));
  });

  it("is #GP(0) when the bitmap lies beyond the TSS", () => {
    const port = redirected(0, false);
    port.bytes.setUint16(TSS + 0x66, 0x200, true);
    gp0(() => redirectInterrupt(port, 0x20));
  });
});

describe("an event in real mode", () => {
  const real = { cr0: CR0.ET, idtr: { base: 0x400, limit: 0x3ff } };

  it("pushes FLAGS, CS and IP, clears IF, TF and AC, and goes where the table says", () => {
    const port = processor(FLAG.IF | FLAG.AC | FLAG.CF, real);
    port.bytes.setUint32(0x400 + 6 * 4, 0x0abc_0010, true);
    deliver(port, VECTOR.UD, undefined, "exception", 0x30);
    expect([0xfa, 0xfc, 0xfe].map((offset) => at(port, STACK + offset))).toEqual([
      0x30,
      0,
      FLAG.IF | FLAG.CF | FLAG.RESERVED,
    ]);
    expect([port.system.segments.cs.selector, port.system.segments.cs.base, port.nextEip]).toEqual([
      0xabc, 0xabc0, 0x10,
    ]);
    expect(port.getEflags()).toBe(FLAG.CF | FLAG.RESERVED);
  });

  it("pushes no error code", () => {
    const port = processor(0, real);
    deliver(port, VECTOR.GP, 0, "exception", 0x30);
    expect(port.getRegister(4)).toBe(0xfa);
  });

  it("beyond the limit of IDTR is #GP, then #DF, then the end", () => {
    const short = (limit: number): ProcessorPort => processor(0, { ...real, idtr: { base: 0x400, limit } });
    const port = short(13 * 4 + 3);
    deliver(port, 0x20, undefined, "software", 0x32);
    expect(at(port as ReturnType<typeof processor>, STACK + 0xfa)).toBe(0x30);
    expect(() => deliver(short(8 * 4), 0x20, undefined, "software", 0x32)).toThrow(TripleFault as never);
  });

  it("wraps the stack pointer between two words, and faults inside of one", () => {
    const port = processor(0, real);
    port.setRegister(4, 2);
    deliver(port, VECTOR.UD, undefined, "exception", 0x30);
    expect(port.getRegister(4)).toBe(0xfffc);
    const odd = processor(0, real);
    odd.setRegister(4, 1);
    expect(() => deliver(odd, VECTOR.UD, undefined, "exception", 0x30)).toThrow(TripleFault as never);
  });
});
