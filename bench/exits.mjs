/**
 * What a guest of VT-x or AMD-V costs: how many times a second it is left for CPUID and entered again, and what a compute-bound
 * one has of the bare speed under nested paging. The hypervisors are those of hypervisors.mjs.
 */
import { readFileSync } from "node:fs";
import { underHypervisor } from "./hypervisors.mjs";
import { kernel } from "./programs.mjs";
import { row, seconds } from "./stats.mjs";

const section = "VM exits";

/** Kind of hypervisor, the model that has what it needs, and instructions and exits from one CPUID to the next. */
const kinds = [
  { kind: "vmx", name: "VT-x", model: "max", steps: 20 },
  { kind: "svm", name: "AMD-V", model: "phenom", steps: 12 },
];

const trips = 100_000;
/** CPUID and two more instructions, for ever. EDI counts. */
const cpuidLoop = Uint8Array.from([0x0f, 0xa2, 0x47, 0xeb, 0xfb]);

/** Guests that compute, and rounds of about 100 million instructions. */
const guests = [
  { name: "loop", rounds: 100 },
  { name: "fib", rounds: 1 },
  { name: "mix", rounds: 4000 },
];

function roundTrips(virtlab, { kind, model, steps }) {
  const bare = virtlab.Machine.boot({ image: kernel(cpuidLoop), memory: "64M", model });
  const started = underHypervisor(virtlab, bare, kind).run({ maxInstructions: 1_000_000 });
  let ended;
  const time = seconds(() => {
    ended = started.run({ maxInstructions: trips * steps });
  });
  const made = ended.registers.edi - started.registers.edi;
  if (made < 0.4 * trips) throw new Error(`${kind}: ${made} round trips in ${trips * steps} steps`);
  return made / time;
}

function measure(machine, image) {
  const started = machine.step();
  let ended;
  const time = seconds(() => {
    ended = started.run();
  });
  if (ended.stop?.reason !== "debug-exit") throw new Error(`${image}: ${JSON.stringify(ended.stop)}`);
  return { time, serial: ended.serial };
}

/** Bare time by the guest's. */
function shareOfBare(virtlab, image, { kind, model }, append) {
  const boot = () => virtlab.Machine.boot({ image, memory: "64M", model, append });
  const bare = measure(boot(), append);
  const guest = measure(underHypervisor(virtlab, boot(), kind), append);
  if (guest.serial !== bare.serial)
    throw new Error(`${append}: other output in a guest: ${JSON.stringify(guest.serial)}`);
  return bare.time / guest.time;
}

/** Rounds of one figure; the first is thrown away. */
function samples(rounds, progress, name, take) {
  const list = [];
  for (let round = -1; round < rounds; round++) {
    progress(`${section}: ${name}, round ${round + 1} of ${rounds}${round < 0 ? " (warm-up)" : ""}`);
    const sample = take();
    if (round >= 0) list.push(sample);
  }
  return list;
}

/**
 * @param context virtlab (the package), rounds, images (directory), progress(text), wanted(section, name)
 * @returns rows of the table
 */
export function exits({ virtlab, rounds, images, progress, wanted }) {
  const rows = [];
  for (const hypervisor of kinds) {
    const name = `${hypervisor.name}, CPUID and back`;
    if (!wanted(section, name)) continue;
    const list = samples(rounds, progress, name, () => roundTrips(virtlab, hypervisor));
    rows.push(row(section, name, "/s", list, { atLeast: 150_000 }));
  }
  for (const hypervisor of kinds) {
    for (const guest of guests) {
      const name = `${hypervisor.name}, ${guest.name} / bare`;
      if (!wanted(section, name)) continue;
      const image = new Uint8Array(readFileSync(`${images}/bench-${guest.name}.elf`));
      const append = `bench-${guest.name} rounds=${guest.rounds}`;
      const list = samples(rounds, progress, name, () => shareOfBare(virtlab, image, hypervisor, append));
      rows.push(row(section, name, "x", list, { atLeast: 0.9 }));
    }
  }
  return rows;
}
