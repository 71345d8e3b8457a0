/**
 * Keeps output from piling up before a client that is slower than its kernel: while the client is behind, what is printed
 * piece by piece becomes one message. Nothing is left out, unless a cell prints without end; then the output says so.
 */
import { createMessage, type JupyterMessage } from "./jupyter-message.js";

export interface SlowReceiver {
  send(message: JupyterMessage): void;
  /** Bytes sent that have not been taken yet. */
  backlog(): number;
}

export interface OutputMerger {
  receive(message: JupyterMessage): void;
  /** Forgets what waits, for the client is gone. */
  end(): void;
}

/** With less than this before it, a client gets everything as it comes. */
const BACKLOG = 2 ** 18;
/** How much text may wait, in characters: more than anybody reads, and little to hold. */
const MOST_TEXT = 2 ** 24;
const LOOK_AGAIN_MILLISECONDS = 20;

export function outputMerger({ send, backlog }: SlowReceiver): OutputMerger {
  let waiting: JupyterMessage | undefined;
  let text = "";
  let leftOut = 0;
  let timer: NodeJS.Timeout | undefined;

  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (waiting === undefined) return;
    const message = waiting;
    waiting = undefined;
    send({ ...message, content: { ...message.content, text } });
    if (leftOut > 0) send(notice(message, leftOut));
    text = "";
    leftOut = 0;
  };
  const look = (): void => {
    timer = undefined;
    if (backlog() < BACKLOG) flush();
    else timer = setTimeout(look, LOOK_AGAIN_MILLISECONDS);
  };
  const add = (message: JupyterMessage): void => {
    const more = String(message.content["text"]);
    waiting ??= message;
    const room = MOST_TEXT - text.length;
    text += room >= more.length ? more : more.slice(0, Math.max(room, 0));
    leftOut += Math.max(more.length - room, 0);
    timer ??= setTimeout(look, LOOK_AGAIN_MILLISECONDS);
  };

  return {
    receive(message) {
      if (waiting !== undefined && !continues(waiting, message)) flush();
      if (message.header.msg_type === "stream" && (waiting !== undefined || backlog() >= BACKLOG)) add(message);
      else send(message);
    },
    end() {
      clearTimeout(timer);
      waiting = undefined;
    },
  };
}

/** Whether a message goes on where another one stopped: text of the same cell to the same stream. */
function continues(first: JupyterMessage, next: JupyterMessage): boolean {
  return (
    next.header.msg_type === "stream" &&
    next.parent_header.msg_id === first.parent_header.msg_id &&
    next.content["name"] === first.content["name"]
  );
}

function notice({ channel, header, parent_header }: JupyterMessage, characters: number): JupyterMessage {
  const text = `[${characters} characters of output left out: they came faster than the page could take them]\n`;
  const message = createMessage(channel, "stream", { name: "stderr", text }, header.session);
  return { ...message, parent_header };
}
