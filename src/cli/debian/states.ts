/** The states `virtlab state make` can make: a name, what it is made from, and until when the machine runs. */
import { readFileSync } from "node:fs";
import path from "node:path";
import type { ModelName } from "../../hardware/cpu/model.js";
import { Machine } from "../../hardware/machine.js";
import { VirtlabError } from "../../state/error.js";
import type { OnProgress } from "../../state/progress.js";
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
/** Steps after which a boot that has not come to its prompt is given up, in parts of what it should take. */
const PATIENCE = 10;

/** @throws VirtlabError for a name that is no state's. */
export function stateRecipe(name: string): StateRecipe {
  if (Object.hasOwn(states, name)) return states[name as keyof typeof states];
  throw new VirtlabError(`state "${name}" is unknown (known: ${Object.keys(states).join(", ")})`);
}

/** A machine booted to its prompt, and the packages it was made from. */
export function makeState(
  name: string,
  options: DebianOptions,
  onProgress: OnProgress,
): { readonly machine: Machine; readonly packages: readonly string[] } {
  const { flavour, model, memory, append, steps } = stateRecipe(name);
  const files = debianSystem(flavour, options);
  const machine = Machine.boot({
    image: readFileSync(files.vmlinux),
    imageName: files.vmlinux,
    initrd: readFileSync(files.initrd),
    append,
    model,
    memory,
  }).run({ until: { serial: PROMPT }, maxInstructions: PATIENCE * steps, onProgress });
  if (machine.stop?.reason !== "until") {
    const said = machine.serial.trim().split("\n").at(-1) ?? "";
    throw new VirtlabError(
      `state "${name}": no prompt after ${machine.steps} steps (${machine.stop?.reason}): ${said}`,
    );
  }
  const packages = Object.values(debianPackages(flavour, options)).map(({ file }) => path.basename(file));
  return { machine, packages };
}
