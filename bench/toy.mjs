/** Speed of the second instruction set on the same engine: a loop of arithmetic, one with memory, and single steps. */
import { row, seconds } from "./stats.mjs";

const loop = `
        set   r1, 1
again:  add   r2, r2, r1
        xor   r3, r3, r2
        sub   r4, r2, r3
        jump  again
`;

const memoryLoop = `
        set   r1, 1
        set   r5, 0x4000
again:  load  r2, [r5]
        add   r2, r2, r1
        store [r5], r2
        jump  again
`;

const STEPS = 100_000_000;
const SINGLE = 200_000;

/** @returns rows of the table; see interpreter.mjs */
export function toy({ virtlab, rounds, progress, wanted }) {
  const rows = [];
  const measure = (name, unit, sample) => {
    if (!wanted("toy", name)) return;
    const samples = [];
    for (let round = -1; round < rounds; round++) {
      progress(`toy: ${name}, round ${round + 1} of ${rounds}${round < 0 ? " (warm-up)" : ""}`);
      const value = sample();
      if (round >= 0) samples.push(value);
    }
    rows.push(row("toy", name, unit, samples));
  };
  const mips = (program) => () => {
    const machine = virtlab.ToyMachine.boot({ program }).step();
    return STEPS / seconds(() => machine.run({ maxInstructions: STEPS })) / 1e6;
  };
  measure("loop", "MIPS", mips(loop));
  measure("loop with load and store", "MIPS", mips(memoryLoop));
  measure("step()", "steps/s", () => {
    let machine = virtlab.ToyMachine.boot({ program: memoryLoop });
    const time = seconds(() => {
      for (let step = 0; step < SINGLE; step++) machine = machine.step();
    });
    return SINGLE / time;
  });
  return rows;
}
