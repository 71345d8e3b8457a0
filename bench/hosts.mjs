/**
 * What hosts with virtual machines cost as values: a snapshot of one with two running guests is a seal, so it is measured as what a
 * run in pieces takes beyond the same run in one. And what a guest that computes has of the bare machine's speed.
 */
import { readFileSync } from "node:fs";
import { row, seconds } from "./stats.mjs";

const section = "hosts";

const kinds = [
  { technique: "vmx-ept", model: "nehalem" },
  { technique: "svm-npt", model: "phenom" },
];

/** Host steps from one snapshot to the next, and how many of them. Both guests have turns in between. */
const piece = 5000;
const pieces = 200;
const slice = 2000;

/** Two guests in the midst of their work: one computes, one writes memory all the time. */
function busyHost({ virtlab, images }, { technique, model }) {
  const guest = (name) =>
    virtlab.Machine.boot({
      image: new Uint8Array(readFileSync(`${images}/bench-${name}.elf`)),
      append: `bench-${name} rounds=1000000`,
      memory: "64M",
      model,
    });
  return virtlab.Hypervisor.create({ model, memory: "256M", slice })
    .addVm({ name: "computes", guest: guest("mix"), technique })
    .addVm({ name: "writes", guest: guest("sieve"), technique })
    .run({ maxInstructions: 20_000_000 });
}

/** Milliseconds of a snapshot; each is kept, and has both guests further than the one before. */
function snapshot(host) {
  const whole = seconds(() => host.run({ maxInstructions: piece * pieces }));
  const kept = [host];
  const inPieces = seconds(() => {
    for (let index = 0; index < pieces; index++) kept.push(kept.at(-1).run({ maxInstructions: piece }));
  });
  for (const name of ["computes", "writes"]) {
    const steps = kept.map((one) => one.vm(name).machine.steps);
    if (steps.some((count, index) => index > 0 && count <= steps[index - 1])) throw new Error(`${name} made no steps`);
  }
  return ((inPieces - whole) * 1e3) / pieces;
}

/** Steps of a guest that computes, of each round. */
const steps = 100_000_000;

/** What a guest that computes has of the bare machine's speed. */
function computing({ virtlab, images, rounds, progress, wanted }, { technique, model }) {
  const name = `a compute-bound guest, ${technique} / bare`;
  if (!wanted(section, name)) return [];
  const guest = virtlab.Machine.boot({
    image: new Uint8Array(readFileSync(`${images}/bench-mix.elf`)),
    append: "bench-mix rounds=1000000",
    memory: "64M",
    model,
  }).run({ maxInstructions: steps / 10 });
  const host = virtlab.Hypervisor.create({ model, memory: "256M" }).addVm({ name: "a", guest, technique });
  const samples = [];
  for (let round = -1; round < rounds; round++) {
    progress(`${section}: ${name}, round ${round + 1} of ${rounds}${round < 0 ? " (warm-up)" : ""}`);
    const bare = seconds(() => guest.run({ maxInstructions: steps }));
    let end;
    const inVm = seconds(() => {
      end = host.run({ maxInstructions: steps });
    });
    const made = end.vm("a").machine.steps - guest.steps;
    if (round >= 0) samples.push(made / inVm / (steps / bare));
  }
  return [row(section, name, "x", samples, { atLeast: 0.9 })];
}

/**
 * @param context virtlab (the package), rounds, images (directory), progress(text), wanted(section, name)
 * @returns rows of the table
 */
export function hosts(context) {
  const rows = kinds.flatMap((kind) => computing(context, kind));
  for (const kind of kinds) {
    const name = `a snapshot with two running guests, ${kind.technique}`;
    if (!context.wanted(section, name)) continue;
    const host = busyHost(context, kind);
    const samples = [];
    for (let round = -1; round < context.rounds; round++) {
      context.progress(`${section}: ${name}, round ${round + 1} of ${context.rounds}${round < 0 ? " (warm-up)" : ""}`);
      const sample = snapshot(host);
      if (round >= 0) samples.push(sample);
    }
    rows.push(row(section, name, "ms", samples, { atMost: 1 }));
  }
  return rows;
}
