/** What leaves a guest of AMD-V: each intercept on and off, the maps at their edges, and what is told. */
import { describe, expect, it } from "vitest";
import type { ExitCause, InterceptedInstruction } from "../cpu/guest-operation.js";
import { CR0, CR4, EFER } from "../cpu/state.js";
import { exitCodes, explainExit } from "./exit-codes.js";
import { exitInfo } from "./exit-info.js";
import { svmGuest } from "./guest.js";
import { vmrun } from "./instructions.js";
import { exitCodeOf, intercepts, runningGuest } from "./intercepts.js";
import { msrMapBit } from "./permission-maps.js";
import {
  PORTS,
  REGISTERS,
  setIntercept,
  type TestPort,
  testPort,
  thrownBy,
  VMCB,
  writeGuest,
} from "./port.test-helper.js";
import { vmcbFields } from "./vmcb.js";

/** A port in a guest with these intercepts. */
function inGuest(
  names: readonly string[],
  fields: Readonly<Record<string, bigint | number>> = {},
  port = testPort(),
): TestPort {
  writeGuest(port, fields);
  for (const name of names) setIntercept(port, name);
  vmrun(port, VMCB);
  return port;
}

const leaves = (port: TestPort, cause: ExitCause): boolean => thrownBy(() => svmGuest.check(port, cause)) === cause;

const instructionNames: Readonly<Record<string, InterceptedInstruction>> = {
  IDTR_READ: "SIDT",
  GDTR_READ: "SGDT",
  LDTR_READ: "SLDT",
  TR_READ: "STR",
  IDTR_WRITE: "LIDT",
  GDTR_WRITE: "LGDT",
  LDTR_WRITE: "LLDT",
  TR_WRITE: "LTR",
  SWINT: "INT",
};

const port70: ExitCause = { kind: "port", port: 0x70, size: 1, direction: "in", immediate: true, repeated: false };
const others: Readonly<Record<string, ExitCause>> = {
  INTR: { kind: "interrupt", acknowledge: () => 0x20 },
  NMI: { kind: "nmi" },
  INIT: { kind: "init" },
  VINTR: { kind: "virtual-interrupt" },
  CR0_SEL_WRITE: { kind: "control-register", access: "write", number: 0, value: 0x10011n },
  TASK_SWITCH: { kind: "task-switch", selector: 0x28, source: "call" },
  SHUTDOWN: { kind: "triple-fault" },
  ICEBP: { kind: "exception", event: { vector: 1, type: "privileged" }, payload: 0 },
  IOIO: port70,
  MSR: { kind: "msr", access: "read", address: 0x1000_0000 },
};

/** A cause that the intercept of a name is for. */
function causeOf(name: string): ExitCause {
  const register = /^([CD])R(\d+)_(READ|WRITE)$/.exec(name);
  const access = register?.[3] === "READ" ? "read" : "write";
  if (register?.[1] === "C")
    return { kind: "control-register", access, number: Number(register[2]) as 0, register: 0, value: 0n };
  if (register !== null) return { kind: "debug-register", access, number: Number(register[2]), register: 0 };
  const exception = /^EXCP(\d+)$/.exec(name);
  if (exception !== null)
    return { kind: "exception", event: { vector: Number(exception[1]), type: "exception" }, payload: 0 };
  return others[name] ?? { kind: "instruction", name: instructionNames[name] ?? (name as InterceptedInstruction) };
}

/** Its map has port 70h. */
function withPort70(): TestPort {
  const port = testPort();
  port.writePhysical(PORTS + 12, 1 << 16);
  return port;
}

describe("an intercept", () => {
  // VMRUN has to be intercepted.
  it.each(intercepts.filter(({ name }) => name !== "VMRUN"))(
    "$name leaves the guest when it is set, and not else",
    (entry) => {
      const allowed = testPort();
      allowed.writePhysical(PORTS + 0x70 / 8 - 2, 1 << 16);
      const cause = causeOf(entry.name);
      const on = inGuest([entry.name], {}, withPort70());
      expect(leaves(on, cause)).toBe(true);
      expect(exitInfo(on, runningGuest(on)!, cause, 0n).code).toBe(BigInt(exitCodeOf(entry)));
      const all = intercepts.map(({ name }) => name).filter((name) => name !== entry.name);
      const noOther = entry.name === "CR0_SEL_WRITE" ? all.filter((name) => name !== "CR0_WRITE") : all;
      const without = entry.name === "CR0_WRITE" ? noOther.filter((name) => name !== "CR0_SEL_WRITE") : noOther;
      expect(leaves(inGuest(without, {}, withPort70()), cause)).toBe(false);
    },
  );

  it("of CR0 as a whole is told before the selective one", () => {
    const port = inGuest(["CR0_WRITE", "CR0_SEL_WRITE"]);
    const cause: ExitCause = { kind: "control-register", access: "write", number: 0, value: 0x10011n };
    expect(exitInfo(port, runningGuest(port)!, cause, 0n).code).toBe(0x10n);
  });

  it("CR0_SEL_WRITE lets TS and MP be, and CLTS, but no LMSW", () => {
    const port = inGuest(["CR0_SEL_WRITE"]);
    const write = (value: number): ExitCause => ({
      kind: "control-register",
      access: "write",
      number: 0,
      value: BigInt(value),
    });
    const old = CR0.PE | CR0.ET;
    expect([old, old | CR0.TS, old | CR0.MP, old | CR0.EM].map((value) => leaves(port, write(value)))).toEqual([
      false,
      false,
      false,
      true,
    ]);
    expect(leaves(port, { kind: "control-register", access: "clts", number: 0 })).toBe(false);
    expect(leaves(port, { kind: "control-register", access: "lmsw", number: 0, value: 1n })).toBe(true);
  });

  it("of CR0 is for SMSW, LMSW and CLTS, too", () => {
    expect(leaves(inGuest(["CR0_READ"]), { kind: "control-register", access: "smsw", number: 0 })).toBe(true);
    const written = inGuest(["CR0_WRITE"]);
    expect(leaves(written, { kind: "control-register", access: "clts", number: 0 })).toBe(true);
    expect(leaves(written, { kind: "control-register", access: "lmsw", number: 0, value: 1n })).toBe(true);
  });

  it("of #DB is not for INT1", () => {
    expect(leaves(inGuest(["EXCP1"]), others["ICEBP"]!)).toBe(false);
  });

  it("does not exist for what AMD-V cannot intercept", () => {
    const all = inGuest(intercepts.map(({ name }) => name));
    for (const name of ["RDRAND", "RDSEED", "VMCALL", "VMREAD"] as const)
      expect(leaves(all, { kind: "instruction", name })).toBe(false);
    for (const kind of ["preemption-timer", "monitor-trap", "nmi-window", "interrupt-window"] as const)
      expect(leaves(all, { kind })).toBe(false);
  });
});

describe("the I/O permission map", () => {
  const access = (port: number, size: 1 | 2 | 4): ExitCause => ({ ...port70, port, size }) as ExitCause;
  const withBit = (bit: number): TestPort => {
    const port = testPort();
    port.writePhysical(PORTS + (bit >>> 5) * 4, (1 << (bit & 31)) >>> 0);
    return inGuest(["IOIO"], {}, port);
  };

  it.each([0, 31, 32, 0x3ff, 0xfffe, 0xffff])("has a bit for port %i, and lets its neighbours be", (bit) => {
    const port = withBit(bit);
    expect(leaves(port, access(bit, 1))).toBe(true);
    if (bit > 0) expect(leaves(port, access(bit - 1, 1))).toBe(false);
    if (bit < 0xffff) expect(leaves(port, access(bit + 1, 1))).toBe(false);
  });

  it("counts every byte of an access, beyond port FFFFh as well", () => {
    expect([1, 2, 4].map((size) => leaves(withBit(0x103), access(0x100, size as 1)))).toEqual([false, false, true]);
    expect([1, 2, 4].map((size) => leaves(withBit(0x101), access(0x100, size as 1)))).toEqual([false, true, true]);
    expect(leaves(withBit(0x10002), access(0xffff, 4))).toBe(true);
    expect(leaves(withBit(0x10003), access(0xffff, 4))).toBe(false);
  });
});

describe("the MSR permission map", () => {
  const edges = [
    [0, 0],
    [0x1fff, 0x7ff],
    [0xc0000000, 0x800],
    [0xc0001fff, 0xfff],
    [0xc0010000, 0x1000],
    [0xc0011fff, 0x17ff],
  ] as const;

  it.each(edges)("has register %i in byte %i, reads below writes", (address, byte) => {
    expect(msrMapBit(address)! >> 3).toBe(byte);
    const shift = (byte & 3) * 8 + 2 * (address & 3);
    for (const write of [0, 1]) {
      const port = testPort();
      port.writePhysical(REGISTERS + (byte & ~3), (1 << (shift + write)) >>> 0);
      inGuest(["MSR"], {}, port);
      const leavesBy = (access: "read" | "write"): boolean => leaves(port, { kind: "msr", access, address });
      expect([leavesBy("read"), leavesBy("write")]).toEqual([write === 0, write === 1]);
    }
  });

  it.each([0x2000, 0xbfffffff, 0xc0002000, 0xc000ffff, 0xc0012000, 0xffffffff])(
    "has no register %i, which always is the host's",
    (address) => {
      const cause: ExitCause = { kind: "msr", access: "read", address };
      expect(leaves(inGuest(["MSR"]), cause)).toBe(true);
      expect(leaves(inGuest([]), cause)).toBe(false);
    },
  );
});

describe("what is told of an exit", () => {
  const info = (cause: ExitCause, port = inGuest([])): readonly [bigint, bigint] => {
    const { info1, info2 } = exitInfo(port, runningGuest(port)!, cause, 0x1234n);
    return [info1, info2];
  };

  it("is port, size, direction and next address of IN and OUT", () => {
    expect(info(port70)).toEqual([0x0070_0111n, 0x1234n]);
    const outs: ExitCause = {
      kind: "port",
      port: 0xcf8,
      size: 4,
      direction: "out",
      immediate: false,
      repeated: true,
      string: { linear: 0, segment: 3, addressSize: 16 },
    };
    expect(info(outs)).toEqual([0x0cf8_00ccn, 0x1234n]);
    expect(info({ ...port70, port: 0xffff } as ExitCause)[0] >> 16n).toBe(0xffffn);
  });

  it("is the error code of an exception, and the address of a #PF", () => {
    const event = { vector: 14, type: "exception", errorCode: 6 } as const;
    expect(info({ kind: "exception", event, payload: -4096 })).toEqual([6n, 0xffff_ffff_ffff_f000n]);
    expect(info({ kind: "exception", event: { ...event, vector: 13 }, payload: 9 })).toEqual([6n, 0n]);
  });

  it("is direction of an MSR; selector and source of a task switch", () => {
    expect(info({ kind: "msr", access: "write", address: 0 })).toEqual([1n, 0n]);
    expect(info({ kind: "task-switch", selector: 0x28, source: "jump" })).toEqual([0x28n, 1n << 38n]);
    expect(info({ kind: "task-switch", selector: 0x28, source: "return" })).toEqual([0x28n, 1n << 36n]);
    expect(info({ kind: "task-switch", selector: 0x28, source: "interrupt", errorCode: 7 })).toEqual([
      0x28n,
      (1n << 44n) | 7n,
    ]);
  });

  it("is access, place and guest-physical address of a refusal by nested tables", () => {
    const none = { read: false, write: false, execute: false };
    const fault = { guestPhysical: 0x800014, linear: 0, ofWalk: false, rights: none, misconfigured: false };
    const told = (change: object, port?: TestPort): readonly [bigint, bigint] =>
      info({ kind: "nested-fault", fault: { ...fault, access: { write: false, fetch: false }, ...change } }, port);
    expect(told({})).toEqual([0x1_0000_0004n, 0x800014n]);
    expect(told({ access: { write: true, fetch: false }, rights: { ...none, read: true } })[0]).toBe(0x1_0000_0007n);
    expect(told({ ofWalk: true })[0]).toBe(0x2_0000_0006n);
    expect(told({ misconfigured: true })[0]).toBe(0x1_0000_000dn);
    const fetch = { access: { write: false, fetch: true } };
    expect(told(fetch)[0]).toBe(0x1_0000_0004n);
    const host = testPort({ cr0: CR0.PE | CR0.PG | CR0.ET, cr4: CR4.PAE, efer: EFER.SVME | EFER.NXE });
    expect(told(fetch, inGuest([], { NP_ENABLE: 1 }, host))[0]).toBe(0x1_0000_0014n);
  });

  it("is told to people by name", () => {
    expect(explainExit(0x7bn, 0x0cf8_00ccn, 0x1234n)).toMatchObject({
      name: "VMEXIT_IOIO",
      info: { in: 0n, string: 1n, repeated: 1n, size: 4n, port: 0xcf8n, "next rIP": 0x1234n },
    });
    expect(explainExit(-1n, 0n, 0n).name).toBe("VMEXIT_INVALID");
    expect(explainExit(0x10n, 0n, 0n).summary).toBe("A write of CR0.");
    expect(explainExit(0x5555n, 1n, 2n)).toMatchObject({ name: "EXITCODE 0x5555", info: { EXITINFO1: 1n } });
  });
});

describe("the tables of AMD-V", () => {
  it("have each EXITCODE and each name once", () => {
    expect(new Set(exitCodes.map(({ code }) => code)).size).toBe(exitCodes.length);
    expect(new Set(exitCodes.map(({ name }) => name)).size).toBe(exitCodes.length);
  });

  it("have fields of a VMCB that do not overlap", () => {
    const bits = vmcbFields.flatMap(({ offset, bit, bits: width }) =>
      Array.from({ length: width }, (_, index) => offset * 8 + bit + index),
    );
    expect(new Set(bits).size).toBe(bits.length);
    for (const { name, offset, bit, bits: width } of vmcbFields)
      expect([name, width === 64 ? offset % 8 : Math.floor(((offset % 4) * 8 + bit + width - 1) / 32)]).toEqual([
        name,
        0,
      ]);
  });
});
