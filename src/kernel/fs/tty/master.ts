/** The side of a pseudoterminal that stands for the person at it: what is written here is typed there. Spec: pty(7), ptmx(4). */
import { E, Wait } from "../../errno.js";
import { readWord, writeUser, writeWord } from "../../mm/user-memory.js";
import type { Location, OpenFile } from "../../state.js";
import { wake } from "../../tasks/waiting.js";
import type { Work } from "../../work.js";
import { addDescriptor, freeDescriptor } from "../descriptors.js";
import { defineKind, mayWait, O, POLL } from "../kinds.js";
import { openLocation } from "../open.js";
import type { Pipe } from "../pipes.js";
import { takeFromPipe } from "../pipes.js";
import { controlTerminal, REQUEST } from "./control.js";
import { receive } from "./input.js";
import { hangUp } from "./sessions.js";
import { inputLength, newTerminal, type PseudoTerminal, setTerminal, terminalOf } from "./terminal.js";
import { ptyTermios } from "./termios.js";

/** Bytes that lie before either side and were not read. */
const CAPACITY = 65_536;
const SLAVE_MAJOR = 136;
const MAJOR = 2 ** 20;

/** A new pseudoterminal, locked; its number is that of its device file. */
export function newPseudoTerminal(k: Work, fileSystem: number, index: number, place: Location): number {
  const pipe: Pipe = { kind: "pipe", parts: [], ...{ read: 0, size: 0, capacity: CAPACITY, readers: 1, writers: 1 } };
  const pty: PseudoTerminal = { index, fileSystem, place, locked: true, masterOpen: true, left: false };
  return k.addObject(
    newTerminal({
      name: `pts/${index}`,
      device: SLAVE_MAJOR * MAJOR + index,
      termios: ptyTermios,
      toMaster: k.addObject(pipe),
      pty,
    }),
  );
}

/** What is done when a master is closed and its device file goes; the file system's part. */
type OnClose = (k: Work, fileSystem: number, index: number) => void;
let onClose: OnClose = () => {};
export const setOnClose = (done: OnClose): void => {
  onClose = done;
};

const slaveOf = (k: Work, { object }: OpenFile) => terminalOf(k, object);
const waitingBytes = (k: Work, file: OpenFile): number => k.objectOf<Pipe>(slaveOf(k, file).toMaster!).size;

function openPeer(k: Work, file: OpenFile, flags: number): number {
  freeDescriptor(k);
  const { place, locked } = slaveOf(k, file).pty!;
  if (locked) throw E.EIO;
  return addDescriptor(k, openLocation(k, place, flags & ~O.CLOEXEC), (flags & O.CLOEXEC) !== 0);
}

const changePty = (k: Work, { object }: OpenFile, change: Partial<PseudoTerminal>): void =>
  setTerminal(k, object, { pty: { ...terminalOf(k, object).pty!, ...change } });

type Control = (k: Work, file: OpenFile, argument: number) => number;
const give =
  (value: (k: Work, file: OpenFile) => number): Control =>
  (k, file, argument) => {
    writeWord(k, argument, value(k, file));
    return 0;
  };

/** What a master answers otherwise than its slave. Spec: ioctl_tty(2), "Pseudoterminal ioctls". */
const controls: Readonly<Record<number, Control>> = {
  [REQUEST.TIOCGPTN]: give((k, file) => slaveOf(k, file).pty!.index),
  [REQUEST.TIOCGPTLCK]: give((k, file) => (slaveOf(k, file).pty!.locked ? 1 : 0)),
  [REQUEST.TIOCSPTLCK]: (k, file, argument) => {
    changePty(k, file, { locked: readWord(k, argument) !== 0 });
    return 0;
  },
  [REQUEST.TIOCGPTPEER]: openPeer,
  [REQUEST.FIONREAD]: give(waitingBytes),
  [REQUEST.TIOCOUTQ]: give((k, file) => inputLength(slaveOf(k, file), 0)),
  [REQUEST.TIOCGPGRP]: give((k, file) => slaveOf(k, file).group),
  [REQUEST.TIOCGSID]: give((k, file) => {
    const { session } = slaveOf(k, file);
    if (session === 0) throw E.ENOTTY;
    return session;
  }),
  [REQUEST.TIOCGWINSZ]: (k, file, argument) => {
    writeUser(k, argument, new Uint8Array(Uint16Array.from(slaveOf(k, file).size).buffer));
    return 0;
  },
  [REQUEST.TIOCSCTTY]: () => {
    throw E.EIO;
  },
};

defineKind({
  name: "pty-master",

  read(k, file, length) {
    const { toMaster, pty } = slaveOf(k, file);
    if (length === 0) return new Uint8Array(0);
    if (waitingBytes(k, file) > 0) {
      wake(k, file.object);
      return takeFromPipe(k, toMaster!, length);
    }
    if (pty!.left) throw E.EIO;
    if (!mayWait(file)) throw E.EAGAIN;
    throw new Wait([toMaster!]);
  },

  write(k, file, bytes) {
    const room = CAPACITY - inputLength(slaveOf(k, file), 0);
    if (room <= 0 && bytes.length > 0) {
      if (!mayWait(file)) throw E.EAGAIN;
      throw new Wait([slaveOf(k, file).toMaster!, file.object]);
    }
    const count = Math.min(room, bytes.length);
    receive(k, file.object, bytes.subarray(0, count));
    return count;
  },

  poll(k, file) {
    const { toMaster, pty } = slaveOf(k, file);
    let events = waitingBytes(k, file) > 0 ? POLL.IN | POLL.RDNORM : 0;
    if (pty!.left) events |= POLL.HUP;
    if (inputLength(slaveOf(k, file), 0) < CAPACITY) events |= POLL.OUT | POLL.WRNORM;
    return { events, on: [toMaster!, file.object] };
  },

  control(k, file, request, argument) {
    const own = controls[request];
    return own === undefined ? controlTerminal(k, file.object, request, argument) : own(k, file, argument);
  },

  release(k, { object }) {
    const { pty, opened, toMaster } = terminalOf(k, object);
    hangUp(k, object);
    setTerminal(k, object, { pty: { ...pty!, masterOpen: false } });
    onClose(k, pty!.fileSystem, pty!.index);
    k.setObject(toMaster!, undefined);
    if (opened === 0) k.setObject(object, undefined);
  },
});
