/** Unicorn as a judge of 16-bit code in real mode: builds unicorn-runner.c and gives it cases. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FLAG } from "../../src/hardware/cpu/state.js";
import type { FuzzCase } from "./native-cases.js";
import type { Choice } from "./native-encode.js";
import { decodeOutput, encodeInput, type Judge } from "./native-host.js";
import { CODE, CODE_PAGES, REAL_SHIFT } from "./native-layout.js";
import { HALTED, type Outcome } from "./native-machine.js";
import { findPeer } from "./peers.js";
import { packageRoot } from "./virtlab.js";

/** LOCK is for a destination in memory. */
const isLockable = ({ row, target }: Choice): boolean =>
  row.lock === true &&
  typeof target !== "number" &&
  (row.operands[0]?.method === "E" || row.operands[0]?.method === "M");

type Applies = (test: FuzzCase, ours: Outcome) => boolean;
const hasStep =
  (applies: (choice: Choice) => boolean): Applies =>
  ({ steps }) =>
    steps.some(({ choice }) => applies(choice));

/** Cases that Unicorn (2.0.1) cannot judge, each with its reason; the host's processor judges the same in user mode. */
const exclusions: readonly [reason: string, applies: Applies][] = [
  // QEMU, of which Unicorn is made, checks segment limits only where selectors are loaded.
  ["faults at a segment's limit, which Unicorn does not check", (_, { vector }) => vector === 12 || vector === 13],
  [
    "has LOCK where it is #UD, which ends Unicorn for some instructions (tcg fatal error)",
    hasStep((choice) => choice.prefixes.includes(0xf0) && !isLockable(choice)),
  ],
  [
    "has CRC32 or POPCNT, whose other prefixes Unicorn mistakes",
    hasStep(({ row }) => row.mnemonic === "CRC32" || row.mnemonic === "POPCNT"),
  ],
  [
    "has TEST by F6 /1 or F7 /1, which Unicorn does not know",
    hasStep(({ row }) => row.mnemonic === "TEST" && row.modrm === 1),
  ],
  [
    "has LOCK NEG, whose flags Unicorn gets wrong",
    hasStep(({ row, prefixes }) => row.mnemonic === "NEG" && prefixes.includes(0xf0)),
  ],
  [
    "has ENTER with 32-bit operands, with which Unicorn leaves the upper half of EBP",
    hasStep(({ row, size }) => row.mnemonic === "ENTER" && size === 32),
  ],
  [
    "has LOOPE, LOOPNE or CMPXCHG8B behind another instruction, whose flags Unicorn loses",
    ({ steps }) => steps.slice(1).some(({ choice }) => ["LOOPE", "LOOPNE", "CMPXCHG8B"].includes(choice.row.mnemonic)),
  ],
  [
    // With BOUND the host's processor wraps them, too.
    "has a pair at a 16-bit address, whose second part Unicorn does not wrap at 64 KiB",
    hasStep(({ row, addressSize }) => addressSize === 16 && ["p", "a"].includes(row.operands[1]?.type ?? "")),
  ],
  ["sets TF, which Unicorn does not trap", (_, { eflags }) => (eflags & FLAG.TF) !== 0],
  [
    "leaves its code",
    (_, { vector, eip, selectors }) => {
      const end = CODE + CODE_PAGES * 4096;
      const linear = eip + selectors![1]! * 16 + REAL_SHIFT;
      // HLT leaves the address behind it.
      return linear < CODE || linear > end || (linear === end && vector !== HALTED);
    },
  ],
];

export function excludedInUnicorn(test: FuzzCase, ours: Outcome): string | undefined {
  return exclusions.find(([, applies]) => applies(test, ours))?.[0];
}

/** The judge, or what is missing for it. */
export function openUnicorn(): Judge | string {
  const gcc = findPeer("gcc");
  if (gcc === undefined) return "gcc is not installed";
  const directory = mkdtempSync(join(tmpdir(), "virtlab-unicorn-"));
  const close = (): void => rmSync(directory, { recursive: true, force: true });
  const program = join(directory, "runner");
  const source = join(packageRoot, "tests", "support", "unicorn-runner.c");
  const built = spawnSync(gcc, ["-O1", "-o", program, source, "-lunicorn"]);
  if (built.status !== 0) {
    close();
    return `Unicorn is not installed (libunicorn-dev): ${String(built.stderr).trim().split("\n")[0]}`;
  }
  return {
    name: "Unicorn",
    world: "real",
    close,
    run: (cases) => {
      const { stdout, stderr, status, signal } = spawnSync(program, {
        input: encodeInput(cases, false),
        maxBuffer: 2 ** 30,
        timeout: 300_000,
      });
      const result = status === 0 ? decodeOutput(stdout, cases) : undefined;
      if (result === undefined)
        throw new Error(`the program with Unicorn ended too early (${signal ?? status}): ${String(stderr)}`);
      return result.outcomes;
    },
  };
}
