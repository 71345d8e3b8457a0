/** Whether an open file can be read or written now. Spec: poll(2). */
import type { OpenFile } from "../state.js";
import type { Work } from "../work.js";
import { kindOf, POLL, type Readiness } from "./kinds.js";

const ALWAYS: Readiness = { events: POLL.IN | POLL.OUT | POLL.RDNORM | POLL.WRNORM, on: [] };

/** Files that know nothing of it are always ready. */
export const readinessOf = (k: Work, file: OpenFile): Readiness => kindOf(file).poll?.(k, file) ?? ALWAYS;

/** The earlier of two times that may be none. */
export const earlier = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined ? b : b === undefined ? a : Math.min(a, b);
