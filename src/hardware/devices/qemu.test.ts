/** The devices beside QEMU's: the same accesses must read the same values. */
import { describe, expect, it } from "vitest";
import { peer } from "../../../tests/support/peers.js";
import { out, type PortAction, read, readBits, runOnDevices, runOnQemu, until } from "./port-script.test-helper.js";

const hex = (values: readonly number[]): string[] => values.map((value) => value.toString(16));

/** A byte to the keyboard or controller's data port and the replies to it. */
const ask = (byte: number, replies: number): PortAction[] => [...out(0x60, byte), ...answers(replies)];
const command = (byte: number, replies: number): PortAction[] => [...out(0x64, byte), ...answers(replies)];
const answers = (count: number): PortAction[] =>
  Array.from({ length: count }, () => [...until(0x64, 1, 1), ...read(0x60)]).flat();
const commandByte = (value: number): PortAction[] => [...out(0x64, 0x60), ...out(0x60, value)];
const cmos = (address: number): PortAction[] => [...out(0x70, address), ...read(0x71)];
const setCmos = (address: number, value: number): PortAction[] => [...out(0x70, address), ...out(0x71, value)];
const pic = (mask: number): PortAction[] => [
  ...out(0x20, 0x11),
  ...out(0x21, 0x20, 0x04, 0x01, mask),
  ...out(0xa0, 0x11),
  ...out(0xa1, 0x28, 0x02, 0x01, 0xff),
];

/** Not bit 3, which QEMU always sets and an 8042 only after a command. */
const status = readBits(0x64, 0xf7);
/** Requests, levels in service, mask. QEMU keeps a request whose input has fallen, the data sheet's chip does not. */
const requests = [...out(0x20, 0x0a), ...read(0x20), ...out(0x20, 0x0b), ...read(0x20, 0x21)];
const inService = [...out(0x20, 0x0b), ...read(0x20, 0x21)];
const poll = [...out(0x20, 0x0c), ...read(0x20)];
/** Not the changes of the modem lines, which QEMU does not see in loopback mode. */
const modemLines = (base: number): PortAction[] => readBits(base + 6, 0xf0);
const setTime = (...bytes: readonly number[]): PortAction[] =>
  [0, 2, 4, 6, 7, 8, 9].flatMap((address, index) => setCmos(address, bytes[index]!));

/** The last second of a time to the first of the next; the alarm is for seconds 0 of any minute and hour. */
const update = (format: number, century: number, ...bytes: readonly number[]): PortAction[] => [
  ...setCmos(11, 0x80 | format),
  ...setCmos(0x32, century),
  ...setTime(...bytes),
  ...setCmos(1, 0),
  ...setCmos(3, 0xc0),
  ...setCmos(5, 0xff),
  ...cmos(12),
  ...setCmos(11, format),
  ...cmos(12),
  ...until(0x71, 0x10, 0x10),
  ...[0, 2, 4, 6, 7, 8, 9].flatMap(cmos),
];

const serialPort = (base: number): PortAction[] => [
  ...out(base + 3, 0x83),
  ...out(base, 0x01),
  ...out(base + 1, 0x02),
  ...read(base, base + 1),
  ...out(base + 3, 0x03),
  ...out(base + 1, 0x00),
  ...read(base + 1, base + 3),
  ...out(base + 7, 0x5a),
  ...read(base + 7),
  ...out(base + 2, 0xc7),
  ...read(base + 2),
  ...out(base + 4, 0x1e),
  ...read(base + 4),
  ...modemLines(base),
  ...out(base, 0xae),
  ...until(base + 5, 1, 1),
  ...read(base + 5, base, base + 5),
  ...out(base + 4, 0x1b),
  ...modemLines(base),
  ...out(base + 1, 0x07),
  ...read(base + 1, base + 2, base + 2),
  ...out(base + 1, 0),
  ...read(base + 2),
  ...out(base + 4, 0x10),
  ...modemLines(base),
];

const SCRIPTS: Readonly<Record<string, readonly PortAction[]>> = {
  "the keyboard controller's commands": [
    ...commandByte(0x65),
    ...status,
    ...command(0x20, 1),
    ...status,
    ...[0xaa, 0xab, 0xa9].flatMap((test) => command(test, 1)),
    ...[0xad, 0xae, 0xa8, 0xa7].flatMap((enabling) => [...out(0x64, enabling), ...command(0x20, 1)]),
    ...out(0x64, 0xd2),
    ...status,
    ...out(0x60, 0x5a),
    ...status,
    ...answers(1),
    ...out(0x64, 0xd3),
    ...out(0x60, 0xa5),
    ...status,
    ...answers(1),
    ...status,
  ],
  "the keyboard's commands": [
    ...commandByte(0x64),
    ...ask(0xee, 1),
    ...[0xed, 0x02, 0xf3, 0x20, 0xf0].flatMap((byte) => ask(byte, 1)),
    ...ask(0x00, 2),
    ...ask(0xf2, 3),
    ...[0xf4, 0xf5, 0xf6].flatMap((byte) => ask(byte, 1)),
    ...ask(0xff, 2),
    ...commandByte(0x24),
    ...ask(0xf0, 1),
    ...ask(0x00, 2),
    ...ask(0xf2, 3),
    ...[0xf0, 0x01, 0xf0].flatMap((byte) => ask(byte, 1)),
    ...ask(0x00, 2),
    ...[0xf6, 0x12].flatMap((byte) => ask(byte, 1)),
  ],
  "the interrupts of bytes from the keyboard": [
    ...commandByte(0x65),
    ...pic(0xff),
    ...ask(0xee, 0),
    ...until(0x64, 1, 1),
    ...requests,
    ...read(0x60),
    ...inService,
    ...ask(0xf2, 0),
    ...until(0x64, 1, 1),
    ...poll,
    ...out(0x21, 0xfd),
    ...poll,
    ...inService,
    ...answers(1),
    ...until(0x64, 1, 1),
    ...requests,
    ...answers(2),
    ...inService,
    ...out(0x20, 0x20),
    ...inService,
  ],
  "the address line 20 bits": [
    ...out(0x64, 0xd1),
    ...out(0x60, 0x03),
    ...out(0x64, 0xd0),
    ...until(0x64, 1, 1),
    ...readBits(0x60, 0x33),
    ...out(0x92, 0x02),
    ...read(0x92),
  ],
  "the clock's bytes while it is set": [
    ...setCmos(11, 0x82),
    ...setTime(0x58, 0x59, 0x23, 0x07, 0x31, 0x12, 0x23),
    ...[0, 2, 4, 6, 7, 8, 9, 11, 10].flatMap(cmos),
    ...setCmos(1, 0x12),
    ...setCmos(3, 0x34),
    ...setCmos(5, 0xc5),
    ...[1, 3, 5, 13, 0x0f].flatMap(cmos),
    ...setCmos(0x50, 0x5a),
    ...cmos(0x50),
    ...setCmos(11, 0x92),
    ...cmos(11),
    ...setCmos(13, 0),
    ...cmos(13),
    ...setCmos(12, 0xff),
    ...cmos(12),
  ],
  "the end of a year, 24 hours, BCD": update(0x02, 0x20, 0x59, 0x59, 0x23, 0x07, 0x31, 0x12, 0x22),
  "the end of a February 28th in a leap year, 12 hours, BCD": update(0, 0x20, 0x59, 0x59, 0x91, 4, 0x28, 2, 0x24),
  "the end of a February 28th, 24 hours, binary": update(0x06, 20, 59, 59, 23, 3, 28, 2, 23),
  "the end of a month, 12 hours, binary": update(0x04, 20, 59, 59, 0x80 | 11, 3, 30, 4, 30),
  "noon, 12 hours": update(0x00, 0x20, 0x59, 0x59, 0x11, 3, 0x30, 4, 0x30),
  "one in the morning, 12 hours": update(0x00, 0x20, 0x59, 0x59, 0x12, 3, 0x30, 4, 0x30),
  "the interrupt controllers' modes": [
    ...pic(0xff),
    ...read(0x21, 0xa1),
    ...inService,
    ...out(0x20, 0x68, 0x48),
    ...poll,
    ...out(0x20, 0xc3, 0x60, 0xa0, 0x80, 0x00),
    ...inService,
    ...out(0x20, 0x13),
    ...out(0x21, 0x40, 0x03, 0xa5),
    ...read(0x21),
    ...pic(0x5a),
    ...read(0x21),
    ...[0xff, 0x00].flatMap((levels) => [...out(0x4d0, levels), ...out(0x4d1, levels), ...read(0x4d0, 0x4d1)]),
  ],
  "serial port COM1": serialPort(0x3f8),
  "serial port COM2": serialPort(0x2f8),
  "the interrupt of a byte looped back": [
    ...pic(0xff),
    ...out(0x3fb, 0x03),
    ...out(0x3fa, 0x07),
    ...out(0x3fc, 0x1b),
    ...out(0x3f9, 0x01),
    ...inService,
    ...out(0x3f8, 0x41),
    ...until(0x3fd, 1, 1),
    ...requests,
    ...out(0x21, 0xef),
    ...poll,
    ...inService,
    ...read(0x3fa, 0x3f8, 0x3fa),
    ...inService,
    ...out(0x20, 0x64),
    ...inService,
  ],
};

describe("the devices beside QEMU's", () => {
  for (const [name, script] of Object.entries(SCRIPTS)) {
    it(`read the same as ${name}`, (context) => {
      const qemu = peer(context, "qemu-system-i386");
      expect(hex(runOnDevices(script).values)).toEqual(hex(runOnQemu(qemu, script)));
    });
  }
});
