/** The current VMCS by the names of its fields, through VMREAD and VMWRITE. */
import type { ProcessorPort } from "../../../hardware/cpu/processor.js";
import { highWord } from "../../../hardware/cpu/quadwords.js";
import { type FieldName, fields } from "../../../hardware/vmx/fields.js";
import { vmread, vmreadAddress, vmreadWord, vmwrite, vmwriteHalves } from "../../../hardware/vmx/instructions.js";

function succeeded<T>(value: T | undefined, name: FieldName): T {
  if (value === undefined) throw new TypeError(`VMREAD of ${name} failed`);
  return value;
}

/** All bits of a field, unsigned. */
export const readQuad = (port: ProcessorPort, name: FieldName): bigint =>
  succeeded(vmread(port, BigInt(fields[name].encoding)), name);

/** A field of 32 bits at the most, or the low half of a wider one, unsigned. */
export const readWord = (port: ProcessorPort, name: FieldName): number =>
  succeeded(vmreadWord(port, fields[name]), name);

/** An address: signed as those of long mode are. */
export const readAddress = (port: ProcessorPort, name: FieldName): number =>
  succeeded(vmreadAddress(port, fields[name]), name);

/** As many bits of a value as the field has. */
export function write(port: ProcessorPort, name: FieldName, value: number | bigint): void {
  const field = fields[name];
  if (typeof value === "number") vmwriteHalves(port, field, value | 0, highWord(value));
  else vmwrite(port, BigInt(field.encoding), BigInt.asUintN(64, value));
}
