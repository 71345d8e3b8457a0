/**
 * A session over a line: bytes in, bytes out. While the machine is on its way only a break counts; what else comes waits
 * until it stands still.
 * Spec: GDB manual, "Packet Acknowledgment", "Interrupts".
 */
import { obey } from "./commands.js";
import { framed, PACKET_SIZE, type Received, take } from "./packets.js";
import type { Session, Turn } from "./session.js";
import { interrupt, work } from "./work.js";

/** A session, and the bytes that go to the debugger. */
export interface Exchange {
  readonly session: Session;
  readonly output: Uint8Array;
}

const PLUS = Uint8Array.of(0x2b);
const MINUS = Uint8Array.of(0x2d);
const NOTHING = new Uint8Array();

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const filled = parts.filter(({ length }) => length > 0);
  if (filled.length <= 1) return filled[0] ?? NOTHING;
  const all = new Uint8Array(filled.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of filled) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** What a turn says, as packets. */
function spoken({ session, replies }: Turn, before: Uint8Array): Exchange {
  const packets = replies.map(framed);
  const sent = packets.at(-1) ?? session.sent;
  return { session: { ...session, sent }, output: joined(before, ...packets) };
}

function react(session: Session, received: Received): Exchange {
  switch (received.kind) {
    case "packet":
      return spoken(obey(session, received.payload), session.noAcknowledgements ? NOTHING : PLUS);
    case "damaged":
      // Without acknowledgements nobody sends it again.
      return { session, output: session.noAcknowledgements ? framed("E01") : MINUS };
    case "repeat":
      return { session, output: session.noAcknowledgements ? NOTHING : session.sent };
    case "interrupt":
      return spoken(interrupt(session), NOTHING);
    default:
      return { session, output: NOTHING };
  }
}

/** What may wait while the machine is on its way: more is dropped. */
const MOST_UNREAD = 4 * PACKET_SIZE;

/** What a debugger has sent. */
export function receive(session: Session, bytes: Uint8Array): Exchange {
  let { received, rest } = take(joined(session.unread, bytes));
  let now: Session = { ...session, unread: NOTHING };
  let output: Uint8Array = NOTHING;
  const waiting: Uint8Array[] = [];
  for (const item of received) {
    if (now.left !== undefined) break;
    if (now.motion !== undefined && item.kind === "packet") {
      waiting.push(framed(item.payload));
      continue;
    }
    const reaction = react(now, item);
    now = reaction.session;
    output = joined(output, reaction.output);
  }
  rest = joined(...waiting, rest);
  return { session: { ...now, unread: rest.length > MOST_UNREAD ? NOTHING : rest }, output };
}

/** Lets the machine go a piece of its way, and looks at what has come in between once it stands still. */
export function proceed(session: Session): Exchange {
  const { session: after, output } = spoken(work(session), NOTHING);
  if (after.motion !== undefined || after.unread.length === 0) return { session: after, output };
  const more = receive(after, NOTHING);
  return { session: more.session, output: joined(output, more.output) };
}
