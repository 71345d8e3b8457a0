/** prctl(2): an operation for each of its numbers. Spec: prctl(2); capabilities(7), "The securebits flags". */
import { E } from "../errno.js";
import { readBytesToZero, readUser, textOf, writeLong, writeUser, writeWord } from "../mm/user-memory.js";
import type { Credentials } from "../state.js";
import { capabilityNames, requireCapability } from "../tasks/capabilities.js";
import { SECURE } from "../tasks/credentials.js";
import { MOST_SIGNAL } from "../tasks/signals.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";
import { modeOf, setMode } from "./seccomp.js";
import { isWide } from "./times.js";

type Operation = (k: Work, ...values: readonly [number, number, number, number]) => number;

const change = (k: Work, credentials: Partial<Credentials>): number => {
  k.setTask(k.current, { credentials: { ...k.task.credentials, ...credentials } });
  return 0;
};

/** The bit of a capability. Throws EINVAL. */
function bitOf(number: number): bigint {
  if (number < 0 || number >= capabilityNames.length) throw E.EINVAL;
  return 1n << BigInt(number);
}

const NAME = 16;

function setName(k: Work, at: number): number {
  const bytes = readBytesToZero(k, at, NAME - 1) ?? readUser(k, at, NAME - 1);
  k.setTask(k.current, { name: textOf(bytes) });
  return 0;
}

function getName(k: Work, at: number): number {
  const bytes = new Uint8Array(NAME);
  for (let index = 0; index < k.task.name.length; index++) bytes[index] = k.task.name.charCodeAt(index);
  writeUser(k, at, bytes);
  return 0;
}

/** Each securebit has a lock beside it. */
const [ALL_BITS, ALL_LOCKS] = [0x55, 0xaa];

function setSecurebits(k: Work, wanted: number): number {
  const { securebits } = k.task.credentials;
  const locked = ((securebits & ALL_LOCKS) >> 1) & (securebits ^ wanted);
  if (locked !== 0 || (securebits & ALL_LOCKS & ~wanted) !== 0 || (wanted & ~(ALL_BITS | ALL_LOCKS)) !== 0)
    throw E.EPERM;
  requireCapability(k, "CAP_SETPCAP");
  return change(k, { securebits: wanted });
}

function setKeepCaps(k: Work, value: number): number {
  if (value !== 0 && value !== 1) throw E.EINVAL;
  const { securebits } = k.task.credentials;
  if ((securebits & (SECURE.KEEP_CAPS << 1)) !== 0) throw E.EPERM;
  return change(k, { securebits: value === 1 ? securebits | SECURE.KEEP_CAPS : securebits & ~SECURE.KEEP_CAPS });
}

const AMBIENT = { IS_SET: 1, RAISE: 2, LOWER: 3, CLEAR_ALL: 4 } as const;

function ambient(k: Work, operation: number, number: number, third: number, fourth: number): number {
  const { capabilities, securebits } = k.task.credentials;
  if (third !== 0 || fourth !== 0) throw E.EINVAL;
  if (operation === AMBIENT.CLEAR_ALL) {
    if (number !== 0) throw E.EINVAL;
    return change(k, { capabilities: { ...capabilities, ambient: 0n } });
  }
  const bit = bitOf(number);
  switch (operation) {
    case AMBIENT.IS_SET:
      return (capabilities.ambient & bit) === 0n ? 0 : 1;
    case AMBIENT.LOWER:
      return change(k, { capabilities: { ...capabilities, ambient: capabilities.ambient & ~bit } });
    case AMBIENT.RAISE:
      if ((capabilities.permitted & capabilities.inheritable & bit) === 0n) throw E.EPERM;
      if ((securebits & SECURE.NO_CAP_AMBIENT_RAISE) !== 0) throw E.EPERM;
      return change(k, { capabilities: { ...capabilities, ambient: capabilities.ambient | bit } });
    default:
      throw E.EINVAL;
  }
}

function setNoNewPrivileges(k: Work, ...values: readonly number[]): number {
  if (values[0] !== 1 || values.slice(1).some((value) => value !== 0)) throw E.EINVAL;
  return change(k, { noNewPrivileges: true });
}

function dropBounding(k: Work, number: number): number {
  requireCapability(k, "CAP_SETPCAP");
  const { capabilities } = k.task.credentials;
  return change(k, { capabilities: { ...capabilities, bounding: capabilities.bounding & ~bitOf(number) } });
}

const TIMER_SLACK = 50_000;
const noMore = (...values: readonly number[]): void => {
  if (values.some((value) => value !== 0)) throw E.EINVAL;
};

/** By number. What is not here is EINVAL. */
const operations: Readonly<Record<number, Operation>> = {
  1(k, signal) {
    if (signal < 0 || signal > MOST_SIGNAL) throw E.EINVAL;
    k.setTask(k.current, { parentDeathSignal: signal });
    return 0;
  },
  2(k, at) {
    writeWord(k, at, k.task.parentDeathSignal);
    return 0;
  },
  3: (k) => (k.process.dumpable ? 1 : 0),
  4(k, value) {
    if (value !== 0 && value !== 1) throw E.EINVAL;
    k.setProcess(k.task.process, { dumpable: value === 1 });
    return 0;
  },
  7: (k) => ((k.task.credentials.securebits & SECURE.KEEP_CAPS) === 0 ? 0 : 1),
  8: setKeepCaps,
  15: setName,
  16: getName,
  21: modeOf,
  22: (k, mode, at) => setMode(k, mode, at),
  23: (k, number) => ((k.task.credentials.capabilities.bounding & bitOf(number)) === 0n ? 0 : 1),
  24: dropBounding,
  27: (k) => k.task.credentials.securebits,
  28: setSecurebits,
  29: () => 0,
  30: () => TIMER_SLACK,
  36(k, value) {
    k.setProcess(k.task.process, { isSubreaper: value !== 0 });
    return 0;
  },
  37(k, at) {
    writeWord(k, at, k.process.isSubreaper ? 1 : 0);
    return 0;
  },
  38: setNoNewPrivileges,
  39(k, ...values) {
    noMore(...values);
    return k.task.credentials.noNewPrivileges ? 1 : 0;
  },
  40(k, at) {
    if (isWide(k)) writeLong(k, at, k.task.clearTid);
    else writeWord(k, at, k.task.clearTid);
    return 0;
  },
  42(_k, ...values) {
    noMore(...values);
    return 0;
  },
  47: ambient,
};

export const controlCalls: readonly SystemCall[] = [
  call("prctl", "option:int arg2:size arg3:size arg4:size arg5:size", (k, option, ...values) => {
    const operation = operations[option];
    if (operation === undefined) throw E.EINVAL;
    return operation(k, ...(values as [number, number, number, number]));
  }),
];
