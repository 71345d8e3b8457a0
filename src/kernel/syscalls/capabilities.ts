/** System calls on capabilities. Spec: capget(2), capabilities(7). */
import { E } from "../errno.js";
import { readUser, readWord, writeUser, writeWord } from "../mm/user-memory.js";
import type { Capabilities, Task } from "../state.js";
import { allCapabilities, may } from "../tasks/capabilities.js";
import { changeCredentials } from "../tasks/credentials.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";

/** Versions of the header, and how many words a set has. */
const WORDS: Readonly<Record<number, number>> = { 429392688: 1, 537333798: 2, 537396514: 2 };
const NEWEST = 0x2008_0522;

/** Words of a set, and the process that is meant. Throws EINVAL, having told the newest version. */
function readHeader(k: Work, at: number): { readonly words: number; readonly pid: number } | undefined {
  const words = WORDS[readWord(k, at)];
  if (words === undefined) {
    writeWord(k, at, NEWEST);
    return undefined;
  }
  return { words, pid: readWord(k, at + 4) | 0 };
}

function get(k: Work, headerAt: number, dataAt: number): number {
  const header = readHeader(k, headerAt);
  if (header === undefined) {
    if (dataAt === 0) return 0;
    throw E.EINVAL;
  }
  const { words, pid } = header;
  if (pid < 0) throw E.EINVAL;
  const task: Task | undefined = pid === 0 ? k.task : k.state.tasks.get(pid);
  if (task === undefined) throw E.ESRCH;
  if (dataAt === 0) return 0;
  const { effective, permitted, inheritable } = task.credentials.capabilities;
  const view = new DataView(new ArrayBuffer(12 * words));
  for (let index = 0; index < words; index++)
    [effective, permitted, inheritable].forEach((set, field) => {
      view.setUint32(index * 12 + field * 4, Number((set >> BigInt(32 * index)) & 0xffff_ffffn), true);
    });
  writeUser(k, dataAt, new Uint8Array(view.buffer));
  return 0;
}

const within = (set: bigint, limit: bigint): boolean => (set & ~limit) === 0n;

function set(k: Work, headerAt: number, dataAt: number): number {
  const header = readHeader(k, headerAt);
  if (header === undefined) throw E.EINVAL;
  if (header.pid !== 0 && header.pid !== k.current) throw E.EPERM;
  const view = new DataView(readUser(k, dataAt, 12 * header.words).buffer);
  const field = (number: number): bigint => {
    let value = 0n;
    for (let index = 0; index < header.words; index++)
      value |= BigInt(view.getUint32(index * 12 + number * 4, true)) << BigInt(32 * index);
    return value & allCapabilities;
  };
  const [effective, permitted, inheritable] = [field(0), field(1), field(2)];
  const old = k.task.credentials.capabilities;
  requireRules(k, old, { effective, permitted, inheritable });
  const ambient = old.ambient & permitted & inheritable;
  changeCredentials(k, {
    ...k.task.credentials,
    capabilities: { ...old, effective, permitted, inheritable, ambient },
  });
  return 0;
}

/** Throws EPERM. Spec: capabilities(7), "Programmatically adjusting capability sets". */
function requireRules(
  k: Work,
  old: Capabilities,
  { effective, permitted, inheritable }: Pick<Capabilities, "effective" | "permitted" | "inheritable">,
): void {
  if (!may(k, "CAP_SETPCAP") && !within(inheritable, old.inheritable | old.permitted)) throw E.EPERM;
  if (!within(inheritable, old.inheritable | old.bounding)) throw E.EPERM;
  if (!within(permitted, old.permitted) || !within(effective, permitted)) throw E.EPERM;
}

export const capabilityCalls: readonly SystemCall[] = [
  call("capget", "hdrp:pointer datap:pointer", get),
  call("capset", "hdrp:pointer datap:pointer", set),
];
