/**
 * What was typed at a machine and when, as a file: with the same machine it makes the same run again. Everything else of
 * a run follows from the machine, so nothing else is in it but where it began and ended.
 */
import { readFileSync } from "node:fs";
import type { Machine } from "../../hardware/machine.js";
import { withFile } from "../../notebook/file-error.js";
import { VirtlabError } from "../../state/error.js";
import { writeFile } from "../files.js";

const KIND = "virtlab recording";
const VERSION = 1;

/** Bytes typed at the serial port after so many steps. */
export interface TypedInput {
  readonly steps: number;
  readonly serial: Uint8Array;
}

export interface Recording {
  /** Hash of the machine it began with. */
  readonly start: string;
  readonly inputs: readonly TypedInput[];
  readonly end: { readonly steps: number; readonly hash: string };
}

/** @throws VirtlabError if the file cannot be written. */
export function writeRecording(file: string, start: Machine, inputs: readonly TypedInput[], end: Machine): void {
  const recording = {
    kind: KIND,
    version: VERSION,
    start: start.hash,
    inputs: inputs.map(({ steps, serial }) => ({ steps, serial: Buffer.from(serial).toString("base64") })),
    end: { steps: end.steps, hash: end.hash },
  };
  writeFile(file, `${JSON.stringify(recording, null, 2)}\n`);
}

/** @throws VirtlabError for a file that is no recording. */
export function readRecording(file: string): Recording {
  const text = withFile(file, "cannot be read", () => readFileSync(file, "utf8"));
  const refuse = (what: string): never => {
    throw new VirtlabError(`${file}: ${what}`);
  };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refuse("no recording (it is no JSON)");
  }
  const { kind, version, start, inputs, end } = (value ?? {}) as Record<string, unknown>;
  if (kind !== KIND) return refuse("no recording");
  if (version !== VERSION) return refuse(`a recording of version ${String(version)}, where ${VERSION} is known`);
  const { steps: endSteps, hash } = (end ?? {}) as Record<string, unknown>;
  if (typeof start !== "string" || typeof hash !== "string" || !isCount(endSteps) || !Array.isArray(inputs))
    return refuse("a damaged recording");
  let last = 0;
  const typed = inputs.map((input: unknown): TypedInput => {
    const { steps, serial } = (input ?? {}) as Record<string, unknown>;
    if (!isCount(steps) || steps < last || typeof serial !== "string") return refuse("a damaged recording");
    last = steps;
    return { steps, serial: Buffer.from(serial, "base64") };
  });
  return { start, inputs: typed, end: { steps: endSteps, hash } };
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
