/**
 * The description of a machine's registers that gdb reads: XML, made from the tables of registers.
 * Spec: GDB manual, "Target Description Format", "x86 Features".
 */
import { type Feature, features, type Register, type RegisterWidth } from "./registers.js";

type Bits = readonly (readonly [name: string, bit: number])[];

const eflags: Bits = Object.entries({
  ...{ CF: 0, PF: 2, AF: 4, ZF: 6, SF: 7, TF: 8, IF: 9, DF: 10, OF: 11 },
  ...{ NT: 14, RF: 16, VM: 17, AC: 18, VIF: 19, VIP: 20, ID: 21 },
});
const mxcsr: Bits = Object.entries({
  ...{ IE: 0, DE: 1, ZE: 2, OE: 3, UE: 4, PE: 5, DAZ: 6 },
  ...{ IM: 7, DM: 8, ZM: 9, OM: 10, UM: 11, PM: 12, FZ: 15 },
});
const cr0: Bits = Object.entries({
  ...{ PE: 0, MP: 1, EM: 2, TS: 3, ET: 4, NE: 5, WP: 16, AM: 18, NW: 29, CD: 30, PG: 31 },
});
const cr4: Bits = Object.entries({
  ...{ VME: 0, PVI: 1, TSD: 2, DE: 3, PSE: 4, PAE: 5, MCE: 6, PGE: 7, PCE: 8 },
  ...{ OSFXSR: 9, OSXMMEXCPT: 10, UMIP: 11, FSGSBASE: 16, SMEP: 20, SMAP: 21 },
});
const efer: Bits = Object.entries({ SCE: 0, LME: 8, LMA: 10, NXE: 11 });

const flags = (id: string, bytes: number, bits: Bits): string =>
  [
    `<flags id="${id}" size="${bytes}">`,
    ...bits.map(([name, bit]) => `<field name="${name}" start="${bit}" end="${bit}"/>`),
    "</flags>",
  ].join("\n");

/** What a vector register can be read as. */
const lanes = [
  ["v4_float", "ieee_single", 4],
  ["v2_double", "ieee_double", 2],
  ["v16_int8", "int8", 16],
  ["v8_int16", "int16", 8],
  ["v4_int32", "int32", 4],
  ["v2_int64", "int64", 2],
] as const;

const vec128 = [
  ...lanes.map(([id, type, count]) => `<vector id="${id}" type="${type}" count="${count}"/>`),
  '<union id="vec128">',
  ...lanes.map(([id]) => `<field name="${id}" type="${id}"/>`),
  '<field name="uint128" type="uint128"/>',
  "</union>",
].join("\n");

const typesOf: Readonly<Record<string, (width: RegisterWidth) => readonly string[]>> = {
  "org.gnu.gdb.i386.core": () => [flags("i386_eflags", 4, eflags)],
  "org.gnu.gdb.i386.sse": () => [vec128, flags("i386_mxcsr", 4, mxcsr)],
  "org.virtlab.i386.system": (width) => [
    flags("virtlab_cr0", width / 8, cr0),
    flags("virtlab_cr4", width / 8, cr4),
    flags("virtlab_efer", width / 8, efer),
  ],
};

const registerXml = ({ name, bits, type, group }: Register): string =>
  `<reg name="${name}" bitsize="${bits}" type="${type}"${group === undefined ? "" : ` group="${group}"`}/>`;

const featureXml = ({ name, registers }: Feature, width: RegisterWidth): string =>
  [`<feature name="${name}">`, ...(typesOf[name]?.(width) ?? []), ...registers.map(registerXml), "</feature>"].join(
    "\n",
  );

/** The description for a processor of this width. */
export const description = (width: RegisterWidth): string =>
  [
    '<?xml version="1.0"?>',
    '<!DOCTYPE target SYSTEM "gdb-target.dtd">',
    '<target version="1.0">',
    `<architecture>${width === 64 ? "i386:x86-64" : "i386"}</architecture>`,
    ...features[width].map((feature) => featureXml(feature, width)),
    "</target>",
    "",
  ].join("\n");
