/**
 * Finds out what kind of image a file is and loads it.
 *
 * A file with the setup header of Linux is a bzImage. A file with a multiboot header is a multiboot kernel. An ELF file
 * without one is started by PVH if it has the note for that, and else refused: nothing says how it wants to be started.
 * Any other file is a flat binary. A header that is there but broken is refused too, unless the caller says that the
 * file is flat.
 */
import { VirtlabError } from "../../state/error.js";
import { isBytes } from "../../state/plain-data.js";
import type { Feature } from "../cpu/features.js";
import { includes, type ModelName, modelNames } from "../cpu/model.js";
import { elfBits, isElf } from "./elf.js";
import { loadFlat } from "./flat.js";
import { ImageFile } from "./image-file.js";
import { loadLinux } from "./linux.js";
import { findLinuxHeader } from "./linux-header.js";
import type { LoadPlan } from "./load-plan.js";
import { memoryMap } from "./memory-map.js";
import { loadMultiboot } from "./multiboot.js";
import { findMultibootHeader } from "./multiboot-header.js";
import type { BootModule } from "./multiboot-info.js";
import { findPvhNote, loadPvh, needsPae, parsePvhElf } from "./pvh.js";

export interface ImageOptions {
  readonly image: Uint8Array;
  /**
   * The file's name: errors begin with it, and as with QEMU it is the command line's first word. Without it the command
   * line is `append` alone.
   */
  readonly imageName?: string | undefined;
  /** Bytes. */
  readonly memorySize: number;
  /** What the processor is: a kernel for another one is refused. Any, unless given. */
  readonly model?: ModelName | undefined;
  /** The machine has firmware tables, in the last part of memory. Default true. */
  readonly firmwareTables?: boolean | undefined;
  /** The command line, for kernels only. */
  readonly append?: string | undefined;
  /** For Linux kernels only: a file they find as their first root. */
  readonly initrd?: Uint8Array | undefined;
  /** For bzImages only: which of their entry points, the 32-bit one unless given. */
  readonly entry?: 32 | 64 | undefined;
  /** For multiboot kernels only. */
  readonly modules?: readonly BootModule[] | undefined;
  /** "auto" (as the bytes say) unless given. */
  readonly kind?: "auto" | "multiboot" | "flat" | undefined;
}

/**
 * The plan to load and start an image.
 *
 * @throws VirtlabError naming file, offset and reason if the file is damaged, of no known kind, or too large.
 */
export function loadImage(options: ImageOptions): LoadPlan {
  const {
    image,
    imageName,
    memorySize,
    append = "",
    modules = [],
    initrd,
    firmwareTables,
    model,
    entry,
    kind = "auto",
  } = options;
  if (!isBytes(image)) throw new VirtlabError(`${imageName ?? "image"}: expected a Uint8Array`);
  modules.forEach(({ data }, index) => {
    if (!isBytes(data)) throw new VirtlabError(`module ${index}: expected its data as a Uint8Array`);
  });
  if (initrd !== undefined && !isBytes(initrd)) throw new VirtlabError("initrd: expected a Uint8Array");
  const file: ImageFile = new ImageFile(image, imageName);
  if (kind === "flat") return loadFlatAlone(file, memorySize, append, modules, initrd);

  const forLinux = {
    memorySize,
    memoryMap: memoryMap(memorySize, firmwareTables),
    commandLine: append,
    initrd,
    entry,
  };
  const linux = kind === "auto" ? findLinuxHeader(file) : undefined;
  if (linux !== undefined) {
    refuseModules(file, modules);
    if (linux.is64) checkProcessor(file, "LM", "a 64-bit kernel", model);
    // No field of the header says so, but distributions name these kernels by it.
    else if (/pae$/i.test(linux.release)) checkProcessor(file, "PAE", "a kernel that pages by PAE", model);
    return loadLinux(file, linux, forLinux);
  }
  if (entry !== undefined) throw new VirtlabError(`${file.name}: only a bzImage has a choice of entry points`);
  const header = findHeader(file);
  if (header !== undefined) {
    if (initrd !== undefined) throw new VirtlabError(`${file.name}: a multiboot kernel takes modules, not an initrd`);
    const commandLine = imageName === undefined ? append : `${imageName} ${append}`;
    return loadMultiboot(file, header, { memorySize, commandLine, modules });
  }
  if (kind === "multiboot") file.fail(0, "no multiboot header in the first 0x2000 bytes");
  if (!isElf(file)) return loadFlatAlone(file, memorySize, append, modules, initrd);

  const elf = parsePvhElf(file);
  const note = findPvhNote(elf);
  if (note === undefined) file.fail(0, "no multiboot header in the first 0x2000 bytes, and no entry note for PVH");
  refuseModules(file, modules);
  if (elfBits(file) === 64) checkProcessor(file, "LM", "a 64-bit kernel", model);
  if (needsPae(file, elf)) checkProcessor(file, "PAE", "a kernel that pages by PAE", model);
  return loadPvh(file, elf, note, forLinux);
}

/** Whether a file is a kernel for 64-bit processors alone; a file that is damaged is none. */
export function is64BitKernel(image: Uint8Array): boolean {
  const file = new ImageFile(image, undefined);
  try {
    const linux = findLinuxHeader(file);
    if (linux !== undefined) return linux.is64;
    return findHeader(file) === undefined && isElf(file) && elfBits(file) === 64;
  } catch {
    return false;
  }
}

function checkProcessor(file: ImageFile, feature: Feature, what: string, model: ModelName | undefined): void {
  if (model === undefined || includes(model, feature)) return;
  const others = modelNames.filter((name) => includes(name, feature));
  throw new VirtlabError(
    `${file.name}: ${what}, which the processor ${model} cannot run (these can: ${others.join(", ")})`,
  );
}

function refuseModules(file: ImageFile, modules: readonly BootModule[]): void {
  if (modules.length > 0) throw new VirtlabError(`${file.name}: a Linux kernel takes an initrd, not modules`);
}

function findHeader(file: ImageFile) {
  try {
    const header = findMultibootHeader(file);
    // What is wrong with an ELF file explains a missing header best: it may be cut off or of another class.
    if (header === undefined && isElf(file)) parsePvhElf(file);
    return header;
  } catch (error) {
    if (isElf(file) && error instanceof VirtlabError) parsePvhElf(file);
    throw error;
  }
}

function loadFlatAlone(
  file: ImageFile,
  memorySize: number,
  append: string,
  modules: readonly BootModule[],
  initrd: Uint8Array | undefined,
): LoadPlan {
  const what =
    append !== "" ? "a command line" : modules.length > 0 ? "modules" : initrd !== undefined ? "an initrd" : undefined;
  if (what !== undefined) {
    throw new VirtlabError(`${file.name}: a flat binary cannot be given ${what}: it has no multiboot header`);
  }
  return loadFlat(file, memorySize);
}
