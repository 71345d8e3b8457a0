/**
 * Lists of port accesses that run both against a device set and as a program under QEMU, which is another's reading of
 * the same data sheets. What is compared is every value read.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDevices, type DeviceSet, portRead, portWrite } from "./bus.js";

/** One access: a read shows its value and `mask`, `until` reads a port until `(value & mask) === want` and shows nothing. */
export type PortAction =
  | { readonly out: number; readonly value: number }
  | { readonly in: number; readonly mask: number }
  | { readonly until: number; readonly mask: number; readonly want: number };

export const out = (port: number, ...values: readonly number[]): PortAction[] =>
  values.map((value) => ({ out: port, value }));
export const read = (...ports: readonly number[]): PortAction[] => ports.map((port) => ({ in: port, mask: 0xff }));
export const readBits = (port: number, mask: number): PortAction[] => [{ in: port, mask }];
export const until = (port: number, mask: number, want: number): PortAction[] => [{ until: port, mask, want }];

/** Ticks between two accesses, and how many of a loop's are tried. */
const ACCESS_TICKS = 100;
const LOOP_LIMIT = 3_000_000;

/** The values a device set gives, and the set after it. */
export function runOnDevices(
  actions: readonly PortAction[],
  start: DeviceSet = createDevices(),
): { readonly values: number[]; readonly devices: DeviceSet } {
  let devices = start;
  let tick = 0;
  const values: number[] = [];
  const next = (port: number): number => {
    tick += ACCESS_TICKS;
    const result = portRead(devices, port, 1, tick);
    devices = result.devices;
    return result.value;
  };
  for (const action of actions) {
    if ("out" in action) {
      tick += ACCESS_TICKS;
      devices = portWrite(devices, action.out, 1, action.value, tick);
    } else if ("in" in action) values.push(next(action.in) & action.mask);
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

/** A multiboot image that does the accesses and sends what it reads to port 0xE9. */
function imageOf(actions: readonly PortAction[]): Uint8Array {
  const code: number[] = [0xfa];
  const withPort = (port: number): void => void code.push(0x66, 0xba, port & 0xff, port >> 8);
  for (const action of actions) {
    if ("out" in action) {
      withPort(action.out);
      code.push(0xb0, action.value, 0xee);
    } else if ("in" in action) {
      withPort(action.in);
      code.push(0xec, 0x24, action.mask, 0xe6, 0xe9);
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

/** The values QEMU's PC gives, after its firmware. */
export function runOnQemu(qemu: string, actions: readonly PortAction[]): number[] {
  const directory = mkdtempSync(join(tmpdir(), "virtlab-ports-"));
  try {
    const image = join(directory, "image");
    writeFileSync(image, imageOf(actions));
    const { stdout, stderr, status } = spawnSync(
      qemu,
      [
        ...["-kernel", image, "-m", "64", "-accel", "tcg", "-display", "none", "-monitor", "none", "-no-reboot"],
        ...["-serial", "null", "-serial", "null", "-debugcon", "stdio"],
        ...["-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
        // Time by instructions, so that a busy host changes nothing.
        ...["-icount", "shift=7,sleep=off", "-rtc", "base=2000-01-01,clock=vm"],
      ],
      { timeout: 30_000, input: "" },
    );
    if (status !== 1) throw new Error(`QEMU ended with status ${status}: ${stderr.toString()}`);
    return [...stdout];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
