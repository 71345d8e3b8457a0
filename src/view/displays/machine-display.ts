/**
 * A machine for readers: registers with what changed, flags, the code around EIP, counters, and the end of the output.
 * Left out on purpose: memory (`machine.memory.read`), descriptors (`machine.cpu`), devices (`machine.devices`).
 */
import { FLAG } from "../../hardware/cpu/state.js";
import { instructionPointer } from "../../hardware/inspect/instruction-at.js";
import { type RegisterValue, registersOf } from "../../hardware/inspect/registers.js";
import type { Counters, Machine } from "../../hardware/machine.js";
import type { Stop } from "../../hardware/state.js";
import { Display } from "../display.js";
import { frame } from "../style.js";
import { address, addressDigits, counted, escapeHtml, grouped, hex, hexBytes, visible } from "../text.js";
import { type CodeLine, codeAround } from "./code-window.js";

export interface MachineDisplayOptions {
  /** The machine to compare with: what changed since is marked. */
  readonly since?: Machine | undefined;
  /** Lines of serial output, from its end. Default 6. */
  readonly serialLines?: number | undefined;
}

/** The registers in the groups they are shown in; flags have a line of their own. */
function registerGroups(
  machine: Machine,
  since: Machine | undefined,
): Readonly<Record<"general" | "system", readonly RegisterValue[]>> {
  const all = registersOf(machine, { since: since ?? machine });
  const flags = all.findIndex(({ name }) => name === "eflags" || name === "rflags");
  return { general: all.slice(0, flags), system: all.slice(flags + 1) };
}

/** A register now, and before if it is another value. */
function registerTexts({
  value,
  before,
  changed,
  bits,
}: RegisterValue): readonly [now: string, old: string | undefined] {
  return [hex(value, bits / 4), changed ? hex(before!, bits / 4) : undefined];
}

/** Flags in the order of their bits in EFLAGS, highest first; those that programs hardly use only when they are set. */
const FLAGS = ["OF", "DF", "IF", "TF", "SF", "ZF", "AF", "PF", "CF"] as const;
const RARE_FLAGS = ["ID", "VIP", "VIF", "AC", "VM", "RF", "NT"] as const;

/** The flags by name, with which of them changed. */
interface Flag {
  readonly name: string;
  readonly set: boolean;
  readonly changed: boolean;
}

function flagsOf(eflags: number, before: number): readonly Flag[] {
  const flag = (name: keyof typeof FLAG): Flag => ({
    name,
    set: (eflags & FLAG[name]) !== 0,
    changed: ((eflags ^ before) & FLAG[name]) !== 0,
  });
  return [...RARE_FLAGS.map(flag).filter(({ set, changed }) => set || changed), ...FLAGS.map(flag)];
}

const ioplOf = (eflags: number): number => (eflags & FLAG.IOPL) >> 12;
const privilege = (cpl: number): string => `CPL ${cpl} (${cpl === 3 ? "user" : "supervisor"})`;

/** Why a run ended, in words. */
export function stopText(stop: Stop): string {
  switch (stop.reason) {
    case "limit":
      return "stopped at the limit";
    case "until":
      return "stopped where asked";
    case "breakpoint":
      return `stopped at the breakpoint 0x${stop.address.toString(16)}`;
    case "watchpoint":
      return `stopped behind a ${stop.access} of 0x${stop.address.toString(16)}`;
    case "debug-exit":
      return `debug exit with ${stop.value} (status ${stop.status})`;
    case "halted":
      return stop.waitsForInput ? "halted, waits for input" : "halted for good";
    case "triple-fault":
      return "triple fault";
    case "unsupported":
      return `unsupported: ${stop.detail}`;
    default:
      return stop.reason;
  }
}

const counterLabels: readonly (readonly [keyof Counters, string, string])[] = [
  ["instructions", "instruction", "instructions"],
  ["exceptions", "exception", "exceptions"],
  ["interrupts", "interrupt", "interrupts"],
  ["portReads", "port read", "port reads"],
  ["portWrites", "port write", "port writes"],
];

/** The end of the serial output: how many lines are before it, the lines, and where in them new output begins. */
function serialTail(
  machine: Machine,
  since: Machine | undefined,
  lines: number,
): { left: number; old: string; fresh: string } {
  const { serial } = machine;
  const all = serial.replace(/\r?\n$/, "").split("\n");
  const left = serial === "" ? 0 : Math.max(0, all.length - lines);
  const from = all.slice(0, left).reduce((length, line) => length + line.length + 1, 0);
  const known = since && serial.startsWith(since.serial) ? since.serial.length : serial.length;
  const split = Math.max(from, Math.min(known, serial.length));
  return { left, old: visible(serial.slice(from, split)), fresh: visible(serial.slice(split)) };
}

/** A machine as HTML and as text. Costs its hash, which is kept, and a look at the code. */
export function machineDisplay(machine: Machine, options: MachineDisplayOptions = {}): Display {
  const { since, serialLines = 6 } = options;
  const code = codeAround(machine);
  const serial = serialTail(machine, since, serialLines);
  return new Display(html(machine, since, code, serial), text(machine, since, code, serial));
}

type SerialTail = ReturnType<typeof serialTail>;

// ---- HTML -----------------------------------------------------------------------------------------------------------

function html(machine: Machine, since: Machine | undefined, code: readonly CodeLine[], serial: SerialTail): string {
  const { registers, cpl, stop } = machine;
  const { general, system } = registerGroups(machine, since);
  // R8 to R15 and RIP stand beside the others.
  const columns = general.length > 9 ? [general.slice(0, 8), general.slice(8), system] : [general, system];
  const before = since?.registers ?? registers;
  const pointer = instructionPointer(machine);
  const moved =
    since && since.steps !== machine.steps ? ` <mark>${signedCount(machine.steps - since.steps)}</mark>` : "";
  const head = [
    "<b>Machine</b>",
    `<span>step ${grouped(machine.steps)}${moved}</span>`,
    `<span class="dim">tick ${grouped(machine.ticks)}</span>`,
    `<span class="chip${cpl === 3 ? " user" : ""}">${since && since.cpl !== cpl ? `<span class="was">CPL ${since.cpl} →</span> <mark>${privilege(cpl)}</mark>` : privilege(cpl)}</span>`,
    stop
      ? `<span class="chip">${escapeHtml(visible(stopText(stop)))}</span>`
      : machine.halted
        ? '<span class="chip">halted</span>'
        : "",
    `<span class="end dim">content <code title="${machine.hash}">${machine.hash.slice(0, 12)}</code></span>`,
  ];
  return frame(
    [
      `<div class="head">${head.filter(Boolean).join(" ")}</div>`,
      `<div class="cols">${columns.map((group) => `<div>${registerTable(group)}</div>`).join("")}<div class="grow"><div class="title">Code around ${columns.length > 2 ? "RIP" : "EIP"}</div>${codeTable(code, pointer)}</div></div>`,
      `<div class="row">${flagsHtml(registers.eflags, before.eflags)}</div>`,
      serialHtml(serial),
      `<div class="row dim">${countersHtml(machine, since)}</div>`,
    ].join("\n"),
  );
}

function registerTable(registers: readonly RegisterValue[]): string {
  const rows = registers.map((register) => {
    const [value, old] = registerTexts(register);
    const cell = old === undefined ? value : `<span class="was">${old} →</span> <mark>${value}</mark>`;
    return `<tr><th scope="row">${register.name}</th><td>${cell}</td></tr>`;
  });
  return `<table class="mono"><tbody>${rows.join("")}</tbody></table>`;
}

function flagsHtml(eflags: number, before: number): string {
  const flags = flagsOf(eflags, before).map(({ name, set, changed }) => {
    const shown = `<span class="${set ? "on" : "off"}">${set ? name : name.toLowerCase()}</span>`;
    return changed ? `<mark title="${name} changed">${shown}</mark>` : shown;
  });
  const iopl = ioplOf(eflags) === ioplOf(before) ? `IOPL ${ioplOf(eflags)}` : `<mark>IOPL ${ioplOf(eflags)}</mark>`;
  return `<span class="mono"><span class="dim">eflags</span> ${hex(eflags, 8)} &ensp;<span class="flags" title="capitals are set">${flags.join(" ")}</span> &ensp;${iopl}</span>`;
}

function codeTable(code: readonly CodeLine[], pointer: number): string {
  if (code.length === 0) return `<p class="dim">Nothing is mapped at ${address(pointer)}.</p>`;
  const classes = { before: ' class="guess"', here: ' class="here"', after: "" } as const;
  const rows = code.map(
    ({ place, address: at, bytes, text }) =>
      `<tr${classes[place]}><td class="arrow">${place === "here" ? "▶" : ""}</td><td class="dim">${hex(at, addressDigits(at))}</td><td class="dim">${hexBytes(bytes)}</td><td>${escapeHtml(text)}</td></tr>`,
  );
  return `<table class="mono"><tbody>${rows.join("")}</tbody></table>`;
}

function serialHtml({ left, old, fresh }: SerialTail): string {
  if (old === "" && fresh === "") return "";
  const more = left === 0 ? "" : `, ${counted(left, "line")} before these`;
  return `<div class="row"><div class="title">Serial output${more}</div><pre>${escapeHtml(old)}${fresh === "" ? "" : `<mark>${escapeHtml(fresh)}</mark>`}</pre></div>`;
}

function countersHtml(machine: Machine, since: Machine | undefined): string {
  const { counters } = machine;
  const before = since?.counters ?? counters;
  return counterLabels
    .map(([name, one, many]) => {
      const more = counters[name] - before[name];
      return counted(counters[name], one, many) + (more === 0 ? "" : ` <mark>${signedCount(more)}</mark>`);
    })
    .join(" · ");
}

const signedCount = (count: number): string => (count < 0 ? `−${grouped(-count)}` : `+${grouped(count)}`);

// ---- text -----------------------------------------------------------------------------------------------------------

function text(machine: Machine, since: Machine | undefined, code: readonly CodeLine[], serial: SerialTail): string {
  const { registers, stop, counters } = machine;
  const before = since?.registers ?? registers;
  const state = stop ? stopText(stop) : machine.halted ? "halted" : "";
  const { general, system } = registerGroups(machine, since);
  const pointer = instructionPointer(machine);
  const registerLine = (group: readonly RegisterValue[]): string =>
    group
      .map((register) => {
        const [value, old] = registerTexts(register);
        return `${register.name} ${old === undefined ? value : `${old}→${value}`}`;
      })
      .join("  ");
  // The last line of general registers has EIP or RIP, too.
  const rows = general.length > 9 ? [0, 4, 8, 12] : [0, 4];
  const flags = flagsOf(registers.eflags, before.eflags).map(
    ({ name, set, changed }) => (set ? name : name.toLowerCase()) + (changed ? "*" : ""),
  );
  const lines = [
    `machine at step ${grouped(machine.steps)}, tick ${grouped(machine.ticks)}, ${privilege(machine.cpl)}${state && `, ${visible(state)}`}, content ${machine.hash.slice(0, 12)}`,
    ...rows.map((from, index) => registerLine(general.slice(from, rows[index + 1] ?? general.length))),
    registerLine(system.slice(0, 6)),
    registerLine(system.slice(6)),
    `eflags ${hex(registers.eflags, 8)}  ${flags.join(" ")}  IOPL ${ioplOf(registers.eflags)}`,
    counterLabels.map(([name, one, many]) => counted(counters[name], one, many)).join(", "),
    "",
    ...(code.length === 0
      ? [`nothing is mapped at ${address(pointer)}`]
      : code.map(
          (line) =>
            `${line.place === "here" ? "=>" : "  "} ${hex(line.address, addressDigits(line.address))}  ${hexBytes(line.bytes).padEnd(20)}  ${line.text}`,
        )),
  ];
  const output = serial.old + serial.fresh;
  if (output !== "") {
    const more = serial.left === 0 ? "" : `, ${counted(serial.left, "line")} before these`;
    lines.push(
      "",
      `serial output${more}:`,
      ...output
        .replace(/\n$/, "")
        .split("\n")
        .map((line) => `| ${line}`),
    );
  }
  return lines.join("\n");
}
