/** The machine `virtlab boot` begins with, from its options and the files they name. */
import { readFileSync } from "node:fs";
import type { DiskChoice } from "../../hardware/boot/disks.js";
import type { BootModule } from "../../hardware/boot/multiboot-info.js";
import { Machine } from "../../hardware/machine.js";
import { withFile } from "../../notebook/file-error.js";
import { VirtlabError } from "../../state/error.js";
import { parseMemorySize } from "../../state/memory-size.js";
import type { BootFlags } from "./flags.js";

const readInput = (file: string, what: string): Uint8Array =>
  withFile(file, `cannot read the ${what}`, () => readFileSync(file));

function readModule(option: string): BootModule {
  const comma = option.indexOf(",");
  const file = comma < 0 ? option : option.slice(0, comma);
  // As QEMU has it: the module's command line begins with the file's name.
  return { data: readInput(file, "module"), text: comma < 0 ? file : `${file} ${option.slice(comma + 1)}` };
}

/** FILE, or FILE,ro for a disk that refuses writes. What the machine writes stays in the machine: the file is only read. */
function readDisk(option: string): DiskChoice {
  const file = option.replace(/,ro$/, "");
  return { image: readInput(file, "disk"), name: file, readOnly: file !== option };
}

/** @throws VirtlabError for files that cannot be read, and for what cannot be booted. */
export function firstMachine(imageFile: string | undefined, flags: BootFlags): Machine {
  const { rom, loadState, machine, smp, model, memory, append, initrd, entry, disk, debugExit } = flags;
  const sources = [imageFile, rom, loadState].filter((source) => source !== undefined);
  if (sources.length !== 1) throw new VirtlabError("boot: give either an image, --rom <file> or --load-state <file>");
  if (loadState !== undefined) return Machine.load(readInput(loadState, "state"), loadState);
  parseMemorySize(memory);
  return Machine.boot({
    ...(rom === undefined ? { image: readInput(imageFile!, "image") } : { rom: readInput(rom, "ROM") }),
    ...(flags.real ? { mode: "real" } : {}),
    imageName: imageFile ?? rom!,
    machine,
    processors: smp,
    ...(model === undefined ? {} : { model }),
    memory,
    debugExitPort: debugExit === "none" ? null : debugExit,
    disks: disk.map(readDisk),
    modules: flags.module.map(readModule),
    ...(initrd === undefined ? {} : { initrd: readInput(initrd, "initrd") }),
    ...(entry === undefined ? {} : { entry }),
    ...(append === undefined ? {} : { append }),
  });
}
