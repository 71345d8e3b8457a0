/** Each VMX instruction on every one of its ways, on plain operands and out of machine code. */
import { describe, expect, it } from "vitest";
import { VmExit } from "../cpu/guest-operation.js";
import { Fault, type ProcessorPort } from "../cpu/processor.js";
import { CR0, CR4, FLAG, type Segment } from "../cpu/state.js";
import { assemble } from "../isa/assembler/assembler.js";
import { Machine } from "../machine.js";
import { fields } from "./fields.js";
import {
  invept,
  invvpid,
  vmcall,
  vmclear,
  vmfunc,
  vmlaunch,
  vmptrld,
  vmptrst,
  vmread,
  vmresume,
  vmwrite,
  vmxoff,
  vmxon,
} from "./instructions.js";
import { vmErrors } from "./vm-errors.js";
import { isLaunched, REVISION } from "./vmcs.js";
import { AT, get, outcome, rootPort, set, type TestPort, testPort, turnOn } from "./vmx.test-helper.js";

/** How it ended: the flags, "#UD", "#GP(0)" or "exit". */
function end(port: ProcessorPort, execute: (port: ProcessorPort) => unknown): ReturnType<typeof outcome> | string {
  try {
    execute(port);
    return outcome(port);
  } catch (thrown) {
    if (thrown instanceof VmExit) return `exit: ${thrown.cause.kind === "instruction" ? thrown.cause.name : "?"}`;
    if (thrown instanceof Fault) return thrown.vector === 6 ? "#UD" : thrown.errorCode === 0 ? "#GP(0)" : "?";
    throw thrown;
  }
}

const code = (port: TestPort, change: Partial<Segment>): void =>
  port.setSystem({ segments: { ...port.system.segments, cs: { ...port.system.segments.cs, ...change } } });
const atLevel3 = (port: TestPort): void => code(port, { selector: 0x2b });
const inCompatibility = (port: TestPort): void => code(port, { access: 0xc09b });
const in8086 = (port: TestPort): void => {
  port.setSystem({ efer: 0 });
  port.setEflags(FLAG.VM | 2);
};

const encodingOf = (name: keyof typeof fields): bigint => BigInt(fields[name].encoding);

/** Every instruction but VMXON and VMFUNC, with operands it accepts. */
const instructions: Readonly<Record<string, (port: ProcessorPort) => unknown>> = {
  VMXOFF: vmxoff,
  VMCALL: vmcall,
  VMCLEAR: (port) => vmclear(port, AT.other),
  VMPTRLD: (port) => vmptrld(port, AT.vmcs),
  VMPTRST: vmptrst,
  VMREAD: (port) => vmread(port, encodingOf("Guest RIP")),
  VMWRITE: (port) => vmwrite(port, encodingOf("Guest RIP"), 1n),
  VMLAUNCH: vmlaunch,
  VMRESUME: vmresume,
  INVEPT: (port) => invept(port, 2n, 0n),
  INVVPID: (port) => invvpid(port, 2n, 0n, 0n),
};
const names = Object.keys(instructions);

/** A guest that runs. */
function guestPort(prepare: (port: TestPort) => void = () => {}): TestPort {
  const port = rootPort();
  prepare(port);
  vmlaunch(port);
  if (port.guest === undefined) throw new Error(`no guest: ${outcome(port)}`);
  return port;
}

describe("a VMX instruction", () => {
  it.each(names)("is #UD outside of VMX operation, and in modes that have none: %s", (name) => {
    const execute = instructions[name]!;
    expect(end(testPort(), execute)).toBe("#UD");
    for (const mode of [inCompatibility, in8086]) {
      const port = rootPort();
      mode(port);
      expect(end(port, execute)).toBe("#UD");
    }
  });

  it.each(names)("is #GP(0) above CPL 0 in root operation: %s", (name) => {
    const port = rootPort();
    atLevel3(port);
    expect(end(port, instructions[name]!)).toBe("#GP(0)");
  });

  it.each(names)("leaves a guest, at any privilege: %s", (name) => {
    for (const prepare of [() => {}, atLevel3]) {
      const port = guestPort();
      prepare(port);
      expect(end(port, instructions[name]!)).toBe(`exit: ${name}`);
    }
  });

  it.each(names.filter((name) => name !== "VMXOFF" && name !== "VMPTRST" && name !== "VMPTRLD"))(
    "without a current VMCS can only say VMfailInvalid: %s",
    (name) => {
      const port = rootPort();
      vmclear(port, AT.vmcs);
      const succeeds = name === "VMCLEAR" || name.startsWith("INV");
      expect(end(port, instructions[name]!)).toBe(succeeds ? "succeed" : "invalid");
    },
  );

  it("has for each error the manual's description", () => {
    expect([...vmErrors.keys()]).toEqual([1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 15, 26, 28]);
  });
});

describe("VMXON", () => {
  const region = (port: TestPort, revision = REVISION): TestPort => {
    port.writePhysical(AT.region, revision >>> 0);
    return port;
  };
  const on = (port: ProcessorPort): void => vmxon(port, AT.region);

  it("enters root operation without a current VMCS", () => {
    const port = region(testPort());
    expect(end(port, on)).toBe("succeed");
    expect(port.system.virtualization).toEqual({
      kind: "vmx",
      region: AT.region,
      current: undefined,
      guest: undefined,
    });
    expect(vmptrst(port)).toBe(0xffff_ffff_ffff_ffffn);
  });

  it("is #UD without CR4.VMXE, outside of protected mode, and in compatibility mode", () => {
    expect(end(region(testPort("max", { cr4: CR4.PAE })), on)).toBe("#UD");
    expect(end(region(testPort("max", { cr0: CR0.ET, efer: 0 })), on)).toBe("#UD");
    for (const mode of [inCompatibility, in8086]) {
      const port = region(testPort());
      mode(port);
      expect(end(port, on)).toBe("#UD");
    }
  });

  it("is #GP(0) above CPL 0, with CR0 it does not support, and unless it is switched on and that is locked", () => {
    const level3 = region(testPort());
    atLevel3(level3);
    expect(end(level3, on)).toBe("#GP(0)");
    expect(end(region(testPort("max", { cr0: CR0.PE | CR0.PG })), on)).toBe("#GP(0)");
    for (const value of [undefined, 0n, 1n, 4n])
      expect(
        end(region(testPort("max", { msrs: value === undefined ? {} : { IA32_FEATURE_CONTROL: value } })), on),
      ).toBe("#GP(0)");
  });

  it("is VMfailInvalid for a region that is no page, lies beyond memory, or has another revision", () => {
    for (const address of [0x1001, 0x1800, 2 ** 40, 2 ** 60])
      expect(end(region(testPort()), (port) => vmxon(port, address))).toBe("invalid");
    for (const revision of [0, REVISION + 1, REVISION | 0x80000000])
      expect(end(region(testPort(), revision), on)).toBe("invalid");
  });

  it("in root operation is error 15, or #GP(0) above CPL 0; a guest is left", () => {
    const port = rootPort();
    expect(end(port, on)).toBe(15);
    atLevel3(port);
    expect(end(port, on)).toBe("#GP(0)");
    expect(end(guestPort(), on)).toBe("exit: VMXON");
    const bare = region(testPort());
    on(bare);
    expect(end(bare, on)).toBe("invalid");
  });
});

describe("VMXOFF and VMCALL", () => {
  it("leave VMX operation; and fail with error 1 in root operation", () => {
    const port = rootPort();
    expect(end(port, vmcall)).toBe(1);
    expect(end(port, vmxoff)).toBe("succeed");
    expect(port.system.virtualization).toBeUndefined();
  });
});

describe("VMCLEAR", () => {
  it("makes a VMCS clear, and takes it from being current", () => {
    const port = guestPort();
    expect(isLaunched(port, AT.vmcs)).toBe(true);
    port.guest!.leave(port, new VmExit({ kind: "instruction", name: "CPUID" }), undefined, 2);
    expect(end(port, (to) => vmclear(to, AT.vmcs))).toBe("succeed");
    expect(isLaunched(port, AT.vmcs)).toBe(false);
    expect(vmptrst(port)).toBe(0xffff_ffff_ffff_ffffn);
  });

  it("leaves another one current", () => {
    const port = rootPort();
    expect(end(port, (to) => vmclear(to, AT.other))).toBe("succeed");
    expect(vmptrst(port)).toBe(BigInt(AT.vmcs));
  });

  it.each([
    [2, 0x123],
    [2, 2 ** 40],
    [3, AT.region],
  ] as const)("fails with error %i", (error, address) => {
    expect(end(rootPort(), (port) => vmclear(port, address))).toBe(error);
  });
});

describe("VMPTRLD and VMPTRST", () => {
  it("load and store the pointer", () => {
    const port = rootPort();
    port.writePhysical(AT.other, REVISION);
    expect(end(port, (to) => vmptrld(to, AT.other))).toBe("succeed");
    expect(vmptrst(port)).toBe(BigInt(AT.other));
  });

  it.each([
    [9, 0x123],
    [9, 2 ** 40],
    [10, AT.region],
    [11, AT.other],
  ] as const)("fail with error %i", (error, address) => {
    expect(end(rootPort(), (port) => vmptrld(port, address))).toBe(error);
  });

  it("refuse a shadow VMCS, as there is no VMCS shadowing", () => {
    const port = rootPort();
    port.writePhysical(AT.other, (REVISION | 0x80000000) >>> 0);
    expect(end(port, (to) => vmptrld(to, AT.other))).toBe(11);
  });
});

describe("VMREAD and VMWRITE", () => {
  it("read and write fields, and the upper halves of those of 64 bits", () => {
    const port = rootPort();
    vmwrite(port, encodingOf("TSC offset"), 0x1111_2222_3333_4444n);
    vmwrite(port, encodingOf("TSC offset") | 1n, 0xaaaa_bbbb_cccc_ddddn);
    expect(vmread(port, encodingOf("TSC offset"))).toBe(0xcccc_dddd_3333_4444n);
    expect(vmread(port, encodingOf("TSC offset") | 1n)).toBe(0xcccc_ddddn);
    expect(end(port, (to) => vmwrite(to, encodingOf("Guest ES selector"), 0x12345n))).toBe("succeed");
    expect(vmread(port, encodingOf("Guest ES selector"))).toBe(0x2345n);
  });

  it("fail with error 12 for what no field has, and for fields of controls that the model has not", () => {
    for (const encoding of [0x7ffen, 0x6801n, (1n << 32n) | 0x6800n, 0x1_0000n]) {
      expect(end(rootPort(), (port) => vmread(port, encoding))).toBe(12);
      expect(end(rootPort(), (port) => vmwrite(port, encoding, 0n))).toBe(12);
    }
    expect(end(rootPort("core2"), (port) => vmread(port, encodingOf("EPT pointer")))).toBe(12);
    expect(end(rootPort("nehalem"), (port) => vmread(port, encodingOf("EPT pointer")))).toBe("succeed");
    expect(end(rootPort("nehalem"), (port) => vmread(port, encodingOf("EPTP-list address")))).toBe(12);
  });

  it("cannot write what is read-only: error 13", () => {
    const port = rootPort();
    expect(end(port, (to) => vmwrite(to, encodingOf("Exit reason"), 1n))).toBe(13);
    expect(vmread(port, encodingOf("VM-instruction error"))).toBe(13n);
  });
});

describe("VMLAUNCH and VMRESUME", () => {
  it("ask for the launch state: errors 4 and 5", () => {
    expect(end(rootPort(), vmresume)).toBe(5);
    const port = guestPort();
    port.guest!.leave(port, new VmExit({ kind: "instruction", name: "CPUID" }), undefined, 2);
    expect(end(port, vmlaunch)).toBe(4);
    expect(end(port, vmresume)).toBe("succeed");
    expect(port.guest).toBeDefined();
  });

  it("do not begin behind MOV SS: error 26", () => {
    const port = rootPort();
    port.setBetween({ shadow: "mov-ss" });
    expect(end(port, vmlaunch)).toBe(26);
    port.setBetween({ shadow: "sti" });
    expect(end(port, vmlaunch)).toBe("succeed");
  });
});

describe("INVEPT and INVVPID", () => {
  const eptp = 0x9000n | 6n | 24n;
  const notCanonical = 0x8000_0000_0000n;

  it.each([
    ["succeed", 1n, eptp],
    ["succeed", 2n, 0n],
    [28, 0n, eptp],
    [28, 3n, eptp],
    [28, 1n, 0n],
  ] as const)("INVEPT: %s for type %s", (expected, type, pointer) => {
    const port = rootPort();
    const before = port.flushes;
    expect(end(port, (to) => invept(to, type, pointer))).toBe(expected);
    expect(port.flushes > before).toBe(expected === "succeed");
  });

  it.each([
    ["succeed", 0n, 1n, 0x1000n],
    [28, 0n, 0n, 0x1000n],
    [28, 0n, 1n, notCanonical],
    ["succeed", 1n, 1n, notCanonical],
    [28, 1n, 0n, 0n],
    ["succeed", 2n, 0n, notCanonical],
    [28, 2n, 0x10000n, 0n],
    ["succeed", 3n, 5n, 0n],
    [28, 3n, 0n, 0n],
    [28, 4n, 1n, 0n],
  ] as const)("INVVPID: %s for type %s of VPID %s", (expected, type, vpid, linear) => {
    expect(end(rootPort(), (port) => invvpid(port, type, vpid, linear))).toBe(expected);
  });

  it("are #UD on a model without", () => {
    expect(end(rootPort("core2"), (port) => invept(port, 2n, 0n))).toBe("#UD");
    expect(end(rootPort("core2"), (port) => invvpid(port, 2n, 0n, 0n))).toBe("#UD");
  });
});

describe("VMFUNC", () => {
  const LIST = 0x30000;
  const eptp = 0xa000n | 6n | 24n;
  const withFunctions = (port: TestPort): void => {
    turnOn(port, "secondary", "enable EPT", "enable VM functions");
    set(port, "VM-function controls", 1);
    set(port, "EPTP-list address", LIST);
    port.writePhysical(LIST + 8, Number(eptp));
    port.writePhysical(LIST + 12, 0);
  };
  const call = (eax: number, ecx: number) => (port: ProcessorPort) => {
    port.setRegister(0, eax);
    port.setRegister(1, ecx);
    vmfunc(port);
  };

  it("is #UD outside of a guest, where it is not enabled, and for numbers above 63", () => {
    expect(end(testPort(), call(0, 1))).toBe("#UD");
    expect(end(rootPort(), call(0, 1))).toBe("#UD");
    expect(end(guestPort(), call(0, 1))).toBe("#UD");
    expect(end(guestPort(withFunctions), call(64, 1))).toBe("#UD");
  });

  it("exchanges the EPT pointer for one of the list, at any privilege", () => {
    const port = guestPort(withFunctions);
    atLevel3(port);
    call(0, 1)(port);
    expect(get(port, "EPT pointer")).toBe(eptp);
    const { virtualization } = port.system;
    expect(virtualization?.kind === "vmx" && virtualization.guest?.eptp).toBe(eptp);
  });

  it.each([
    [1, 1],
    [63, 1],
    [0, 512],
    [0, 2],
  ])("leaves for function %i, entry %i", (eax, ecx) => {
    expect(end(guestPort(withFunctions), call(eax, ecx))).toBe("exit: VMFUNC");
  });
});

/** Machine code: operands in registers and memory, in 64-bit code entered by the test's own tables. */
const CODE = 0x1_0000;
const DATA = 0x2_0000;
const TABLES = 0x3_0000;

const PROLOGUE64 = `
  mov eax, 0xb0
  mov cr4, eax
  mov eax, ${TABLES}
  mov cr3, eax
  mov ecx, 0xc0000080
  rdmsr
  or eax, 0x100
  wrmsr
  mov eax, 0x80000021
  mov cr0, eax
  lgdt [gdtr]
  jmp 8:long
gdt: dq 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdtr: dw 0x17
  dd gdt
  bits 64
long:
  mov rax, cr4
  or rax, 0x2000
  mov cr4, rax`;
const PROLOGUE32 = `
  mov eax, 0x2010
  mov cr4, eax
  mov eax, ${TABLES + 0x3000}
  mov cr3, eax
  mov eax, 0x80000021
  mov cr0, eax`;
const COMMON = `
  mov ecx, 0x3a
  mov eax, 5
  xor edx, edx
  wrmsr
  mov ecx, 0x480
  rdmsr
  mov dword [${DATA}], 0x5000
  mov dword [${DATA + 8}], 0x6000
  mov [0x5000], eax
  mov [0x6000], eax
  vmxon [${DATA}]
  vmclear [${DATA + 8}]
  vmptrld [${DATA + 8}]
  vmptrst [${DATA + 16}]`;

const dword = (machine: Machine, at: number): number =>
  new DataView(machine.memory.read(at, 4).buffer).getUint32(0, true);

function run(prologue: string, text: string): Machine {
  const bytes = assemble(`${prologue}\n${COMMON}\n${text}\n hlt`, { address: CODE }).bytes;
  const entry = (value: number): Uint8Array =>
    Uint8Array.of(value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, 0);
  return Machine.create({ memory: "1M", model: "max" })
    .write(CODE, bytes)
    .write(TABLES, entry(TABLES + 0x1003))
    .write(TABLES + 0x1000, entry(TABLES + 0x2003))
    .write(TABLES + 0x2000, entry(0x83))
    .write(TABLES + 0x3000, entry(0x83))
    .edit((draft) => {
      draft.registers.eip = CODE;
      draft.registers.esp = 0x8000;
    })
    .run({ maxInstructions: 200, observe: ["exception"] });
}

describe("machine code", () => {
  it("of 64 bits moves 64 bits to and from fields", () => {
    const end64 = run(
      PROLOGUE64,
      `mov rbx, 0x123456789abcdef0
      mov eax, 0x681e
      vmwrite rax, rbx
      vmread rcx, rax
      vmread [${DATA + 24}], rax
      mov qword [${DATA + 32}], 0x55
      mov edx, 0x681c
      vmwrite rdx, [${DATA + 32}]
      vmread rsi, rdx
      mov r8d, 2
      invept r8, [${DATA}]
      invvpid r8, [${DATA + 40}]
      pushfq
      pop rdi`,
    );
    expect(end64.events).toEqual([]);
    expect(end64.registers.rcx).toBe(0x1234_5678_9abc_def0n);
    expect([dword(end64, DATA + 24), dword(end64, DATA + 28)]).toEqual([0x9abcdef0, 0x12345678]);
    expect([dword(end64, DATA + 16), dword(end64, DATA + 20)]).toEqual([0x6000, 0]);
    expect(end64.registers.rsi).toBe(0x55n);
    expect(Number(end64.registers.rdi) & 0x41).toBe(0);
  });

  it("of 32 bits moves 32 bits, and tells failures in ZF and CF", () => {
    const end32 = run(
      PROLOGUE32,
      `mov ebx, 0x9abcdef0
      mov eax, 0x681e
      vmwrite eax, ebx
      vmread ecx, eax
      mov eax, 0x7ffe
      vmread edx, eax
      pushfd
      pop esi
      mov eax, 0x4400
      vmread [${DATA + 24}], eax
      vmclear [${DATA + 8}]
      vmread edx, eax
      pushfd
      pop edi
      vmxoff`,
    );
    expect(end32.events).toEqual([]);
    expect(end32.registers.ecx).toBe(0x9abcdef0);
    expect([end32.registers.esi & 0x41, end32.registers.edi & 0x41]).toEqual([0x40, 0x01]);
    expect(dword(end32, DATA + 24)).toBe(12);
  });
});
