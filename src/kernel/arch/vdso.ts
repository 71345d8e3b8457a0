/**
 * The page that every 32-bit program finds in its memory: how it makes system calls, and where its signal handlers return to. A small ELF
 * shared object with a table of symbols, as a C library looks for them.
 * Spec: vdso(7), "i386 functions"; System V ABI, "Symbol Table", "Hash Table"; Linux, arch/x86/entry/vdso/vdso32/system_call.S.
 */
import { assemble } from "../../hardware/isa/assembler/assembler.js";

const SIGRETURN = 119;
const RT_SIGRETURN = 173;

/** Fixed, as all addresses are: above all mappings. */
export const VDSO_ADDRESS = 0xf7ff_f000;
export const VDSO_SIZE = 4096;
const TEXT = 0x400;

/** SYSENTER keeps no stack pointer and no return address: the first is left in EBP, the second is always the same. */
const code = `
        bits 32
        org ${VDSO_ADDRESS + TEXT}
vsyscall:
        push ecx
        push edx
        push ebp
        mov ebp, esp
        sysenter
        int 0x80
landing:
        pop ebp
        pop edx
        pop ecx
        ret
        align 16
sigreturn:
        pop eax
        mov eax, ${SIGRETURN}
        int 0x80
        nop
        align 16
rtsigreturn:
        mov eax, ${RT_SIGRETURN}
        int 0x80
`;

/** Addresses in it. */
export interface VdsoEntries {
  readonly vsyscall: number;
  /** Where a SYSENTER returns to. */
  readonly landing: number;
  readonly sigreturn: number;
  readonly rtSigreturn: number;
}

interface Vdso {
  readonly bytes: Uint8Array;
  readonly entries: VdsoEntries;
}
let made: Vdso | undefined;
function vdso(): Vdso {
  made ??= build();
  return made;
}

export const vdsoEntries = (): VdsoEntries => vdso().entries;
/** The whole page. */
export const vdsoPage = (): Uint8Array => vdso().bytes;

/** Places of the parts in the page. */
const AT = { programs: 52, symbols: 0xc0, strings: 0x140, hash: 0x1c0, versions: 0x200, dynamic: 0x2c0 } as const;
const VERSION = "LINUX_2.5";

function build(): Vdso {
  const { bytes: text, symbols } = assemble(code, { bits: 32, name: "vdso" });
  const entries: VdsoEntries = {
    vsyscall: symbols.vsyscall!,
    landing: symbols.landing!,
    sigreturn: symbols.sigreturn!,
    rtSigreturn: symbols.rtsigreturn!,
  };
  const bytes = new Uint8Array(VDSO_SIZE);
  const view = new DataView(bytes.buffer);
  const words = (at: number, values: readonly number[]): void => {
    values.forEach((value, index) => {
      view.setUint32(at + index * 4, value >>> 0, true);
    });
  };
  const halves = (at: number, values: readonly number[]): void => {
    values.forEach((value, index) => {
      view.setUint16(at + index * 2, value, true);
    });
  };
  bytes.set(text, TEXT);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  halves(16, [3, 3]);
  words(20, [1, entries.vsyscall - VDSO_ADDRESS, AT.programs, 0, 0]);
  halves(40, [52, 32, 2, 40, 0, 0]);
  const size = TEXT + text.length;
  words(AT.programs, [1, 0, 0, 0, size, size, 5, 4096]);
  words(AT.programs + 32, [2, AT.dynamic, AT.dynamic, AT.dynamic, DYNAMIC_SIZE, DYNAMIC_SIZE, 4, 4]);
  const strings = stringTable();
  const soname = strings.add("linux-gate.so.1");
  const version = strings.add(VERSION);
  const names = ["__kernel_vsyscall", "__kernel_sigreturn", "__kernel_rt_sigreturn"] as const;
  const values = [entries.vsyscall, entries.sigreturn, entries.rtSigreturn];
  names.forEach((name, index) => {
    const at = AT.symbols + 16 * (index + 1);
    words(at, [strings.add(name), values[index]! - VDSO_ADDRESS, index === 0 ? 14 : 8]);
    // STT_FUNC, STB_GLOBAL, in the only section there would be.
    bytes[at + 12] = 0x12;
    view.setUint16(at + 14, 1, true);
    view.setUint16(AT.versions + 2 * (index + 1), 2, true);
  });
  bytes.set(strings.bytes(), AT.strings);
  // One bucket, with all symbols behind each other.
  words(AT.hash, [1, names.length + 1, 1, 0, ...names.map((_, index) => (index + 2) % (names.length + 1))]);
  definitions(words, halves, soname, version);
  words(AT.dynamic, [
    ...[14, soname, 4, AT.hash, 5, AT.strings, 6, AT.symbols, 10, strings.bytes().length, 11, 16],
    ...[0x6fff_fffc, AT.versions + 16, 0x6fff_fffd, 2, 0x6fff_fff0, AT.versions, 0, 0],
  ]);
  return { bytes, entries };
}
const DYNAMIC_SIZE = 80;

/** The versions that symbols have: the object's own name, and the only one there is. Spec: Linux Standard Base, "Symbol Versioning". */
function definitions(
  words: (at: number, values: readonly number[]) => void,
  halves: (at: number, values: readonly number[]) => void,
  soname: number,
  version: number,
): void {
  const first = AT.versions + 16;
  for (const [index, name, flags] of [[0, soname, 1] as const, [1, version, 0] as const]) {
    const at = first + 28 * index;
    halves(at, [1, flags, index + 1, 1]);
    words(at + 8, [elfHash(index === 0 ? "linux-gate.so.1" : VERSION), 20, index === 0 ? 28 : 0]);
    words(at + 20, [name, 0]);
  }
}

/** Spec: System V ABI, "Hash Table". */
function elfHash(name: string): number {
  let hash = 0;
  for (const character of name) {
    hash = ((hash << 4) + character.charCodeAt(0)) >>> 0;
    const top = hash & 0xf000_0000;
    hash = ((hash ^ (top >>> 24)) & ~top) >>> 0;
  }
  return hash;
}

/** A string table that grows. */
function stringTable() {
  let all = "\0";
  return {
    add(text: string): number {
      const at = all.length;
      all += `${text}\0`;
      return at;
    },
    bytes: (): Uint8Array => Uint8Array.from(all, (character) => character.charCodeAt(0)),
  };
}
