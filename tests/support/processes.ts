/** Runs a program to its end with given input, for tests that look at all it printed. */
import { spawn } from "node:child_process";

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
  /** The process is killed after this time. */
  readonly milliseconds?: number;
  /** The process is killed as soon as its standard output contains this text. */
  readonly killAfter?: string;
}

export function runProcess(program: string, args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const { input = "", cwd, milliseconds = 30_000, killAfter } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: "pipe", ...(cwd === undefined ? {} : { cwd }) });
    const timer = setTimeout(() => child.kill("SIGKILL"), milliseconds);
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on("data", (bytes: Buffer) => {
      stdout.push(bytes);
      if (killAfter !== undefined && Buffer.concat(stdout).includes(killAfter)) child.kill("SIGKILL");
    });
    child.stderr.on("data", (bytes: Buffer) => stderr.push(bytes));
    // A program that ends without reading its input closes the pipe; that is its right.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({
        status: code ?? undefined,
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
      });
    });
  });
}
