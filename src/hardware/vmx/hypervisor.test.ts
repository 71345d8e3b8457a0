/** A hypervisor in machine code on the whole machine: it launches a guest, writes down each exit, and resumes behind it. */
import { describe, expect, it } from "vitest";
import { assemble } from "../isa/assembler/assembler.js";
import { Machine } from "../machine.js";
import { explainExit } from "./exit-reasons.js";
import { type FieldName, fields } from "./fields.js";
import { readVmcs } from "./vmcs.js";

const CODE = 0x1_0000;
const GUEST = 0x1_8000;
const TABLES = 0x2_0000;
const LOG = 0x3_0000;
const VMXON = 0x4_0000;
const VMCS = 0x4_1000;
const BITMAPS = 0x4_2000;
const GUEST_STACK = 0x7000;
const HOST_STACK = 0x6000;

const encoding = (name: FieldName): number => fields[name].encoding;
const CONTROLS = {
  pin: 0x16,
  /** HLT exiting, I/O bitmaps, MSR bitmaps. */
  primary: 0x0400_6172 | (1 << 7) | (1 << 25) | (1 << 28),
  exit: 0x36dff | (1 << 9),
  entry: 0x11ff | (1 << 9),
};

/** Host and guest are both in 64-bit mode, on the same tables. */
const vmcs: Partial<Record<FieldName, number | string>> = {
  "Pin-based VM-execution controls": CONTROLS.pin,
  "Primary processor-based VM-execution controls": CONTROLS.primary,
  "VM-exit controls": CONTROLS.exit,
  "VM-entry controls": CONTROLS.entry,
  "Address of I/O bitmap A": BITMAPS,
  "Address of I/O bitmap B": BITMAPS + 0x1000,
  "Address of MSR bitmaps": BITMAPS + 0x2000,
  "VMCS link pointer": -1,
  "Host CS selector": 8,
  "Host SS selector": 16,
  "Host DS selector": 16,
  "Host ES selector": 16,
  "Host TR selector": 24,
  "Host CR0": "cr0",
  "Host CR3": "cr3",
  "Host CR4": "cr4",
  "Host RSP": HOST_STACK,
  "Host RIP": "handler",
  "Guest CR0": "cr0",
  "Guest CR3": "cr3",
  "Guest CR4": "cr4",
  "Guest CS selector": 8,
  "Guest CS access rights": 0xa09b,
  "Guest CS limit": -1,
  "Guest SS selector": 16,
  "Guest SS access rights": 0xc093,
  "Guest SS limit": -1,
  "Guest DS access rights": 0x10000,
  "Guest ES access rights": 0x10000,
  "Guest FS access rights": 0x10000,
  "Guest GS access rights": 0x10000,
  "Guest LDTR access rights": 0x10000,
  "Guest TR access rights": 0x8b,
  "Guest TR limit": 0x67,
  "Guest RIP": GUEST,
  "Guest RSP": GUEST_STACK,
  "Guest RFLAGS": 2,
};

const writes = (more: Partial<Record<FieldName, number | string>>): string =>
  Object.entries({ ...vmcs, ...more })
    .map(([name, value]) => {
      const text = `mov rbx, ${value}`;
      return `mov eax, ${encoding(name as FieldName)}\n ${text}\n vmwrite rax, rbx\n jbe failed`;
    })
    .join("\n");

const hypervisor = (more: Partial<Record<FieldName, number | string>>): string => `
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
pointers: dq ${VMXON}, ${VMCS}
  bits 64
long:
  mov rax, cr4
  or rax, 0x2000
  mov cr4, rax
  mov ecx, 0x3a
  mov eax, 5
  xor edx, edx
  wrmsr
  mov ecx, 0x480
  rdmsr
  mov [${VMXON}], eax
  mov [${VMCS}], eax
  vmxon [pointers]
  jbe failed
  vmclear [pointers+8]
  jbe failed
  vmptrld [pointers+8]
  jbe failed
  ${writes(more)}
  mov edi, ${LOG}
  vmlaunch
failed:
  mov dword [${LOG - 8}], 0xbad
  mov eax, ${encoding("VM-instruction error")}
  vmread [${LOG - 16}], rax
  hlt
handler:
  push rax
  push rbx
  mov eax, ${encoding("Exit reason")}
  vmread [rdi], rax
  mov eax, ${encoding("Exit qualification")}
  vmread [rdi+8], rax
  mov eax, ${encoding("Guest RIP")}
  vmread rbx, rax
  mov [rdi+16], rbx
  mov eax, ${encoding("VM-exit instruction length")}
  vmread rax, rax
  mov [rdi+24], rax
  add rbx, rax
  mov eax, ${encoding("Guest RIP")}
  vmwrite rax, rbx
  cmp dword [rdi], 12
  je done
  cmp dword [rdi], 2
  je done
  add edi, 32
  pop rbx
  pop rax
  vmresume
  jmp failed
done:
  hlt`;

interface Run {
  readonly machine: Machine;
  readonly exits: readonly { reason: number; qualification: bigint; rip: number; length: number }[];
  readonly failed: boolean;
}

function run(
  guest: string,
  more: Partial<Record<FieldName, number | string>> = {},
  prepare: readonly [number, number[]][] = [],
): Run {
  const entry = (value: number): Uint8Array =>
    Uint8Array.of(value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, 0);
  let start = Machine.create({ memory: "1M", model: "max" })
    .write(CODE, assemble(hypervisor(more), { address: CODE }).bytes)
    .write(GUEST, assemble(guest, { address: GUEST, bits: 64 }).bytes)
    .write(TABLES, entry(TABLES + 0x1003))
    .write(TABLES + 0x1000, entry(TABLES + 0x2003))
    .write(TABLES + 0x2000, entry(0x83));
  for (const [address, bytes] of prepare) start = start.write(address, Uint8Array.from(bytes));
  const machine = start
    .edit((draft) => {
      draft.registers.eip = CODE;
      draft.registers.esp = HOST_STACK;
    })
    .run({ maxInstructions: 2000 });
  const bytes = machine.memory.read(LOG - 16, 0x1000);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const failed = view.getUint32(8, true) === 0xbad;
  const exits = Array.from({ length: 100 }, (_, index) => 16 + 32 * index)
    .filter((at, index) => index === 0 || view.getUint32(at + 16, true) !== 0)
    .map((at) => ({
      reason: view.getUint32(at, true),
      qualification: view.getBigUint64(at + 8, true),
      rip: view.getUint32(at + 16, true),
      length: view.getUint32(at + 24, true),
    }));
  return { machine, exits, failed };
}

const names = ({ exits }: Run): string[] =>
  exits.map(({ reason, qualification }) => explainExit(reason, qualification).name);

/** Bytes in front of the first guest's HLT. */
const GUEST_HLT = 5 + 2 + 3 + 10 + 2 + 3;

describe("a hypervisor in machine code", () => {
  it("launches a guest, gets its exits with their lengths, and resumes it", () => {
    const end = run(`
      mov ecx, 5
      cpuid
      vmcall
      mov r8, 0x1122334455667788
      xor eax, eax
      dec r9d
      hlt`);
    expect(end.failed).toBe(false);
    expect(names(end)).toEqual(["CPUID", "VMCALL", "HLT"]);
    expect(end.exits.map(({ rip, length }) => [rip - GUEST, length])).toEqual([
      [5, 2],
      [7, 3],
      [GUEST_HLT, 1],
    ]);
    expect(end.machine.registers.r8).toBe(0x1122334455667788n);
  });
  it("lets ports and registers through that its bitmaps leave out", () => {
    const one: readonly [number, number[]][] = [
      [BITMAPS + (0x80 >> 3), [1]],
      [BITMAPS + 0x2000 + (0x174 >> 3), [1 << (0x174 & 7)]],
    ];
    const end = run(
      "out 0x80, al\n out 0x84, al\n xor edx, edx\n mov ecx, 0x174\n rdmsr\n wrmsr\n mov ecx, 0x175\n rdmsr\n hlt",
      {},
      one,
    );
    expect(names(end)).toEqual(["I/O instruction", "RDMSR", "HLT"]);
    expect(explainExit(30, end.exits[0]!.qualification).qualification).toMatchObject({
      port: "0x80",
      direction: "out",
    });
  });

  it("owns bits of CR0 and CR4, of which the guest sees shadows", () => {
    const end = run("mov rax, cr4\n mov r8, rax\n mov rax, cr0\n or eax, 8\n mov cr0, rax\n clts\n hlt", {
      "CR4 guest/host mask": 0x2000,
      "CR4 read shadow": 0,
      "CR0 guest/host mask": 8,
      "CR0 read shadow": 0,
    });
    expect(Number(end.machine.registers.r8) & 0x2000).toBe(0);
    expect(names(end)).toEqual(["Control-register accesses", "HLT"]);
    expect(explainExit(28, end.exits[0]!.qualification).qualification).toMatchObject({
      access: "MOV to CR",
      register: "CR0",
      "general register": "RAX",
    });
  });

  it("gets the exceptions that its bitmap has, and a triple fault of the guest without an IDT", () => {
    const end = run("ud2\n ud2", { "Exception bitmap": 1 << 6 });
    expect(names(end).slice(0, 2)).toEqual([
      "Exception or non-maskable interrupt (NMI)",
      "Exception or non-maskable interrupt (NMI)",
    ]);
    expect(names(run("ud2"))).toEqual(["Triple fault"]);
  });

  it("has a guest that cannot clear the bits that VMX operation fixes", () => {
    const stores = { "Exception bitmap": 1 << 13 };
    const end = run("mov rax, cr0\n and eax, ~0x20\n mov cr0, rax\n hlt", stores);
    expect(names(end)[0]).toBe("Exception or non-maskable interrupt (NMI)");
    expect(names(run("mov rax, cr4\n and eax, ~0x2000\n mov cr4, rax\n hlt", stores))[0]).toBe(
      "Exception or non-maskable interrupt (NMI)",
    );
  });

  it("steps through the guest with the monitor trap flag", () => {
    const end = run("nop\n nop\n inc rcx\n hlt", {
      "Primary processor-based VM-execution controls": CONTROLS.primary | (1 << 27),
    });
    expect(names(end)).toEqual([...new Array(3).fill("Monitor trap flag"), "HLT"]);
    expect(end.exits.map(({ rip }) => rip - GUEST)).toEqual([1, 2, 5, 5]);
  });

  it("gets the processor back from a guest that never ends, when the preemption timer has counted down", () => {
    const end = run("again: jmp again", {
      "Pin-based VM-execution controls": CONTROLS.pin | (1 << 6),
      "VMX-preemption timer value": 4,
    });
    expect(names(end)[0]).toBe("VMX-preemption timer expired");
  });

  const EPT = 0x5_0000;
  /** A real-mode guest behind EPT, with these rights on its memory. */
  const runReal = (text: string, rights: number): Run => {
    const link = (to: number): number[] => [(to & 0xff) | 7, (to >> 8) & 0xff, to >> 16];
    return run(
      `bits 16\n ${text}`,
      {
        "Primary processor-based VM-execution controls": (CONTROLS.primary | (2 ** 31)) >>> 0,
        "Secondary processor-based VM-execution controls": 2 | 128,
        "EPT pointer": EPT | 6 | 24,
        "VM-entry controls": 0x11ff,
        "Guest CR0": 0x20,
        "Guest CR4": 0x2000,
        "Guest CS selector": GUEST >> 4,
        "Guest CS base": GUEST,
        "Guest CS limit": 0xffff,
        "Guest CS access rights": 0x9b,
        "Guest DS access rights": 0x93,
        "Guest DS limit": 0xffff,
        "Guest SS access rights": 0x93,
        "Guest SS selector": 0,
        "Guest SS limit": 0xffff,
        "Guest RIP": 0,
      },
      [
        [EPT, link(EPT + 0x1000)],
        [EPT + 0x1000, link(EPT + 0x2000)],
        [EPT + 0x2000, [0x80 | 0x30 | rights]],
      ],
    );
  };

  it("runs an unrestricted guest in real mode behind EPT", () => {
    const end = runReal("mov word [0x500], 0x1234\n mov cx, [0x500]\n cpuid\n hlt", 7);
    expect(names(end)).toEqual(["CPUID", "HLT"]);
    expect(end.machine.registers.ecx & 0xffff).toBe(0x1234);
  });

  it("gets an EPT violation with its address and rights", () => {
    const end = runReal("mov word [0x500], 0x1234\n hlt", 5);
    expect(names(end)[0]).toBe("EPT violation");
    expect(explainExit(48, end.exits[0]!.qualification).qualification).toMatchObject({
      ...{ read: false, write: true, fetch: false, readable: true, writable: false, executable: true },
      "linear address is valid": true,
    });
    expect(end.exits[0]!.rip).toBe(0);
  });

  it("is told of a failed entry with the host's state loaded", () => {
    const end = run("hlt", { "Guest RFLAGS": 0 });
    expect(end.exits[0]).toMatchObject({ reason: 0x80000021, qualification: 0n });
    expect(run("hlt", { "Host TR selector": 0 }).failed).toBe(true);
  });

  it("leaves a VMCS that people can read", () => {
    const { machine } = run("cpuid\n hlt");
    const memory = { readPhysical: (at: number) => new DataView(machine.memory.read(at, 4).buffer).getUint32(0, true) };
    const record = readVmcs(memory, VMCS);
    expect(record.launchState).toBe("launched");
    expect(record.fields["Exit reason"]).toBe(12n);
    expect(record.fields["Guest RIP"]).toBe(BigInt(GUEST + 3));
  });
});
