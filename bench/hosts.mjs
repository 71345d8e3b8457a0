/**
 * What hosts with virtual machines cost as values: a snapshot of one with two running guests is a seal, so it is measured as what a
 * run in pieces takes beyond the same run in one.
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

/**
 * @param context virtlab (the package), rounds, images (directory), progress(text), wanted(section, name)
 * @returns rows of the table
 */
export function hosts(context) {
  const rows = [];
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
