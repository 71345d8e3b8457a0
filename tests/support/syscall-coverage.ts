/**
 * Which system calls the programs of tests/linux have made, and with what results, where their whole text is what Linux prints. Tests
 * record it when VIRTLAB_SYSCALL_COVERAGE names a folder; `npm run coverage:syscalls` sets it and makes a table of what it finds there.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { MachineEvent } from "../../src/hardware/state.js";
import { errnoName } from "../../src/kernel/errno.js";
import { type SystemCallName, systemCallNumbers } from "../../src/kernel/syscalls/numbers.js";
import { served } from "../../src/kernel/syscalls/table.js";

const folder = process.env["VIRTLAB_SYSCALL_COVERAGE"];
/** Whether anybody asks for what programs call. */
export const records = folder !== undefined;

/** What became of a call, by its name: "ok", or the name of an errno. */
type Outcomes = Record<string, string[]>;

/** Keeps what a program has called, after its text was found equal. */
export function recordCalls(program: string, events: readonly MachineEvent[]): void {
  if (folder === undefined) return;
  const outcomes: Record<string, Set<string>> = {};
  for (const event of events) {
    if (event.kind !== "syscall" || !event.served) continue;
    const outcome = event.result < 0 && event.result > -4096 ? (errnoName(-event.result) ?? "?") : "ok";
    const known = outcomes[event.name] ?? new Set();
    outcomes[event.name] = known.add(outcome);
  }
  const plain = Object.fromEntries(Object.entries(outcomes).map(([name, found]) => [name, [...found].sort()]));
  writeFileSync(join(folder, `${program}.json`), JSON.stringify(plain));
}

/** How far a call is there. */
export const levels = {
  both: "served; success and errors are those of Linux",
  one: "served; one outcome is that of Linux",
  served: "served; no program of ours makes it",
  none: "ENOSYS",
} as const;

export interface CallCoverage {
  readonly name: SystemCallName;
  /** -1 where there is none. */
  readonly x86_64: number;
  readonly i386: number;
  readonly level: keyof typeof levels;
  readonly outcomes: readonly string[];
  readonly programs: readonly string[];
}

/** Every system call of Linux, with what the recorded programs have seen of it. */
export function readCoverage(from: string): readonly CallCoverage[] {
  const rows = new Set<string>(served.map(({ name }) => name));
  const seen = new Map<string, { outcomes: Set<string>; programs: string[] }>();
  for (const file of readdirSync(from).sort()) {
    for (const [name, found] of Object.entries(JSON.parse(readFileSync(join(from, file), "utf8")) as Outcomes)) {
      const one = seen.get(name) ?? { outcomes: new Set(), programs: [] };
      for (const outcome of found) one.outcomes.add(outcome);
      one.programs.push(file.replace(".json", ""));
      seen.set(name, one);
    }
  }
  return Object.entries(systemCallNumbers).map(([name, [x86_64, i386]]) => {
    const { outcomes = new Set<string>(), programs = [] } = seen.get(name) ?? {};
    const errors = [...outcomes].filter((outcome) => outcome !== "ok").length;
    const compared = outcomes.has("ok") && errors > 0 ? "both" : "one";
    const level = !rows.has(name) ? "none" : outcomes.size === 0 ? "served" : compared;
    return { name: name as SystemCallName, x86_64, i386, level, outcomes: [...outcomes].sort(), programs };
  });
}

/** The coverage as text: a line a call, and sums. */
export function coverageTable(coverage: readonly CallCoverage[]): string {
  const number = (value: number): string => (value < 0 ? "-" : String(value)).padStart(4);
  const lines = coverage.map(
    ({ name, x86_64, i386, level, outcomes }) =>
      `${number(x86_64)} ${number(i386)}  ${name.padEnd(26)} ${level.padEnd(7)} ${outcomes.join(" ")}`,
  );
  const sums = Object.entries(levels).map(
    ([level, meaning]) => `${coverage.filter((one) => one.level === level).length} ${level}: ${meaning}`,
  );
  return [" x64 i386  name                       level   outcomes seen, as on Linux", ...lines, "", ...sums].join("\n");
}
