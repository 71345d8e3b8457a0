/** Robin and Irvine's list, which they made by reading the manual, and what else the definitions find. */
import type { SensitivityReport } from "./report.js";

/**
 * "Analysis of the Intel Pentium's Ability to Support a Secure Virtual Machine Monitor", 9th USENIX Security Symposium,
 * 2000: the sensitive instructions that are not privileged.
 */
export const robinIrvine = [
  ...["SGDT", "SIDT", "SLDT", "SMSW", "PUSHF", "POPF", "LAR", "LSL", "VERR", "VERW", "POP", "PUSH", "CALL", "JMP"],
  ...["INT", "RET", "STR", "MOV"],
];
/** Of the same kind, and not on it. INT3, INTO and INT1 stand in the same section of the manual as INT n. */
export const notOnTheList = [
  ...["FNSAVE", "FNSTENV", "FXSAVE", "INT1", "INT3", "INTO", "IRET", "LDS", "LES", "LFS", "LGS", "LSS", "SYSENTER"],
];
/** What UMIP keeps for the supervisor. Spec: SDM Vol. 3A, "Control Registers". */
export const umipMnemonics = ["SGDT", "SIDT", "SLDT", "SMSW", "STR"];

/** RETF is a RET of the manual. */
export const named = (mnemonic: string): string => (mnemonic === "RETF" ? "RET" : mnemonic);
/** What breaks theorem 1. */
export const violations = ({ theorem1 }: SensitivityReport): string[] => theorem1.violations.map(named).sort();
