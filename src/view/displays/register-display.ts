/** Registers and flags for readers. */
import { type Flags, flagBit, flagMeanings, flagNames } from "../../hardware/inspect/flags.js";
import type { RegisterValue } from "../../hardware/inspect/registers.js";
import { Display } from "../display.js";
import { columnsOfText, heading, table } from "../parts.js";
import { frame } from "../style.js";
import { counted, grouped, hex } from "../text.js";

const COLUMNS = [
  { title: "register" },
  { title: "hexadecimal", mono: true },
  { title: "decimal", mono: true, num: true },
] as const;

const digits = ({ bits }: RegisterValue): number => bits / 4;
const signedText = ({ value, signed }: RegisterValue): string =>
  signed === value ? "" : `−${grouped(typeof signed === "bigint" ? -signed : -signed)}`;

function rowOf(register: RegisterValue): { readonly cells: readonly string[] } {
  const { name, value, before, changed } = register;
  const shown = hex(value, digits(register));
  const was = before === undefined ? "" : hex(before, digits(register));
  const cell = changed ? `<span class="was">${was} →</span> <mark>${shown}</mark>` : shown;
  const signed = signedText(register);
  const decimal = signed === "" ? grouped(value) : `<span title="signed: ${signed}">${grouped(value)}</span>`;
  return { cells: [`<span class="mono">${name}</span>`, cell, decimal] };
}

/** Registers side by side: general ones, and those of the system. */
export function registersDisplay(registers: readonly RegisterValue[]): Display {
  const system = (name: string): boolean => /^([c-gs]s|cr\d|efer|.s base)$/.test(name);
  const general = registers.filter(({ name }) => !system(name));
  const others = registers.filter(({ name }) => system(name));
  const compared = registers.some(({ before }) => before !== undefined);
  const changed = registers.filter((register) => register.changed).length;
  const fact = compared ? (changed === 0 ? "none changed" : `${counted(changed, "register")} changed`) : "";
  const columns = others.length === 0 ? [general] : [general, others];
  const html = frame(
    `${heading("Registers", fact === "" ? [] : [`<span class="dim">${fact}</span>`])}<div class="cols wide">${columns
      .map((list) => `<div>${table(COLUMNS, list.map(rowOf))}</div>`)
      .join("")}</div>`,
  );
  const lines = registers.map((register) => {
    const value = hex(register.value, digits(register));
    const was = register.changed ? `${hex(register.before ?? 0, digits(register))} → ` : "";
    return [register.name, was + value, grouped(register.value), signedText(register)];
  });
  return new Display(
    html,
    [`registers${fact === "" ? "" : `: ${fact}`}`, ...columnsOfText(lines).map((line) => `  ${line}`)].join("\n"),
  );
}

/** Every flag as a box, from the highest bit. */
export function flagsDisplay(flags: Flags): Display {
  // IOPL stands between NT and OF, where its bits are.
  const order = flagNames.flatMap((name): readonly (typeof name | "IOPL")[] =>
    name === "NT" ? [name, "IOPL"] : [name],
  );
  const boxes = order.map((name) => {
    const value = name === "IOPL" ? String(flags.IOPL) : flags[name] ? "1" : "0";
    const bit = name === "IOPL" ? "13:12" : String(flagBit(name));
    return `<span class="${value === "0" ? "off" : "on"}" title="${flagMeanings[name]}"><small>${bit}</small>${name}<b class="mono">${value}</b></span>`;
  });
  const set = order.filter((name) => flags[name]);
  const meanings = set.map(
    (name) => `<span class="mono">${name}</span> <span class="dim">${flagMeanings[name]}</span>`,
  );
  const html = frame(
    [
      heading("EFLAGS", [`<span class="mono">${hex(flags.eflags, 8)}</span>`], `IOPL ${flags.IOPL}`),
      `<div class="first row"><div class="boxes">${boxes.join("")}</div></div>`,
      meanings.length === 0 ? "" : `<div class="row">${meanings.join("<br>")}</div>`,
    ].join("\n"),
  );
  const text = `eflags ${hex(flags.eflags, 8)}  ${flagNames.map((name) => (flags[name] ? name : name.toLowerCase())).join(" ")}  IOPL ${flags.IOPL}`;
  return new Display(html, text);
}
