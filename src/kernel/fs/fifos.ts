/** FIFOs: pipes that have names. Spec: fifo(7), mkfifo(3). */
import { E, Wait } from "../errno.js";
import type { InodeName, OpenFile } from "../state.js";
import { wake } from "../tasks/waiting.js";
import type { Work } from "../work.js";
import { inodeEntry, setInodeEntry } from "./inode-tables.js";
import { O } from "./kinds.js";
import { type FifoProgress, newPipe, type Pipe, readersOf, writersOf } from "./pipes.js";

function pipeOfFifo(k: Work, inode: InodeName): number {
  const known = inodeEntry<{ readonly pipe: number }>(k, "fifos", inode)?.pipe;
  if (known !== undefined) return known;
  const fifo = { inode, opened: [0, 0] as const, opening: [] };
  const pipe = k.addObject<Pipe>({ ...newPipe, readers: 0, writers: 0, fifo });
  setInodeEntry(k, "fifos", inode, { pipe });
  return pipe;
}

/** Waits until somebody opens the other side. */
function awaitPartner(k: Work, id: number, reads: boolean, begun: FifoProgress | undefined): never {
  const { fifo } = k.objectOf<Pipe>(id);
  const { opened, opening } = fifo!;
  const others = opening.filter(({ task }) => task !== k.current && k.state.tasks.get(task) !== undefined);
  k.changeObject<Pipe>(id, { fifo: { ...fifo!, opening: [...others, { task: k.current, reads }] } });
  throw new Wait([id], undefined, begun ?? { fifo: id, partners: opened[reads ? 1 : 0] });
}

/** Opens a side of a FIFO, or both. Throws ENXIO for a writer that may not wait for its readers. */
export function openFifo(k: Work, inode: InodeName, flags: number): Pick<OpenFile, "kind" | "object" | "data"> {
  const access = flags & O.ACCMODE;
  const [reads, writes] = [access !== O.WRONLY, access !== O.RDONLY];
  const id = pipeOfFifo(k, inode);
  const progress = k.call?.progress as FifoProgress | undefined;
  const begun = progress?.fifo === id ? progress : undefined;
  const there = reads ? writersOf(k, id) : readersOf(k, id);
  const { fifo, readers, writers } = k.objectOf<Pipe>(id);
  const [reading, writing] = fifo!.opened;
  const came = begun !== undefined && begun.partners !== (reads ? writing : reading);
  const alone = there === 0 && !came && !(reads && writes);
  if (alone && (flags & O.NONBLOCK) === 0) awaitPartner(k, id, reads, begun);
  if (alone && writes) throw E.ENXIO;
  k.changeObject<Pipe>(id, {
    readers: readers + (reads ? 1 : 0),
    writers: writers + (writes ? 1 : 0),
    fifo: {
      inode,
      opened: [reading + (reads ? 1 : 0), writing + (writes ? 1 : 0)],
      opening: fifo!.opening.filter(({ task }) => task !== k.current),
    },
  });
  wake(k, id);
  return { kind: "pipe", object: id, data: alone ? { writersSeen: writing } : undefined };
}
