/**
 * Speed of the interpreter: guests/images/bench-*.elf in virtlab and, on demand, in v86, alternately in one process.
 *
 * Both emulators are timed from the guest's first instructions to its debug exit. One round is thrown away on both
 * sides: it is the one in which the JavaScript engine still compiles the emulator's own WebAssembly.
 * MIPS are instructions counted by virtlab per microsecond, for v86 too: both execute the same image with the same
 * command line, and the run fails if v86's own counter or the printed checksum disagrees.
 */
import { readFileSync } from "node:fs";
import { row, seconds } from "./stats.mjs";

/** Guest, its rounds (60 to 150 million instructions), and how many times v86's interpreter it must reach. */
const guests = [
  { name: "loop", rounds: 150, ratio: 3 },
  { name: "sieve", rounds: 8, ratio: 3 },
  { name: "fib", rounds: 1, ratio: 3 },
  { name: "mix", rounds: 3000, ratio: 1.2 },
];

function measureVirtlab(virtlab, image, append) {
  // The first step opens the machine, which v86 has behind it at its hand-over.
  const started = virtlab.Machine.boot({ image, memory: "64M", append }).step();
  let ended;
  const time = seconds(() => {
    ended = started.run();
  });
  if (ended.stop?.reason !== "debug-exit") {
    throw new Error(`no debug exit in virtlab: ${JSON.stringify(ended.stop)}; serial output: ${ended.serial}`);
  }
  return { seconds: time, instructions: ended.counters.instructions, output: ended.serial };
}

/** The counters may differ by what the guest polls its serial port; more than that is another program. */
function checkSameWork(name, ours, theirs) {
  if (Math.abs(ours.instructions - theirs.instructions) > ours.instructions / 10_000 || ours.output !== theirs.output) {
    throw new Error(
      `${name}: virtlab and v86 did different work: ${ours.instructions} and ${theirs.instructions} instructions, ` +
        `output ${JSON.stringify(ours.output)} and ${JSON.stringify(theirs.output)}`,
    );
  }
}

/**
 * @param context virtlab (the package), v86 (an opened peer or undefined), rounds, images (directory), progress(text),
 *   wanted(section, name)
 * @returns rows of the table
 */
export async function interpreter({ virtlab, v86, rounds, images, progress, wanted }) {
  const rows = [];
  for (const guest of guests) {
    if (!wanted("interpreter", guest.name)) continue;
    const image = new Uint8Array(readFileSync(`${images}/bench-${guest.name}.elf`));
    const append = `bench-${guest.name} rounds=${guest.rounds}`;
    const mips = { ours: [], interpreted: [], translated: [] };
    for (let round = -1; round < rounds; round++) {
      progress(`interpreter: ${guest.name}, round ${round + 1} of ${rounds}${round < 0 ? " (warm-up)" : ""}`);
      const ours = measureVirtlab(virtlab, image, append);
      const record = (list, time) => {
        if (round >= 0) list.push(ours.instructions / time / 1e6);
      };
      record(mips.ours, ours.seconds);
      if (v86 === undefined) continue;
      for (const [list, jit] of [
        [mips.interpreted, false],
        [mips.translated, true],
      ]) {
        const theirs = await v86.measure({ image, append, jit });
        checkSameWork(guest.name, ours, theirs);
        record(list, theirs.seconds);
      }
    }
    rows.push(row("interpreter", guest.name, "MIPS", mips.ours));
    if (v86 === undefined) continue;
    const ratios = mips.ours.map((value, i) => value / mips.interpreted[i]);
    rows.push(row("interpreter", `${guest.name}, v86 disable_jit`, "MIPS", mips.interpreted));
    rows.push(row("interpreter", `${guest.name}, v86 JIT`, "MIPS", mips.translated));
    rows.push(row("interpreter", `${guest.name}, virtlab / v86 disable_jit`, "x", ratios, { atLeast: guest.ratio }));
  }
  return rows;
}
