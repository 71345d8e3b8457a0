/** A run of a program in the kernel with its descriptors on those of this process, until it ends. */
import { TICKS_PER_SECOND } from "../../hardware/devices/mc146818.js";
import type { MachineEvent } from "../../hardware/state.js";
import type { Kernel, SpawnedProcess } from "../../kernel/kernel.js";
import { ConsoleInput } from "../boot/console-input.js";

/** Steps between two looks at standard input. */
const SLICE = 4_000_000;
/** Bytes that lie before the program unread; more is fetched when they are fewer. */
const AHEAD = 1 << 20;

export interface ExecSession {
  readonly process: SpawnedProcess;
  /** It waits for what will not come. */
  readonly stuck: boolean;
  /** Whoever read the output is gone. */
  readonly closed: boolean;
}

/** Which descriptors are on a terminal. */
export interface Terminals {
  readonly input: boolean;
  readonly any: boolean;
}

interface Options {
  readonly terminals: Terminals;
  readonly trace: ((events: readonly MachineEvent[]) => void) | undefined;
}

export async function runProgram(start: Kernel, id: number, { terminals, trace }: Options): Promise<ExecSession> {
  const { stdin, stdout, stderr } = process;
  const input = new ConsoleInput(stdin, AHEAD);
  const state = { closed: false, resized: true, ended: false };
  const close = (): void => {
    state.closed = true;
    input.wake();
  };
  stdout.on("error", close);
  stderr.on("error", close);
  const resize = (): void => {
    state.resized = true;
    input.wake();
  };
  if (terminals.any) stdout.on("resize", resize);
  if (terminals.input) stdin.setRawMode(true);
  let kernel = start;
  let printed = kernel.machine.devices.uart.output.length;
  try {
    for (;;) {
      if (terminals.any && state.resized && stdout.rows !== undefined) {
        state.resized = false;
        kernel = kernel.resize(stdout.rows, stdout.columns);
      }
      kernel = given(kernel);
      const before = kernel.machine;
      const began = performance.now();
      kernel = kernel.run({ maxInstructions: SLICE, until: { ended: id }, ...(trace ? { observe: ["syscall"] } : {}) });
      trace?.(kernel.events);
      const { stop } = kernel;
      await put();
      const own = processOf(kernel);
      if (own.status !== undefined || state.closed) return { process: own, stuck: false, closed: state.closed };
      if (stop?.reason !== "limit" && !(stop?.reason === "halted" && stop.waitsForInput))
        return { process: own, stuck: true, closed: false };
      if (stop.reason === "halted") {
        if (state.ended && input.ended && !state.resized) return { process: own, stuck: true, closed: false };
        await input.more(Number.POSITIVE_INFINITY);
        continue;
      }
      // Who sits at a terminal has time that goes by as theirs does.
      const idle = kernel.machine.ticks - before.ticks - (kernel.machine.steps - before.steps);
      const ahead = terminals.input ? (1000 * idle) / TICKS_PER_SECOND - (performance.now() - began) : 0;
      if (ahead > 0) await input.more(ahead);
      else await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    if (terminals.input) stdin.setRawMode(false);
    stdout.removeListener("resize", resize);
    input.close();
  }

  function processOf({ spawned }: Kernel): SpawnedProcess {
    return spawned.find((one) => one.id === id)!;
  }

  /** The kernel with what has come in meanwhile. */
  function given(now: Kernel): Kernel {
    if (!terminals.input && processOf(now).unread >= AHEAD) return now;
    const bytes = input.typed();
    if (terminals.input) return bytes.length === 0 ? now : now.type(bytes);
    const fed = bytes.length === 0 ? now : now.feed(id, bytes);
    if (!input.ended || state.ended) return fed;
    state.ended = true;
    return fed.closeInput(id);
  }

  /** What the program has put out goes where it belongs, before there is more. */
  async function put(): Promise<void> {
    const { kernel: rest, output, errors } = kernel.collect(id);
    kernel = rest;
    const news = kernel.machine.devices.uart.output.slice(printed);
    printed += news.length;
    await write(stdout, Buffer.from(news, "latin1"));
    await write(stdout, output);
    await write(stderr, errors);
  }

  async function write(stream: NodeJS.WriteStream, bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0 || state.closed) return;
    await new Promise<void>((resolve) => stream.write(bytes, () => resolve()));
  }
}
