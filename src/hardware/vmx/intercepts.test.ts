/** Which causes leave a guest, control by control and bitmap by bitmap. */
import { describe, expect, it } from "vitest";
import { type ExitCause, type InterceptedInstruction, VmExit } from "../cpu/guest-operation.js";
import { Fault } from "../cpu/processor.js";
import { CR0, CR4 } from "../cpu/state.js";
import { PRIMARY, SECONDARY } from "./controls.js";
import { vmlaunch } from "./instructions.js";
import { instructionControls } from "./intercepts.js";
import { AT, rootPort, set, type TestPort, turnOn } from "./vmx.test-helper.js";

const VTPR = 0x7080;

function guestWith(prepare: (port: TestPort) => void = () => {}): TestPort {
  const port = rootPort();
  prepare(port);
  vmlaunch(port);
  if (port.guest === undefined) throw new Error("no guest");
  return port;
}

/** Whether the guest is left; or the vector of a fault. */
function leaves(port: TestPort, cause: ExitCause): boolean | number {
  try {
    port.guest!.check(port, cause);
    return false;
  } catch (thrown) {
    if (thrown instanceof VmExit) return true;
    if (thrown instanceof Fault) return thrown.vector;
    throw thrown;
  }
}

const instruction = (name: InterceptedInstruction): ExitCause => ({ kind: "instruction", name });
const names = Object.keys(instructionControls) as InterceptedInstruction[];

describe("instructions", () => {
  it.each(names)("leave a guest exactly as their control says: %s", (name) => {
    const control = instructionControls[name];
    const needed = name === "RDTSCP";
    if (name === "INVPCID") {
      expect(leaves(guestWith(), instruction(name))).toBe(6);
      return;
    }
    const enable = (port: TestPort): void => {
      if (needed) turnOn(port, "secondary", "enable RDTSCP");
    };
    const without = guestWith(enable);
    if (typeof control === "string") {
      expect(leaves(without, instruction(name))).toBe(control === "always");
      return;
    }
    expect(leaves(without, instruction(name))).toBe(false);
    const masks: Readonly<Record<string, number>> = control.word === "primary" ? PRIMARY : SECONDARY;
    const [known] = Object.entries(masks).find(([, mask]) => mask === control.mask)!;
    const port = guestWith((to) => {
      enable(to);
      turnOn(to, control.word, known as never);
    });
    expect(leaves(port, instruction(name))).toBe(true);
  });

  it("RDTSCP is #UD in a guest for which it is not enabled", () => {
    expect(leaves(guestWith(), instruction("RDTSCP"))).toBe(6);
  });
});

const write = (number: 0 | 3 | 4 | 8, value: number | bigint): ExitCause => ({
  kind: "control-register",
  access: "write",
  number,
  register: 0,
  value: BigInt(value),
});

describe("control registers", () => {
  const owns = (port: TestPort): void => {
    set(port, "CR0 guest/host mask", CR0.TS | CR0.PE | CR0.MP);
    set(port, "CR0 read shadow", CR0.TS);
    set(port, "CR4 guest/host mask", CR4.VMXE);
    set(port, "CR4 read shadow", 0);
  };

  it("leave on a write that differs from what the guest sees of the host's bits", () => {
    const port = guestWith(owns);
    expect(leaves(port, write(0, CR0.TS))).toBe(false);
    expect(leaves(port, write(0, CR0.TS | CR0.WP))).toBe(false);
    expect(leaves(port, write(0, 0))).toBe(true);
    expect(leaves(port, write(0, CR0.TS | CR0.PE))).toBe(true);
    expect(leaves(port, write(4, CR4.PAE))).toBe(false);
    expect(leaves(port, write(4, CR4.VMXE))).toBe(true);
  });

  it("show the shadow where the host owns a bit, and keep what is really there", () => {
    const port = guestWith(owns);
    const { cr0 } = port.system;
    expect(port.guest!.seenControl(port, 0) >>> 0).toBe(((cr0 & ~(CR0.PE | CR0.MP)) | CR0.TS) >>> 0);
    expect(port.guest!.seenControl(port, 4) & CR4.VMXE).toBe(0);
    expect(port.guest!.loadedControl(port, 0, CR0.TS) & (CR0.TS | CR0.PE)).toBe(CR0.PE);
    expect(port.guest!.loadedControl(port, 4, 0)).toBe(CR4.VMXE);
  });

  it("leave on CLTS only if the host owns TS and the guest sees it set", () => {
    const clts: ExitCause = { kind: "control-register", access: "clts", number: 0 };
    expect(leaves(guestWith(owns), clts)).toBe(true);
    expect(leaves(guestWith(), clts)).toBe(false);
    expect(
      leaves(
        guestWith((port) => set(port, "CR0 guest/host mask", CR0.TS)),
        clts,
      ),
    ).toBe(false);
  });

  it("leave on LMSW by the four bits that it loads; it cannot clear PE", () => {
    const lmsw = (value: number): ExitCause => ({
      kind: "control-register",
      access: "lmsw",
      number: 0,
      value: BigInt(value),
    });
    const port = guestWith(owns);
    expect([8, 9, 0, 10, 12].map((value) => leaves(port, lmsw(value)))).toEqual([false, true, true, true, false]);
    const set1 = guestWith((to) => {
      set(to, "CR0 guest/host mask", CR0.PE);
      set(to, "CR0 read shadow", CR0.PE);
    });
    expect([0, 1].map((value) => leaves(set1, lmsw(value)))).toEqual([false, false]);
    expect(leaves(port, { kind: "control-register", access: "smsw", number: 0 })).toBe(false);
  });

  it("leave on loads of CR3 but those of the target list, and on stores", () => {
    const port = guestWith((to) => {
      turnOn(to, "primary", "CR3-load exiting", "CR3-store exiting");
      set(to, "CR3-target count", 1);
      set(to, "CR3-target value 0", 0x5000);
      set(to, "CR3-target value 1", 0x6000);
    });
    expect([0x5000, 0x6000, 0x5008].map((value) => leaves(port, write(3, value)))).toEqual([false, true, true]);
    expect(leaves(port, { kind: "control-register", access: "read", number: 3 })).toBe(true);
    const free = guestWith((to) => {
      const relaxed = PRIMARY["CR3-load exiting"] | PRIMARY["CR3-store exiting"];
      set(to, "Primary processor-based VM-execution controls", (0x0401e172 & ~relaxed) >>> 0);
    });
    expect(leaves(free, write(3, 0x7000))).toBe(false);
    expect(leaves(free, { kind: "control-register", access: "read", number: 3 })).toBe(false);
    expect(leaves(port, { kind: "control-register", access: "read", number: 0 })).toBe(false);
  });

  it("leave on CR8 by its two controls", () => {
    const read: ExitCause = { kind: "control-register", access: "read", number: 8 };
    const port = guestWith((to) => turnOn(to, "primary", "CR8-load exiting"));
    expect([leaves(port, write(8, 1)), leaves(port, read)]).toEqual([true, false]);
    const other = guestWith((to) => turnOn(to, "primary", "CR8-store exiting"));
    expect([leaves(other, write(8, 1)), leaves(other, read)]).toEqual([false, true]);
  });
});

describe("the TPR shadow", () => {
  const shadowed = guestWithShadow(5);
  function guestWithShadow(threshold: number): () => TestPort {
    return () =>
      guestWith((port) => {
        turnOn(port, "primary", "use TPR shadow");
        set(port, "Virtual-APIC address", VTPR - 0x80);
        set(port, "TPR threshold", threshold);
        port.writePhysical(VTPR, 0x70);
      });
  }

  it("is CR8 to the guest, in bits 7:4 of its byte", () => {
    const port = shadowed();
    expect(port.guest!.readTaskPriority(port)).toBe(7);
    expect(port.guest!.writeTaskPriority(port, 9)).toBe(true);
    expect(port.readPhysical(VTPR)).toBe(0x90);
    expect(guestWith().guest!.readTaskPriority(guestWith())).toBeUndefined();
    const without = guestWith();
    expect(without.guest!.writeTaskPriority(without, 3)).toBe(false);
  });

  it("leaves behind a write below the threshold, which is done", () => {
    const port = shadowed();
    expect(() => port.guest!.writeTaskPriority(port, 4)).toThrow(VmExit as never);
    expect(port.readPhysical(VTPR)).toBe(0x40);
    expect(leaves(port, { kind: "tpr-below-threshold" })).toBe(true);
  });
});

const io = (port: number, size: 1 | 2 | 4 = 1): ExitCause => ({
  kind: "port",
  port,
  size,
  direction: "out",
  immediate: false,
  repeated: false,
});

describe("ports", () => {
  const mapped = (...ports: readonly number[]): TestPort =>
    guestWith((port) => {
      turnOn(port, "primary", "use I/O bitmaps", "unconditional I/O exiting");
      set(port, "Address of I/O bitmap A", AT.bitmaps);
      set(port, "Address of I/O bitmap B", AT.bitmaps + 0x1000);
      for (const number of ports) {
        const at = AT.bitmaps + ((number >> 5) << 2);
        port.writePhysical(at, (port.readPhysical(at) | (1 << (number & 31))) >>> 0);
      }
    });

  it("leave always or never without bitmaps", () => {
    expect(leaves(guestWith(), io(0x80))).toBe(false);
    expect(
      leaves(
        guestWith((port) => turnOn(port, "primary", "unconditional I/O exiting")),
        io(0x80),
      ),
    ).toBe(true);
  });

  it("leave by the bit of any byte that is accessed, in either bitmap", () => {
    const port = mapped(0x61, 0x7fff, 0x8000, 0xffff);
    expect([io(0x60), io(0x61), io(0x62)].map((cause) => leaves(port, cause))).toEqual([false, true, false]);
    expect([io(0x60, 2), io(0x5e, 4), io(0x5d, 4)].map((cause) => leaves(port, cause))).toEqual([true, true, false]);
    expect([io(0x7ffe), io(0x7fff), io(0x8000), io(0x8001)].map((cause) => leaves(port, cause))).toEqual([
      ...[false, true, true, false],
    ]);
    expect([io(0xffff), io(0xfffe, 2), io(0xfffe)].map((cause) => leaves(port, cause))).toEqual([true, true, false]);
  });

  it("leave where an access goes around behind FFFFH", () => {
    const port = mapped();
    expect([io(0xffff), io(0xffff, 2), io(0xfffd, 4), io(0xfffc, 4)].map((cause) => leaves(port, cause))).toEqual([
      ...[false, true, true, false],
    ]);
  });
});

describe("model-specific registers", () => {
  const msr = (access: "read" | "write", address: number): ExitCause => ({ kind: "msr", access, address });

  it("leave always without bitmaps", () => {
    expect(leaves(guestWith(), msr("read", 0x10))).toBe(true);
  });

  it.each([
    [0, "read", 0x174],
    [1024, "read", 0xc000_0174],
    [2048, "write", 0x174],
    [3072, "write", 0xc000_0174],
  ] as const)("leave by the bitmap at %i: %s of %i", (offset, access, address) => {
    const port = guestWith((to) => {
      turnOn(to, "primary", "use MSR bitmaps");
      set(to, "Address of MSR bitmaps", AT.bitmaps);
      to.writePhysical(AT.bitmaps + offset + (0x174 >> 5) * 4, (1 << (0x174 & 31)) >>> 0);
    });
    for (const other of ["read", "write"] as const)
      for (const at of [0x174, 0x173, 0xc000_0174, 0xc000_0175])
        expect(leaves(port, msr(other, at))).toBe(other === access && at === address);
    for (const outside of [0x2000, 0xbfff_ffff, 0xc000_2000, 0xffff_ffff])
      expect(leaves(port, msr(access, outside))).toBe(true);
  });
});

describe("exceptions", () => {
  const raise = (
    vector: number,
    type: "exception" | "software" | "software exception" | "privileged" = "exception",
    errorCode?: number,
  ): ExitCause => ({
    kind: "exception",
    event: { vector, type, ...(errorCode === undefined ? {} : { errorCode }) },
    payload: 0,
  });

  it("leave by the exception bitmap, INT3 and INT1 too, INT n never", () => {
    const port = guestWith((to) => set(to, "Exception bitmap", (1 << 6) | (1 << 3) | 2));
    expect([6, 13, 3].map((vector) => leaves(port, raise(vector)))).toEqual([true, false, true]);
    expect(leaves(port, raise(3, "software exception"))).toBe(true);
    expect(leaves(port, raise(1, "privileged"))).toBe(true);
    expect(leaves(port, raise(6, "software"))).toBe(false);
  });

  it.each([
    // The bit, mask and match, then error codes 0, 2 and 4.
    [1, 0, 0, [true, true, true]],
    [0, 0, 0, [false, false, false]],
    [1, 2, 2, [false, true, false]],
    [0, 2, 2, [true, false, true]],
    [1, 0, 0xffffffff, [false, false, false]],
  ] as const)("page faults leave by bit %i, mask %i and match %i", (bit, mask, match, expected) => {
    const port = guestWith((to) => {
      set(to, "Exception bitmap", bit << 14);
      set(to, "Page-fault error-code mask", mask);
      set(to, "Page-fault error-code match", match);
    });
    expect([0, 2, 4].map((code) => leaves(port, raise(14, "exception", code)))).toEqual(expected);
  });
});

describe("other causes", () => {
  const simple = (
    kind: "nmi" | "interrupt-window" | "nmi-window" | "monitor-trap" | "preemption-timer",
  ): ExitCause => ({
    kind,
  });
  const interrupt: ExitCause = { kind: "interrupt", acknowledge: () => 0x20 };

  it("leave by their controls", () => {
    const none = guestWith();
    for (const cause of [
      interrupt,
      ...(["nmi", "interrupt-window", "nmi-window", "monitor-trap", "preemption-timer"] as const).map(simple),
    ])
      expect([cause.kind, leaves(none, cause)]).toEqual([cause.kind, false]);
    const port = guestWith((to) => {
      turnOn(to, "pin", "external-interrupt exiting", "NMI exiting", "virtual NMIs");
      turnOn(to, "primary", "interrupt-window exiting", "NMI-window exiting", "monitor trap flag");
    });
    for (const cause of [
      interrupt,
      ...(["nmi", "interrupt-window", "nmi-window", "monitor-trap"] as const).map(simple),
    ])
      expect([cause.kind, leaves(port, cause)]).toEqual([cause.kind, true]);
  });

  it("always leave: triple faults, INIT, task switches, nested faults", () => {
    const port = guestWith();
    expect(leaves(port, { kind: "triple-fault" })).toBe(true);
    expect(leaves(port, { kind: "init" })).toBe(true);
    expect(leaves(port, { kind: "task-switch", selector: 8, source: "jump" })).toBe(true);
    expect(leaves(port, { kind: "debug-register", access: "read", number: 7, register: 0 })).toBe(false);
  });

  it("leave when the preemption timer has counted down, once in 32 ticks", () => {
    const port = rootPort();
    turnOn(port, "pin", "activate VMX-preemption timer");
    set(port, "VMX-preemption timer value", 2);
    port.time = 1000n;
    vmlaunch(port);
    port.time = 1055n;
    expect(leaves(port, simple("preemption-timer"))).toBe(false);
    port.time = 1056n;
    expect(leaves(port, simple("preemption-timer"))).toBe(true);
  });
});
