/**
 * A writer of ACPI Machine Language: each function gives the bytes of one term, from the bytes of its parts.
 *
 * It has what a table that describes fixed hardware needs: no control flow, no operation regions. Names are written as in
 * ASL: `\_SB`, `_CRS`.
 *
 * Manual: ACPI specification, "ACPI Machine Language (AML) Specification" and "Resource Data Types for ACPI".
 */

/** Bytes of AML. */
export type Aml = readonly number[];

const OP = {
  zero: 0x00,
  one: 0x01,
  name: 0x08,
  byte: 0x0a,
  word: 0x0b,
  dword: 0x0c,
  string: 0x0d,
  scope: 0x10,
  buffer: 0x11,
  package: 0x12,
  method: 0x14,
  extended: 0x5b,
  device: 0x82,
  return: 0xa4,
  root: 0x5c,
} as const;

const littleEndian = (value: number, size: number): number[] =>
  Array.from({ length: size }, (_, index) => Math.floor(value / 256 ** index) & 0xff);
const ascii = (text: string): number[] => Array.from(text, (character) => character.charCodeAt(0));

/** A name of one segment, with `\` before it for the root's. */
function nameString(name: string): number[] {
  const fromRoot = name.startsWith("\\");
  const segment = (fromRoot ? name.slice(1) : name).padEnd(4, "_");
  if (!/^[A-Z_][A-Z0-9_]{3}$/.test(segment)) throw new RangeError(`AML: "${name}" is no name of one segment`);
  return [...(fromRoot ? [OP.root] : []), ...ascii(segment)];
}

/** The length of a package, its own bytes included, before its content. Spec: "Package Length Encoding". */
function withLength(content: Aml): number[] {
  const { length } = content;
  if (length + 1 < 0x40) return [length + 1, ...content];
  const following = length + 2 < 0x1000 ? 1 : length + 3 < 0x10_0000 ? 2 : 3;
  const total = length + 1 + following;
  return [(following << 6) | (total & 0x0f), ...littleEndian(Math.floor(total / 16), following), ...content];
}

/** An integer, in as few bytes as it takes. */
export function integer(value: number): Aml {
  if (value === 0) return [OP.zero];
  if (value === 1) return [OP.one];
  if (value < 0x100) return [OP.byte, value];
  if (value < 0x1_0000) return [OP.word, ...littleEndian(value, 2)];
  return [OP.dword, ...littleEndian(value, 4)];
}

export const text = (value: string): Aml => [OP.string, ...ascii(value), 0];

/** `PNP0A03` as the integer it is compressed to. Spec: "EISAID". */
export function eisaId(id: string): Aml {
  const [a, b, c] = ascii(id.slice(0, 3)).map((code) => code - 0x40);
  const vendor = (a! << 10) | (b! << 5) | c!;
  const product = Number.parseInt(id.slice(3), 16);
  return [OP.dword, vendor >> 8, vendor & 0xff, product >> 8, product & 0xff];
}

export const named = (name: string, value: Aml): Aml => [OP.name, ...nameString(name), ...value];
export const scope = (name: string, ...terms: readonly Aml[]): Aml => [
  OP.scope,
  ...withLength([...nameString(name), ...terms.flat()]),
];
export const device = (name: string, ...terms: readonly Aml[]): Aml => [
  OP.extended,
  OP.device,
  ...withLength([...nameString(name), ...terms.flat()]),
];
/** A method without arguments that gives a value. */
export const methodReturning = (name: string, value: Aml): Aml => [
  OP.method,
  ...withLength([...nameString(name), 0, OP.return, ...value]),
];
export const packageOf = (...elements: readonly Aml[]): Aml => [
  OP.package,
  ...withLength([elements.length, ...elements.flat()]),
];
export const buffer = (bytes: readonly number[]): Aml => [
  OP.buffer,
  ...withLength([...integer(bytes.length), ...bytes]),
];

/** A resource template: descriptors, and the end tag, whose checksum of 0 says that there is none. */
export const resources = (...descriptors: readonly (readonly number[])[]): Aml =>
  buffer([...descriptors.flat(), 0x79, 0]);

/** Ports that do not move, decoded with all 16 bits. Spec: "I/O Port Descriptor". */
export const ports = (base: number, length: number): number[] => [
  0x47,
  0x01,
  ...littleEndian(base, 2),
  ...littleEndian(base, 2),
  1,
  length,
];
/** An edge-triggered interrupt line that is not shared. Spec: "IRQ Descriptor". */
export const line = (number: number): number[] => [0x22, ...littleEndian(1 << number, 2)];

/** What of address space a bridge passes on. */
const PRODUCER = { memory: 0, ports: 1, busNumbers: 2 } as const;

/** Spec: "Word Address Space Descriptor", "DWord Address Space Descriptor". */
function addressSpace(kind: number, typeFlags: number, size: 2 | 4, first: number, last: number): number[] {
  // Granularity, minimum, maximum, translation, length; minimum and maximum are fixed.
  const fields = [0, first, last, 0, last - first + 1];
  const content = [kind, 0x0c, typeFlags, ...fields.flatMap((field) => littleEndian(field, size))];
  return [size === 2 ? 0x88 : 0x87, ...littleEndian(content.length, 2), ...content];
}

export const busNumbers = (first: number, last: number): number[] =>
  addressSpace(PRODUCER.busNumbers, 0, 2, first, last);
export const portWindow = (first: number, last: number): number[] => addressSpace(PRODUCER.ports, 0x03, 2, first, last);
/** Memory that can be written, cached or not. */
export const memoryWindow = (first: number, length: number, cached = false): number[] =>
  addressSpace(PRODUCER.memory, cached ? 0x03 : 0x01, 4, first, first + length - 1);
/** Memory a device has and that does not move. Spec: "32-Bit Fixed Memory Range Descriptor". */
export const fixedMemory = (base: number, length: number): number[] => [
  0x86,
  ...littleEndian(9, 2),
  1,
  ...littleEndian(base, 4),
  ...littleEndian(length, 4),
];

/** A level-triggered, active-high interrupt that is not shared. Spec: "Extended Interrupt Descriptor". */
export const levelInterrupt = (number: number): number[] => [
  ...[0x89, ...littleEndian(6, 2)],
  ...[0x01, 1, ...littleEndian(number, 4)],
];
