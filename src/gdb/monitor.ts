/** Commands of our own: what gdb's `monitor` sends. */
import { isLong, modeOf } from "../hardware/cpu/state.js";
import { endOf, startOf } from "./history.js";
import type { Session } from "./session.js";

interface MonitorCommand {
  readonly argument?: string;
  readonly help: string;
  readonly run: (session: Session, argument: string) => { readonly session: Session; readonly text: string };
}

const DEFAULT_NAME = "snapshot";
/** What gdb has read of the machine before, it keeps. */
const REFRESH = "(gdb has not noticed: maintenance flush register-cache)";

const says =
  (text: (session: Session) => string): MonitorCommand["run"] =>
  (session) => ({
    session,
    text: text(session),
  });

function info({ machine, history, snapshots }: Session): string {
  const { cpu, cpl, steps, ticks, counters } = machine;
  const { instructions, exceptions, interrupts } = counters;
  return [
    `steps ${steps}, ticks ${ticks}: ${instructions} instructions, ${exceptions} exceptions, ${interrupts} interrupts`,
    `${isLong(cpu.system) ? "long" : modeOf(cpu.system, cpu.eflags)} mode, CPL ${cpl}${machine.halted ? ", halted" : ""}`,
    `can go back to step ${startOf(history)}, has been up to step ${endOf(history)}, ${history.length} machines kept`,
    ...(snapshots.size === 0 ? [] : [`snapshots: ${[...snapshots.keys()].join(", ")}`]),
  ].join("\n");
}

function snapshot(session: Session, name = DEFAULT_NAME): { session: Session; text: string } {
  const { machine, history } = session;
  const snapshots = new Map(session.snapshots).set(name, { machine, history });
  return { session: { ...session, snapshots }, text: `snapshot "${name}" at step ${machine.steps}` };
}

function restore(session: Session, name = DEFAULT_NAME): { session: Session; text: string } {
  const found = session.snapshots.get(name);
  if (found === undefined) return { session, text: `there is no snapshot "${name}"` };
  const text = `back at snapshot "${name}", step ${found.machine.steps} ${REFRESH}`;
  return { session: { ...session, ...found, end: undefined }, text };
}

const commands: Readonly<Record<string, MonitorCommand>> = {
  help: { help: "these commands", run: says(() => help) },
  info: { help: "where the machine is", run: says(info) },
  ticks: { help: "time since reset", run: says(({ machine }) => String(machine.ticks)) },
  hash: { help: "SHA-256 of the whole machine", run: says(({ machine }) => machine.hash) },
  snapshot: {
    argument: "[NAME]",
    help: "keep the machine as it is, with its past",
    run: (session, argument) => snapshot(session, argument || undefined),
  },
  restore: {
    argument: "[NAME]",
    help: "go to a machine that was kept",
    run: (session, argument) => restore(session, argument || undefined),
  },
};

const help = Object.entries(commands)
  .map(([name, { argument = "", help: words }]) => `${`${name} ${argument}`.padEnd(18)}${words}`)
  .join("\n");

/** Does what a line asks for, and gives what is to be printed. */
export function monitor(session: Session, line: string): { readonly session: Session; readonly text: string } {
  const [name = "", ...rest] = line.trim().split(/\s+/);
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) return { session, text: `unknown command "${name}"\n${help}\n` };
  const { session: after, text } = command.run(session, rest.join(" "));
  return { session: after, text: `${text}\n` };
}
