/**
 * What each packet asks for, as a table. An unknown packet is answered with nothing, a bad one with an error number.
 * Spec: GDB manual, "Packets", "General Query Packets".
 */
import type { CpuState } from "../hardware/cpu/state.js";
import { description } from "./description.js";
import { linearOf, readLinear, writeLinear } from "./memory.js";
import { monitor } from "./monitor.js";
import { fromHex, PACKET_SIZE, parseNumber, textToHex, toHex } from "./packets.js";
import { processorCount, processorOf, processorState, threadOf } from "./processors.js";
import { decodeRegister, encodeAll, encodeRegister, registersOf, writeRegisters } from "./registers.js";
import { edited, type Session, says, type Turn } from "./session.js";
import { type StopPoint, stopPointTypes } from "./stop-points.js";
import { go } from "./work.js";

/** Gives what a packet leads to; `rest` is what stands behind its name. */
type Command = (session: Session, rest: string) => Turn;

const MALFORMED = "E01";
/** As the errno EFAULT. */
const NO_MEMORY = "E0e";
/** As the errno EINVAL. */
const REFUSED = "E16";
const MOST_STOP_POINTS = 1024;
const LONGEST_WATCHPOINT = 4096;

const answer =
  (reply: string): Command =>
  (session) =>
    says(session, reply);

// ---- registers ------------------------------------------------------------------------------------------------------

const writeAll: Command = (session, rest) => {
  const writes: [ReturnType<typeof registersOf>[number], bigint][] = [];
  let at = 0;
  for (const register of registersOf(session.width)) {
    const digits = rest.slice(at, at + register.bits / 4);
    at += register.bits / 4;
    if (digits === "") break;
    const value = decodeRegister(register, digits);
    if (value === undefined) return says(session, MALFORMED);
    writes.push([register, value]);
  }
  return written(session, writes);
};

/** Writes to the processor that was selected. */
function written(session: Session, writes: Parameters<typeof writeRegisters>[2]): Turn {
  const machine = writeRegisters(session.machine, session.selected, writes);
  return machine === undefined ? says(session, REFUSED) : says(edited(session, machine), "OK");
}

const selectedState = ({ machine, selected }: Session): CpuState => processorState(machine, selected);

const readOne: Command = (session, rest) => {
  const register = registersOf(session.width)[Number(parseNumber(rest) ?? -1)];
  if (register === undefined) return says(session, MALFORMED);
  return says(session, encodeRegister(register, register.read(selectedState(session))));
};

const writeOne: Command = (session, rest) => {
  const [number = "", digits = ""] = rest.split("=");
  const register = registersOf(session.width)[Number(parseNumber(number) ?? -1)];
  const value = register === undefined ? undefined : decodeRegister(register, digits);
  if (register === undefined || value === undefined) return says(session, MALFORMED);
  return written(session, [[register, value]]);
};

// ---- memory ---------------------------------------------------------------------------------------------------------

/** "ADDRESS,LENGTH", and what stands behind a colon. */
function range({ width }: Session, rest: string): { linear: number; length: number; data: string } | undefined {
  const colon = rest.indexOf(":");
  const [address = "", size = "", ...more] = (colon < 0 ? rest : rest.slice(0, colon)).split(",");
  const start = parseNumber(address);
  const length = parseNumber(size);
  if (start === undefined || length === undefined || more.length > 0) return undefined;
  return { linear: linearOf(start, width), length: Number(length), data: colon < 0 ? "" : rest.slice(colon + 1) };
}

const readMemory: Command = (session, rest) => {
  const asked = range(session, rest);
  if (asked === undefined) return says(session, MALFORMED);
  if (asked.length === 0) return says(session, "");
  const bytes = readLinear(session.machine, asked.linear, Math.min(asked.length, PACKET_SIZE / 2));
  return says(session, bytes.length === 0 ? NO_MEMORY : toHex(bytes));
};

function writeMemory(session: Session, rest: string, decode: (data: string) => Uint8Array | undefined): Turn {
  const asked = range(session, rest);
  const bytes = asked === undefined ? undefined : decode(asked.data);
  if (asked === undefined || bytes === undefined || bytes.length !== asked.length) return says(session, MALFORMED);
  if (bytes.length === 0) return says(session, "OK");
  const machine = writeLinear(session.machine, asked.linear, bytes);
  return machine === undefined ? says(session, NO_MEMORY) : says(edited(session, machine), "OK");
}

const binary = (data: string): Uint8Array => Uint8Array.from(data, (character) => character.charCodeAt(0));

// ---- breakpoints ----------------------------------------------------------------------------------------------------

/** "TYPE,ADDRESS,KIND"; conditions behind it are gdb's own business, as none were offered. */
function stopPoint({ width }: Session, rest: string): StopPoint | undefined {
  const [type = "", address = "", kind = ""] = (rest.split(";")[0] ?? "").split(",");
  const name = /^[0-4]$/.test(type) ? stopPointTypes[Number(type)] : undefined;
  const start = parseNumber(address);
  const length = parseNumber(kind);
  if (name === undefined || start === undefined || length === undefined) return undefined;
  return { type: name, linear: linearOf(start, width), length: Number(length) };
}

const same = (a: StopPoint, b: StopPoint): boolean =>
  a.type === b.type && a.linear === b.linear && a.length === b.length;

const insert: Command = (session, rest) => {
  const point = stopPoint(session, rest);
  if (point === undefined) return says(session, /^[0-4],/.test(rest) ? MALFORMED : "");
  const watches = point.type !== "swbreak" && point.type !== "hwbreak";
  if (watches && (point.length === 0 || point.length > LONGEST_WATCHPOINT)) return says(session, REFUSED);
  const others = session.stopPoints.filter((other) => !same(other, point));
  if (others.length >= MOST_STOP_POINTS) return says(session, REFUSED);
  return says({ ...session, stopPoints: [...others, point] }, "OK");
};

const remove: Command = (session, rest) => {
  const point = stopPoint(session, rest);
  if (point === undefined) return says(session, /^[0-4],/.test(rest) ? MALFORMED : "");
  return says({ ...session, stopPoints: session.stopPoints.filter((other) => !same(other, point)) }, "OK");
};

// ---- going ----------------------------------------------------------------------------------------------------------

/** "ACTION[:THREAD];…": the first action that is for a processor there is. The others go on meanwhile, as they do. */
const resume: Command = (session, rest) => {
  for (const action of rest.split(";").slice(1)) {
    const [what = "", thread = "-1"] = action.split(":");
    const processor = processorOf(session.machine, thread);
    if (processor === undefined) continue;
    if (/^c$|^C[0-9a-f]{2}$/i.test(what)) return go(session, "continue");
    if (/^s$|^S[0-9a-f]{2}$/i.test(what)) return go(session, "step", thread === "-1" ? session.selected : processor);
    return says(session, MALFORMED);
  }
  return says(session, MALFORMED);
};

/** "[ADDRESS]", or with a signal "NN[;ADDRESS]". A machine takes no signals. */
function goFrom(session: Session, address: string, kind: "continue" | "step"): Turn {
  if (address === "") return go(session, kind);
  const start = parseNumber(address);
  const counter = registersOf(session.width).find(({ type }) => type === "code_ptr")!;
  if (start === undefined) return says(session, MALFORMED);
  const machine = writeRegisters(session.machine, session.selected, [[counter, BigInt.asUintN(counter.bits, start)]]);
  return machine === undefined ? says(session, REFUSED) : go(edited(session, machine), kind);
}

const withSignal =
  (kind: "continue" | "step"): Command =>
  (session, rest) => {
    const match = /^[0-9a-f]{2}(?:;([0-9a-f]+))?$/i.exec(rest);
    return match === null ? says(session, MALFORMED) : goFrom(session, match[1] ?? "", kind);
  };

// ---- queries --------------------------------------------------------------------------------------------------------

const abilities = [
  `PacketSize=${PACKET_SIZE.toString(16)}`,
  ...["qXfer:features:read+", "QStartNoAckMode+", "vContSupported+"],
  ...["swbreak+", "hwbreak+", "ReverseStep+", "ReverseContinue+"],
].join(";");

const readDescription: Command = (session, rest) => {
  const match = /^target\.xml:([0-9a-f]{1,8}),([0-9a-f]{1,8})$/i.exec(rest);
  if (match === null) return says(session, "E00");
  const text = description(session.width);
  const from = Number.parseInt(match[1]!, 16);
  const to = from + Math.min(Number.parseInt(match[2]!, 16), PACKET_SIZE / 2);
  return says(session, (to >= text.length ? "l" : "m") + text.slice(from, to));
};

const command: Command = (session, rest) => {
  const line = fromHex(rest);
  if (line === undefined) return says(session, MALFORMED);
  const { session: after, text } = monitor(session, new TextDecoder().decode(line));
  return says(after, textToHex(text));
};

const selectThread: Command = (session, rest) => {
  const selected = /^[gc]/.test(rest) ? processorOf(session.machine, rest.slice(1)) : undefined;
  if (selected === undefined) return says(session, MALFORMED);
  return says(rest.startsWith("g") ? { ...session, selected } : session, "OK");
};

const describeThread: Command = (session, rest) => {
  const number = processorOf(session.machine, rest);
  if (number === undefined) return says(session, MALFORMED);
  const { halted } = processorState(session.machine, number);
  return says(session, textToHex(`processor ${number}${halted ? ", halted" : ""}`));
};

const listThreads: Command = (session) =>
  says(session, `m${Array.from({ length: processorCount(session.machine) }, (_, number) => threadOf(number)).join()}`);

/** By how packets begin; of two that fit, the longer. */
const commands: Readonly<Record<string, Command>> = {
  "?": (session) => says(session, session.stopReply),
  g: (session) => says(session, encodeAll(session.width, selectedState(session))),
  G: writeAll,
  p: readOne,
  P: writeOne,
  m: readMemory,
  M: (session, rest) => writeMemory(session, rest, fromHex),
  X: (session, rest) => writeMemory(session, rest, binary),
  Z: insert,
  z: remove,
  c: (session, rest) => goFrom(session, rest, "continue"),
  s: (session, rest) => goFrom(session, rest, "step"),
  C: withSignal("continue"),
  S: withSignal("step"),
  bc: (session) => go(session, "back"),
  bs: (session) => go(session, "back-step"),
  "vCont?": answer("vCont;c;C;s;S"),
  vCont: resume,
  vKill: (session) => says({ ...session, left: "killed" }, "OK"),
  k: (session) => says({ ...session, left: "killed" }),
  D: (session) => says({ ...session, left: "detached" }, "OK"),
  H: selectThread,
  T: (session, rest) => says(session, processorOf(session.machine, rest) === undefined ? MALFORMED : "OK"),
  qSupported: answer(abilities),
  "qXfer:features:read:": readDescription,
  QStartNoAckMode: (session) => says({ ...session, noAcknowledgements: true }, "OK"),
  qAttached: answer("1"),
  qC: (session) => says(session, `QC${threadOf(session.selected)}`),
  qfThreadInfo: listThreads,
  qsThreadInfo: answer("l"),
  "qThreadExtraInfo,": describeThread,
  "qRcmd,": command,
  "qSymbol:": answer("OK"),
};

const names = Object.keys(commands).sort((a, b) => b.length - a.length);
/** Names of one word: what else begins with these letters is another packet. */
const whole: ReadonlySet<string> = new Set(["bc", "bs", "qC", "vCont?", "?", "g", "k", "QStartNoAckMode"]);

/** Does what a packet asks for. */
export function obey(session: Session, payload: string): Turn {
  for (const name of names) {
    if (whole.has(name) ? payload === name : payload.startsWith(name))
      return commands[name]!(session, payload.slice(name.length));
  }
  return says(session, "");
}
