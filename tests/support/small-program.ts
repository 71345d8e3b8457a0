/** Static programs of a few instructions. */
import { assemble } from "../../src/hardware/isa/assembler/assembler.js";

const BASE = 0x40_0000;
const HEADERS = 0x78;

/** An ELF file of one segment with this 64-bit code, which may be written to. Spec: elf(5). */
export function program(text: string): Uint8Array {
  const { bytes } = assemble(`org ${BASE + HEADERS}\n${text}`, { bits: 64, name: "program" });
  const file = new Uint8Array(HEADERS + bytes.length);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 62, true);
  view.setUint32(20, 1, true);
  view.setUint32(24, BASE + HEADERS, true);
  view.setUint32(32, 64, true);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 1, true);
  view.setUint32(68, 7, true);
  view.setUint32(80, BASE, true);
  view.setUint32(88, BASE, true);
  view.setUint32(96, file.length, true);
  view.setUint32(104, file.length, true);
  view.setUint32(112, 0x1000, true);
  file.set(bytes, HEADERS);
  return file;
}
