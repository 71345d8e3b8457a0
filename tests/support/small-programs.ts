/** Static ELF files of one segment, from assembly text. */
import { assemble } from "../../src/hardware/isa/assembler/assembler.js";

const BASE = 0x40_0000;
const HEADERS = 0x78;

/** A file with this 64-bit code, which begins at its first instruction. */
export function bytesOfProgram(text: string): Uint8Array {
  const { bytes } = assemble(`org ${BASE + HEADERS}\n${text}`, { bits: 64, name: "program" });
  const file = new Uint8Array(HEADERS + bytes.length);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  for (const [at, value] of [
    ...[[16, 2] as const, [18, 62] as const, [52, 64] as const, [54, 56] as const, [56, 1] as const],
  ])
    view.setUint16(at, value, true);
  for (const [at, value] of [
    ...[[20, 1] as const, [24, BASE + HEADERS] as const, [32, 64] as const, [64, 1] as const, [68, 7] as const],
    ...[[80, BASE] as const, [88, BASE] as const, [96, file.length] as const, [104, file.length] as const],
    ...[[112, 0x1000] as const],
  ])
    view.setUint32(at, value, true);
  file.set(bytes, HEADERS);
  return file;
}
