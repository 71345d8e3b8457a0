/** What an operator does to a kernel from outside, as changes of what it remembers: orders that it carries out at its next boundary. */

import { VirtlabError } from "../state/error.js";
import { isBytes } from "../state/plain-data.js";
import type { Pipe } from "./fs/pipes.js";
import { joinBytes } from "./mm/user-memory.js";
import type { SpawnedProcess, SpawnOptions, Stream } from "./options.js";
import { type OperatorProcess, operatorPipe } from "./orders.js";
import type { KernelState, Order } from "./state.js";

const DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const RUN_ON = Number.POSITIVE_INFINITY;

/** Text is UTF-8; what the kernel has as text are its bytes as characters. */
const asBytes = (input: string | Uint8Array, what: string): Uint8Array => {
  if (typeof input === "string") return new TextEncoder().encode(input);
  if (!isBytes(input)) throw new VirtlabError(`${what}: neither text nor bytes`);
  return input.slice();
};

function words(texts: readonly string[], what: string): string[] {
  if (!Array.isArray(texts) || texts.some((text) => typeof text !== "string" || text.includes("\0")))
    throw new VirtlabError(`spawn: ${what} has to be texts without NUL`);
  return texts.map((text) => [...new TextEncoder().encode(text)].map((byte) => String.fromCharCode(byte)).join(""));
}

export const ordered = (state: KernelState, order: Order): KernelState => ({
  ...state,
  orders: [...state.orders, order],
});

function streamsOf(streams: SpawnOptions["streams"] = "pipes"): readonly [Stream, Stream, Stream] {
  const all = typeof streams === "string" ? ([streams, streams, streams] as const) : streams;
  if (all.length !== 3 || all.some((one) => one !== "console" && one !== "pipes"))
    throw new VirtlabError('spawn: streams are "console" or "pipes", one for all or three');
  return [all[0], all[1], all[2]];
}

/** A process to be started. @throws VirtlabError for what cannot be one's arguments. */
export function spawned(state: KernelState, parameters: readonly string[], options: SpawnOptions): KernelState {
  const { environment = [], directory = "/", input = "", inputOpen = false } = options;
  const streams = streamsOf(options.streams);
  const [program, ...rest] = words(parameters, "the arguments");
  if (program === undefined || program === "") throw new VirtlabError("spawn: there is no program to start");
  const given = words(environment, "the environment");
  const defaults = [DEFAULT_PATH, "HOME=/root"].filter(
    (one) => !given.some((other) => other.startsWith(one.slice(0, one.indexOf("=") + 1))),
  );
  const id = state.nextId;
  const bytes = asBytes(input, "spawn: input");
  const parts = bytes.length === 0 ? [] : [bytes];
  const stdin = { ...operatorPipe(), writers: inputOpen ? 1 : 0, parts, size: bytes.length };
  const pipes = [id + 1, id + 2, id + 3] as const;
  const [out, errors] = [operatorPipe(), operatorPipe()].map((pipe) => ({ ...pipe, capacity: RUN_ON }));
  let { objects } = state;
  objects = objects.set(pipes[0], stdin).set(pipes[1], out).set(pipes[2], errors);
  const process: OperatorProcess = { kind: "operator-process", pid: 0, failed: undefined, status: undefined, pipes };
  const order: Order = {
    kind: "spawn",
    id,
    arguments: [program, ...rest],
    environment: [...defaults, ...given],
    streams,
    directory: words([directory], "the directory")[0]!,
  };
  return ordered({ ...state, objects: objects.set(id, process), nextId: id + 4 }, order);
}

/** @throws VirtlabError for a number that no process started from outside has. */
function operatorProcess({ objects }: KernelState, id: number): OperatorProcess {
  const found = objects.get(id) as OperatorProcess | undefined;
  if (found?.kind !== "operator-process")
    throw new VirtlabError(`kernel: ${id} is no process that was started from outside`);
  return found;
}

/** More can be read at descriptor 0. @throws VirtlabError where its end was there already. */
export function fed(state: KernelState, id: number, input: string | Uint8Array): KernelState {
  const [pipe] = operatorProcess(state, id).pipes;
  const found = state.objects.get(pipe) as Pipe | undefined;
  // Whoever closes the reading end is not to blame for what comes later.
  if (found === undefined) return state;
  if (found.writers === 0) throw new VirtlabError(`feed: the input of process ${id} has its end already`);
  return ordered(state, { kind: "feed", id, bytes: asBytes(input, "feed") });
}

/** Nothing more will be fed. */
export function closed(state: KernelState, id: number): KernelState {
  operatorProcess(state, id);
  return ordered(state, { kind: "close", id });
}

const heldBy = ({ objects }: KernelState, pipe: number): Uint8Array => {
  const { parts, read } = (objects.get(pipe) as Pipe | undefined) ?? operatorPipe();
  return joinBytes([...parts, new Uint8Array(0)]).slice(read);
};

/** The processes that were started from outside, in order. */
export function spawnedOf(state: KernelState): readonly SpawnedProcess[] {
  const found: SpawnedProcess[] = [];
  for (const [id, value] of state.objects.entries()) {
    if ((value as OperatorProcess).kind !== "operator-process") continue;
    const { pid, failed, pipes } = value as OperatorProcess;
    const status = statusOf(state, id);
    const unread = (state.objects.get(pipes[0]) as Pipe | undefined)?.size ?? 0;
    const [output, errors] = [heldBy(state, pipes[1]), heldBy(state, pipes[2])];
    found.push(Object.freeze({ id, pid, failed, status, output, errors, unread }));
  }
  return Object.freeze(found.sort((a, b) => a.id - b.id));
}

/** Wait status of a process started from outside; undefined while it has not ended. */
export function statusOf(state: KernelState, id: number): number | undefined {
  return operatorProcess(state, id).status;
}

/** The output so far, and the kernel without it. */
export function collected(
  state: KernelState,
  id: number,
): { readonly state: KernelState; readonly output: Uint8Array; readonly errors: Uint8Array } {
  const { pipes } = operatorProcess(state, id);
  let { objects } = state;
  for (const pipe of pipes.slice(1)) {
    const found = objects.get(pipe) as Pipe | undefined;
    if (found !== undefined && found.size > 0) objects = objects.set(pipe, { ...found, parts: [], read: 0, size: 0 });
  }
  const [output, errors] = [heldBy(state, pipes[1]), heldBy(state, pipes[2])];
  return { state: objects === state.objects ? state : { ...state, objects }, output, errors };
}
