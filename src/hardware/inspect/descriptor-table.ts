/**
 * The descriptor tables of a machine as lists, entry by entry.
 * Spec: SDM Vol. 3A, "Segment Descriptor Tables", "Interrupt Descriptor Table (IDT)"; Vol. 3B, "Interrupt and Exception
 * Handling" of "8086 Emulation" for the vector table of real mode.
 */
import { VirtlabError } from "../../state/error.js";
import { isLong, modeOf, type TableRegister } from "../cpu/state.js";
import type { Machine } from "../machine.js";
import { deepFreeze } from "../machine-content.js";
import {
  type DescriptorEntry,
  type DescriptorTableName,
  decodeDescriptor,
  decodeLongDescriptor,
  isDoubled,
} from "./descriptor.js";
import { linearPlus, littleEndian, readIfMapped } from "./reading.js";
import { vectorMeaning } from "./vectors.js";

export const tableNames: readonly DescriptorTableName[] = ["gdt", "ldt", "idt"];

/** Bytes of an entry, and entries a table has at the most. */
const ENTRY = 8;
const LONG_ENTRY = 16;
const VECTOR_ENTRY = 4;
const MOST = { gdt: 8192, ldt: 8192, idt: 256 } as const;

const isRealMode = (machine: Machine): boolean => modeOf(machine.cpu.system, machine.cpu.eflags) === "real";

/** Base and limit of a table; undefined for an LDT that is not there. */
export function tableRegister(machine: Machine, table: DescriptorTableName): TableRegister | undefined {
  const { gdtr, ldtr, idtr } = machine.cpu.system;
  if (table === "ldt") return ldtr.access === 0 ? undefined : { base: ldtr.base, limit: ldtr.limit };
  return table === "gdt" ? gdtr : idtr;
}

/**
 * The entries of a descriptor table that lie wholly inside of its limit, in order. Those that nothing is mapped at are
 * left out. In real mode the IDT is the interrupt vector table, with entries of kind "vector"; in long mode entries of
 * system segments and gates have 16 bytes, so that the indices in GDT and LDT skip one behind them.
 *
 * @throws VirtlabError for a table of another name, and for the LDT where LDTR holds none.
 * @example
 * const machine = Machine.boot({ image: guest("rings") }).run({ until: { serial: "hello" } });
 * descriptorTable(machine, "gdt").map(({ kind }) => kind).slice(0, 6) // => [ 'empty', 'code', 'data', 'code', 'data', 'tss32-busy' ]
 * descriptorTable(machine, "idt").filter(({ dpl, present }) => present && dpl === 3).map(({ index }) => index) // => [ 128 ]
 */
export function descriptorTable(machine: Machine, table: DescriptorTableName): readonly DescriptorEntry[] {
  if (!tableNames.includes(table))
    throw new VirtlabError(`descriptorTable: "${String(table)}" is not one of ${tableNames.join(", ")}`);
  const register = tableRegister(machine, table);
  if (register === undefined) throw new VirtlabError("descriptorTable: LDTR holds no table (its selector is null)");
  const size = sizeOf(machine, table);
  // A limit of 0 is that of a table register nobody has loaded.
  const count = Math.min(MOST[table], Math.floor((register.limit + 1) / size));
  const entries: DescriptorEntry[] = [];
  for (let index = 0; index < count; index++) {
    const entry = entryAt(machine, table, register, index, size);
    if (entry !== undefined) entries.push(entry);
    if (entry?.upper !== undefined && size === ENTRY) index++;
  }
  return deepFreeze(entries);
}

function sizeOf(machine: Machine, table: DescriptorTableName): number {
  if (table !== "idt") return ENTRY;
  if (isLong(machine.cpu.system)) return LONG_ENTRY;
  return isRealMode(machine) ? VECTOR_ENTRY : ENTRY;
}

function entryAt(
  machine: Machine,
  table: DescriptorTableName,
  { base }: TableRegister,
  index: number,
  size: number,
): DescriptorEntry | undefined {
  const address = linearPlus(machine, base, index * size);
  const bytes = readIfMapped(machine, address, size);
  if (bytes === undefined) return undefined;
  const place = {
    table,
    index,
    address,
    ...(table === "idt"
      ? { name: vectorMeaning(index).name }
      : { selector: index * ENTRY + (table === "ldt" ? 4 : 0) }),
  };
  if (isLong(machine.cpu.system)) return longEntry(machine, place, bytes);
  if (size === ENTRY) return decodeDescriptor(place, littleEndian(bytes, 0, 4), littleEndian(bytes, 4, 4));
  const low = littleEndian(bytes, 0, 4);
  const target = { selector: low >>> 16, offset: low & 0xffff };
  return { ...place, kind: "vector", low, high: 0, dpl: 0, present: true, target };
}

/** An entry in long mode, with its second half where it has one. */
function longEntry(
  machine: Machine,
  place: Parameters<typeof decodeLongDescriptor>[0],
  bytes: Uint8Array,
): DescriptorEntry | undefined {
  const [low, high] = [littleEndian(bytes, 0, 4), littleEndian(bytes, 4, 4)];
  if (!isDoubled(place.table, high)) return decodeLongDescriptor(place, low, high, 0);
  const rest = readIfMapped(machine, linearPlus(machine, place.address, ENTRY), 4);
  return rest === undefined ? undefined : decodeLongDescriptor(place, low, high, littleEndian(rest, 0, 4));
}

/** The entry a selector's index names, if it lies inside of its table and is mapped. */
export function descriptorAt(machine: Machine, table: "gdt" | "ldt", index: number): DescriptorEntry | undefined {
  const register = tableRegister(machine, table);
  if (register === undefined || index * ENTRY + ENTRY - 1 > register.limit) return undefined;
  return entryAt(machine, table, register, index, ENTRY);
}
