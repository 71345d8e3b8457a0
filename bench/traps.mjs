/**
 * What a guest's kernel pays for: guests/images/bench-traps.elf in virtlab and, on demand, in v86 with its translator (its
 * default), alternately in one process. The figure is nanoseconds of one iteration; the ratio is v86's time by ours.
 *
 * Both emulators are warmed up twice: one round is thrown away, as for the interpreter, and in every round the guest
 * does a part of its work before the line from which the time is taken, because v86 translates anew in every machine.
 * Only what lies between that line and the debug exit counts. The run fails when a checksum or an instruction count is
 * not what so many iterations give.
 */
import { readFileSync } from "node:fs";
import { row, seconds } from "./stats.mjs";

const section = "traps";

/**
 * The loops of guests/bench-traps, in its order: the guest's name, instructions an iteration, and iterations. An
 * instruction that faults counts, as it does in v86. Iterations are as many as v86's figure needs to stay the same when
 * they are doubled: on the second loop its translation settles late.
 */
const loops = [
  { name: "int + iret in ring 0", guest: "int-ring0", instructions: 4, iterations: 1_000_000 },
  { name: "int 0x80 from ring 3 and back", guest: "int-ring3", instructions: 4, iterations: 2_000_000 },
  { name: "page fault + iret", guest: "page-fault", instructions: 6, iterations: 500_000 },
  { name: "divide error + iret", guest: "divide-error", instructions: 5, iterations: 500_000 },
  { name: "mov cr3, touch 4 pages", guest: "reload-cr3", instructions: 7, iterations: 500_000 },
  { name: "PTE write, invlpg, touch", guest: "change-page", instructions: 5, iterations: 500_000 },
  { name: "in al, 0x21", guest: "read-port", instructions: 4, iterations: 1_000_000 },
];

/** Instructions outside of the loop at the most: printing the second line, polling the port. */
const slack = 20_000;

function measureVirtlab(virtlab, image, append) {
  const started = virtlab.Machine.boot({ image, memory: "64M", append }).run({ until: { serial: "\n" } });
  let ended;
  const time = seconds(() => {
    ended = started.run();
  });
  if (ended.stop?.reason !== "debug-exit") {
    throw new Error(`no debug exit in virtlab: ${JSON.stringify(ended.stop)}; serial output: ${ended.serial}`);
  }
  const counted = ({ counters }) => counters.instructions + counters.exceptions;
  return { seconds: time, instructions: counted(ended) - counted(started), output: ended.serial };
}

/** Two lines, as announced, and the loop's instructions, not others. */
function check(who, loop, { instructions, output }) {
  const line = (what, count) => `${loop.guest} ${what}=${count} checksum=[0-9a-f]{8}\n`;
  const lines = new RegExp(`^${line("warm-up", loop.iterations)}${line("rounds", loop.iterations)}$`);
  if (!lines.test(output)) throw new Error(`${loop.name}: ${who} put out ${JSON.stringify(output)}`);
  const expected = loop.instructions * loop.iterations;
  if (Math.abs(instructions - expected) > slack) {
    throw new Error(`${loop.name}: ${who} counted ${instructions} instructions, not ${expected}`);
  }
}

/**
 * @param context virtlab (the package), v86 (an opened peer or undefined), rounds, images (directory), progress(text),
 *   wanted(section, name)
 * @returns rows of the table
 */
export async function traps({ virtlab, v86, rounds, images, progress, wanted }) {
  const rows = [];
  const image = new Uint8Array(readFileSync(`${images}/bench-traps.elf`));
  for (const [index, loop] of loops.entries()) {
    if (!wanted(section, loop.name)) continue;
    const append = `bench-traps kind=${index + 1} warm-up=${loop.iterations} rounds=${loop.iterations}`;
    const times = { ours: [], theirs: [] };
    for (let round = -1; round < rounds; round++) {
      progress(`${section}: ${loop.name}, round ${round + 1} of ${rounds}${round < 0 ? " (warm-up)" : ""}`);
      const record = (list, time) => {
        if (round >= 0) list.push((time * 1e9) / loop.iterations);
      };
      const ours = measureVirtlab(virtlab, image, append);
      check("virtlab", loop, ours);
      record(times.ours, ours.seconds);
      if (v86 === undefined) continue;
      const theirs = await v86.measure({ image, append, jit: true, fromFirstLine: true });
      check("v86", loop, theirs);
      if (theirs.output !== ours.output) {
        throw new Error(
          `${loop.name}: virtlab put out ${JSON.stringify(ours.output)}, v86 ${JSON.stringify(theirs.output)}`,
        );
      }
      record(times.theirs, theirs.seconds);
    }
    rows.push(row(section, loop.name, "ns", times.ours));
    if (v86 === undefined) continue;
    const ratios = times.theirs.map((value, i) => value / times.ours[i]);
    rows.push(row(section, `${loop.name}, v86 JIT`, "ns", times.theirs));
    rows.push(row(section, `${loop.name}, v86 JIT / virtlab`, "x", ratios, { atLeast: 1 }));
  }
  return rows;
}
