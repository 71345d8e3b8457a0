/**
 * A guest that polls a timer leaves at every read, and waits for nothing but time. Once it has done so often enough, a read is
 * followed by steps that the nested engine makes, so that the next reads leave nothing. Their time is the guest's as ever, and the
 * host's too.
 * Spec: O. Agesen et al., "Software Techniques for Avoiding Hardware Virtualization Exits" (USENIX ATC 2012).
 */
import type { Host } from "../host.js";
import { simulate, type VirtualAccess } from "./emulation.js";

/** The reads of a timer that came last, kept beside what a technique keeps. */
export interface Polling {
  readonly poll?: {
    /** Where the instruction is. */
    readonly at: number;
    /** The guest's tick of the last of them, and how many came close to each other. */
    readonly tick: number;
    readonly count: number;
  };
}

/** The counters of the 8254, and port 61H, where OUT of one of them is read. */
const isTimer = (port: number): boolean => port === 0x61 || (port >= 0x40 && port <= 0x42);

/** Reads that are at most so many ticks apart, and so many of them, are a loop. */
const APART = 256;
const OFTEN = 64;
/** Steps that are simulated at a time: about as many as take as long as what it takes to simulate any. */
const STEPS = 16_384;

/** Told of each read of a port that was executed for the guest. Gives whether steps were simulated behind it. */
export function followPolls(host: Host, number: number, access: VirtualAccess, port: number, at: number): boolean {
  if (!isTimer(port)) return false;
  const vm = host.changed(number);
  const board = host.board(number);
  const { poll } = vm.own as Polling;
  const close = poll?.at === at && board.now - poll.tick <= APART;
  const count = close ? Math.min(poll.count + 1, OFTEN) : 1;
  const goesOn = count === OFTEN;
  if (goesOn) {
    const { steps } = vm;
    simulate(host, number, access, Math.max(1, Math.min(STEPS, host.own.turn!.end - host.now)));
    const made = vm.steps - steps;
    vm.ran += made;
    host.access.elapse(made);
  }
  vm.own = { ...vm.own, poll: { at, tick: board.now, count } } satisfies Polling;
  return goesOn;
}
