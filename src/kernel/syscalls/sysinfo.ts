/** sysinfo(2): memory, load and time in one record. */
import { memoryFigures } from "../fs/proc/system.js";
import { writeUser } from "../mm/user-memory.js";
import { TICKS_A_SECOND } from "../time.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";

/** `struct sysinfo` of the program's own width. */
function systemInformation(k: Work, at: number): number {
  const wide = k.call.abi === "x86_64";
  const size = wide ? 8 : 4;
  const { total, free, cached } = memoryFigures(k);
  const bytes = (kib: number): number => kib * 1024;
  let threads = 0;
  for (const _entry of k.state.tasks.entries()) threads++;
  const view = new DataView(new ArrayBuffer(wide ? 112 : 64));
  const put = (index: number, value: number): void => {
    view.setUint32(index * size, value >>> 0, true);
    if (wide) view.setUint32(index * size + 4, Math.floor(value / 2 ** 32), true);
  };
  const uptime = Math.ceil(k.now / TICKS_A_SECOND);
  [uptime, 0, 0, 0, bytes(total), bytes(free), bytes(cached), 0, 0, 0].forEach((value, index) => {
    put(index, value);
  });
  view.setUint16(10 * size, threads, true);
  // Sizes are in bytes: the unit, behind how much memory is high and how much of that is free.
  view.setUint32(wide ? 104 : 52, 1, true);
  writeUser(k, at, new Uint8Array(view.buffer));
  return 0;
}

export const informationCalls: readonly SystemCall[] = [call("sysinfo", "info:pointer", systemInformation)];
