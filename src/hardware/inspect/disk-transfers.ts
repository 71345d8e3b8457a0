/**
 * Which sectors a run moved to and from IDE disks, and in which order: read from its accesses of ports, which are all
 * that a program has to say it with.
 * Manual: ATA/ATAPI-6, "I/O register descriptions" and "48-bit Address feature set".
 */
import { commandName, sectorCommand } from "../devices/ata-commands.js";
import { PORT } from "../devices/layout.js";
import { deepFreeze } from "../machine-content.js";
import type { MachineEvent } from "../state.js";

export interface DiskTransfer {
  /** When the command was given. */
  readonly tick: number;
  /** Place of the drive: 0 and 1 on the first channel, 2 and 3 on the second. */
  readonly drive: number;
  /** Its name in the standard: "WRITE SECTOR(S)". */
  readonly command: string;
  readonly write: boolean;
  /** First sector; by cylinder, head and sector it is told with 16 heads and 63 sectors a track. */
  readonly sector: number;
  readonly count: number;
}

/** Offsets of registers in a command block. */
const REGISTER = { sectorCount: 2, lbaHigh: 5, device: 6, command: 7 } as const;
const DEVICE = { head: 0x0f, DEV: 0x10, LBA: 0x40 } as const;
const HEADS = 16;
const SECTORS_PER_TRACK = 63;

/** What a channel's command block was given: Sector Count and the three LBA registers, now and before, and Device. */
interface CommandBlock {
  readonly now: readonly number[];
  readonly before: readonly number[];
  readonly device: number;
}
const RESET: CommandBlock = { now: [1, 1, 0, 0], before: [0, 0, 0, 0], device: 0 };

const wholeNumber = (bytes: readonly number[]): number => bytes.reduceRight((number, byte) => number * 256 + byte, 0);

function addressOf({ now, before, device }: CommandBlock, extended: boolean): { sector: number; count: number } {
  const [count, low, mid, high] = now as [number, number, number, number];
  if (extended)
    return {
      sector: wholeNumber([low, mid, high, ...before.slice(1)]),
      count: wholeNumber([count, before[0]!]) || 0x1_0000,
    };
  const head = device & DEVICE.head;
  const cylinder = wholeNumber([mid, high]);
  const isLba = (device & DEVICE.LBA) !== 0;
  const sector = isLba ? wholeNumber([low, mid, high, head]) : (cylinder * HEADS + head) * SECTORS_PER_TRACK + low - 1;
  return { sector, count: count || 0x100 };
}

/**
 * The transfers that a run asked of IDE disks, in their order, from its `"port"` events: sectors of 512 bytes, whether by
 * PIO or by the bus master. What a drive refused is listed as well. A virtio disk is asked through memory, which leaves no
 * such events. Spec: ATA/ATAPI-6, "Command descriptions".
 *
 * @example
 * const start = Machine.boot({ image: guest("kernel"), disks: [new Uint8Array(2048 * 512)] });
 * const [first] = diskTransfers(start.run({ until: { serial: "read" }, observe: ["port"] }).events);
 * [first.command, first.drive, first.sector, first.count] // => [ 'READ SECTOR(S)', 0, 1024, 4 ]
 */
export function diskTransfers(events: readonly MachineEvent[]): readonly DiskTransfer[] {
  const channels = [PORT.ide1.base, PORT.ide2.base].map((base) => ({ base, block: RESET }));
  const transfers: DiskTransfer[] = [];
  for (const event of events) {
    if (event.kind !== "port" || event.direction !== "out" || event.size !== 1) continue;
    const number = channels.findIndex(({ base }) => event.port >= base && event.port <= base + REGISTER.command);
    const channel = channels[number];
    if (channel === undefined) continue;
    const register = event.port - channel.base;
    const { block } = channel;
    if (register === REGISTER.device) channel.block = { ...block, device: event.value };
    else if (register >= REGISTER.sectorCount && register <= REGISTER.lbaHigh) {
      const at = register - REGISTER.sectorCount;
      channel.block = { ...block, now: block.now.with(at, event.value), before: block.before.with(at, block.now[at]!) };
    } else if (register === REGISTER.command) {
      const moves = sectorCommand(event.value);
      if (moves === undefined) continue;
      const { write = false, extended = false } = moves;
      const drive = number * 2 + ((block.device & DEVICE.DEV) === 0 ? 0 : 1);
      const command = commandName(event.value)!;
      transfers.push({ tick: event.tick, drive, command, write, ...addressOf(block, extended) });
    }
  }
  return deepFreeze(transfers);
}
