/**
 * The socket to a kernel's channels, which hands on a burst of printed lines as one. JupyterLab shows all that a cell has
 * printed anew for each message, so that 20,000 lines one by one would take minutes.
 * Manual: Messaging in Jupyter, "Streams (stdout, stderr, etc)".
 */
import { type KernelMessage, ServerConnection } from "@jupyterlab/services";

type Message = KernelMessage.IMessage;
type Stream = KernelMessage.IStreamMsg;
type Serializer = ServerConnection.ISettings["serializer"];

/** Lines that come within this time are one output; the eye does not see the difference. */
const GATHER_MILLISECONDS = 40;

/** A message that has been read already. */
class Read {
  constructor(readonly message: Message) {}
}

/** Settings whose sockets gather. */
export function gatheringSettings(options: Partial<ServerConnection.ISettings>): ServerConnection.ISettings {
  const settings = ServerConnection.makeSettings(options);
  const { serializer } = settings;
  return {
    ...settings,
    WebSocket: gatheringSocket(serializer),
    serializer: {
      ...serializer,
      deserialize: (data, protocol) =>
        (data as unknown) instanceof Read ? (data as unknown as Read).message : serializer.deserialize(data, protocol),
    },
  };
}

function gatheringSocket({ deserialize }: Serializer): typeof WebSocket {
  return class extends WebSocket {
    #receive: ((event: MessageEvent) => void) | null = null;
    #gathered: Stream | undefined;
    #timer: ReturnType<typeof setTimeout> | undefined;

    constructor(address: string | URL, protocols?: string | string[]) {
      super(address, protocols);
      Object.defineProperty(this, "onmessage", {
        get: () => this.#receive,
        set: (receive: typeof this.onmessage) => {
          this.#receive = receive;
        },
      });
      this.addEventListener("message", ({ data }) => this.#take(deserialize(data, this.protocol)));
      this.addEventListener("close", () => this.#flush());
    }

    #take(message: Message): void {
      const last = this.#gathered;
      if (!isStream(message)) {
        this.#flush();
        this.#hand(message);
      } else if (last !== undefined && continues(message, last)) {
        last.content.text += message.content.text;
      } else {
        this.#flush();
        this.#gathered = message;
        this.#timer = setTimeout(() => this.#flush(), GATHER_MILLISECONDS);
      }
    }

    #flush(): void {
      clearTimeout(this.#timer);
      const message = this.#gathered;
      this.#gathered = undefined;
      if (message !== undefined) this.#hand(message);
    }

    #hand(message: Message): void {
      this.#receive?.(new MessageEvent("message", { data: new Read(message) }));
    }
  };
}

const isStream = (message: Message): message is Stream =>
  message.channel === "iopub" && message.header.msg_type === "stream";

const continues = (message: Stream, last: Stream): boolean =>
  message.content.name === last.content.name &&
  (message.parent_header as { msg_id?: string }).msg_id === (last.parent_header as { msg_id?: string }).msg_id;
