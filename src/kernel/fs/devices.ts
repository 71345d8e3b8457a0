/** Devices by number. Spec: Linux, Documentation/admin-guide/devices.txt; null(4), random(4), tty(4). */
import { E } from "../errno.js";
import { nextRandom } from "../random.js";
import type { Location, Mount, OpenFile } from "../state.js";
import type { Work } from "../work.js";
import { defineKind, POLL } from "./kinds.js";
import { MS } from "./permissions.js";
import { S, typeOfMode } from "./types.js";

export const deviceNumber = (major: number, minor: number): number => major * 2 ** 20 + minor;
export const majorOf = (device: number): number => Math.floor(device / 2 ** 20);
export const minorOf = (device: number): number => device % 2 ** 20;

export interface Device {
  readonly name: string;
  readonly type: "character" | "block";
  readonly major: number;
  readonly minor: number;
  /** What an open file of it is; `location` says by which name it was found. */
  open(k: Work, flags: number, location: Location): Pick<OpenFile, "kind" | "object" | "data">;
}

const devices = new Map<string, Device>();
const keyOf = (type: Device["type"], device: number): string => `${type}${device}`;

export function defineDevice(device: Device): void {
  devices.set(keyOf(device.type, deviceNumber(device.major, device.minor)), device);
}

export const allDevices = (): readonly Device[] => [...devices.values()];

/** Throws ENXIO for a device there is not, EACCES where the mount has none. */
export function openDevice(
  k: Work,
  mode: number,
  device: number,
  flags: number,
  mount: Mount,
  location: Location,
): Pick<OpenFile, "kind" | "object" | "data"> {
  if ((mount.flags & MS.NODEV) !== 0) throw E.EACCES;
  const found = devices.get(keyOf(typeOfMode(mode) === S.IFCHR ? "character" : "block", device));
  if (found === undefined) throw E.ENXIO;
  return found.open(k, flags, location);
}

const ready = () => ({ events: POLL.IN | POLL.OUT | POLL.RDNORM | POLL.WRNORM, on: [] });
const nothing = new Uint8Array(0);

defineKind({ name: "null", read: () => nothing, write: (_k, _file, bytes) => bytes.length, poll: ready });
defineKind({
  name: "zero",
  read: (_k, _file, length) => new Uint8Array(length),
  write: (_k, _file, bytes) => bytes.length,
  poll: ready,
});
defineKind({
  name: "full",
  read: (_k, _file, length) => new Uint8Array(length),
  write() {
    throw E.ENOSPC;
  },
  poll: ready,
});
defineKind({
  name: "random",
  read: (k, _file, length) => nextRandom(k, length),
  write: (_k, _file, bytes) => bytes.length,
  poll: ready,
});

for (const [name, kind, minor] of [
  ["null", "null", 3],
  ["zero", "zero", 5],
  ["full", "full", 7],
  ["random", "random", 8],
  ["urandom", "random", 9],
] as const)
  defineDevice({ name, type: "character", major: 1, minor, open: () => ({ kind, object: 0, data: undefined }) });
