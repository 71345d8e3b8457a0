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
  /** Its controller: the machine's own way unless given. A machine has four IDE disks and one virtio disk at the most. */
  readonly bus?: "ide" | "virtio";
}

export interface ConnectedDisks {
  readonly disks: readonly Disk[];
  /** In the order of the IDE channels' drives. */
  readonly ide: readonly AttachedDisk[];
  readonly virtio: AttachedDisk | undefined;
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
  const on = (bus: "ide" | "virtio"): AttachedDisk[] =>
    disks.flatMap(({ size, readOnly }, disk) => {
      const choice = choices[disk]!;
      const chosen = ("image" in choice ? choice.bus : undefined) ?? kind.disks;
      return chosen === bus ? [{ disk, size, readOnly }] : [];
    });
  const ide = on("ide");
  const virtio = on("virtio");
  if (ide.length > IDE_DRIVES)
    throw new VirtlabError(`${ide.length} IDE disks: two channels have ${IDE_DRIVES} drives at the most`);
  if (virtio.length > 1) throw new VirtlabError(`${virtio.length} virtio disks: a machine has one at the most`);
  if (ide.length + virtio.length < disks.length) throw new VirtlabError('a disk\'s bus is "ide" or "virtio"');
  const extra: ExtraDevice[] = [
    ...(ide.length > 0 && !kind.devices.includes("ide") ? (["ide"] as const) : []),
    ...(virtio.length > 0 ? (["virtioBlock"] as const) : []),
  ];
  return { disks, ide, virtio: virtio[0], extra };
}
