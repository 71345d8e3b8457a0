/**
 * Runs a guest in Bochs, which starts from disks alone, and ends it where the guest does: at its `debug_exit`, a place that
 * Bochs's debugger is told from the image's names.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { images } from "./guests.js";
import { CYLINDERS, multibootDiskOf } from "./multiboot-disk.js";
import { runProcess } from "./processes.js";

/** Debian's VGA BIOS need not be there: a ROM that returns at once will do, since nobody looks. */
function emptyRom(): Uint8Array {
  const rom = new Uint8Array(512);
  rom.set([0x55, 0xaa, 1, 0xcb]);
  rom[511] = 256 - (rom.reduce((sum, byte) => sum + byte, 0) & 0xff);
  return rom;
}

/** The address of a name in an ELF image of 32 bits. */
export function addressOf(elf: Buffer, name: string): number {
  const at = elf.readUInt32LE(32);
  const sections = Array.from({ length: elf.readUInt16LE(48) }, (_, index) => at + index * 40);
  const symbols = sections.find((section) => elf.readUInt32LE(section + 4) === 2)!;
  const strings = elf.readUInt32LE(sections[elf.readUInt32LE(symbols + 24)]! + 16);
  const start = elf.readUInt32LE(symbols + 16);
  for (let symbol = start; symbol < start + elf.readUInt32LE(symbols + 20); symbol += 16) {
    const text = strings + elf.readUInt32LE(symbol);
    if (elf.toString("latin1", text, elf.indexOf(0, text)) === name) return elf.readUInt32LE(symbol + 4);
  }
  throw new Error(`the image has no name ${name}`);
}

export interface BochsOptions {
  /** The image's command line. */
  readonly append?: string;
  /** Whether a model-specific register that the processor has not is #GP, which Bochs leaves out unless asked. */
  readonly strictMsrs?: boolean;
  /** Instructions of a second: the fewer there are, the sooner is the serial port done. */
  readonly perSecond?: number;
}

const configuration = (
  folder: string,
  cpu: string,
  { strictMsrs = false, perSecond = 50_000_000 }: BochsOptions,
): string => `
config_interface: textconfig
display_library: rfb, options="timeout=0"
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=${folder}/vga.bin
cpu: model=${cpu}, count=1, ips=${perSecond}, reset_on_triple_fault=0, ignore_bad_msrs=${strictMsrs ? 0 : 1}
megs: 64
boot: disk
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=disk, path="${folder}/disk.img", mode=volatile, cylinders=${CYLINDERS}, heads=16, spt=63
com1: enabled=1, mode=file, dev=${folder}/serial
log: ${folder}/log
panic: action=fatal
info: action=ignore
debug: action=ignore
clock: sync=none
plugin_ctrl: speaker=0, gameport=0, e1000=0, es1370=0, ne2k=0, sb16=0
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
`;

/** What the guest prints on the serial port, on one of Bochs's processors. */
export function bochsOutput(bochs: string, image: string, cpu: string, options: BochsOptions = {}): Promise<string> {
  const elf = readFileSync(join(images, image));
  return bochsOutputOf(bochs, elf, addressOf(elf, "debug_exit"), cpu, options);
}

/** The same of an ELF image that ends at an address. */
export async function bochsOutputOf(
  bochs: string,
  elf: Uint8Array,
  end: number,
  cpu: string,
  options: BochsOptions = {},
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "virtlab-bochs-"));
  try {
    writeFileSync(join(folder, "vga.bin"), emptyRom());
    writeFileSync(join(folder, "disk.img"), multibootDiskOf(elf, options.append));
    writeFileSync(join(folder, "configuration"), configuration(folder, cpu, options));
    writeFileSync(join(folder, "commands"), `pb 0x${end.toString(16)}\nc\nq\n`);
    const args = ["-q", "-f", join(folder, "configuration"), "-rc", join(folder, "commands")];
    // With a pipe as its input the debugger ends at once, by a signal.
    const command = ["-c", 'exec "$0" "$@" </dev/null', bochs, ...args];
    const ended = await runProcess("sh", command, { cwd: folder, milliseconds: 120_000 });
    if (ended.status === undefined) throw new Error(`Bochs did not come to the end: ${ended.stderr.slice(-600)}`);
    return readFileSync(join(folder, "serial"), "latin1");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
