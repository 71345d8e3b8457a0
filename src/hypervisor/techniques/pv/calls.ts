/**
 * The hypercalls, by number: what a paravirtual guest asks for instead of executing what is privileged. INT 82h from ring 1, number in
 * EAX, arguments in EBX, ECX, EDX, ESI, EDI, result in EAX.
 * Spec: Xen, public header xen.h; `guests/kernel/xen-interface.h` says what is promised here.
 */
import { FLAG } from "../../../hardware/cpu/state.js";
import { stop } from "../../control.js";
import type { Host } from "../../host.js";
import { note } from "../emulation.js";
import { Refused, readBytes, readWord, readWords, refuse, writeWords } from "./access.js";
import { BLOCK_PORT, serve } from "./block.js";
import { block, crash, setMask, tickAt } from "./events.js";
import { BYTES, CONSOLEIO_WRITE, EVTCHNOP, SCHEDOP, SHUTDOWN_POWEROFF, TRAP, VIRQ_TIMER } from "./interface.js";
import { DONE, mmuextOp, mmuUpdate, type Result, setGdt, updateDescriptor, updateVaMapping } from "./mmu-calls.js";
import { loadGates, selected } from "./segments.js";
import { changeOwn, type GuestTrap, ownOf } from "./state.js";

const COM1 = 0x3f8;
const MOST_TEXT = 0x1_0000;
const MOST_CALLS = 0x1000;
const RING = 3;
/** Of EFLAGS, what a guest's return loads. */
const RETURNED = FLAG.CF | FLAG.PF | FLAG.AF | FLAG.ZF | FLAG.SF | FLAG.DF | FLAG.OF;

type Work = (host: Host, number: number, args: readonly number[]) => Result;

function setTrapTable(host: Host, number: number, [list]: readonly number[]): Result {
  const traps: Record<string, GuestTrap> = list === 0 ? {} : { ...ownOf(host, number).traps };
  for (let at = list!; at !== 0; at += TRAP.BYTES) {
    const [word, address] = readWords(host, at, 2) as [number, number];
    if (address === 0) break;
    const selector = word >>> 16;
    if ((selector & RING) === 0) refuse("EPERM");
    traps[word & 0xff] = { flags: (word >>> 8) & 0xff, selector, address };
  }
  loadGates(host, number, false);
  changeOwn(host, number, { traps });
  loadGates(host, number, true);
  return DONE;
}

function stackSwitch(host: Host, number: number, [ss, esp]: readonly number[]): Result {
  if ((ss! & RING) !== 1) refuse("EPERM");
  changeOwn(host, number, { stack: { ss: ss! & 0xffff, esp: esp! } });
  return DONE;
}

function setCallbacks(host: Host, number: number, [selector, address]: readonly number[]): Result {
  if ((selector! & RING) !== 1) refuse("EPERM");
  changeOwn(host, number, { callback: { selector: selector! & 0xffff, address: address! } });
  return DONE;
}

function setTimer(host: Host, number: number, [low, high]: readonly number[]): Result {
  const due = low! + high! * 2 ** 32;
  if (high! > 0x1f_ffff) refuse("EINVAL");
  changeOwn(host, number, { timer: due === 0 ? undefined : tickAt(due) });
  return DONE;
}

function consoleIo(host: Host, number: number, [command, length, text]: readonly number[]): Result {
  if (command !== CONSOLEIO_WRITE) refuse("ENOSYS");
  if (length! > MOST_TEXT) refuse("E2BIG");
  const board = host.board(number);
  for (const byte of readBytes(host, text!, length!)) board.portWrite(COM1, 1, byte);
  return { result: length!, effect: "done" };
}

/** The way back from a handler: what it leaves in EAX is what the guest had there. */
function iret(host: Host, number: number): Result {
  const { cpu } = host.vm(number);
  const [eax, eip, cs, eflags] = readWords(host, cpu.esp, 4) as [number, number, number, number];
  if ((cs & RING) === 0) {
    crash(host, number, "it returned to ring 0");
    return DONE;
  }
  const outer = (cs & RING) === 3;
  const [esp, ss] = outer ? readWords(host, cpu.esp + 16, 2) : [cpu.esp + 16, cpu.system.segments.ss.selector];
  host.change(number, {
    cpu: {
      ...cpu,
      eax: eax | 0,
      eip: eip | 0,
      esp: esp! | 0,
      eflags: (eflags & RETURNED) | FLAG.RESERVED | FLAG.IF,
      system: selected(host, cpu.system, { cs: cs & 0xffff, ss: ss! & 0xffff }),
    },
  });
  setMask(host, number, (eflags & FLAG.IF) === 0);
  return { result: eax, effect: "done" };
}

function schedOp(host: Host, number: number, [command, argument]: readonly number[]): Result {
  switch (command) {
    case SCHEDOP.yield:
      return DONE;
    case SCHEDOP.block:
      block(host, number);
      return { result: 0, effect: host.vm(number).status.kind === "halted" ? "halted" : "done" };
    case SCHEDOP.shutdown: {
      const value = readWord(host, argument!) === SHUTDOWN_POWEROFF ? 0x10 : 0x11;
      stop(host, number, { reason: "debug-exit", value, status: (value << 1) | 1 });
      return { result: 0, effect: "stopped" };
    }
    default:
      return refuse("ENOSYS");
  }
}

function bindVirq(host: Host, number: number, argument: number): Result {
  const [virq, vcpu] = readWords(host, argument, 2) as [number, number];
  if (virq !== VIRQ_TIMER) refuse("EINVAL");
  if (vcpu !== 0) refuse("ENOENT");
  if (ownOf(host, number).timerPort !== undefined) refuse("EEXIST");
  const timerPort = BLOCK_PORT + 1;
  writeWords(host, argument + 8, [timerPort]);
  changeOwn(host, number, { timerPort });
  return DONE;
}

function send(host: Host, number: number, argument: number): Result {
  if (readWord(host, argument) !== BLOCK_PORT || ownOf(host, number).block === undefined) refuse("EINVAL");
  serve(host, number);
  return DONE;
}

function eventChannelOp(host: Host, number: number, [command, argument]: readonly number[]): Result {
  if (command === EVTCHNOP.bindVirq) return bindVirq(host, number, argument!);
  if (command === EVTCHNOP.send) return send(host, number, argument!);
  return refuse("ENOSYS");
}

/** Several calls at the cost of one exit; each has its own result. Spec: Xen, public header xen.h, "multicall_entry". */
function multicall(host: Host, number: number, [list, count]: readonly number[]): Result {
  if (count! > MOST_CALLS) refuse("E2BIG");
  for (let index = 0; index < count!; index++) {
    const at = list! + index * BYTES.call;
    const [operation, , ...args] = readWords(host, at, 8) as [number, number, ...number[]];
    writeWords(host, at + 4, [called(host, number, operation, args, true).result]);
  }
  return { result: 0, effect: `${count} call${count === 1 ? "" : "s"}` };
}

/** A row of the table. */
export interface Hypercall {
  readonly name: string;
  /** By name, in the order of the registers. */
  readonly args: readonly string[];
  readonly work: Work;
  /** It ends in another place, so it cannot be one of several. */
  readonly alone?: true;
}

export const hypercalls: Readonly<Record<number, Hypercall>> = Object.freeze({
  0: { name: "set_trap_table", args: ["table"], work: setTrapTable },
  1: { name: "mmu_update", args: ["requests", "count", "done", "domain"], work: mmuUpdate },
  2: { name: "set_gdt", args: ["frames", "entries"], work: setGdt },
  3: { name: "stack_switch", args: ["ss", "esp"], work: stackSwitch },
  4: { name: "set_callbacks", args: ["selector", "address"], work: setCallbacks },
  10: { name: "update_descriptor", args: ["address", "address high", "low", "high"], work: updateDescriptor },
  13: { name: "multicall", args: ["calls", "count"], work: multicall, alone: true },
  14: { name: "update_va_mapping", args: ["linear", "entry", "entry high", "flags"], work: updateVaMapping },
  15: { name: "set_timer_op", args: ["low", "high"], work: setTimer },
  18: { name: "console_io", args: ["command", "length", "text"], work: consoleIo },
  23: { name: "iret", args: [], work: iret, alone: true },
  26: { name: "mmuext_op", args: ["operations", "count", "done", "domain"], work: mmuextOp },
  29: { name: "sched_op", args: ["command", "argument"], work: schedOp, alone: true },
  32: { name: "event_channel_op", args: ["command", "argument"], work: eventChannelOp },
});

/** Makes a call; a refusal is its result. */
function called(host: Host, number: number, operation: number, args: readonly number[], inner: boolean): Result {
  try {
    const row = hypercalls[operation];
    if (row === undefined || (inner && row.alone === true)) return refuse("ENOSYS");
    return row.work(host, number, args);
  } catch (thrown) {
    if (!(thrown instanceof Refused)) throw thrown;
    return { result: thrown.result, effect: `-${thrown.errno}` };
  }
}

/** The guest in ring 1 executed INT 82h. */
export function hypercall(host: Host, number: number): void {
  const { eax, ebx, ecx, edx, esi, edi } = host.vm(number).cpu;
  const operation = eax >>> 0;
  const args = [ebx, ecx, edx, esi, edi].map((word) => word >>> 0);
  const { result, effect } = called(host, number, operation, args, false);
  host.change(number, { cpu: { ...host.vm(number).cpu, eax: result | 0 } });
  const name = hypercalls[operation]?.name ?? "(unknown)";
  note(host, number, `hypercall ${name}`, operation, { effect });
}
