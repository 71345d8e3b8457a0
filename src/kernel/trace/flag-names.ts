/** Names of the bits and values that system calls are given. Spec: open(2), mmap(2), clone(2), access(2); strace(1) shows them so. */
import { O } from "../fs/kinds.js";
import { CLONE } from "../tasks/fork.js";
import { signalNumbers } from "../tasks/signals.js";

/** Values, and what they are called. */
type Names = readonly (readonly [name: string, value: number])[];

interface FlagSet {
  /** Names of what the low bits are as a number, with their mask. */
  readonly kinds?: { readonly mask: number; readonly names: Names };
  readonly bits: Names;
  readonly none: string;
}

const prefixed = (prefix: string, table: Readonly<Record<string, number>>): Names =>
  Object.entries(table).map(([name, value]) => [`${prefix}${name}`, value] as const);

const isOneBit = (value: number): boolean => (value & (value - 1)) === 0;
/** Combinations in front of the bits they are made of. */
const wide = (names: Names): Names =>
  names.toSorted(([, a], [, b]) => Number(isOneBit(a)) - Number(isOneBit(b)) || a - b);

const ACCESS = ["RDONLY", "WRONLY", "RDWR", "ACCMODE"];
const open: FlagSet = {
  kinds: { mask: 3, names: prefixed("O_", { RDONLY: O.RDONLY, WRONLY: O.WRONLY, RDWR: O.RDWR }) },
  bits: wide(prefixed("O_", O).filter(([name]) => !ACCESS.includes(name.slice(2)))),
  none: "",
};
const protection: FlagSet = { bits: prefixed("PROT_", { READ: 1, WRITE: 2, EXEC: 4 }), none: "PROT_NONE" };
const mapping: FlagSet = {
  bits: prefixed("MAP_", {
    ...{ SHARED: 1, PRIVATE: 2, FIXED: 16, ANONYMOUS: 32, GROWSDOWN: 256, DENYWRITE: 2048, LOCKED: 8192 },
    ...{ NORESERVE: 16_384, POPULATE: 32_768, NONBLOCK: 65_536, STACK: 131_072, FIXED_NOREPLACE: 1_048_576 },
  }),
  none: "0",
};
const at: FlagSet = {
  bits: prefixed("AT_", {
    ...{ SYMLINK_NOFOLLOW: 0x100, REMOVEDIR: 0x200, SYMLINK_FOLLOW: 0x400, NO_AUTOMOUNT: 0x800, EMPTY_PATH: 0x1000 },
  }),
  none: "0",
};
const access: FlagSet = { bits: [["R_OK", 4] as const, ["W_OK", 2] as const, ["X_OK", 1] as const], none: "F_OK" };
const descriptors: FlagSet = {
  bits: prefixed("O_", { CLOEXEC: O.CLOEXEC, NONBLOCK: O.NONBLOCK, DIRECT: O.DIRECT }),
  none: "0",
};
const waiting: FlagSet = {
  bits: [["WNOHANG", 1] as const, ["WUNTRACED", 2] as const, ["WCONTINUED", 8] as const],
  none: "0",
};

/** By call and argument. */
const sets: Readonly<Record<string, FlagSet>> = {
  "open flags": open,
  "openat flags": open,
  "mmap prot": protection,
  "mmap2 prot": protection,
  "mprotect prot": protection,
  "mmap flags": mapping,
  "mmap2 flags": mapping,
  "newfstatat flags": at,
  "fstatat64 flags": at,
  "unlinkat flags": at,
  "linkat flags": at,
  "access mode": access,
  "faccessat mode": access,
  "pipe2 flags": descriptors,
  "dup3 flags": descriptors,
  "wait4 options": waiting,
  "waitpid options": waiting,
};

const signals = new Map<number, string>(Object.entries(signalNumbers).map(([name, value]) => [value, name]));
export const signalText = (value: number): string =>
  signals.get(value) ?? (value >= 32 ? `SIGRT_${value - 32}` : String(value));

function inSet({ kinds, bits, none }: FlagSet, value: number): string {
  const found: string[] = [];
  let rest = value;
  if (kinds !== undefined) {
    found.push(kinds.names.find(([, kind]) => kind === (value & kinds.mask))?.[0] ?? String(value & kinds.mask));
    rest &= ~kinds.mask;
  }
  for (const [name, bit] of bits)
    if (bit !== 0 && (rest & bit) === bit) {
      found.push(name);
      rest &= ~bit;
    }
  if (rest !== 0) found.push(`0x${(rest >>> 0).toString(16)}`);
  return found.length === 0 ? none : found.join("|");
}

/** Flags of clone(2), and the signal in their lowest byte. */
function cloneFlags(value: number): string {
  const names = Object.entries(CLONE).filter(([, bit]) => bit > 0xff && Math.floor(value / bit) % 2 === 1);
  const signal = value & 0xff;
  return [...names.map(([name]) => `CLONE_${name}`), ...(signal === 0 ? [] : [signalText(signal)])].join("|") || "0";
}

/** What an argument is called; undefined where there is no table for it. */
export function flagText(call: string, argument: string, value: number): string | undefined {
  if (call === "clone" && argument === "flags") return cloneFlags(value);
  const set = sets[`${call} ${argument}`];
  return set === undefined ? undefined : inSet(set, value);
}
