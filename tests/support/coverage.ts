/** Which rows of the instruction table are executed: by guests, and by the cases for the host's processor. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { decode } from "../../src/hardware/isa/decoder.js";
import type { Row } from "../../src/hardware/isa/instruction.js";
import { Machine } from "../../src/hardware/machine.js";
import { VirtlabError } from "../../src/state/error.js";
import { images } from "./guests.js";
import { recordRows } from "./isa-coverage.js";

const PIECE = 20_000;

/** The rows that a guest executes in its first `steps` steps; the code is read as it stands behind each piece of the run. */
export function rowsOfGuest(image: string, steps: number, input = ""): Set<Row> {
  const found = new Set<Row>();
  const known = new Set<number>();
  let machine = Machine.boot({ image: new Uint8Array(readFileSync(join(images, image))), memory: "16M" }).type(input);
  while (machine.steps < steps) {
    const next = machine.run({ maxInstructions: PIECE, observe: ["instruction"] });
    for (const event of next.events) {
      if (event.kind !== "instruction" || known.has(event.eip)) continue;
      known.add(event.eip);
      const row = rowAt(next, event.eip);
      if (row) found.add(row);
    }
    if (next.stop?.reason !== "limit") break;
    machine = next;
  }
  recordRows(
    "G",
    [...found].map((row) => [row, "32 bits"] as const),
  );
  return found;
}

function rowAt(machine: Machine, eip: number): Row | undefined {
  try {
    return decode((index) => machine.readLinear(eip + index, 1)[0]!, eip).row;
  } catch (error) {
    // Code that is no longer mapped.
    if (error instanceof VirtlabError) return undefined;
    throw error;
  }
}
