/**
 * What machines cost as values: a value per instruction, fork, seal, opening another value, going back, saving.
 *
 * Everything goes through the public API, so a seal or an opening is never timed alone; it is the difference of two
 * loops that do the same guest work (each function says which). Differences contain a little more than the part they
 * are named after, never less.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import * as programs from "./programs.mjs";
import { median, row, seconds } from "./stats.mjs";

const section = "values";
const memory = "64M";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc");

function require(condition, message) {
  if (!condition) throw new Error(message);
}

function boot(virtlab, program) {
  return virtlab.Machine.boot({ image: programs.kernel(program), memory });
}

/** Samples of `measure`, the first one thrown away, each on a collected heap. */
function sample(rounds, measure) {
  const samples = [];
  for (let round = -1; round < rounds; round++) {
    collectGarbage();
    const value = measure();
    if (round >= 0) samples.push(value);
  }
  return samples;
}

/** Values per second when every instruction's value is kept in an array. */
function keepEveryValue({ virtlab, rounds }, name, program, advance, atLeast) {
  const count = 300_000;
  const first = boot(virtlab, program).run({ maxInstructions: 4 });
  const samples = sample(rounds, () => {
    const kept = [first];
    const time = seconds(() => {
      let machine = first;
      for (let i = 0; i < count; i++) {
        machine = advance(machine);
        kept.push(machine);
      }
    });
    // Every 4th value has one more count in memory: an old value that changed, or shares its page wrongly, shows here.
    for (let i = 0; i <= count; i += 29_996) {
      require(kept[i].steps === first.steps + i, `${name}: value ${i} says ${kept[i].steps} steps`);
      if (program !== programs.storeLoop) continue;
      const bytes = kept[i].memory.read(programs.storeCounter, 4);
      const found = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
      require(found === 1 + i / 4, `${name}: value ${i} holds count ${found}`);
    }
    return count / time;
  });
  return row(section, name, "values/s", samples, atLeast === undefined ? undefined : { atLeast });
}

/** Fork: the same value taken twice. Nothing is called, so this is the cost of keeping a reference. */
function fork({ virtlab, rounds }) {
  const count = 1_000_000;
  const machine = boot(virtlab, programs.storeLoop).run({ maxInstructions: 1000 });
  const samples = sample(rounds, () => {
    const forks = new Array(count);
    const time = seconds(() => {
      for (let i = 0; i < count; i++) forks[i] = machine;
    });
    return (time * 1e6) / count;
  });
  return row(section, "fork (keep the reference)", "us", samples, { atMost: 0.1 });
}

/**
 * Seal with `pages` pages written: a run of one iteration of the page loop, sealed each time, minus an iteration inside
 * one long run. The difference also holds the call of run() and the first store to each page after the seal.
 */
function seal({ virtlab, rounds }, pages) {
  const length = programs.pageLoopLength(pages);
  const iterations = Math.max(20, Math.ceil(20_000 / pages));
  let machine = boot(virtlab, programs.pageLoop(pages)).run({ maxInstructions: length * 50 });
  // What is compiled while it runs settles after some ten thousand pages.
  for (let i = 0; i < 5 * iterations; i++) machine = machine.run({ maxInstructions: length });
  const samples = sample(rounds, () => {
    const unsealed = seconds(() => {
      machine = machine.run({ maxInstructions: length * iterations * 4 });
    });
    const sealed = seconds(() => {
      for (let i = 0; i < iterations; i++) machine = machine.run({ maxInstructions: length });
    });
    return ((sealed - unsealed / 4) * 1e6) / iterations;
  });
  return row(section, `seal, ${pages} page${pages === 1 ? "" : "s"} written`, "us", samples, { atMost: 5 + pages });
}

/**
 * Opening a value that differs in `pages` pages from the one the engine holds: two forks run one instruction each in
 * turn, minus the same with one value only.
 */
function open({ virtlab, rounds }, pages) {
  const turns = pages >= 1000 ? 400 : 2000;
  const start = boot(virtlab, programs.spinWriteSpin(pages)).run({ maxInstructions: 1001 });
  const written = start.run({ maxInstructions: programs.spinWriteSpinLength(pages) });
  const other = pages === 0 ? start.run({ maxInstructions: 10 }) : written;
  for (let page = 0; page < pages; page++) {
    require(other.memory.read(0x20_0000 + page * 4096, 1)[0] === 1, `page ${page} was not written`);
  }
  const one = { maxInstructions: 1 };
  const samples = sample(rounds, () => {
    let left = start;
    let right = other;
    const alternating = seconds(() => {
      for (let i = 0; i < turns; i++) {
        left = left.run(one);
        right = right.run(one);
      }
    });
    let alone = start;
    const single = seconds(() => {
      for (let i = 0; i < 2 * turns; i++) alone = alone.run(one);
    });
    return ((alternating - single) * 1e6) / (2 * turns);
  });
  return row(section, `open, ${pages} pages differ`, "us", samples, { atMost: 20 + pages });
}

/** Timeline.back() from 10 million instructions, in a program that writes memory all the time. */
function back({ virtlab, rounds }) {
  const samples = sample(rounds, () => {
    const timeline = new virtlab.Timeline(boot(virtlab, programs.storeLoop));
    timeline.forward(10_000_000);
    const before = timeline.current;
    const times = [];
    for (let i = 0; i < 5; i++) times.push(seconds(() => timeline.back()) * 1e3);
    require(timeline.current.steps === before.steps - 5, "back() did not go back one step a call");
    return median(times);
  });
  return row(section, "Timeline.back() at 10 M instructions", "ms", samples, { atMost: 50 });
}

/** hash, save and load of a 64 MiB machine: nearly empty, and with 15,000 different pages. Information only. */
function storage({ virtlab, rounds }, name, program, instructions) {
  const machine = boot(virtlab, program).run({ maxInstructions: instructions });
  const times = { hash: [], save: [], load: [] };
  let size = 0;
  for (let round = 0; round < Math.min(rounds, 3); round++) {
    // A step makes a new value, so that a remembered hash or file does not count.
    const fresh = machine.run({ maxInstructions: 2 + round });
    collectGarbage();
    times.hash.push(seconds(() => fresh.hash) * 1e3);
    let bytes;
    times.save.push(
      seconds(() => {
        bytes = fresh.save();
      }) * 1e3,
    );
    size = bytes.length;
    let loaded;
    times.load.push(
      seconds(() => {
        loaded = virtlab.Machine.load(bytes);
      }) * 1e3,
    );
    require(loaded.hash === fresh.hash, `${name}: the hash changed in save and load`);
  }
  return [
    ...Object.entries(times).map(([what, samples]) => row(section, `${what}, ${name}`, "ms", samples)),
    row(section, `file, ${name}`, "MiB", [size / 2 ** 20]),
  ];
}

/**
 * @param context virtlab (the package), rounds, progress(text), wanted(section, name)
 * @returns rows of the table
 */
export async function values(context) {
  const step = (machine) => machine.step();
  const one = { maxInstructions: 1 };
  const runOne = (machine) => machine.run(one);
  const { registerLoop, storeLoop, fillLoop, fillLoopLength } = programs;
  const filled = 15_000;
  const measurements = [
    ["step, no memory written", (name) => keepEveryValue(context, name, registerLoop, step, 1_000_000)],
    ["step, 3 of 4 write memory", (name) => keepEveryValue(context, name, storeLoop, step, 300_000)],
    ["run(1), no memory written", (name) => keepEveryValue(context, name, registerLoop, runOne)],
    ["run(1), 3 of 4 write memory", (name) => keepEveryValue(context, name, storeLoop, runOne)],
    ["fork", () => fork(context)],
    ...[1, 10, 100, 1000].map((pages) => [`seal ${pages}`, () => seal(context, pages)]),
    ...[0, 10, 100, 1000].map((pages) => [`open ${pages}`, () => open(context, pages)]),
    ["back", () => back(context)],
    ["storage, 64 MiB nearly empty", () => storage(context, "64 MiB nearly empty", storeLoop, 1000)],
    ["storage, 64 MiB full", () => storage(context, "64 MiB full", fillLoop(filled), fillLoopLength(filled))],
  ];
  const rows = [];
  for (const [name, measure] of measurements) {
    if (!context.wanted(section, name)) continue;
    context.progress(`values: ${name}`);
    rows.push(measure(name));
  }
  return rows.flat();
}
