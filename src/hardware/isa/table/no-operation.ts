/**
 * What does nothing: NOPs of several bytes, those of them that have names on newer processors, and hints to caches.
 * Spec: SDM Vol. 1, "Miscellaneous Instructions"; Vol. 2D, Appendix A, "Two-byte Opcode Map".
 */
import { type Definition, define } from "../instruction.js";

const definitions: readonly Definition[] = [
  {
    mnemonic: "NOP",
    group: "miscellaneous",
    summary: "Does nothing, on this processor; on others some of these are hints.",
    spec: 'SDM Vol. 2B, NOP—No Operation; Vol. 2D, Appendix A, "Two-byte Opcode Map"',
    forms: [
      ...["19", "1A", "1B", "1C", "1D", "1E"].map((opcode) => [`0F ${opcode} /r`, "Ev Gv"] as const),
      ["0F 1F /0", "Ev"],
      ...[1, 2, 3, 4, 5, 6, 7].map((digit) => [`0F 1F /${digit}`, "Ev Gv"] as const),
    ],
    needs: "P6",
    semantics: () => {},
  },
  // NOPs of this processor that have names on newer ones, which programs use without asking.
  ...(
    [
      ["CLDEMOTE", "NP 0F 1C /0", "Mb", "SDM Vol. 2A, CLDEMOTE—Cache Line Demote"],
      [
        "ENDBR32",
        "F3 0F 1E FB",
        "",
        "SDM Vol. 2A, ENDBR32—Terminate an Indirect Branch in 32-bit and Compatibility Mode",
      ],
      ["ENDBR64", "F3 0F 1E FA", "", "SDM Vol. 2A, ENDBR64—Terminate an Indirect Branch in 64-bit Mode"],
      ["RDSSPD", "F3 0F 1E C8+i", "Ry", "SDM Vol. 2B, RDSSPD/RDSSPQ—Read Shadow Stack Pointer"],
    ] as const
  ).map(
    ([mnemonic, opcode, operands, spec]): Definition => ({
      mnemonic,
      group: "miscellaneous",
      summary: "Does nothing on this processor.",
      spec,
      forms: [[opcode, operands]],
      needs: "P6",
      semantics: () => {},
    }),
  ),
  {
    mnemonic: "NOP",
    group: "miscellaneous",
    summary: "Does nothing: XCHG of EAX with itself would clear the upper half of RAX.",
    spec: "SDM Vol. 2B, NOP—No Operation",
    forms: [["90", "", "only64"]],
    withoutRexB: true,
    semantics: () => {},
  },
  ...["PREFETCH", "PREFETCHW"].map(
    (mnemonic, digit): Definition => ({
      mnemonic,
      group: "miscellaneous",
      summary: "Says that a line of memory will be used soon; does nothing else.",
      spec: "SDM Vol. 2B, PREFETCHW—Prefetch Data Into Caches in Anticipation of a Write",
      forms: [[`0F 0D /${digit}`, "M"]],
      needs: "LM",
      semantics: () => {},
    }),
  ),
];

export const noOperationRows = definitions.flatMap(define);
