/** The kernel's first work: frames, the namespaces there are from the start, and what its root brings. */
import { PLACE } from "./arch/layout.js";
import { linearOf, takeZeroFrame } from "./mm/frames.js";
import type { Work } from "./work.js";

/** Entry 0 of the top table, which led to the machine's memory at its own addresses while the kernel started. */
export function start(k: Work): void {
  k.port.writeWords(linearOf(PLACE.tables / 4096), 2, false, new Int32Array(2));
  k.set({ zeroFrame: takeZeroFrame(k) });
}
