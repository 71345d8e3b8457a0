/**
 * `virtlab exec PROGRAM ARG…`: runs a program for Linux in the kernel and ends as it does.
 * Exit status: the program's, 128 and the number of the signal that ended it, 2 bad input, 4 it waits for what will not come.
 */
import { Command, InvalidArgumentError, Option } from "commander";
import { type ModelName, modelNames } from "../hardware/cpu/model.js";
import { Machine } from "../hardware/machine.js";
import type { MachineEvent } from "../hardware/state.js";
import { errnoText } from "../kernel/errno-texts.js";
import { hasFileSystem } from "../kernel/fs/file-systems.js";
import { Kernel, type KernelMount, type SpawnOptions } from "../kernel/kernel.js";
import { callLine } from "../kernel/trace/call-line.js";
import { VirtlabError } from "../state/error.js";
import { rootFrom, rootOfProgram } from "./exec/root.js";
import { type ExecSession, runProgram } from "./exec/session.js";
import { EXIT_STATUS } from "./status.js";

interface ExecFlags {
  readonly root?: string;
  readonly env: readonly string[];
  readonly memory: string;
  readonly model: ModelName;
  readonly trace?: true;
}

/** What is mounted beside the root, where the kernel has it. */
const MOUNTS: readonly KernelMount[] = [
  { type: "proc", at: "/proc" },
  { type: "sysfs", at: "/sys" },
  { type: "devpts", at: "/dev/pts", options: "mode=620,gid=5,ptmxmode=666" },
  { type: "tmpfs", at: "/tmp" },
];

const variable = (text: string, all: readonly string[]): readonly string[] => {
  if (!/^[^=]+=/.test(text)) throw new InvalidArgumentError(`"${text}" is not NAME=VALUE.`);
  return [...all.filter((other) => other.split("=", 1)[0] !== text.split("=", 1)[0]), text];
};

export function execCommand(): Command {
  return new Command("exec")
    .description(
      "run a program for Linux in this library's kernel, with its standard streams, and exit with its status",
    )
    .argument("<program>", "with --root: a name in PATH, or a path in the root; otherwise a static program of the host")
    .argument("[arguments...]", "what the program is given, options included")
    .passThroughOptions()
    .addOption(new Option("--root <tar|dir>", "root: a tar or cpio archive, or a folder, which is only read"))
    .addOption(
      new Option("--env <name=value>", "variable of the program's environment; may be repeated")
        .argParser(variable)
        .default([], "PATH, HOME and, on a terminal, TERM"),
    )
    .addOption(new Option("--memory <size>", "RAM of the machine").default("256M"))
    .addOption(new Option("--cpu, --model <name>", "processor model").choices([...modelNames]).default("max"))
    .addOption(new Option("--trace", "write every system call to standard error, as strace does"))
    .action(async (program: string, parameters: readonly string[], flags: ExecFlags) => {
      process.exitCode = await exec(program, parameters, flags);
    });
}

async function exec(program: string, parameters: readonly string[], flags: ExecFlags): Promise<number> {
  const machine = Machine.create({ machine: "pc", model: flags.model, memory: flags.memory });
  const { root, name } =
    flags.root === undefined ? rootOfProgram(program) : { root: rootFrom(flags.root), name: program };
  const mounts = MOUNTS.filter(({ type }) => hasFileSystem(type));
  const streams = ([process.stdin, process.stdout, process.stderr] as const).map(({ isTTY }) =>
    isTTY ? "console" : "pipes",
  ) as unknown as Exclude<SpawnOptions["streams"], string | undefined>;
  const any = streams.includes("console");
  const environment = variable(`TERM=${process.env.TERM ?? "linux"}`, []);
  const kernel = Kernel.boot(machine, { root, mounts }).spawn([name, ...parameters], {
    environment: any && !flags.env.some((one) => one.startsWith("TERM=")) ? [...environment, ...flags.env] : flags.env,
    streams,
    inputOpen: true,
  });
  const { id } = kernel.spawned.at(-1)!;
  const trace = flags.trace === undefined ? undefined : lines;
  const session = await runProgram(kernel, id, { terminals: { input: streams[0] === "console", any }, trace });
  return statusOf(session, program);
}

function lines(events: readonly MachineEvent[]): void {
  const text = events.map((event) => (event.kind === "syscall" ? callLine(event) : "")).join("");
  if (text !== "") process.stderr.write(Buffer.from(text, "latin1"));
}

function statusOf({ process: { failed, status }, stuck, closed }: ExecSession, program: string): number {
  if (failed !== undefined) throw new VirtlabError(`${program}: cannot be run: ${errnoText(failed)} (${failed})`);
  const SIGPIPE = 13;
  if (closed && status === undefined) return 128 + SIGPIPE;
  if (stuck || status === undefined) {
    process.stderr.write(`virtlab: ${program} waits for what will not come\n`);
    return EXIT_STATUS.stuck;
  }
  const signal = status & 0x7f;
  return signal === 0 ? (status >> 8) & 0xff : 128 + signal;
}
