/** The instructions of a guest's image that tell the ring it runs in, or the processor's model: those a monitor cannot hide from. */
import { Code, Decoder, DecoderOptions, Mnemonic, OpKind, Register } from "iced-x86";

/** What the sections say that are for code. */
function* instructionsOf(elf: Buffer) {
  const at = elf.readUInt32LE(32);
  for (let header = at; header < at + 40 * elf.readUInt16LE(48); header += 40) {
    const executable = (elf.readUInt32LE(header + 8) & 4) !== 0;
    if (!executable) continue;
    const start = elf.readUInt32LE(header + 16);
    const decoder = new Decoder(32, elf.subarray(start, start + elf.readUInt32LE(header + 20)), DecoderOptions.None);
    while (decoder.canDecode) yield decoder.decode();
  }
}

const { Sgdt, Sidt, Sldt, Smsw, Pushf, Pushfd, Popf, Popfd, Lar, Lsl, Verr, Verw, Str, Retf, Cpuid, Rdtsc } = Mnemonic;
const TELLING = new Set([
  Sgdt,
  Sidt,
  Sldt,
  Smsw,
  Pushf,
  Pushfd,
  Popf,
  Popfd,
  Lar,
  Lsl,
  Verr,
  Verw,
  Str,
  Retf,
  Cpuid,
  Rdtsc,
]);
const FAR = new Set([Code.Call_ptr1632, Code.Call_m1632, Code.Jmp_ptr1632, Code.Jmp_m1632]);

/** Where there is one that shows the ring it runs in or the processor's model, of all that were looked at. */
export function tellingInstructions(elf: Buffer): { readonly found: readonly string[]; readonly count: number } {
  const found: string[] = [];
  let count = 0;
  for (const instruction of instructionsOf(elf)) {
    count++;
    const showsRing = [0, 1].some(
      (operand) =>
        operand < instruction.opCount &&
        instruction.opKind(operand) === OpKind.Register &&
        [Register.CS, Register.SS].includes(instruction.opRegister(operand)),
    );
    if (showsRing || TELLING.has(instruction.mnemonic) || FAR.has(instruction.code)) {
      found.push(Mnemonic[instruction.mnemonic]!.toUpperCase());
    }
    instruction.free();
  }
  return { found, count };
}
