/** Cells about interrupt controllers, one guest of all of them: each says what it finds, and the same is expected of QEMU. */
import {
  apicGuest,
  end,
  readApic,
  say,
  sayApic,
  sayByte,
  sayIoApic,
  setPics,
  setTimer,
  writeApic,
  writeIoApic,
  writePort,
} from "./apic-guest.js";

const REG = {
  id: 0x20,
  TPR: 0x80,
  PPR: 0xa0,
  EOI: 0xb0,
  LDR: 0xd0,
  DFR: 0xe0,
  SVR: 0xf0,
  ISR: 0x100,
  TMR: 0x180,
  IRR: 0x200,
  ESR: 0x280,
  ICR: 0x300,
  ICR2: 0x310,
  timer: 0x320,
  thermal: 0x330,
  performance: 0x340,
  LINT0: 0x350,
  LINT1: 0x360,
  error: 0x370,
  initial: 0x380,
  current: 0x390,
  divide: 0x3e0,
} as const;
const MASKED = 0x10000;

/** Words of the 256 bits that have vectors 0x40 to 0x5F. */
const vectors = (register: number): string => sayApic(register + 0x20);
const self = (vector: number): string => writeApic(REG.ICR, 0x40000 | vector);
let loops = 0;
/** Loops, which QEMU's icount times by instructions. */
const wait = (rounds: number): string => {
  const label = `.wait_${loops++}`;
  return `mov ecx, ${rounds}\n${label}: dec ecx\njnz ${label}\n`;
};
/** Waits with interrupts on. */
const open = (rounds = 200): string => `sti\n${wait(rounds)}cli\n`;
/** Until a number of interrupts was counted by a handler, or for long. */
const waitFor = (count: number): string => {
  const label = `.count_${loops++}`;
  const body = `${label}: cmp dword [counted], ${count}\njae ${label}_end\ndec ecx\njnz ${label}\n${label}_end: cli\n`;
  return `mov dword [counted], 0\nmov ecx, 300000\nsti\n${body}mov eax, [counted]\n${say}`;
};

export interface ApicCell {
  readonly name: string;
  readonly code: string;
  /** What it says by the manual, as hexadecimal bytes. */
  readonly says: string;
  /** Why QEMU says something else. */
  readonly unlikeQemu?: string;
}

export const apicCells: readonly ApicCell[] = [
  {
    name: "registers keep the bits there are",
    says: "ff000000ff000000000000ffffffffff0b000000e7010000",
    code: [
      writeApic(REG.TPR, 0xffff_ffff),
      writeApic(REG.LDR, 0xffff_ffff),
      writeApic(REG.ICR2, 0xffff_ffff),
      writeApic(REG.divide, 0xffff_ffff),
      sayApic(REG.TPR, REG.PPR, REG.LDR, REG.ICR2, REG.divide),
      writeApic(REG.SVR, 0x1e7),
      sayApic(REG.SVR),
    ].join(""),
  },
  {
    name: "an APIC that software disables masks its local vector table and keeps it so",
    says: "400001000087010000840100410001004000010041000100",
    code: [
      writeApic(REG.timer, 0x40),
      writeApic(REG.error, 0x41),
      writeApic(REG.SVR, 0xff),
      sayApic(REG.timer, REG.LINT0, REG.LINT1, REG.error),
      writeApic(REG.SVR, 0x1ff),
      sayApic(REG.timer, REG.error),
    ].join(""),
    unlikeQemu: "QEMU leaves the mask bits alone",
  },
  {
    name: "interrupts come by priority, and what is in service holds back its class and those below",
    says: "0c8002000000000061514f43420000000000000000",
    code: [
      ...[0x51, 0x43, 0x61, 0x42, 0x4f].map(self),
      vectors(REG.IRR),
      vectors(REG.ISR),
      open(),
      vectors(REG.IRR),
      vectors(REG.ISR),
    ].join(""),
  },
  {
    name: "the task priority holds back its class and those below",
    says: "5000000061aa51ab4a",
    code: [
      writeApic(REG.TPR, 0x50),
      sayApic(REG.PPR),
      ...[0x51, 0x61, 0x4a].map(self),
      open(),
      sayByte(0xaa),
      writeApic(REG.TPR, 0x4f),
      open(),
      sayByte(0xab),
      writeApic(REG.TPR, 0),
      open(),
    ].join(""),
  },
  {
    name: "a handler sees its vector in service and the priority of its class",
    says: "700000000000010090000000",
    code: [self(0x70), open(), self(0x71), open()].join(""),
  },
  {
    name: "a handler that lets interrupts in is interrupted by a higher class only",
    says: "83bb7352",
    code: [self(0x72), open(400)].join(""),
  },
  {
    name: "a one-shot timer interrupts once",
    says: "010000000000000000000000d0070000",
    code: [
      writeApic(REG.divide, 0xb),
      writeApic(REG.timer, 0x74),
      writeApic(REG.initial, 2000),
      waitFor(1),
      waitFor(1),
      sayApic(REG.current, REG.initial),
    ].join(""),
  },
  {
    name: "a periodic timer interrupts until it is stopped",
    says: "050000000000000000000000",
    code: [
      writeApic(REG.divide, 3),
      writeApic(REG.timer, 0x20074),
      writeApic(REG.initial, 500),
      waitFor(5),
      writeApic(REG.initial, 0),
      open(),
      sayApic(REG.current),
      waitFor(1),
    ].join(""),
  },
  {
    name: "a masked timer counts and does not interrupt",
    says: "010000000000000000000000",
    code: [
      writeApic(REG.divide, 0xb),
      writeApic(REG.timer, MASKED | 0x74),
      writeApic(REG.initial, 0xffff_ffff),
      wait(100),
      `${readApic(REG.current)}mov ebx, eax\n${wait(100)}${readApic(REG.current)}cmp eax, ebx\nsetb al\nmovzx eax, al\n${say}`,
      writeApic(REG.initial, 1),
      open(),
      sayApic(REG.current),
      vectors(REG.IRR + 0x10),
    ].join(""),
  },
  {
    name: "HLT ends with the timer's interrupt",
    says: "44cc",
    code: [writeApic(REG.timer, 0x44), writeApic(REG.initial, 100_000), "sti\nhlt\ncli\n", sayByte(0xcc)].join(""),
  },
  {
    name: "the 8259s interrupt through LINT0 in virtual wire mode",
    says: "03000000",
    code: [setPics(0xfe, 0xff), setTimer(2, 1000), waitFor(3), writePort(0x21, 0xff)].join(""),
  },
  {
    name: "a masked LINT0 keeps the 8259s out",
    says: "",
    code: [
      writeApic(REG.LINT0, MASKED | 0x8700),
      setPics(0xfe, 0xff),
      setTimer(2, 1000),
      open(20_000),
      writePort(0x21, 0xff),
      writeApic(REG.LINT0, 0x8700),
    ].join(""),
  },
  {
    name: "LINT0 with a fixed vector interrupts whenever the 8259s' request rises",
    says: "02000000",
    code: [
      writeApic(REG.LINT0, 0x75),
      setPics(0xfe, 0xff),
      setTimer(2, 1000),
      waitFor(2),
      writePort(0x21, 0xff),
      writeApic(REG.LINT0, 0x8700),
    ].join(""),
  },
  {
    name: "the timer's input of the I/O APIC is 2, and edges interrupt again and again",
    says: "03000000760000000000000000000000",
    code: [
      writeIoApic(0x15, 0),
      writeIoApic(0x14, 0x76),
      setTimer(2, 1000),
      waitFor(3),
      sayIoApic(0x14, 0x15),
      writeIoApic(0x14, MASKED | 0x76),
      waitFor(1),
    ].join(""),
  },
  {
    name: "a level-triggered input waits for the end of its interrupt",
    says: "0200000078c000000000000178c0000078c00100",
    code: [
      setPics(0xff, 0xff),
      // The real-time clock's periodic interrupt, whose line stays high until register C is read.
      writePort(0x70, 0x0a),
      writePort(0x71, 0x26),
      writePort(0x70, 0x0b),
      writePort(0x71, 0x42),
      writePort(0x70, 0x0c),
      "in al, 0x71\n",
      writeIoApic(0x20, 0x8078),
      waitFor(2),
      sayIoApic(0x20),
      vectors(REG.TMR + 0x10),
      writeApic(REG.EOI, 0),
      sayIoApic(0x20),
      writeIoApic(0x20, MASKED | 0x8078),
      writePort(0x70, 0x0b),
      writePort(0x71, 0x02),
      writePort(0x70, 0x0c),
      "in al, 0x71\n",
      "xor eax, eax\n",
      writeApic(REG.EOI, 0),
      sayIoApic(0x20),
    ].join(""),
  },
  {
    name: "a flat logical destination is matched by bits, a physical one by ID, and 0xFF is everybody",
    says: "40d0d142d2d446d547d648",
    code: [
      writeApic(REG.LDR, 0x0200_0000),
      ...[0x0300_0000, 0x0100_0000, 0xff00_0000].flatMap((destination, index) => [
        writeApic(REG.ICR2, destination),
        writeApic(REG.ICR, 0x840 + index),
        open(),
        sayByte(0xd0 + index),
      ]),
      ...[0x0100_0000, 0, 0xff00_0000].flatMap((destination, index) => [
        writeApic(REG.ICR2, destination),
        writeApic(REG.ICR, 0x45 + index),
        open(),
        sayByte(0xd4 + index),
      ]),
      writeApic(REG.ICR, 0x80148),
      open(),
      writeApic(REG.ICR, 0xc0049),
      open(),
    ].join(""),
  },
  {
    name: "a cluster destination is matched by cluster and bit",
    says: "ffffff0f40d0d1d2",
    code: [
      writeApic(REG.DFR, 0x0fff_ffff),
      sayApic(REG.DFR),
      writeApic(REG.LDR, 0x2400_0000),
      ...[0x2600_0000, 0x2200_0000, 0x1400_0000].flatMap((destination, index) => [
        writeApic(REG.ICR2, destination),
        writeApic(REG.ICR, 0x840 + index),
        open(),
        sayByte(0xd0 + index),
      ]),
      writeApic(REG.DFR, 0xffff_ffff),
    ].join(""),
  },
  {
    name: "an NMI to everybody is delivered whatever IF is",
    says: "2eee",
    code: [writeApic(REG.ICR, 0x80400), "nop\nnop\nnop\n", sayByte(0xee)].join(""),
  },
  {
    name: "the redirection table keeps its read-only bits, and the ID its four",
    says: "0000000f0000000fffaf0100000000ff",
    code: [
      writeIoApic(0, 0xffff_ffff),
      sayIoApic(0, 2),
      writeIoApic(0, 0),
      writeIoApic(0x30, 0x1_ffff),
      writeIoApic(0x31, 0xff00_0000),
      sayIoApic(0x30, 0x31),
      writeIoApic(0x30, MASKED),
      writeIoApic(0x31, 0),
    ].join(""),
  },
];

/** Brings everything back to how firmware leaves it. */
const tidy = [
  writeApic(REG.SVR, 0x1ff),
  writeApic(REG.TPR, 0),
  writeApic(REG.timer, MASKED),
  writeApic(REG.initial, 0),
  writeApic(REG.divide, 0),
  writeApic(REG.error, MASKED),
  writeApic(REG.LINT0, 0x8700),
  writeApic(REG.LINT1, 0x8400),
  writeApic(REG.ICR2, 0),
  "mov dword [counted], 0\n",
].join("");

/** Handlers that count, that look, and that let others in. */
const handlers = `
counted dd 0
on_32:
  inc dword [counted]
  mov al, 0x20
  out 0x20, al
  jmp done
on_112:
  ${sayApic(REG.PPR, REG.ISR + 0x30)}
  ${writeApic(REG.EOI, 0)}
  jmp done
on_113:
  ${writeApic(REG.TPR, 0x90)}
  ${sayApic(REG.PPR)}
  ${writeApic(REG.TPR, 0)}
  ${writeApic(REG.EOI, 0)}
  jmp done
on_114:
  ${[0x73, 0x83, 0x52].map(self).join("")}
  sti
  nop
  nop
  cli
  ${sayByte(0xbb)}
  ${writeApic(REG.EOI, 0)}
  jmp done
on_116:
on_118:
  inc dword [counted]
  ${writeApic(REG.EOI, 0)}
  jmp done
on_117:
  inc dword [counted]
  ${writeApic(REG.EOI, 0)}
  mov al, 0x20
  out 0x20, al
  jmp done
on_120:
  inc dword [counted]
  cmp dword [counted], 2
  jae done
  mov al, 0x0c
  out 0x70, al
  in al, 0x71
  ${writeApic(REG.EOI, 0)}
  jmp done
on_2:
  ${sayByte(0x2e)}
  jmp done
`;

const MARK = 0x5a5a_a5a5;
/** One image of all cells. */
export function apicCellImage(cells: readonly ApicCell[]): Uint8Array {
  const code = cells.map(
    ({ code }, number) => `cell_${number}:\n${code}cli\n${tidy}mov eax, 0x${MARK.toString(16)}\n${say}`,
  );
  return apicGuest({ main: code.join("") + end, more: handlers });
}

/** What each cell said, as hexadecimal bytes. */
export function perCell(said: readonly number[]): string[] {
  const mark = [24, 16, 8, 0].map((shift) => ((MARK >>> (24 - shift)) & 0xff).toString(16).padStart(2, "0")).join("");
  return said
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("")
    .split(mark);
}
