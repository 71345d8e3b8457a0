/**
 * Guests that wait by a jump to itself where HLT would do: nothing but an interrupt leads out of such a loop. What would
 * become of HLT in its place says whether one can come.
 */
import { instructionAt, instructionPointer } from "../../hardware/inspect/instruction-at.js";
import { linearAt } from "../../hardware/inspect/reading.js";
import type { Machine } from "../../hardware/machine.js";
import type { Stop } from "../../hardware/state.js";

/** Instructions of such a loop: they change EIP and nothing else. */
const WAITING = /^(jmp 0x|pause$|nop$)/;
const LONGEST_LOOP = 4;
const HLT = 0xf4;

/** How the machine would have halted; undefined while it does something, or something can still happen to it. */
export function standstill(machine: Machine): Extract<Stop, { readonly reason: "halted" }> | undefined {
  if (machine.cpl !== 0 || !loops(machine)) return undefined;
  const { physical } = machine.walk(linearAt(machine, "cs", instructionPointer(machine)));
  if (physical === undefined) return undefined;
  const { stop } = machine.write(physical, Uint8Array.of(HLT)).run({ maxInstructions: LONGEST_LOOP });
  return stop?.reason === "halted" ? stop : undefined;
}

function loops(machine: Machine): boolean {
  const start = instructionPointer(machine);
  let now = machine;
  for (let count = 0; count < LONGEST_LOOP; count++) {
    if (!WAITING.test(instructionAt(now, instructionPointer(now)).text)) return false;
    now = now.step();
    if (instructionPointer(now) === start) return true;
  }
  return false;
}
