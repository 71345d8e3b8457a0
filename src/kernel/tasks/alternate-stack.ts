/** The stack that handlers run on if they ask for it. Spec: sigaltstack(2). */
import { generalOf, R, type UserRegisters } from "../arch/registers.js";
import { E } from "../errno.js";
import type { SignalAction, Task } from "../state.js";
import type { Work } from "../work.js";

/** ss_flags. */
export const SS = { ONSTACK: 1, DISABLE: 2, AUTODISARM: 0x8000_0000 } as const;
const SA_ONSTACK = 0x0800_0000;

type Alternate = Task["alternateStack"];

const contains = (alternate: Alternate, stack: number): boolean =>
  alternate !== undefined && stack > alternate.base && stack - alternate.base <= alternate.size;

/** Whether a program with this stack pointer is on its alternate stack, as far as it has a say. */
export const isOnStack = ({ alternateStack }: Task, stack: number): boolean =>
  ((alternateStack?.flags ?? 0) & SS.AUTODISARM) === 0 && contains(alternateStack, stack);

/** What of it is told: base, flags and size. */
export function toldStack(task: Task, stack: number): readonly [base: number, flags: number, size: number] {
  const { alternateStack } = task;
  if (alternateStack === undefined) return [0, SS.DISABLE, 0];
  const { base, size, flags } = alternateStack;
  return [base, ((flags & SS.AUTODISARM) | (isOnStack(task, stack) ? SS.ONSTACK : 0)) >>> 0, size];
}

/** The stack as a program sets it. Throws EINVAL, ENOMEM. */
export function askedStack(base: number, flags: number, size: number): Alternate {
  const mode = (flags & ~SS.AUTODISARM) >>> 0;
  if (mode !== SS.DISABLE && mode !== SS.ONSTACK && mode !== 0) throw E.EINVAL;
  if (mode === SS.DISABLE) return undefined;
  const MINSIGSTKSZ = 2048;
  if (size < MINSIGSTKSZ) throw E.ENOMEM;
  return { base, size, flags: flags >>> 0 };
}

/** A place for a signal frame. */
export interface FramePlace {
  /** Bytes below the stack pointer that the program may be using. */
  readonly redZone: number;
  /** The frame's address, by the end of what is free. */
  readonly below: (end: number) => number;
}

/** Where the frame of a handler goes. Throws EFAULT where the alternate stack has no room. */
export function placeFrame(
  k: Work,
  registers: UserRegisters,
  { flags }: SignalAction,
  { redZone, below }: FramePlace,
): number {
  const { task } = k;
  const { alternateStack } = task;
  const stack = generalOf(registers, R.SP);
  const nested = isOnStack(task, stack);
  const enters = !nested && alternateStack !== undefined && (flags & SA_ONSTACK) !== 0;
  const at = below(enters ? alternateStack.base + alternateStack.size : stack - redZone);
  if ((nested || enters) && !contains(alternateStack, at)) throw E.EFAULT;
  return at;
}

/** A handler begins on a stack that is to be forgotten when it does. */
export function disarm(k: Work): void {
  if (((k.task.alternateStack?.flags ?? 0) & SS.AUTODISARM) !== 0) k.setTask(k.current, { alternateStack: undefined });
}
