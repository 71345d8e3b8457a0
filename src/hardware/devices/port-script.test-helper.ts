/**
 * Lists of port accesses that run both against a device set and as a program under QEMU, which is another's reading of
 * the same data sheets. What is compared is every value read.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Disk } from "../disk.js";
import { readDisk, writeDisk } from "../disk.js";
import { createDevices, type DeviceSet, portRead, portWrite } from "./bus.js";
import type { Reach } from "./guest-memory.js";

/** One access: a read shows its value and `mask`, `until` reads a port until `(value & mask) === want` and shows nothing. */
export type PortAction =
  | { readonly out: number; readonly value: number; readonly size?: Width }
  | { readonly in: number; readonly mask: number; readonly size?: Width }
  | { readonly until: number; readonly mask: number; readonly want: number };

/** Bytes of an access; 1 unless given. */
export type Width = 1 | 2 | 4;

export const out = (port: number, ...values: readonly number[]): PortAction[] =>
  values.map((value) => ({ out: port, value }));
export const read = (...ports: readonly number[]): PortAction[] => ports.map((port) => ({ in: port, mask: 0xff }));
export const readBits = (port: number, mask: number): PortAction[] => [{ in: port, mask }];
export const outWide = (port: number, size: Width, ...values: readonly number[]): PortAction[] =>
  values.map((value) => ({ out: port, value, size }));
export const readWide = (port: number, size: Width, count = 1): PortAction[] =>
  Array.from({ length: count }, () => ({ in: port, mask: 2 ** (8 * size) - 1, size }));
export const until = (port: number, mask: number, want: number): PortAction[] => [{ until: port, mask, want }];

/** Memory and disks for devices without a machine. */
export class TestReach implements Reach {
  readonly bytes = new Uint8Array(1 << 20);
  disk: Disk[];

  constructor(...disks: Disk[]) {
    this.disk = disks;
  }

  readonly memory = {
    read: (physical: number, length: number): Uint8Array => this.bytes.slice(physical, physical + length),
    write: (physical: number, bytes: Uint8Array): void => this.bytes.set(bytes, physical),
  };

  readonly disks = {
    read: (disk: number, offset: number, length: number): Uint8Array => readDisk(this.disk[disk]!, offset, length),
    write: (disk: number, offset: number, bytes: Uint8Array): void => {
      this.disk = this.disk.with(disk, writeDisk(this.disk[disk]!, offset, bytes));
    },
  };
}

/** Ticks between two accesses, and how many of a loop's are tried. */
const ACCESS_TICKS = 100;
const LOOP_LIMIT = 3_000_000;

/** The values a device set gives, and the set after it. */
export function runOnDevices(
  actions: readonly PortAction[],
  start: DeviceSet = createDevices(),
  reach?: Reach,
): { readonly values: number[]; readonly devices: DeviceSet } {
  let devices = start;
  let tick = 0;
  const values: number[] = [];
  const next = (port: number, size: Width = 1): number => {
    tick += ACCESS_TICKS;
    const result = portRead(devices, port, size, tick, reach);
    devices = result.devices;
    return result.value;
  };
  for (const action of actions) {
    if ("out" in action) {
      tick += ACCESS_TICKS;
      devices = portWrite(devices, action.out, action.size ?? 1, action.value, tick, reach);
    } else if ("in" in action) values.push((next(action.in, action.size) & action.mask) >>> 0);
    else {
      let tries = 0;
      while ((next(action.until) & action.mask) !== action.want && tries < LOOP_LIMIT) tries++;
    }
  }
  return { values, devices };
}

const LOAD_ADDRESS = 0x100000;
const MULTIBOOT_MAGIC = 0x1badb002;
const ADDRESS_FIELDS = 0x10000;

const OUT: Readonly<Record<Width, readonly number[]>> = { 1: [0xee], 2: [0x66, 0xef], 4: [0xef] };
const IN: Readonly<Record<Width, readonly number[]>> = { 1: [0xec], 2: [0x66, 0xed], 4: [0xed] };
const bytesOf = (value: number, count: number): number[] =>
  Array.from({ length: count }, (_, index) => Math.floor(value / 256 ** index) & 0xff);

/** A multiboot image that does the accesses and sends what it reads to port 0xE9. */
function imageOf(actions: readonly PortAction[]): Uint8Array {
  const code: number[] = [0xfa];
  const withPort = (port: number): void => void code.push(0x66, 0xba, port & 0xff, port >> 8);
  for (const action of actions) {
    if ("out" in action) {
      withPort(action.out);
      // mov eax, value; out dx, al, ax or eax
      code.push(0xb8, ...bytesOf(action.value, 4), ...OUT[action.size ?? 1]);
    } else if ("in" in action) {
      const { size = 1 } = action;
      withPort(action.in);
      // in al, ax or eax, dx; and eax, mask; out 0xe9, al; shr eax, 8 and so on
      code.push(...IN[size], 0x25, ...bytesOf(action.mask, 4));
      for (let byte = 0; byte < size; byte++) code.push(0xe6, 0xe9, 0xc1, 0xe8, 8);
    } else {
      withPort(action.until);
      // mov ecx, limit; again: in al, dx; and al, mask; cmp al, want; loopne again
      code.push(0xb9, 0xff, 0xff, 0xff, 0x7f);
      code.push(0xec, 0x24, action.mask, 0x3c, action.want, 0xe0, 0xf9);
    }
  }
  code.push(0xb0, 0, 0xe6, 0xf4, 0xf4, 0xeb, 0xfd);
  const header = [MULTIBOOT_MAGIC, ADDRESS_FIELDS, -(MULTIBOOT_MAGIC + ADDRESS_FIELDS)];
  const words = new Int32Array([...header, LOAD_ADDRESS, LOAD_ADDRESS, 0, 0, LOAD_ADDRESS + 32]);
  return new Uint8Array([...new Uint8Array(words.buffer), ...code]);
}

/** The values QEMU's PC gives, after its firmware; with a hard disk, if there is an image. */
export function runOnQemu(qemu: string, actions: readonly PortAction[], disk?: Uint8Array): number[] {
  const directory = mkdtempSync(join(tmpdir(), "virtlab-ports-"));
  try {
    const image = join(directory, "image");
    writeFileSync(image, imageOf(actions));
    const diskFile = join(directory, "disk");
    if (disk !== undefined) writeFileSync(diskFile, disk);
    const { stdout, stderr, status } = spawnSync(
      qemu,
      [
        ...["-kernel", image, "-m", "64", "-accel", "tcg", "-display", "none", "-monitor", "none", "-no-reboot"],
        ...["-serial", "null", "-serial", "null", "-debugcon", "stdio"],
        ...["-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
        ...(disk === undefined ? [] : ["-drive", `file=${diskFile},format=raw,if=ide,snapshot=on`]),
        // Time by instructions, so that a busy host changes nothing.
        ...["-icount", "shift=7,sleep=off", "-rtc", "base=2000-01-01,clock=vm"],
      ],
      { timeout: 30_000, input: "" },
    );
    if (status !== 1) throw new Error(`QEMU ended with status ${status}: ${stderr.toString()}`);
    let at = 0;
    return actions.flatMap((action) => {
      if (!("in" in action)) return [];
      const bytes = [...stdout.subarray(at, at + (action.size ?? 1))];
      at += bytes.length;
      return [bytes.reduceRight((value, byte) => value * 256 + byte, 0)];
    });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
