/** The host's own processor as a judge: builds native-runner.c and gives it cases. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type FuzzCase, startEip, type World } from "./native-cases.js";
import { IMAGE_BYTES, maskedChanges } from "./native-floats.js";
import { background, CODE_BYTES, palette, WINDOW_BYTES } from "./native-layout.js";
import { codeOf, type Outcome } from "./native-machine.js";
import { findPeer } from "./peers.js";
import { packageRoot } from "./virtlab.js";

export const nativeOptions = ["-m32", "-O1", "-nostdlib", "-static", "-fno-pie", "-no-pie", "-fno-stack-protector"];
const CASE_BYTES = 17 * 4 + CODE_BYTES + WINDOW_BYTES + IMAGE_BYTES;
const PAGE_FAULT = 14;
/** Set for a fetch where pages can be non-executable; the machine's cannot. */
const FETCH = 0x10;

export interface Judge {
  readonly name: string;
  readonly world: World;
  run(cases: readonly FuzzCase[]): Outcome[];
  close(): void;
}

/** Bits of `flags` in Linux's struct user_desc. */
function descriptor(index: number): number[] {
  const { base, limit, granular, big, kind, restricted } = palette[index]!;
  const contents = { data: 0, "expand-down": 1, code: 2 }[kind];
  return [
    index,
    base >>> 0,
    limit,
    Number(big) | (contents << 1) | (Number(restricted) << 3) | (Number(granular) << 4),
  ];
}

/** The input of both runners. */
export function encodeInput(cases: readonly FuzzCase[], segments: boolean): Uint8Array {
  const entries = segments ? palette.flatMap((_, index) => descriptor(index)) : [];
  const head = new Uint8Array(Uint32Array.from([entries.length / 4, ...entries]).buffer);
  const input = new Uint8Array(head.length + background.length + cases.length * CASE_BYTES);
  input.set(head);
  input.set(background, head.length);
  const view = new DataView(input.buffer);
  cases.forEach((test, index) => {
    const at = head.length + background.length + index * CASE_BYTES;
    const values = [...test.registers, startEip(test), test.eflags, ...test.selectors, test.start];
    values.forEach((value, number) => {
      view.setUint32(at + 4 * number, value, true);
    });
    input.set(codeOf(test), at + 4 * values.length);
    input.set(test.window, at + 4 * values.length + CODE_BYTES);
    input.set(test.floats, at + 4 * values.length + CODE_BYTES + WINDOW_BYTES);
  });
  return input;
}

/**
 * The output of both runners; the first word is 1 if there are segments, and 2 if each case ends with its selectors instead
 * of its floating-point registers.
 */
export function decodeOutput(
  bytes: Buffer,
  cases: readonly FuzzCase[],
): { hasSegments: boolean; outcomes: Outcome[] } | undefined {
  const words = new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  const real = words[0] === 2;
  const outcomes: Outcome[] = [];
  let at = 1;
  const take = (count: number): number[] => {
    at += count;
    return [...words.subarray(at - count, at)];
  };
  const takeChanges = (): number[] => take(2 * take(1)[0]!);
  for (let number = 0; at < words.length; number++) {
    const [vector, errorCode, eip, cr2, eflags] = take(5) as unknown as [number, number, number, number, number];
    const registers = take(8);
    const changes = takeChanges();
    outcomes.push({
      vector,
      errorCode: vector === PAGE_FAULT ? errorCode & ~FETCH : errorCode,
      eip,
      cr2: vector === PAGE_FAULT ? cr2 : 0,
      ...{ eflags, registers, changes },
      ...(real ? { selectors: take(6) } : { floats: maskedChanges(cases[number]!.floats, takeChanges()) }),
    });
  }
  return outcomes.length === cases.length ? { hasSegments: words[0] === 1, outcomes } : undefined;
}

/** The judge, or what is missing for it. */
export function openHost(): Judge | string {
  const gcc = findPeer("gcc");
  if (gcc === undefined) return "gcc is not installed";
  const directory = mkdtempSync(join(tmpdir(), "virtlab-native-"));
  const close = (): void => rmSync(directory, { recursive: true, force: true });
  const program = join(directory, "runner");
  const source = join(packageRoot, "tests", "support", "native-runner.c");
  const built = spawnSync(gcc, [...nativeOptions, "-o", program, source]);
  const run = (cases: readonly FuzzCase[], segments: boolean) => {
    const { stdout, status } = spawnSync(program, { input: encodeInput(cases, segments), maxBuffer: 2 ** 30 });
    return status === 0 ? decodeOutput(stdout, cases) : undefined;
  };
  const failed = (what: string): string => {
    close();
    return what;
  };
  if (built.status !== 0) return failed(`gcc cannot build 32-bit programs (${String(built.stderr).trim()})`);
  if (run([], false) === undefined) return failed("the system does not run 32-bit programs");
  const segments = run([], true)?.hasSegments ?? false;
  return {
    name: "the host's processor",
    world: segments ? "segments" : "flat",
    close,
    run: (cases) => {
      const result = run(cases, segments);
      if (result === undefined) throw new Error("the native program ended too early");
      return result.outcomes;
    },
  };
}
