/**
 * Filters of system calls: programs in classic BPF that are run instruction by instruction before each call.
 * Spec: seccomp(2); Linux, Documentation/userspace-api/seccomp_filter.rst, Documentation/networking/filter.rst "BPF engine and instruction set".
 */
import { E } from "../errno.js";
import type { PendingCall } from "../state.js";
import type { Work } from "../work.js";

/** struct sock_filter. */
export interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** An installed program, and what was there before it. */
export interface Filter {
  readonly kind: "seccomp-filter";
  readonly program: readonly Instruction[];
  readonly logs: boolean;
}

/** What a filter can ask for; of several the lowest one, as a signed number, is done. */
export const ACTION = {
  ...{ KILL_PROCESS: 0x8000_0000, KILL_THREAD: 0, TRAP: 0x3_0000, ERRNO: 0x5_0000, USER_NOTIF: 0x7fc0_0000 },
  ...{ TRACE: 0x7ff0_0000, LOG: 0x7ffc_0000, ALLOW: 0x7fff_0000 },
} as const;
export const ACTION_BITS = 0xffff_0000;

/** AUDIT_ARCH_ of the two instruction sets. */
export const ARCHITECTURE = { x86_64: 0xc000_003e, i386: 0x4000_0003 } as const;

const DATA_SIZE = 64;
const SCRATCH = 16;
const MOST_INSTRUCTIONS = 4096;

/** Codes that a filter of system calls may have. Spec: Linux, seccomp_check_filter. */
const CODES = {
  ...{ LD_ABS: 0x20, LD_LEN: 0x80, LDX_LEN: 0x81, LD_IMM: 0x00, LDX_IMM: 0x01, LD_MEM: 0x60, LDX_MEM: 0x61 },
  ...{ ST: 0x02, STX: 0x03, JA: 0x05, RET_K: 0x06, RET_A: 0x16, TAX: 0x07, TXA: 0x87, NEG: 0x84 },
} as const;
const plain: ReadonlySet<number> = new Set(Object.values(CODES));
const ARITHMETIC: ReadonlySet<number> = new Set([0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xa0]);
const JUMPS: ReadonlySet<number> = new Set([0x10, 0x20, 0x30, 0x40]);
const isArithmetic = (code: number): boolean => (code & 7) === 4 && ARITHMETIC.has(code & 0xf0);
const isJump = (code: number): boolean => (code & 7) === 5 && JUMPS.has(code & 0xf0);
const usesX = (code: number): boolean => (code & 8) !== 0;

/** Throws EINVAL for a program that could go wrong when it runs. Spec: Linux, bpf_check_classic, seccomp_check_filter. */
export function checkProgram(program: readonly Instruction[]): void {
  const { length } = program;
  if (length === 0 || length > MOST_INSTRUCTIONS) throw E.EINVAL;
  program.forEach((instruction, index) => {
    if (!isValid(instruction, length - index - 1)) throw E.EINVAL;
  });
  const { code } = program[length - 1]!;
  if (code !== CODES.RET_K && code !== CODES.RET_A) throw E.EINVAL;
  if (!storesBeforeLoads(program)) throw E.EINVAL;
}

/** `behind` instructions follow. */
function isValid({ code, jt, jf, k }: Instruction, behind: number): boolean {
  if (isArithmetic(code)) {
    const [division, left, right] = [0x30, 0x60, 0x70];
    if (!usesX(code) && (code & 0xf0) === division) return k !== 0;
    if (!usesX(code) && ((code & 0xf0) === left || (code & 0xf0) === right)) return k < 32;
    return true;
  }
  if (isJump(code)) return jt < behind && jf < behind;
  if (!plain.has(code)) return false;
  if (code === CODES.JA) return k < behind;
  if (code === CODES.LD_ABS) return k % 4 === 0 && k < DATA_SIZE;
  const usesScratch = [CODES.LD_MEM, CODES.LDX_MEM, CODES.ST, CODES.STX] as readonly number[];
  return !usesScratch.includes(code) || k < SCRATCH;
}

/** No word of the scratch memory is read on a way on which it was not written. */
function storesBeforeLoads(program: readonly Instruction[]): boolean {
  const ALL = 0xffff;
  const reaches = new Array<number>(program.length).fill(ALL);
  let valid = 0;
  for (const [index, { code, jt, jf, k }] of program.entries()) {
    valid &= reaches[index]!;
    const to = (offset: number): void => {
      reaches[index + 1 + offset]! &= valid;
    };
    if (code === CODES.ST || code === CODES.STX) valid |= 1 << k;
    else if (code === CODES.LD_MEM || code === CODES.LDX_MEM) {
      if ((valid & (1 << k)) === 0) return false;
    } else if (code === CODES.JA) {
      to(k);
      valid = ALL;
    } else if (isJump(code)) {
      to(jt);
      to(jf);
      valid = ALL;
    }
  }
  return true;
}

/** struct seccomp_data as words: number, instruction set, where the call stands, six arguments. */
function dataOf(k: Work, { abi, number }: PendingCall, rip: number, registers: readonly number[]): Uint32Array {
  const words = new Uint32Array(DATA_SIZE / 4);
  words[0] = number;
  words[1] = ARCHITECTURE[abi];
  words[2] = rip >>> 0;
  words[3] = Math.floor(rip / 2 ** 32);
  registers.forEach((register, index) => {
    words[4 + index * 2] = k.port.getRegister(register);
    words[5 + index * 2] = abi === "x86_64" ? k.port.getRegisterHigh(register) : 0;
  });
  return words;
}

function compute(code: number, a: number, b: number): number | undefined {
  switch (code & 0xf0) {
    case 0x00:
      return (a + b) >>> 0;
    case 0x10:
      return (a - b) >>> 0;
    case 0x20:
      return Math.imul(a, b) >>> 0;
    case 0x30:
      return b === 0 ? undefined : Math.floor(a / b);
    case 0x40:
      return (a | b) >>> 0;
    case 0x50:
      return (a & b) >>> 0;
    case 0x60:
      return (a << (b & 31)) >>> 0;
    case 0x70:
      return a >>> (b & 31);
    default:
      return (a ^ b) >>> 0;
  }
}

function jumps(code: number, a: number, b: number): boolean {
  switch (code & 0xf0) {
    case 0x10:
      return a === b;
    case 0x20:
      return a > b;
    case 0x30:
      return a >= b;
    default:
      return (a & b) !== 0;
  }
}

/** What a program that was checked gives for a call. */
export function runFilter(program: readonly Instruction[], data: Uint32Array): number {
  const scratch = new Uint32Array(SCRATCH);
  let [a, x] = [0, 0];
  for (let at = 0; ; at++) {
    const { code, jt, jf, k } = program[at]!;
    const operand = usesX(code) ? x : k;
    if (isArithmetic(code)) {
      const result = compute(code, a, operand);
      if (result === undefined) return 0;
      a = result;
    } else if (isJump(code)) at += jumps(code, a, operand) ? jt : jf;
    else if (code === CODES.LD_ABS) a = data[k / 4]!;
    else if (code === CODES.LD_LEN) a = DATA_SIZE;
    else if (code === CODES.LDX_LEN) x = DATA_SIZE;
    else if (code === CODES.LD_IMM) a = k;
    else if (code === CODES.LDX_IMM) x = k;
    else if (code === CODES.LD_MEM) a = scratch[k]!;
    else if (code === CODES.LDX_MEM) x = scratch[k]!;
    else if (code === CODES.ST) scratch[k] = a;
    else if (code === CODES.STX) scratch[k] = x;
    else if (code === CODES.JA) at += k;
    else if (code === CODES.TAX) x = a;
    else if (code === CODES.TXA) a = x;
    else if (code === CODES.NEG) a = -a >>> 0;
    else return code === CODES.RET_K ? k : a;
  }
}

/** What the filters of the thread at work make of a call: the strictest of what they ask for. */
export function filtered(k: Work, call: PendingCall, rip: number, registers: readonly number[]): number {
  const data = dataOf(k, call, rip, registers);
  let result: number = ACTION.ALLOW;
  for (const id of k.task.filters) {
    const asked = runFilter(k.objectOf<Filter>(id).program, data);
    if ((asked & ACTION_BITS) < (result & ACTION_BITS)) result = asked;
  }
  return result;
}
