/** The block device behind a page of requests: moves sectors between the VM's first disk and frames of the guest's. */
import { readDisk, SECTOR_SIZE, writeDisk } from "../../../hardware/disk.js";
import { readFrame } from "../../guest-memory.js";
import { type Host, PAGE } from "../../host.js";
import { raiseEvent } from "./events.js";
import { BLOCK } from "./interface.js";
import { PageTypes, TYPE } from "./page-types.js";
import { ownOf } from "./state.js";

/** The port of the block device's event, which it has from the start. */
export const BLOCK_PORT = 1;

interface Request {
  readonly operation: number;
  readonly sector: number;
  readonly count: number;
  readonly frame: number;
}

function readSectors(host: Host, number: number, { sector, count, frame }: Request): void {
  const bytes = readDisk(host.board(number).disks![0]!, sector * SECTOR_SIZE, count * SECTOR_SIZE);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < bytes.length; at += 4) host.port.writePhysical(frame * PAGE + at, view.getUint32(at, true));
}

function writeSectors(host: Host, number: number, { sector, count, frame }: Request): void {
  const board = host.board(number);
  const bytes = new Uint8Array(count * SECTOR_SIZE);
  for (let at = 0; at < bytes.length; at++) bytes[at] = readFrame(host.port, frame * PAGE + at, 1);
  board.disks = board.disks!.with(0, writeDisk(board.disks![0]!, sector * SECTOR_SIZE, bytes));
}

function move(host: Host, number: number, request: Request): number {
  const { operation, sector, count, frame } = request;
  const disk = host.board(number).disks![0]!;
  const types = new PageTypes(host.port, ownOf(host, number));
  if (count === 0 || count > BLOCK.mostSectors || sector + count > disk.size / SECTOR_SIZE) return BLOCK.REFUSED;
  if (operation === BLOCK.WRITE) {
    if (disk.readOnly || !types.owns(frame)) return BLOCK.REFUSED;
    writeSectors(host, number, request);
    return BLOCK.DONE;
  }
  // What is read must not become a table.
  if (operation !== BLOCK.READ || !types.get(frame, TYPE.writable)) return BLOCK.REFUSED;
  readSectors(host, number, request);
  types.put(frame);
  return BLOCK.DONE;
}

/** Does what was asked for, at most as many requests as the page has room for. */
export function serve(host: Host, number: number): void {
  const page = ownOf(host, number).block!;
  const word = (offset: number): number => host.port.readPhysical(page + offset);
  const asked = word(BLOCK.asked);
  for (let round = 0; round < BLOCK.count && word(BLOCK.done) !== asked; round++) {
    const done = word(BLOCK.done);
    const at = BLOCK.requests + (done % BLOCK.count) * BLOCK.request.bytes;
    const { operation, sector, count, frame, status } = BLOCK.request;
    const request = {
      operation: word(at + operation),
      sector: word(at + sector),
      count: word(at + count),
      frame: word(at + frame),
    };
    host.port.writePhysical(page + at + status, move(host, number, request));
    host.port.writePhysical(page + BLOCK.done, (done + 1) >>> 0);
  }
  raiseEvent(host, number, BLOCK_PORT);
}
