/**
 * `virtlab boot IMAGE`: runs a machine with its serial port on standard input and output.
 * Exit status: 0 powered off or reset, (value << 1) | 1 debug exit, 2 bad input, 3 limit, 4 triple fault, or a halt or loop for good.
 */
import path from "node:path";
import { Command, type Option } from "commander";
import type { Machine } from "../hardware/machine.js";
import type { Stop } from "../hardware/state.js";
import { VirtlabError } from "../state/error.js";
import { type Course, courseOf } from "./boot/course.js";
import { runUnderGdb } from "./boot/debugged.js";
import { firstMachine } from "./boot/first-machine.js";
import { type BootFlags, bootOptions, COST_TABLE } from "./boot/flags.js";
import { readRecording, writeRecording } from "./boot/recording.js";
import { type End, runSession, type Session, type Spinning } from "./boot/session.js";
import { checkFlags, techniqueOf } from "./boot/technique.js";
import { courseOfVm, hostAgain, hostOf, runsHypervisor } from "./boot/virtual-machine.js";
import { deathReport } from "./death-report.js";
import { checkWritable, writeFile } from "./files.js";
import { EXIT_STATUS } from "./status.js";

export function bootCommand(): Command {
  const command = new Command("boot")
    .description("boot a kernel, a flat binary, a ROM or a disk, with its serial port on standard input and output")
    .argument("[image]", "Linux kernel (bzImage, vmlinux), multiboot kernel, or a flat binary loaded at 1 MiB")
    .action(async (image: string | undefined, flags: BootFlags) => {
      const given = command.options.filter((option) => command.getOptionValueSource(option.attributeName()) === "cli");
      if (flags.loadState !== undefined) refuseMachineOptions(given);
      process.exitCode = await boot(image, flags);
    });
  for (const option of bootOptions) command.addOption(option);
  return command;
}

async function boot(imageFile: string | undefined, flags: BootFlags): Promise<number> {
  const { stats, record, replay, saveState } = flags;
  if (record !== undefined && replay !== undefined)
    throw new VirtlabError("boot: a recording is made (--record) or followed (--replay), not both at once");
  if (record !== undefined && flags.gdb !== undefined)
    throw new VirtlabError("boot: what a debugger does is not recorded (--record does not go with --gdb)");
  if (flags.reboot && (record ?? replay) !== undefined)
    throw new VirtlabError("boot: a recording ends with a reset, so it does not go with --reboot");
  const start = firstCourse(imageFile, flags);
  if (flags.screen && start.machine.devices.vga === undefined)
    throw new VirtlabError(`boot: a machine "${start.machine.kind}" has no screen to show (--screen)`);
  const recording = replay === undefined ? undefined : readRecording(replay);
  if (recording !== undefined && recording.start !== start.whole.hash)
    throw new VirtlabError(`${replay}: recorded on another machine: image and options have to be the same`);
  // Before a long run rather than after it.
  const written = [stats, record, saveState].filter((file) => file !== undefined);
  for (const file of written) checkWritable(file);
  if (new Set(written.map((file) => path.resolve(file))).size < written.length)
    throw new VirtlabError("boot: --save-state, --record and --stats each need a file of its own");

  const began = process.hrtime.bigint();
  const caught: { interrupted: boolean; wake?: () => void } = { interrupted: false };
  const interrupt = (): void => {
    caught.interrupted = true;
    caught.wake?.();
  };
  // Without anything to keep, Ctrl-C ends the command as it ends any other.
  if ((record ?? saveState) !== undefined) process.once("SIGINT", interrupt);
  const session =
    flags.gdb === undefined
      ? await runSession(start, flags, recording, caught)
      : await runUnderGdb(start.machine, flags.gdb, flags, recording, caught);
  process.removeListener("SIGINT", interrupt);

  const wallSeconds = Number(process.hrtime.bigint() - began) / 1e9;
  const { machine, inputs } = session;
  const { whole } = session.course;
  if (saveState !== undefined) writeFile(saveState, whole.save());
  if (record !== undefined) writeRecording(record, start.whole, inputs, whole);
  if (stats !== undefined) writeFile(stats, `${JSON.stringify(statistics(session, flags, wallSeconds), null, 2)}\n`);
  if (recording !== undefined && (whole.steps !== recording.end.steps || whole.hash !== recording.end.hash))
    throw new VirtlabError(`${replay}: the run ended otherwise than the recorded one, after ${whole.steps} steps`);
  const status = recording !== undefined && session.end.reason === "limit" ? EXIT_STATUS.ok : statusOf(session);
  if (flags.json) process.stdout.write(`${JSON.stringify(summary(session, flags, status, wallSeconds), null, 2)}\n`);
  else {
    if (flags.screen) process.stdout.write(`${screenText(machine)}\n`);
    if (recording === undefined || session.end.reason !== "limit") tell(session, flags);
  }
  return status;
}

/** What runs: the machine, or the host whose VM it is. @throws VirtlabError for what cannot be. */
function firstCourse(imageFile: string | undefined, flags: BootFlags): Course {
  const technique = techniqueOf(flags);
  const { loadState, hostMemory } = flags;
  // In front of all that is read.
  if (loadState === undefined) checkFlags(flags, technique !== undefined);
  const machine = firstMachine(imageFile, flags, technique);
  const isHost = loadState !== undefined && runsHypervisor(machine);
  checkFlags(flags, isHost || technique !== undefined);
  if (isHost) {
    if (hostMemory !== undefined) throw new VirtlabError(`${loadState}: a host that has its memory (--host-memory)`);
    return courseOfVm(hostAgain(machine, loadState, technique));
  }
  return technique === undefined ? courseOf(machine) : courseOfVm(hostOf(machine, technique, hostMemory));
}

/** What would make another machine than the saved one. */
const OF_MACHINES = [
  ...["real", "machine", "model", "smp", "memory", "seed", "append", "initrd", "entry", "disk", "module", "debugExit"],
];

function refuseMachineOptions(given: readonly Option[]): void {
  const option = given.find((one) => OF_MACHINES.includes(one.attributeName()));
  if (option === undefined) return;
  const name = option.long ?? option.flags;
  throw new VirtlabError(`boot: a saved machine is what it is: ${name} does not go with --load-state`);
}

/** The lines of the screen, without what is blank at its end. */
const screenText = (machine: Machine): string =>
  machine.screen === undefined ? "(the machine has no VGA)" : machine.screen.text.join("\n").trimEnd();

/** Ends that are no dead end, and their status. */
const STATUS: Readonly<Record<string, number>> = {
  reset: EXIT_STATUS.ok,
  "power-off": EXIT_STATUS.ok,
  limit: EXIT_STATUS.limit,
  timeout: EXIT_STATUS.limit,
  interrupted: EXIT_STATUS.limit,
};

const statusOf = ({ end }: Session): number =>
  end.reason === "debug-exit" ? end.status : (STATUS[end.reason] ?? EXIT_STATUS.stuck);

const isDead = (end: End): end is Stop | Spinning => end.reason !== "debug-exit" && STATUS[end.reason] === undefined;

/** On standard error, why it ended, where that is not the guest's wish. */
function tell({ end, machine, earlier, exceptions }: Session, { maxInstructions, timeout }: BootFlags): void {
  if (end.reason === "limit")
    process.stderr.write(`virtlab: stopped at the limit of ${maxInstructions} instructions\n`);
  else if (end.reason === "timeout") process.stderr.write(`virtlab: stopped after ${timeout} seconds\n`);
  else if (isDead(end)) process.stderr.write(deathReport(end, machine, earlier, exceptions));
}

function statistics({ machine, course }: Session, { costTable = COST_TABLE }: BootFlags, wallSeconds: number) {
  const { instructions, exceptions, interrupts } = machine.counters;
  const own = { instructions, ticks: machine.ticks, exceptions, interrupts, wallSeconds };
  return { ...own, ...course.virtual?.statistics(costTable) };
}

function summary(session: Session, flags: BootFlags, status: number, wallSeconds: number) {
  const { end, machine, output } = session;
  return {
    end: end.reason,
    status,
    steps: machine.steps,
    ...statistics(session, flags, wallSeconds),
    hash: session.course.whole.hash,
    ...(flags.screen ? { screen: machine.screen?.text ?? null } : {}),
    serial: Buffer.from(output, "latin1").toString("utf8"),
  };
}
