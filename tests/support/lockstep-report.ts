/** What a comparison in lockstep found, as text for people and as JSON. */
import type { Registers } from "../../src/hardware/machine.js";
import type { Difference, Outcome } from "./lockstep.js";
import { comparedRegisters } from "./lockstep-state.js";

const hex = (value: number): string => value.toString(16).padStart(8, "0");
const count = (value: number): string => value.toLocaleString("en-US");
const bytesText = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

const ends: Readonly<Record<string, string>> = {
  limit: "up to the limit",
  halt: "up to a halt, which only an interrupt could end",
  "debug-exit": "up to the debug exit, with the same status",
  reset: "up to a reset, which QEMU sees, too",
  "triple-fault": "up to a triple fault, which QEMU sees, too",
};

/** One line without a difference; with one, all there is to know of it. */
export function reportText(name: string, outcome: Outcome): string {
  const { steps, end, difference, adopted } = outcome;
  const lines =
    difference === undefined
      ? [`${name}: no difference in ${count(steps)} steps, ${ends[end]}`]
      : [headline(name, difference), ...differenceLines(difference)];
  const taken = Object.entries(adopted).map(([what, times]) => `${what} ${count(times)}`);
  if (taken.length > 0) lines.push(`  taken over from QEMU, as it differs by nature: ${taken.join(", ")}`);
  return `${lines.join("\n")}\n`;
}

function headline(name: string, { unequal: [first], step, instruction }: Difference): string {
  const where = step === 0 ? "at the start" : `behind step ${count(step)}, ${instruction.text}`;
  return `${name}: ${first.what} differs ${where}: virtlab ${first.ours}, QEMU ${first.qemu}`;
}

function differenceLines({ unequal, instruction, before, after, recent }: Difference): string[] {
  const { address, bytes, text, qemu } = instruction;
  return [
    `  instruction at ${hex(address)}, bytes ${bytesText(bytes)}`,
    `    virtlab  ${text}`,
    `    QEMU     ${qemu}`,
    "  last steps",
    ...recent.map((step) => `    ${hex(step.address)}  ${step.text}`),
    "  registers   in front   virtlab    QEMU",
    ...registerLines(before, after.ours, after.qemu),
    ...unequal
      .filter(({ what }) => !(comparedRegisters as readonly string[]).includes(what))
      .map(({ what, ours, qemu: theirs }) => `  ${what}: virtlab ${ours}, QEMU ${theirs}`),
  ];
}

function registerLines(before: Registers, ours: Registers, theirs: Registers | undefined): string[] {
  return comparedRegisters.map((name) => {
    const mark = theirs === undefined || ours[name] === theirs[name] ? "" : "  differs";
    const qemu = theirs === undefined ? "-" : hex(theirs[name]);
    return `    ${name.padEnd(9)} ${hex(before[name])}   ${hex(ours[name])}   ${qemu}${mark}`;
  });
}

/** The outcome as one line of JSON; bytes in hexadecimal. */
export function reportJson(image: string, outcome: Outcome): string {
  const shown = (_name: string, value: unknown): unknown => (value instanceof Uint8Array ? bytesText(value) : value);
  return `${JSON.stringify({ image, ...outcome }, shown)}\n`;
}
