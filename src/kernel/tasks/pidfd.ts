/** Processes as open files. Spec: pidfd_open(2). */
import { E } from "../errno.js";
import { addDescriptor, newFile } from "../fs/descriptors.js";
import { defineKind, O, POLL } from "../fs/kinds.js";
import type { OpenFile } from "../state.js";
import type { Work } from "../work.js";

const kind = defineKind({
  name: "pidfd",
  poll(k, { object }) {
    const process = k.state.processes.get(object);
    return { events: process === undefined || process.ended ? POLL.IN | POLL.RDNORM : 0, on: [object] };
  },
  label: () => "anon_inode:[pidfd]",
});

/** A descriptor for a process. Throws EMFILE. */
export const openPidfd = (k: Work, pid: number, flags = 0): number =>
  addDescriptor(k, newFile(k, { kind: kind.name, flags: O.RDWR | flags, object: pid }), true);

/** Number of the process that a file is. Throws EBADF for files of another kind. */
export function pidfdProcess(file: OpenFile): number {
  if (file.kind !== kind.name) throw E.EBADF;
  return file.object;
}
