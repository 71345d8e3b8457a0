/** The states `virtlab state make` can make: a name, what it is made from, and until when the machine runs. */
import { readFileSync } from "node:fs";
import path from "node:path";
import type { ModelName } from "../../hardware/cpu/model.js";
import { Machine } from "../../hardware/machine.js";
import { VirtlabError } from "../../state/error.js";
import type { OnProgress } from "../../state/progress.js";
import { type BootSample, bootSample } from "../../systems/built-state.js";
import { type DebianFlavour, type DebianOptions, debianPackages, debianSystem } from "./debian-system.js";

export interface StateRecipe {
  readonly about: string;
  readonly flavour: DebianFlavour;
  readonly model: ModelName;
  readonly memory: string;
  readonly append: string;
  /** Steps it takes, about: for the progress bar. */
  readonly steps: number;
}

/** Time is not spent on self-tests and on calibrations, and nothing is drawn from the host. */
const QUICK = [
  ...["nolapic", "acpi=off", "lpj=1000000", "mitigations=off", "cryptomgr.notests", "random.trust_cpu=off"],
  ...["tsc=unstable", "nokaslr", "quiet", "reboot=k", "console=ttyS0"],
].join(" ");

export const states = {
  "debian-shell": {
    about: "Debian 12's kernel 686-pae at a shell's prompt, on an ISA machine with a Pentium III",
    flavour: "686-pae",
    model: "pentium3",
    memory: "64M",
    append: QUICK,
    steps: 420e6,
  },
  "debian64-shell": {
    about: "Debian 12's kernel cloud-amd64 at a shell's prompt, on an ISA machine with a Core 2 Duo",
    flavour: "cloud-amd64",
    model: "core2",
    memory: "128M",
    append: QUICK,
    steps: 445e6,
  },
} as const satisfies Readonly<Record<string, StateRecipe>>;

const PROMPT = "\n# ";
/** How often a boot is looked at, about. */
const SAMPLES = 200;
/** Steps after which a boot that has not come to its prompt is given up, in parts of what it should take. */
const PATIENCE = 10;

/** @throws VirtlabError for a name that is no state's. */
export function stateRecipe(name: string): StateRecipe {
  if (Object.hasOwn(states, name)) return states[name as keyof typeof states];
  throw new VirtlabError(`state "${name}" is unknown (known: ${Object.keys(states).join(", ")})`);
}

/** A machine booted to its prompt, how it came there, and the packages it was made from. */
export interface MadeState {
  readonly start: Machine;
  readonly machine: Machine;
  readonly course: readonly BootSample[];
  readonly packages: readonly string[];
}

/** The machine in front of its first instruction. */
export function firstOfState(name: string, options: DebianOptions): Machine {
  const { flavour, model, memory, append } = stateRecipe(name);
  const files = debianSystem(flavour, options);
  return Machine.boot({
    image: readFileSync(files.vmlinux),
    imageName: files.vmlinux,
    initrd: readFileSync(files.initrd),
    append,
    model,
    memory,
  });
}

export function makeState(name: string, options: DebianOptions, onProgress: OnProgress): MadeState {
  const { flavour, steps } = stateRecipe(name);
  const start = firstOfState(name, options);
  const course = [bootSample(start)];
  let machine = start;
  while (!machine.serial.endsWith(PROMPT)) {
    machine = nextPiece(machine, Math.round(steps / SAMPLES));
    course.push(bootSample(machine));
    const finished = machine.stop?.reason !== "limit" && machine.stop?.reason !== "until";
    onProgress({ done: machine.steps, total: undefined, unit: "steps", finished });
    if (!finished && machine.steps < PATIENCE * steps) continue;
    const said = machine.serial.trim().split("\n").at(-1) ?? "";
    throw new VirtlabError(
      `state "${name}": no prompt after ${machine.steps} steps (${machine.stop?.reason}): ${said}`,
    );
  }
  onProgress({ done: machine.steps, total: undefined, unit: "steps", finished: true });
  const packages = Object.values(debianPackages(flavour, options)).map(({ file }) => path.basename(file));
  return { start, machine, course, packages };
}

/** A run looks for a text only in what it puts out itself: a prompt of which a piece has put out a part ends with the next. */
function nextPiece(machine: Machine, maxInstructions: number): Machine {
  const isWithin = machine.serial.endsWith(PROMPT.slice(0, -1));
  return machine.run({ until: { serial: isWithin ? PROMPT.slice(-1) : PROMPT.slice(1) }, maxInstructions });
}
