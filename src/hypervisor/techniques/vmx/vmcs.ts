/** The current VMCS by the names of its fields, through VMREAD and VMWRITE. */
import type { ProcessorPort } from "../../../hardware/cpu/processor.js";
import { type FieldName, fields } from "../../../hardware/vmx/fields.js";
import { vmread, vmwrite } from "../../../hardware/vmx/instructions.js";

const encodings = Object.fromEntries(
  Object.entries(fields).map(([name, { encoding }]) => [name, BigInt(encoding)]),
) as Readonly<Record<FieldName, bigint>>;

/** All bits of a field, unsigned. */
export function readQuad(port: ProcessorPort, name: FieldName): bigint {
  const value = vmread(port, encodings[name]);
  if (value === undefined) throw new TypeError(`VMREAD of ${name} failed`);
  return value;
}

/** A field of 32 bits at the most, or the low half of a wider one, unsigned. */
export const readWord = (port: ProcessorPort, name: FieldName): number => Number(readQuad(port, name) & 0xffff_ffffn);

/** An address: signed as those of long mode are. */
export const readAddress = (port: ProcessorPort, name: FieldName): number =>
  Number(BigInt.asIntN(64, readQuad(port, name)));

export const write = (port: ProcessorPort, name: FieldName, value: number | bigint): void =>
  vmwrite(port, encodings[name], BigInt.asUintN(64, BigInt(value)));
