/** System calls on the system as a whole. Spec: uname(2), sethostname(2), sysinfo(2), personality(2), membarrier(2), getrandom(2). */
import { E } from "../errno.js";
import { freeFrames, PAGE } from "../mm/frames.js";
import { bytesOf, readUser, textOf, writeUser } from "../mm/user-memory.js";
import type { Namespace } from "../namespaces/records.js";
import { nextRandom } from "../random.js";
import { requireCapability } from "../tasks/capabilities.js";
import { spanOf } from "../time.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";

/** The names of a UTS namespace. Spec: uts_namespaces(7). */
export interface UtsNamespace extends Namespace {
  readonly kind: "uts";
  readonly nodename: string;
  readonly domainname: string;
}

export const RELEASE = "6.1.0-virtlab";
export const VERSION_TEXT = "#1 SMP virtlab 0.1";
const FIELD = 65;

function uname(k: Work, at: number): number {
  const { nodename, domainname } = k.objectOf<UtsNamespace>(k.task.namespaces.uts);
  const machine = ((k.process.personality ?? 0) & 0xff) === PER_LINUX32 ? "i686" : "x86_64";
  const bytes = new Uint8Array(6 * FIELD);
  ["Linux", nodename, RELEASE, VERSION_TEXT, machine, domainname].forEach((text, index) => {
    bytes.set(bytesOf(text), index * FIELD);
  });
  writeUser(k, at, bytes);
  return 0;
}

/** Spec: sethostname(2). The longest name there may be. */
const MOST_NAME = 64;

function setName(k: Work, field: "nodename" | "domainname", at: number, length: number): number {
  const { uts } = k.task.namespaces;
  const { home } = k.objectOf<UtsNamespace>(uts);
  requireCapability(k, "CAP_SYS_ADMIN", home);
  if (length < 0 || length > MOST_NAME) throw E.EINVAL;
  k.changeObject<UtsNamespace>(uts, { [field]: textOf(readUser(k, at, length)).split("\0")[0]! });
  return 0;
}

const LOAD_SCALE = 65_536;

/** struct sysinfo: times in seconds, memory in bytes. Spec: sysinfo(2). */
function sysinfo(k: Work, at: number): number {
  const wide = k.call.abi === "x86_64";
  const size = wide ? 8 : 4;
  const view = new DataView(new ArrayBuffer(wide ? 112 : 64));
  const long = (index: number, value: number): void => {
    view.setUint32(index * size, value >>> 0, true);
    if (wide) view.setUint32(index * size + 4, Math.floor(value / 2 ** 32), true);
  };
  let threads = 0;
  for (const _ of k.state.tasks.entries()) threads++;
  const load = k.state.queue.length * LOAD_SCALE;
  const { frames } = k.state;
  [spanOf(k.now)[0], load, load, load, frames.end * PAGE, freeFrames(k) * PAGE].forEach((value, index) => {
    long(index, value);
  });
  view.setUint16(10 * size, threads, true);
  view.setUint32(wide ? 104 : 52, 1, true);
  writeUser(k, at, new Uint8Array(view.buffer));
  return 0;
}

/** The personality that a 32-bit system's programs have: they are told that there is one. */
const PER_LINUX32 = 8;

function personality(k: Work, wanted: number): number {
  const { pid, personality: old = 0 } = k.process;
  if (wanted !== 0xffff_ffff) k.setProcess(pid, { personality: wanted });
  return old;
}

/** Commands of membarrier(2): each of the barriers, and asking for it beforehand where that is needed. */
const BARRIER = { QUERY: 0, GLOBAL: 1, GLOBAL_EXPEDITED: 2, REGISTER_GLOBAL: 4, PRIVATE: 8, CORE: 32 } as const;
const ALL_BARRIERS = 0x7f;

/** Threads of one processor see each other's memory as it is: there is nothing to wait for. */
function barrier(k: Work, command: number, flags: number): number {
  if (flags !== 0) throw E.EINVAL;
  if (command === BARRIER.QUERY) return ALL_BARRIERS;
  if ((command & ALL_BARRIERS) !== command || (command & (command - 1)) !== 0) throw E.EINVAL;
  const { pid, barriers = 0 } = k.process;
  if (command === BARRIER.PRIVATE || command === BARRIER.CORE) {
    if ((barriers & (command * 2)) === 0) throw E.EPERM;
    return 0;
  }
  k.setProcess(pid, { barriers: barriers | command });
  return 0;
}

export const systemCalls: readonly SystemCall[] = [
  call("uname", "buf:pointer", uname),
  call("sethostname", "name:pointer len:int", (k, at, length) => setName(k, "nodename", at, length)),
  call("setdomainname", "name:pointer len:int", (k, at, length) => setName(k, "domainname", at, length)),
  call("sysinfo", "info:pointer", sysinfo),
  call("personality", "persona:uint", personality),
  call("membarrier", "cmd:int flags:uint cpu_id:int", barrier),
  call("getrandom", "buf:buffer buflen:size flags:flags", (k, at, length, flags) => {
    if ((flags & ~7) !== 0) throw E.EINVAL;
    const bytes = nextRandom(k, Math.min(length, 1 << 20));
    writeUser(k, at, bytes);
    return bytes.length;
  }),
];
