/** System calls on segments: how 32-bit programs have storage for each thread. Spec: set_thread_area(2), modify_ldt(2), arch_prctl(2). */
import { TLS_ENTRIES } from "../arch/layout.js";
import { loadTls, setBase } from "../arch/registers.js";
import { E } from "../errno.js";
import { readUser, readWord, writeLong, writeUser, writeWord } from "../mm/user-memory.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";

/** Bits of the last word of struct user_desc. */
const BIT = { SEG_32BIT: 1, CONTENTS: 6, READ_ONLY: 8, LIMIT_IN_PAGES: 16, NOT_PRESENT: 32, USABLE: 64 } as const;
const ANY = 0xffff_ffff;

interface Described {
  readonly base: number;
  readonly limit: number;
  readonly flags: number;
}

/** An entry that says nothing takes the segment away. */
const isEmpty = ({ base, limit, flags }: Described): boolean =>
  base === 0 && limit === 0 && ((flags & 0x7f) === 0 || (flags & 0x7f) === (BIT.READ_ONLY | BIT.NOT_PRESENT));

/** The words of a descriptor. Spec: SDM Vol. 3A, "Segment Descriptors". */
function descriptorWords(described: Described): readonly [number, number] {
  if (isEmpty(described)) return [0, 0];
  const { base, limit, flags } = described;
  const has = (bit: number): number => ((flags & bit) !== 0 ? 1 : 0);
  const type = 0x10 | ((flags & BIT.CONTENTS) << 1) | (has(BIT.READ_ONLY) === 0 ? 2 : 0) | 1;
  const high =
    (base & 0xff00_0000) |
    ((base >>> 16) & 0xff) |
    (limit & 0xf_0000) |
    ((type | 0x60) << 8) |
    (has(BIT.NOT_PRESENT) === 0 ? 0x8000 : 0) |
    (has(BIT.USABLE) << 20) |
    (has(BIT.SEG_32BIT) << 22) |
    (has(BIT.LIMIT_IN_PAGES) << 23);
  return [((base & 0xffff) << 16) | (limit & 0xffff), high];
}

/** What a program sees of a descriptor: base, limit, flags. */
function describedBy(low: number, high: number): Described {
  const bit = (at: number, flag: number): number => ((high & (1 << at)) !== 0 ? flag : 0);
  return {
    base: ((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff00_0000)) >>> 0,
    limit: (low & 0xffff) | (high & 0xf_0000),
    flags:
      bit(22, BIT.SEG_32BIT) |
      ((high >> 9) & BIT.CONTENTS) |
      ((high & 0x200) === 0 ? BIT.READ_ONLY : 0) |
      bit(23, BIT.LIMIT_IN_PAGES) |
      ((high & 0x8000) === 0 ? BIT.NOT_PRESENT : 0) |
      bit(20, BIT.USABLE),
  };
}

/** The entry as struct user_desc has it. Throws EINVAL, EFAULT. */
function readDescribed(k: Work, at: number): Described & { readonly entry: number } {
  const view = new DataView(readUser(k, at, 16).buffer);
  const word = (index: number): number => view.getUint32(index * 4, true);
  const described = { entry: word(0), base: word(1), limit: word(2), flags: word(3) };
  if (isEmpty(described)) return described;
  // Data of 32 bits alone: anything else could take the program out of where it belongs.
  const contents = (described.flags & BIT.CONTENTS) >> 1;
  if ((described.flags & BIT.SEG_32BIT) === 0 || contents > 1 || (described.flags & BIT.NOT_PRESENT) !== 0)
    throw E.EINVAL;
  return described;
}

const indexOf = (entry: number): number => {
  const index = entry - TLS_ENTRIES.first;
  if (index < 0 || index >= TLS_ENTRIES.count) throw E.EINVAL;
  return index;
};

/** A thread's entries with one set. Gives which, too. Throws ESRCH where none is free. */
export function withThreadArea(
  k: Work,
  tls: readonly number[],
  at: number,
): { readonly tls: readonly number[]; readonly entry: number } {
  const described = readDescribed(k, at);
  const words = Array.from({ length: TLS_ENTRIES.count * 2 }, (_, index) => tls[index] ?? 0);
  let { entry } = described;
  if (entry === ANY) {
    const free = words.findIndex((_, index) => index % 2 === 0 && words[index] === 0 && words[index + 1] === 0);
    if (free < 0) throw E.ESRCH;
    entry = TLS_ENTRIES.first + free / 2;
  }
  words.splice(indexOf(entry) * 2, 2, ...descriptorWords(described));
  return { tls: Object.freeze(words), entry };
}

function setThreadArea(k: Work, at: number): number {
  const asked = readWord(k, at);
  const { tls, entry } = withThreadArea(k, k.task.tls, at);
  if (asked === ANY) writeWord(k, at, entry);
  // Segment registers that have the old entry are loaded anew.
  k.save();
  k.setTask(k.current, { tls });
  loadTls(k.port, tls);
  return 0;
}

function getThreadArea(k: Work, at: number): number {
  const entry = readWord(k, at);
  const index = indexOf(entry);
  const { tls } = k.task;
  const { base, limit, flags } = describedBy(tls[index * 2] ?? 0, tls[index * 2 + 1] ?? 0);
  const view = new DataView(new ArrayBuffer(16));
  [entry, base, limit, flags].forEach((word, position) => {
    view.setUint32(position * 4, word, true);
  });
  writeUser(k, at, new Uint8Array(view.buffer));
  return 0;
}

const ARCH = { SET_GS: 0x1001, SET_FS: 0x1002, GET_FS: 0x1003, GET_GS: 0x1004 } as const;

function archControl(k: Work, code: number, address: number): number {
  const fs = code === ARCH.SET_FS || code === ARCH.GET_FS;
  switch (code) {
    case ARCH.SET_FS:
    case ARCH.SET_GS:
      if (address < 0 || address >= 2 ** 47) throw E.EPERM;
      if (k.saved) k.setTask(k.current, { registers: { ...k.task.registers, [fs ? "fsBase" : "gsBase"]: address } });
      else setBase(k.port, fs ? "fs" : "gs", address);
      return 0;
    case ARCH.GET_FS:
    case ARCH.GET_GS: {
      const { fsBase, gsBase } = k.save().registers;
      writeLong(k, address, fs ? fsBase : gsBase);
      return 0;
    }
    default:
      throw E.EINVAL;
  }
}

export const segmentCalls: readonly SystemCall[] = [
  call("set_thread_area", "u_info:pointer", setThreadArea),
  call("get_thread_area", "u_info:pointer", getThreadArea),
  call("arch_prctl", "code:int addr:pointer", archControl),
];
