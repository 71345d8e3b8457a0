/**
 * A run observed from outside, in windows of equal length: what share of it each kind of instruction has, how the
 * privilege level changes, and which exceptions, interrupts and INT instructions there are. Only one window's events
 * are in memory at a time.
 */
import type { Machine } from "../../hardware/machine.js";
import type { MachineEvent } from "../../hardware/state.js";
import { VirtlabError } from "../../state/error.js";
import type { OnProgress, Progress } from "../../state/progress.js";

export interface ProfileOptions {
  /** Steps to look at; fewer if the machine stops before. Default 1,000,000. */
  readonly steps?: number;
  /** Windows to divide them into. Default 160. */
  readonly windows?: number;
  /** Is told how many steps were looked at, of how many. What it throws ends it. */
  readonly onProgress?: OnProgress;
}

/** A step that is not an ordinary instruction. */
export interface RunIncident {
  readonly kind: "exception" | "interrupt" | "INT";
  /** The step at which it came: `timeline.goto(step)` is the machine just before it. */
  readonly step: number;
  /** "#PF", "vector 32". */
  readonly name: string;
  readonly detail: string;
}

export interface ProfileWindow {
  /** Its first step. */
  readonly step: number;
  /** Instructions by group. */
  readonly groups: Readonly<Record<string, number>>;
}

export interface RunProfile {
  readonly from: number;
  readonly to: number;
  readonly windowSteps: number;
  readonly windows: readonly ProfileWindow[];
  /** The privilege level from each of these steps on. */
  readonly levels: readonly { readonly step: number; readonly cpl: number }[];
  /** Steps at each privilege level, by level. */
  readonly stepsAt: readonly number[];
  readonly incidents: readonly RunIncident[];
}

const OBSERVED = ["instruction", "exception", "interrupt"] as const;
const NOTHING = { done: 0 };
const eipText = (eip: number): string => `EIP 0x${(eip >>> 0).toString(16)}`;

/** Runs the machine (the value itself stays) and looks at every step: about a million steps take a second. */
export function profileRun(machine: Machine, options: ProfileOptions = {}): RunProfile {
  const { steps = 1_000_000, windows = 160, onProgress } = options;
  for (const [name, value] of Object.entries({ steps, windows })) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new VirtlabError(`figure of a run: ${name} is ${value}, but must be a whole number, 1 or greater`);
  }
  const tell = (at: Machine, beyond: Pick<Progress, "done" | "ticks">, total: number, finished = false): void => {
    const done = at.steps - machine.steps + beyond.done;
    onProgress?.({ done, total, unit: "steps", ticks: at.ticks - machine.ticks + (beyond.ticks ?? 0), finished });
  };
  tell(machine, NOTHING, steps);
  const end = machine.run({ maxInstructions: steps });
  const total = end.steps - machine.steps;
  const windowSteps = Math.max(1, Math.ceil(total / windows));
  const profile = new ProfileBuilder();
  let current = machine;
  while (current.steps < end.steps) {
    const at = current;
    const next = at.run({
      maxInstructions: Math.min(windowSteps, end.steps - at.steps),
      observe: OBSERVED,
      ...(onProgress ? { onProgress: (piece) => tell(at, piece, total) } : {}),
    });
    if (next.steps === at.steps) break;
    profile.addWindow(at.steps, next.events);
    current = next;
  }
  tell(current, NOTHING, total, true);
  return { from: machine.steps, to: end.steps, windowSteps, ...profile };
}

class ProfileBuilder {
  readonly windows: ProfileWindow[] = [];
  readonly levels: { step: number; cpl: number }[] = [];
  readonly stepsAt = [0, 0, 0, 0];
  readonly incidents: RunIncident[] = [];

  addWindow(first: number, events: readonly MachineEvent[]): void {
    const groups: Record<string, number> = {};
    let step = first;
    for (const [index, event] of events.entries()) {
      switch (event.kind) {
        case "instruction":
          groups[event.group] = (groups[event.group] ?? 0) + 1;
          this.#level(step, event.cpl);
          if (event.mnemonic === "INT")
            this.incidents.push({
              kind: "INT",
              step,
              name: "INT",
              detail: `INT at ${eipText(event.eip)}, CPL ${event.cpl}`,
            });
          step++;
          break;
        case "exception": {
          // A faulting instruction is seen and does not count; the delivery of its exception is the step.
          const before = events[index - 1];
          if (before?.kind === "instruction" && before.eip === event.eip) step--;
          const code = event.errorCode === undefined ? "" : `, error code ${event.errorCode}`;
          const at = event.cr2 === undefined ? "" : `, address 0x${(event.cr2 >>> 0).toString(16)}`;
          this.incidents.push({
            kind: "exception",
            step,
            name: event.name,
            detail: `${event.name} at ${eipText(event.eip)}, CPL ${event.cpl}${code}${at}`,
          });
          step++;
          break;
        }
        case "interrupt":
          this.incidents.push({
            kind: "interrupt",
            step,
            name: `vector ${event.vector}`,
            detail: `vector ${event.vector} at ${eipText(event.eip)}, CPL ${event.cpl}`,
          });
          step++;
          break;
      }
    }
    this.windows.push({ step: first, groups });
  }

  #level(step: number, cpl: number): void {
    this.stepsAt[cpl] = this.stepsAt[cpl]! + 1;
    if (this.levels.at(-1)?.cpl !== cpl) this.levels.push({ step, cpl });
  }
}
