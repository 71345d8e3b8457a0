/**
 * What to know of a machine that came to a dead end: registers, the last exceptions, the last instructions. The
 * instructions were not recorded: they are run again from an earlier value.
 */
import { EFER } from "../hardware/cpu/state.js";
import { instructionAt } from "../hardware/inspect/instruction-at.js";
import { type RegisterValue, registersOf } from "../hardware/inspect/registers.js";
import type { Machine } from "../hardware/machine.js";
import type { MachineEvent, Stop } from "../hardware/state.js";
import type { Spinning } from "./boot/session.js";

const LAST_INSTRUCTIONS = 12;

/** Addresses of the upper half are negative. */
const hex = (value: number, digits = value < 0 ? 16 : 8): string =>
  BigInt.asUintN(64, BigInt(value)).toString(16).padStart(digits, "0");

const titles: Readonly<Record<string, string>> = {
  "triple-fault": "triple fault: an exception while delivering a double fault",
  halted: "halted, and nothing can end the halt",
  spins: "jumps to itself, and nothing can end that",
  unsupported: "stopped at something this machine does not have",
};

export function deathReport(
  stop: Stop | Spinning,
  machine: Machine,
  earlier: Machine,
  exceptions: readonly MachineEvent[],
): string {
  const title =
    stop.reason === "unsupported"
      ? `${titles["unsupported"]}: ${stop.detail}`
      : (stop.reason === "halted" || stop.reason === "spins") && stop.waitsForInput
        ? `${stop.reason === "spins" ? "jumps to itself" : "halted"}, waiting for input that will not come`
        : titles[stop.reason];
  const { instructions } = machine.counters;
  const where = machine.turn === undefined ? "" : ` (processor ${machine.turn.processor})`;
  return [
    `virtlab: ${title}, after ${instructions} instruction${instructions === 1 ? "" : "s"}${where}`,
    ...registerLines(machine),
    ...(exceptions.length > 0
      ? ["last exceptions:", ...exceptions.map((event) => exceptionLine(event, pointerName(machine)))]
      : []),
    "last instructions:",
    ...lastInstructions(machine, earlier),
    "",
  ].join("\n");
}

function registerLines(machine: Machine): string[] {
  const registers = registersOf(machine);
  const row = (...names: RegisterValue["name"][]): string =>
    `  ${registers
      .filter(({ name }) => names.includes(name))
      .sort((a, b) => names.indexOf(a.name) - names.indexOf(b.name))
      .map(({ name, value, bits }) => `${name}=${value.toString(16).padStart(bits / 4, "0")}`)
      .join(" ")}`;
  const segments = `${row("cs", "ss", "ds", "es", "fs", "gs")} cpl=${machine.cpl}`;
  if (registers.some(({ name }) => name === "rax"))
    return [
      ...[row("rax", "rbx", "rcx", "rdx"), row("rsi", "rdi", "rbp", "rsp"), row("r8", "r9", "r10", "r11")],
      ...[row("r12", "r13", "r14", "r15"), row("rip", "rflags"), segments],
      ...[row("cr0", "cr2", "cr3", "cr4"), row("efer", "fs base", "gs base")],
    ];
  return [
    ...[row("eax", "ebx", "ecx", "edx"), row("esi", "edi", "ebp", "esp")],
    ...[row("eip", "eflags"), segments, row("cr0", "cr2", "cr3", "cr4")],
  ];
}

const pointerName = (machine: Machine): string => (machine.cpu.system.efer & EFER.LMA ? "rip" : "eip");

function exceptionLine(event: MachineEvent, pointer: string): string {
  if (event.kind !== "exception") return "";
  const code = event.errorCode === undefined ? "" : ` error code ${hex(event.errorCode, 4)}`;
  const address = event.cr2 === undefined ? "" : ` at ${hex(event.cr2)}`;
  return `  ${event.name}${code}${address}, ${pointer} ${hex(event.eip)}, cpl ${event.cpl}, tick ${event.tick}`;
}

function lastInstructions(machine: Machine, earlier: Machine): string[] {
  const skip = machine.steps - earlier.steps - LAST_INSTRUCTIONS;
  const lines: string[] = [];
  let at = skip > 0 ? earlier.run({ maxInstructions: skip }) : earlier;
  while (at.steps < machine.steps) {
    const next = at.run({ maxInstructions: 1, observe: ["instruction"] });
    if (next.steps === at.steps) break;
    for (const event of next.events) lines.push(`  ${hex(event.eip)}  ${textAt(at, event.eip)}`);
    at = next;
  }
  return lines;
}

/** The instruction as it stands before it is executed: it may unmap or change itself, or lead to another mode. */
function textAt(machine: Machine, eip: number): string {
  const { bytes, text } = instructionAt(machine, eip);
  return bytes.length === 0 ? "(not mapped)" : text;
}
