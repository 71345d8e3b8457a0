/**
 * Events on their way to a guest, its time, and exceptions that are its own.
 * Spec: Xen, public headers event_channel.h and xen.h ("vcpu_time_info").
 */

import { type CpuState, FLAG } from "../../../hardware/cpu/state.js";
import { TICKS_PER_PIT_CLOCK } from "../../../hardware/devices/pit8254.js";
import { countStep, stop } from "../../control.js";
import { readFrame, writeFrame } from "../../guest-memory.js";
import type { Host } from "../../host.js";
import { FIRST_IRQ } from "../../layout.js";
import { countException } from "../emulation.js";
import { hasErrorCode } from "../trap/place.js";
import { Refused, writeWords } from "./access.js";
import { SHARED, TRAP } from "./interface.js";
import { selected } from "./segments.js";
import { changeOwn, ownOf } from "./state.js";

const TICKS_A_SECOND = 1_193_182 * TICKS_PER_PIT_CLOCK;
const NANOSECONDS = 1_000_000_000;
const WORD = 2 ** 32;

const nanosecondsAt = (tick: number): number => Math.floor((tick / TICKS_A_SECOND) * NANOSECONDS);

/** The first tick at which it is that late. */
export function tickAt(nanoseconds: number): number {
  let tick = Math.max(0, Math.floor((nanoseconds / NANOSECONDS) * TICKS_A_SECOND) - 1);
  while (nanosecondsAt(tick) < nanoseconds) tick++;
  return tick;
}

const word = (host: Host, number: number, offset: number): number =>
  host.port.readPhysical(ownOf(host, number).shared + offset);

const setWord = (host: Host, number: number, offset: number, value: number): void => {
  host.port.writePhysical(ownOf(host, number).shared + offset, value >>> 0);
};

const byteAt = (host: Host, number: number, offset: number): number =>
  readFrame(host.port, ownOf(host, number).shared + offset, 1);

const setByte = (host: Host, number: number, offset: number, value: number): void => {
  writeFrame(host.port, ownOf(host, number).shared + offset, 1, value);
};

export const isMasked = (host: Host, number: number): boolean => byteAt(host, number, SHARED.upcallMask) !== 0;
export const isPending = (host: Host, number: number): boolean => byteAt(host, number, SHARED.upcallPending) !== 0;
export const setMask = (host: Host, number: number, masked: boolean): void =>
  setByte(host, number, SHARED.upcallMask, masked ? 1 : 0);

/** A port has an event: the guest is told, unless it has masked the port. */
export function raiseEvent(host: Host, number: number, port: number): void {
  const bit = 1 << (port % 32);
  const offset = 4 * Math.floor(port / 32);
  setWord(host, number, SHARED.pending + offset, word(host, number, SHARED.pending + offset) | bit);
  if ((word(host, number, SHARED.mask + offset) & bit) !== 0) return;
  const selector = word(host, number, SHARED.pendingSelector);
  setWord(host, number, SHARED.pendingSelector, selector | (1 << Math.floor(port / 32)));
  setByte(host, number, SHARED.upcallPending, 1);
}

/** The guest's time as it is now, and the event of a timer that is due. */
export function keepTime(host: Host, number: number): void {
  const { now } = host.board(number);
  const version = word(host, number, SHARED.timeVersion);
  const time = nanosecondsAt(now);
  setWord(host, number, SHARED.systemTime, time % WORD);
  setWord(host, number, SHARED.systemTime + 4, Math.floor(time / WORD));
  setWord(host, number, SHARED.timeVersion, version + 2);
  const { timer, timerPort } = ownOf(host, number);
  if (timer === undefined || timer > now) return;
  changeOwn(host, number, { timer: undefined });
  if (timerPort !== undefined) raiseEvent(host, number, timerPort);
}

/** SCHEDOP_block: the guest waits for an event, in the host's time as long as it would in its own. */
export function block(host: Host, number: number): void {
  setMask(host, number, false);
  if (isPending(host, number)) return;
  const { timer } = ownOf(host, number);
  const { now } = host.board(number);
  if (timer !== undefined && timer <= now) return;
  const status =
    timer === undefined
      ? ({ kind: "halted", since: host.now, wake: undefined, until: undefined } as const)
      : ({ kind: "halted", since: host.now, wake: host.now + (timer - now), until: timer } as const);
  host.change(number, { status });
}

export function crash(host: Host, number: number, why: string): void {
  stop(host, number, { reason: "unsupported", detail: `paravirtual guest: ${why}` });
}

const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;

/** Enters a handler of the guest's, in ring 1, with the frame the processor would have pushed there. */
function enterHandler(
  host: Host,
  number: number,
  { selector, address }: { readonly selector: number; readonly address: number },
  errorCode: number | undefined,
): boolean {
  const { cpu } = host.vm(number);
  const { cs, ss } = cpu.system.segments;
  const inner = (cs.selector & 3) === 3;
  const stack = inner ? ownOf(host, number).stack : { ss: ss.selector, esp: cpu.esp };
  const eflags = (cpu.eflags & ~FLAG.IF) | (isMasked(host, number) ? 0 : FLAG.IF);
  const frame = [
    ...(errorCode === undefined ? [] : [errorCode]),
    ...[cpu.eip, cs.selector, eflags],
    ...(inner ? [cpu.esp, ss.selector] : []),
  ];
  const esp = (stack.esp - 4 * frame.length) >>> 0;
  try {
    writeWords(host, esp, frame);
  } catch (thrown) {
    if (!(thrown instanceof Refused)) throw thrown;
    crash(host, number, `it has no stack for a handler (ESP ${hex(stack.esp)})`);
    return false;
  }
  const now: CpuState = {
    ...cpu,
    esp: esp | 0,
    eip: address | 0,
    eflags: cpu.eflags & ~(FLAG.TF | FLAG.NT | FLAG.RF),
    system: selected(host, cpu.system, { cs: selector, ss: stack.ss }),
  };
  host.change(number, { cpu: now });
  return true;
}

/** An exception, or INT n, of the guest's goes to where its table says. False where it says nothing: the guest is at its end. */
export function deliverTrap(host: Host, number: number, vector: number, errorCode: number | undefined): boolean {
  const trap = ownOf(host, number).traps[vector];
  if (trap === undefined) return false;
  if (vector === 14) setWord(host, number, SHARED.cr2, host.port.system.cr2);
  if (enterHandler(host, number, trap, hasErrorCode(vector) ? errorCode : undefined)) {
    if ((trap.flags & TRAP.EVENTS_OFF) !== 0) setMask(host, number, true);
    if (vector < FIRST_IRQ) countException(host, number);
    else countStep(host, number);
  }
  return true;
}

/** Calls the guest for events, if one waits and it does not mask them. */
export function offerEvent(host: Host, number: number): void {
  const { callback } = ownOf(host, number);
  if (!isPending(host, number) || isMasked(host, number) || callback.address === 0) return;
  if (!enterHandler(host, number, callback, undefined)) return;
  setMask(host, number, true);
  countStep(host, number);
  const { counts } = host.vm(number);
  host.change(number, { counts: { ...counts, interrupts: counts.interrupts + 1 } });
}
