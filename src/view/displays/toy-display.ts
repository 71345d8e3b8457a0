/** A toy machine for readers: registers with what changed, the code around pc, and the end of what it printed. */
import { disassembleToy, type ToyInstruction } from "../../hardware/toy/disassembler.js";
import type { ToyMachine, ToyRegisters } from "../../hardware/toy/machine.js";
import type { ToyStop } from "../../hardware/toy/state.js";
import { Display } from "../display.js";
import { frame } from "../style.js";
import { escapeHtml, grouped, hex, hexBytes, visible } from "../text.js";

export interface ToyDisplayOptions {
  /** The machine to compare with: what changed since is marked. */
  readonly since?: ToyMachine | undefined;
}

const NAMES = ["r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "pc"] as const;
const LENGTH = 4;
const BEFORE = 4;
const AFTER = 8;
/** Characters of output, from its end. */
const OUTPUT_SHOWN = 600;

const stopTexts: Readonly<Record<ToyStop["reason"], string>> = {
  limit: "stopped at the limit",
  until: "stopped where asked",
  halted: "halted",
  exception: "exception",
};

function stateText({ stop, halted }: ToyMachine): string {
  if (stop === undefined) return halted ? "halted" : "";
  return stopTexts[stop.reason] + (stop.reason === "exception" ? `: ${stop.detail}` : "");
}

/** The instructions around pc, all of which lie at multiples of four bytes from it. */
function codeAround(machine: ToyMachine): readonly ToyInstruction[] {
  const { pc } = machine.registers;
  const start = Math.max(pc % LENGTH, pc - BEFORE * LENGTH);
  const end = Math.min(machine.memory.size, pc + (AFTER + 1) * LENGTH);
  if (pc + LENGTH > end) return [];
  const whole = end - ((end - start) % LENGTH);
  return disassembleToy(machine.memory.read(start, whole - start), { address: start });
}

/** A toy machine as HTML and as text. */
export function toyDisplay(machine: ToyMachine, { since }: ToyDisplayOptions = {}): Display {
  const code = codeAround(machine);
  return new Display(html(machine, since?.registers ?? machine.registers, code), text(machine, code));
}

const outputOf = (machine: ToyMachine): string => visible(machine.output.slice(-OUTPUT_SHOWN));

function html(machine: ToyMachine, before: ToyRegisters, code: readonly ToyInstruction[]): string {
  const { registers, hash } = machine;
  const state = stateText(machine);
  const registerRows = NAMES.map((name) => {
    const [value, old] = [hex(registers[name], 8), hex(before[name], 8)];
    const cell = value === old ? value : `<span class="was">${old} →</span> <mark>${value}</mark>`;
    return `<tr><th scope="row">${name}</th><td>${cell}</td></tr>`;
  });
  const codeRows = code.map(({ address, bytes, text: line }) => {
    const here = address === registers.pc;
    return `<tr${here ? ' class="here"' : ""}><td class="arrow">${here ? "▶" : ""}</td><td class="dim">${hex(address, 4)}</td><td class="dim">${hexBytes(bytes)}</td><td>${escapeHtml(line)}</td></tr>`;
  });
  const table = (rows: readonly string[]): string => `<table class="mono"><tbody>${rows.join("")}</tbody></table>`;
  const output = outputOf(machine);
  const parts = [
    `<div class="head"><b>Toy machine</b> <span>step ${grouped(machine.steps)}</span> ${state && `<span class="chip">${escapeHtml(state)}</span>`} <span class="end dim">content <code title="${hash}">${hash.slice(0, 12)}</code></span></div>`,
    `<div class="cols"><div>${table(registerRows)}</div><div class="grow"><div class="title">Code around pc</div>${code.length === 0 ? '<p class="dim">There is no memory.</p>' : table(codeRows)}</div></div>`,
    output === "" ? "" : `<div class="row"><div class="title">Output</div><pre>${escapeHtml(output)}</pre></div>`,
  ];
  return frame(parts.filter(Boolean).join("\n"));
}

function text(machine: ToyMachine, code: readonly ToyInstruction[]): string {
  const { registers, hash, steps } = machine;
  const state = stateText(machine);
  const words = (names: readonly (typeof NAMES)[number][]): string =>
    names.map((name) => `${name} ${hex(registers[name], 8)}`).join("  ");
  const output = outputOf(machine);
  return [
    `toy machine at step ${grouped(steps)}${state && `, ${state}`}, content ${hash.slice(0, 12)}`,
    words(NAMES.slice(0, 4)),
    words(NAMES.slice(4)),
    "",
    ...(code.length === 0
      ? ["there is no memory at pc"]
      : code.map(
          ({ address, bytes, text: line }) =>
            `${address === registers.pc ? "=>" : "  "} ${hex(address, 4)}  ${hexBytes(bytes)}  ${line}`,
        )),
    ...(output === ""
      ? []
      : [
          "",
          "output:",
          ...output
            .replace(/\n$/, "")
            .split("\n")
            .map((line) => `| ${line}`),
        ]),
  ].join("\n");
}
