/**
 * What to know of a machine that came to a dead end: registers, the last exceptions, the last instructions. The
 * instructions were not recorded: they are run again from an earlier value.
 */
import { disassemble } from "../hardware/isa/disassembler.js";
import type { Machine } from "../hardware/machine.js";
import type { MachineEvent, Stop } from "../hardware/state.js";

const LAST_INSTRUCTIONS = 12;
const PAGE = 4096;

const hex = (value: number, digits = 8): string => value.toString(16).padStart(digits, "0");

const titles: Readonly<Record<string, string>> = {
  "triple-fault": "triple fault: an exception while delivering a double fault",
  halted: "halted, and nothing can end the halt",
  unsupported: "stopped at something this machine does not have",
};

export function deathReport(
  stop: Stop,
  machine: Machine,
  earlier: Machine,
  exceptions: readonly MachineEvent[],
): string {
  const title =
    stop.reason === "unsupported"
      ? `${titles["unsupported"]}: ${stop.detail}`
      : stop.reason === "halted" && stop.waitsForInput
        ? "halted, waiting for input that will not come"
        : titles[stop.reason];
  return [
    `virtlab: ${title}, after ${machine.counters.instructions} instructions`,
    ...registerLines(machine),
    ...(exceptions.length > 0 ? ["last exceptions:", ...exceptions.map(exceptionLine)] : []),
    "last instructions:",
    ...lastInstructions(machine, earlier),
    "",
  ].join("\n");
}

function registerLines(machine: Machine): string[] {
  const r = machine.registers;
  const row = (...names: (keyof typeof r)[]): string => `  ${names.map((name) => `${name}=${hex(r[name])}`).join(" ")}`;
  const short = (...names: (keyof typeof r)[]): string =>
    `  ${names.map((name) => `${name}=${hex(r[name], 4)}`).join(" ")} cpl=${machine.cpl}`;
  return [
    row("eax", "ebx", "ecx", "edx"),
    row("esi", "edi", "ebp", "esp"),
    row("eip", "eflags"),
    short("cs", "ss", "ds", "es", "fs", "gs"),
    row("cr0", "cr2", "cr3", "cr4"),
  ];
}

function exceptionLine(event: MachineEvent): string {
  if (event.kind !== "exception") return "";
  const code = event.errorCode === undefined ? "" : ` error code ${hex(event.errorCode, 4)}`;
  const address = event.cr2 === undefined ? "" : ` at ${hex(event.cr2)}`;
  return `  ${event.name}${code}${address}, eip ${hex(event.eip)}, cpl ${event.cpl}, tick ${event.tick}`;
}

function lastInstructions(machine: Machine, earlier: Machine): string[] {
  const skip = machine.steps - earlier.steps - LAST_INSTRUCTIONS;
  const from = skip > 0 ? earlier.run({ maxInstructions: skip }) : earlier;
  const { events } = from.run({ maxInstructions: machine.steps - from.steps, observe: ["instruction"] });
  return events.map((event) => `  ${hex(event.eip)}  ${textAt(machine, event.eip)}`);
}

/** The instruction as it stands now: code that changed itself since reads differently. */
function textAt(machine: Machine, eip: number): string {
  const linear = (machine.cpu.system.segments.cs.base + eip) >>> 0;
  try {
    return (
      disassemble(machine.readLinear(linear, PAGE - (linear % PAGE)), { address: eip, count: 1 })[0]?.text ?? "(bad)"
    );
  } catch {
    return "(not mapped)";
  }
}
