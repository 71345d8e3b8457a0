/**
 * The machines that instructions are tried on: supervisor or user, in one of two locations, reached by running a small
 * monitor that sets up everything and returns into the guest. All four have made the same number of steps, so that time
 * is the same.
 *
 * Popek and Goldberg's state is <E, M, P, R>: storage, mode, program counter, relocation-bounds register. Here M is CPL;
 * R is all that a virtual machine monitor keeps for itself: segment registers and the tables they are loaded from, page
 * tables, system registers, IF and IOPL, devices. E and P are the rest.
 */
import { includes, type ModelName, models } from "../../hardware/cpu/model.js";
import { CR0, CR4, EFER } from "../../hardware/cpu/state.js";
import { assemble } from "../../hardware/isa/assembler/assembler.js";
import { Machine } from "../../hardware/machine.js";
import { REVISION } from "../../hardware/vmx/vmcs.js";
import {
  DATA,
  GUEST_FRAMES,
  MEMORY_BYTES,
  MONITOR,
  MONITOR_STACK,
  MSR,
  PAGE_TABLES,
  PORT_AND_VECTOR,
  SELECTORS,
  SLOT_BYTES,
  SLOTS,
  STACK,
  STRINGS,
  TARGET,
  VMXON_REGION,
  WINDOW,
} from "./layout.js";
import {
  type Bits,
  descriptorTables,
  gdtLimit,
  idtLimit,
  type Location,
  pageTables,
  segmentBase,
  TABLES,
} from "./tables.js";

/** One of the four states that instructions are tried in. */
export interface WorldName {
  /** CPL 0 or CPL 3. */
  readonly mode: "supervisor" | "user";
  readonly location: 0 | 1;
}
export interface WorldOptions {
  readonly model: ModelName;
  readonly bits: Bits;
  /** CR4.UMIP. */
  readonly umip: boolean;
  /** I/O privilege level that the user runs with. */
  readonly iopl: 0 | 3;
}

/** In this order everywhere. */
export const worldNames: readonly WorldName[] = [
  { mode: "supervisor", location: 0 },
  { mode: "user", location: 0 },
  { mode: "supervisor", location: 1 },
  { mode: "user", location: 1 },
];

const NOP = 0x90;
const IF = 0x200;
const DEFINED = 2;
/** CF, PF, AF, ZF, SF, OF. */
const STATUS_FLAGS = 0x8d5;
/** No line that anything asks with is let through. */
const interruptMasks = [0xff, 0x7f] as const;
/** Where the monitor's tables are behind its code, by location. */
const TABLES_AT = [0x2000, 0x4000] as const;

interface Selectors {
  readonly code: number;
  readonly stack: number;
  readonly data: number;
  readonly task: number;
  readonly table: number;
}

/** Only CS and SS have to differ between the modes: CPL is part of them. */
function selectorsOf({ mode, location }: WorldName): Selectors {
  const user =
    location === 0 ? [SELECTORS.userCode, SELECTORS.userData] : [SELECTORS.otherUserCode, SELECTORS.otherUserData];
  const system =
    location === 0
      ? [SELECTORS.systemCode, SELECTORS.systemData]
      : [SELECTORS.otherSystemCode, SELECTORS.otherSystemData];
  const [code, stack] = mode === "user" ? user : system;
  const [task, table] =
    location === 0 ? [SELECTORS.task, SELECTORS.table] : [SELECTORS.otherTask, SELECTORS.otherTable];
  return { code: code!, stack: stack!, data: user[1]!, task, table };
}

/** Control registers as the guest finds them. Bits that make no instruction trap differ between the locations. */
export function controlRegisters(
  { model, umip, bits }: WorldOptions,
  location: Location,
): { cr0: number; cr4: number } {
  const wanted = [
    ...[CR4.OSFXSR, CR4.OSXMMEXCPT, CR4.FSGSBASE, CR4.VMXE, umip ? CR4.UMIP : 0, bits === 64 ? CR4.PAE : 0],
    ...(location === 1 ? [CR4.MCE, CR4.PGE] : []),
  ].reduce((all, bit) => all | bit, 0);
  const cr0 = CR0.PG | CR0.PE | CR0.NE | CR0.ET | CR0.WP | (location === 1 ? CR0.MP : 0);
  return { cr0, cr4: wanted & models[model].cr4 };
}

/** Model-specific registers: the ways into ring 0, and what a system tells its programs. */
function msrValues(
  { model, bits }: WorldOptions,
  location: Location,
): readonly (readonly [number: number, value: number, high?: number])[] {
  const has = (needs: Parameters<typeof includes>[1]): boolean => includes(model, needs);
  const efer = (bits === 64 ? EFER.LME : 0) | (has("SYSCALL") ? EFER.SCE : 0) | (has("SVM") ? EFER.SVME : 0);
  return [
    ...(efer === 0 ? [] : ([[0xc000_0080, efer]] as const)),
    ...(has("SEP")
      ? ([
          [0x174, SELECTORS.monitorCode],
          [0x175, MONITOR_STACK],
          [0x176, MONITOR + 0x100 * location],
        ] as const)
      : []),
    ...(has("SYSCALL") && bits === 64
      ? ([
          [0xc000_0081, MONITOR, SELECTORS.monitorCode],
          [0xc000_0082, MONITOR + 0x100 * location],
        ] as const)
      : []),
    ...(has(["RDTSCP"]) || has(["RDPID"]) ? ([[0xc000_0103, 1 + location]] as const) : []),
    ...(has("VMX") ? ([[0x3a, 5]] as const) : []),
  ];
}

const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;

function monitorText(options: WorldOptions, name: WorldName): string {
  const { model, bits, iopl } = options;
  const { location, mode } = name;
  const { code, stack, data, task, table } = selectorsOf(name);
  const { cr0, cr4 } = controlRegisters(options, location);
  const eflags = DEFINED | STATUS_FLAGS | (location === 1 ? IF : 0) | (iopl << 12);
  const guestStack = mode === "supervisor";
  const word = bits === 64 ? "qword" : "dword";
  return `
        bits 32
        ${models[model].controlRegisters.includes(4) ? `mov eax, ${hex(cr4)}\n mov cr4, eax` : ""}
        mov eax, ${hex(PAGE_TABLES[location])}
        mov cr3, eax
        ${msrValues(options, location)
          .map(
            ([number, value, high = 0]) =>
              `mov ecx, ${hex(number)}\n mov eax, ${hex(value)}\n mov edx, ${hex(high)}\n wrmsr`,
          )
          .join("\n")}
        mov eax, ${hex(cr0)}
        mov cr0, eax
        lgdt [gdtr]
        lidt [idtr]
        jmp ${SELECTORS.monitorCode}:there
        bits ${bits}
there:  mov al, ${interruptMasks[location]}
        out ${PORT_AND_VECTOR}, al
        mov eax, ${location + 1}
        ${bits === 64 ? "mov dr0, rax" : "mov dr0, eax"}
        ${includes(model, "VMX") ? "vmxon [region]" : ""}
        mov ax, ${table}
        lldt ax
        mov ax, ${task}
        ltr ax
        mov ax, ${data}
        mov ds, ax
        mov es, ax
        mov fs, ax
        mov gs, ax
        mov ax, ${guestStack ? stack : SELECTORS.monitorData}
        mov ss, ax
        mov esp, ${hex(guestStack ? STACK : MONITOR_STACK)}
        push ${word} ${stack}
        push ${word} ${hex(STACK)}
        push ${word} ${hex(eflags)}
        push ${word} ${code}
        push ${word} ${hex(WINDOW)}
        iret${bits === 64 ? "q" : "d"}
        align 8
region: dq ${hex(VMXON_REGION)}
gdtr:   dw ${gdtLimit}
        dd ${hex(MONITOR + TABLES_AT[location] + TABLES.gdt)}, 0
idtr:   dw ${idtLimit(bits)}
        dd ${hex(MONITOR + TABLES_AT[location] + TABLES.idt)}, 0`;
}

/** Executed first in the guest: the x87 registers hold numbers, and the processor remembers where it last used them. */
const GUEST_START = "fninit\n fld1\n fld1";
const GUEST_START_STEPS = 3;
const FRAME_BYTES = 0x40;
/** String instructions read here, behind where they write. */
const STRING_SOURCE = 0x80;
/** Then what is tried comes from memory to a register, and the instruction that is tried follows. */
const FETCH_AND_GO = {
  32: `mov eax, [${hex(DATA)}]\n jmp [${hex(TARGET)}]`,
  64: `mov rax, [${hex(DATA)}]\n jmp [${hex(TARGET)}]`,
} as const;
const FETCH_AND_GO_STEPS = 2;

export const addressOfSlot = (slot: number): number => SLOTS + SLOT_BYTES * slot;

function guestCode(instructions: readonly Uint8Array[], bits: Bits): Uint8Array {
  const code = new Uint8Array(addressOfSlot(instructions.length) - WINDOW).fill(NOP);
  code.set(assemble(`${GUEST_START}\n${FETCH_AND_GO[bits]}`, { bits }).bytes);
  for (const [slot, bytes] of instructions.entries()) code.set(bytes, addressOfSlot(slot) - WINDOW);
  return code;
}

export interface World extends WorldName {
  /** The guest is about to fetch an operand and to go to the instruction that is tried. */
  readonly machine: Machine;
}

function makeWorld(options: WorldOptions, name: WorldName, code: Uint8Array): World {
  const { bits, model } = options;
  const { location } = name;
  const { bytes: image } = assemble(monitorText(options, name), { address: MONITOR });
  const tables = MONITOR + TABLES_AT[location];
  const revision = new Uint8Array(new Uint32Array([REVISION]).buffer);
  let machine = Machine.boot({ image, memory: MEMORY_BYTES, model })
    .write(tables, descriptorTables(tables, MONITOR + 0x100 * (1 + location), location, bits))
    .write(PAGE_TABLES[location], pageTables(location, bits))
    .write(VMXON_REGION, revision)
    .write(GUEST_FRAMES[location], code)
    .write(GUEST_FRAMES[location] + STRINGS + STRING_SOURCE - WINDOW, new Uint8Array(8).fill(0x55))
    .run({ breakpoints: [guestLinear(location, bits)], maxInstructions: 1000 });
  if (machine.stop?.reason !== "breakpoint")
    throw new Error(`the monitor did not reach its guest: ${JSON.stringify(machine.stop)}`);
  machine = machine.run({ maxInstructions: GUEST_START_STEPS });
  // What the monitor left on the guest's stack when it returned without a change of stack.
  machine = machine.write(GUEST_FRAMES[location] + STACK - WINDOW - FRAME_BYTES, new Uint8Array(FRAME_BYTES));
  return Object.freeze({ ...name, machine: withRegisters(machine) });
}

/** Every register that may be an address leads into the window. */
function withRegisters(machine: Machine): Machine {
  return machine.edit(({ registers }) => {
    registers.eax = 0;
    registers.ebx = STRINGS;
    registers.ecx = MSR;
    registers.edx = PORT_AND_VECTOR;
    registers.esi = STRINGS + STRING_SOURCE;
    registers.edi = STRINGS;
    registers.ebp = STACK;
    registers.esp = STACK;
  });
}

/** Linear address of the guest's window. */
const guestLinear = (location: Location, bits: Bits): number => segmentBase(location, bits) + WINDOW;

/** The four machines, with the instructions in the guest's memory. */
export function makeWorlds(options: WorldOptions, instructions: readonly Uint8Array[]): readonly World[] {
  const code = guestCode(instructions, options.bits);
  return worldNames.map((name) => makeWorld(options, name, code));
}

/** A world with these operands, just before it fetches them. */
const withContent = ({ machine, location }: World, content: Uint8Array): Machine =>
  machine.write(GUEST_FRAMES[location] + STACK - WINDOW, content);

/** The machine in front of the instruction that is tried. */
export const inFrontOf = (world: World, content: Uint8Array): Machine =>
  withContent(world, content).run({ maxInstructions: FETCH_AND_GO_STEPS });

/** Both ends of a trial: before the operand is fetched, and behind the instruction. */
export function tryOnce(world: World, content: Uint8Array): readonly [before: Machine, after: Machine] {
  const before = withContent(world, content);
  return [before, before.run({ maxInstructions: FETCH_AND_GO_STEPS + 1 })];
}
