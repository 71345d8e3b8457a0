/** The system calls that are served, by number. */
import { VirtlabError } from "../../state/error.js";
import type { Abi } from "../state.js";
import { attributeCalls } from "./attributes.js";
import type { SystemCall } from "./call.js";
import { descriptorCalls } from "./descriptors.js";
import { directoryCalls } from "./directories.js";
import { lockCalls } from "./fcntl.js";
import { fileCalls } from "./files.js";
import { identityCalls } from "./identity.js";
import { killCalls } from "./kill.js";
import { memoryCalls } from "./memory.js";
import { mountCalls } from "./mounts.js";
import { nameCalls } from "./names.js";
import { namespaceCalls } from "./namespaces.js";
import { type SystemCallName, systemCallNumbers } from "./numbers.js";
import { processCalls } from "./processes.js";
import { segmentCalls } from "./segments.js";
import { signalCalls } from "./signals.js";
import { sizeCalls } from "./sizes.js";
import { statCalls } from "./stat.js";
import { systemCalls } from "./system.js";
import { timeCalls } from "./time.js";
import { transferCalls } from "./transfers.js";

export const served: readonly SystemCall[] = [
  ...attributeCalls,
  ...descriptorCalls,
  ...directoryCalls,
  ...fileCalls,
  ...lockCalls,
  ...nameCalls,
  ...sizeCalls,
  ...statCalls,
  ...transferCalls,
  ...identityCalls,
  ...killCalls,
  ...memoryCalls,
  ...mountCalls,
  ...namespaceCalls,
  ...processCalls,
  ...segmentCalls,
  ...signalCalls,
  ...systemCalls,
  ...timeCalls,
];

const byNumber: Readonly<Record<Abi, (SystemCall | undefined)[]>> = { x86_64: [], i386: [] };
for (const row of served) {
  const [x86_64, i386] = systemCallNumbers[row.name];
  for (const [abi, number] of [["x86_64", x86_64] as const, ["i386", i386] as const]) {
    if (number < 0) continue;
    if (byNumber[abi][number] !== undefined) throw new VirtlabError(`${row.name}: two entries`);
    byNumber[abi][number] = row;
  }
}

export const servedCall = (abi: Abi, number: number): SystemCall | undefined =>
  number < 0 ? undefined : byNumber[abi][number];

const names: Readonly<Record<Abi, (SystemCallName | undefined)[]>> = { x86_64: [], i386: [] };
for (const [name, [x86_64, i386]] of Object.entries(systemCallNumbers)) {
  if (x86_64 >= 0) names.x86_64[x86_64] = name as SystemCallName;
  if (i386 >= 0) names.i386[i386] = name as SystemCallName;
}

/** The name of a call, served or not. */
export const nameOfCall = (abi: Abi, number: number): SystemCallName | undefined => names[abi][number];
