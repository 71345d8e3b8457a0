/** The machine `virtlab boot` begins with, from its options and the files they name. */
import { closeSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";
import type { DiskChoice } from "../../hardware/boot/disks.js";
import type { BootModule } from "../../hardware/boot/multiboot-info.js";
import type { BootOptions } from "../../hardware/boot/start.js";
import { Machine } from "../../hardware/machine.js";
import type { TechniqueName } from "../../hypervisor/techniques/names.js";
import { paravirtualMachine } from "../../hypervisor/techniques/pv/builder.js";
import { withFile } from "../../notebook/file-error.js";
import { VirtlabError } from "../../state/error.js";
import { parseMemorySize } from "../../state/memory-size.js";
import type { BootFlags } from "./flags.js";
import { checkImage, checkStart, modelFor } from "./technique.js";

const readInput = (file: string, what: string): Uint8Array =>
  withFile(file, `cannot read the ${what}`, () => readFileSync(file));

function readModule(option: string): BootModule {
  const comma = option.indexOf(",");
  const file = comma < 0 ? option : option.slice(0, comma);
  // As QEMU has it: the module's command line begins with the file's name.
  return { data: readInput(file, "module"), text: comma < 0 ? file : `${file} ${option.slice(comma + 1)}` };
}

/** Runs with the disks of FILE or FILE,ro, which refuses writes: files are read while the machine is made, and never written. */
function withDisks(options: readonly string[], make: (disks: readonly DiskChoice[]) => Machine): Machine {
  const open: number[] = [];
  try {
    const disks = options.map((option): DiskChoice => {
      const name = option.replace(/,ro$/, "");
      const asDisk = <T>(action: () => T): T => withFile(name, "cannot read the disk image", action);
      const descriptor = asDisk(() => openSync(name, "r"));
      open.push(descriptor);
      const read = (offset: number, length: number): Uint8Array => {
        const bytes = new Uint8Array(length);
        return bytes.subarray(
          0,
          asDisk(() => readSync(descriptor, bytes, 0, length, offset)),
        );
      };
      return { name, readOnly: name !== option, image: { size: asDisk(() => fstatSync(descriptor).size), read } };
    });
    return make(disks);
  } finally {
    for (const descriptor of open) closeSync(descriptor);
  }
}

/**
 * @param technique that it is to be run by.
 * @throws VirtlabError for files that cannot be read, and for what cannot be booted.
 */
export function firstMachine(imageFile: string | undefined, flags: BootFlags, technique?: TechniqueName): Machine {
  const { rom, loadState, machine, smp, memory, seed, append, initrd, entry, debugExit } = flags;
  const sources = [imageFile, rom, loadState].filter((source) => source !== undefined);
  if (sources.length !== 1 && (sources.length > 0 || flags.disk.length === 0))
    throw new VirtlabError("boot: give either an image, --rom <file> or --load-state <file>, or --disk <file> alone");
  if (loadState !== undefined) return Machine.load(readInput(loadState, "state"), loadState);
  parseMemorySize(memory);
  if (technique !== undefined) checkStart(technique, flags, imageFile);
  const model = technique === undefined ? flags.model : modelFor(technique, flags, imageFile);
  const name = imageFile ?? rom;
  const image = imageFile === undefined ? undefined : readInput(imageFile, "image");
  if (technique !== undefined && image !== undefined) checkImage(technique, imageFile!, image);
  const options: BootOptions = {
    ...(image === undefined ? {} : { image }),
    ...(rom === undefined ? {} : { rom: readInput(rom, "ROM") }),
    ...(flags.real ? { mode: "real" } : {}),
    ...(name === undefined ? {} : { imageName: name }),
    machine,
    processors: smp,
    ...(model === undefined ? {} : { model }),
    memory,
    ...(seed === undefined ? {} : { seed }),
    debugExitPort: debugExit === "none" ? null : debugExit,
    modules: flags.module.map(readModule),
    ...(initrd === undefined ? {} : { initrd: readInput(initrd, "initrd") }),
    ...(entry === undefined ? {} : { entry }),
    ...(append === undefined ? {} : { append }),
  };
  // A paravirtual guest is not booted: the domain builder makes it.
  if (technique === "pv" && image !== undefined)
    return withDisks(flags.disk, (disks) => paravirtualMachine({ ...options, image, disks }));
  return withDisks(flags.disk, (disks) => Machine.boot({ ...options, disks }));
}
