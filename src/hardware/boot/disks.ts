/** The disks a machine is made with: their content, and which controller has them. */
import { VirtlabError } from "../../state/error.js";
import type { AttachedDisk } from "../devices/ide.js";
import type { ExtraDevice, MachineKind } from "../devices/machines.js";
import { createDisk, type Disk, type DiskImage } from "../disk.js";

/** A disk and how it is connected. */
export interface DiskChoice {
  readonly image: DiskImage;
  /** Called so in messages. */
  readonly name?: string;
  readonly readOnly?: boolean;
}

export interface ConnectedDisks {
  readonly disks: readonly Disk[];
  /** In the order of the IDE channels' drives. */
  readonly ide: readonly AttachedDisk[];
  /** Controllers the machine needs for them. */
  readonly extra: readonly ExtraDevice[];
}

/** Drives that two IDE channels have. */
const IDE_DRIVES = 4;

/** @throws VirtlabError for an image that is no disk, and for more disks than there are places for. */
export function connectDisks(kind: MachineKind, choices: readonly (DiskImage | DiskChoice)[]): ConnectedDisks {
  const disks = choices.map((choice, index) => {
    const { image, name = `disk ${index}`, readOnly = false } = "image" in choice ? choice : { image: choice };
    return createDisk(image, readOnly, name);
  });
  if (disks.length > IDE_DRIVES)
    throw new VirtlabError(`${disks.length} disks: two IDE channels have ${IDE_DRIVES} drives at the most`);
  const ide = disks.map(({ size, readOnly }, disk) => ({ disk, size, readOnly }));
  const extra: ExtraDevice[] = ide.length > 0 && kind.extras.includes("ide") ? ["ide"] : [];
  return { disks, ide, extra };
}
