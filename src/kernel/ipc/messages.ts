/** System V message queues. Spec: msgget(2), msgop(2), msgctl(2). */
import { E, Wait } from "../errno.js";
import { wake } from "../tasks/waiting.js";
import type { Work } from "../work.js";
import { atIpcEnd, IPC, type IpcObject, ipcGet, ipcObject, recordOf, removeIpc, requireIpc } from "./records.js";

export interface Message {
  readonly type: number;
  readonly text: Uint8Array;
}

export interface MessageQueue extends IpcObject {
  readonly kind: "msg";
  readonly messages: readonly Message[];
  readonly bytes: number;
  readonly most: number;
  readonly sender: number;
  readonly receiver: number;
  readonly sentAt: number;
  readonly receivedAt: number;
  readonly changedAt: number;
}

const LIMITS = { queues: 32_000, bytes: 16_384, message: 8192 } as const;
const MSG = { NOERROR: 0o10000, EXCEPT: 0o20000, COPY: 0o40000 } as const;

export const getQueue = (k: Work, key: number, flags: number): number =>
  ipcGet<MessageQueue>(
    k,
    "msg",
    { key, flags, most: LIMITS.queues },
    () => {},
    () => ({
      ...{ messages: [], bytes: 0, most: LIMITS.bytes, sender: 0, receiver: 0 },
      ...{ sentAt: -1, receivedAt: -1, changedAt: k.now },
    }),
  );

/** The queue of a call that may have waited: EIDRM where it went meanwhile. */
function queueAt(k: Work, id: number): MessageQueue {
  const begun = k.call.progress as { readonly number: number } | undefined;
  if (begun !== undefined && k.state.objects.get(begun.number) === undefined) throw E.EIDRM;
  return ipcObject<MessageQueue>(k, "msg", id);
}

export function send(k: Work, id: number, type: number, text: Uint8Array, flags: number): number {
  if (type < 1) throw E.EINVAL;
  const queue = queueAt(k, id);
  requireIpc(k, queue, 2);
  const number = recordOf(k, queue);
  const fits = queue.bytes + text.length <= queue.most && queue.messages.length + 1 <= queue.most;
  if (!fits) {
    if ((flags & IPC.NOWAIT) !== 0) throw E.EAGAIN;
    throw new Wait([number], undefined, { number }, "interrupt");
  }
  k.changeObject<MessageQueue>(number, {
    messages: [...queue.messages, { type, text }],
    bytes: queue.bytes + text.length,
    sender: k.task.process,
    sentAt: k.now,
  });
  wake(k, number);
  return 0;
}

/** Which message a type asks for. Spec: msgop(2), "msgrcv()". */
function wanted(messages: readonly Message[], type: number, flags: number): number {
  if ((flags & MSG.COPY) !== 0) return type < messages.length ? type : -1;
  if (type === 0) return messages.length > 0 ? 0 : -1;
  if (type > 0)
    return messages.findIndex((one) => ((flags & MSG.EXCEPT) !== 0 ? one.type !== type : one.type === type));
  const least = Math.min(...messages.map((one) => one.type));
  return least <= -type ? messages.findIndex((one) => one.type === least) : -1;
}

/** msgrcv(2): the message, cut to what fits. Throws E2BIG, ENOMSG. */
export function receive(k: Work, id: number, most: number, type: number, flags: number): Message {
  if (most < 0) throw E.EINVAL;
  const copies = (flags & MSG.COPY) !== 0;
  if (copies && ((flags & MSG.EXCEPT) !== 0 || (flags & IPC.NOWAIT) === 0)) throw E.EINVAL;
  const queue = queueAt(k, id);
  requireIpc(k, queue, 4);
  const number = recordOf(k, queue);
  const index = wanted(queue.messages, type, flags);
  if (index < 0) {
    if ((flags & IPC.NOWAIT) !== 0) throw E.ENOMSG;
    throw new Wait([number], undefined, { number }, "interrupt");
  }
  const message = queue.messages[index]!;
  if (message.text.length > most && (flags & MSG.NOERROR) === 0) throw E.E2BIG;
  if (!copies) {
    k.changeObject<MessageQueue>(number, {
      messages: queue.messages.toSpliced(index, 1),
      bytes: queue.bytes - message.text.length,
      receiver: k.task.process,
      receivedAt: k.now,
    });
    wake(k, number);
  }
  return { type: message.type, text: message.text.subarray(0, most) };
}

export function removeQueue(k: Work, queue: MessageQueue): void {
  const number = recordOf(k, queue);
  removeIpc(k, queue);
  wake(k, number);
}

atIpcEnd("msg", (k, number) => removeQueue(k, k.objectOf<MessageQueue>(number)));

export { LIMITS as MESSAGE_LIMITS };
