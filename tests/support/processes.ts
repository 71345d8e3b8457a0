/** Runs a program to its end with given input, for tests that look at all it printed. */
import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What a process left behind. */
export interface Ended {
  /** Exit status; undefined if it was killed, by the time limit for example. */
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Written to standard input, which is then closed. */
  readonly input?: string;
  readonly cwd?: string;
  /** Instead of the environment of this process. */
  readonly environment?: NodeJS.ProcessEnv;
  /** The process is killed after this time. */
  readonly milliseconds?: number;
}

export function runProcess(program: string, args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return run(program, args, options, "pipe");
}

/**
 * The same with a file as standard output, for programs that lose output when a pipe is full, as QEMU's serial port does.
 *
 * @param killAfter the process is killed once its standard output contains this text.
 */
export async function runProcessToFile(
  program: string,
  args: readonly string[],
  options: RunOptions & { readonly killAfter?: string } = {},
): Promise<Ended> {
  const directory = mkdtempSync(join(tmpdir(), "virtlab-output-"));
  const file = join(directory, "stdout");
  const output = openSync(file, "w");
  const read = (): string => readFileSync(file, "utf8");
  const { killAfter } = options;
  const isComplete = killAfter === undefined ? undefined : (): boolean => read().includes(killAfter);
  try {
    const ended = await run(program, args, options, output, isComplete);
    return { ...ended, stdout: read() };
  } finally {
    closeSync(output);
    rmSync(directory, { recursive: true, force: true });
  }
}

function run(
  program: string,
  args: readonly string[],
  { input = "", cwd, environment, milliseconds = 30_000 }: RunOptions,
  output: "pipe" | number,
  isComplete?: () => boolean,
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ["pipe", output, "pipe"],
      ...(cwd === undefined ? {} : { cwd }),
      ...(environment === undefined ? {} : { env: environment }),
    });
    const stop = (): boolean => child.kill("SIGKILL");
    const timer = setTimeout(stop, milliseconds);
    const watch = isComplete === undefined ? undefined : setInterval(() => isComplete() && stop(), 20);
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout?.on("data", (bytes: Buffer) => stdout.push(bytes));
    child.stderr?.on("data", (bytes: Buffer) => stderr.push(bytes));
    // A program that ends without reading its input closes the pipe; that is its right.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input);
    const finish = (): void => {
      clearTimeout(timer);
      clearInterval(watch);
    };
    child.on("error", (error) => {
      finish();
      reject(error);
    });
    child.on("close", (code) => {
      finish();
      resolve({
        status: code ?? undefined,
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
      });
    });
  });
}
