/** A task-state segment for readers. */
import type { AllowedPorts, TaskState } from "../../hardware/inspect/task-state.js";
import { Display } from "../display.js";
import { columnsOfText, heading, table } from "../parts.js";
import { frame } from "../style.js";
import { address, counted, hex } from "../text.js";

/** More ranges than these are counted and not shown. */
const RANGES_SHOWN = 12;

/** Fields in the groups the manual puts them in. */
const groups: readonly (readonly [title: string, names: string])[] = [
  ["link and inner stacks", "link esp0 ss0 esp1 ss1 esp2 ss2 sp0 sp1 sp2 rsp0 rsp1 rsp2"],
  ["interrupt stack table", "ist1 ist2 ist3 ist4 ist5 ist6 ist7"],
  ["address space and code", "cr3 ldt eip eflags ip flags"],
  ["general registers", "eax ebx ecx edx esi edi ebp esp ax bx cx dx si di bp sp"],
  ["segments", "cs ss ds es fs gs"],
];

const ports = ({ from, to }: AllowedPorts): string =>
  from === to ? `0x${from.toString(16)}` : `0x${from.toString(16)}–0x${to.toString(16)}`;

function ioText({ io }: TaskState): string {
  if (io === undefined) return "a 16-bit TSS has no I/O permission bitmap";
  if (!io.present)
    return `the I/O permission bitmap (offset 0x${io.base.toString(16)}) lies outside of the limit: above IOPL no port is allowed`;
  if (io.allowed.length === 0) return `the I/O permission bitmap (offset 0x${io.base.toString(16)}) allows no port`;
  const shown = io.allowed.slice(0, RANGES_SHOWN).map(ports).join(", ");
  const left =
    io.allowed.length > RANGES_SHOWN ? ` and ${counted(io.allowed.length - RANGES_SHOWN, "more range")}` : "";
  return `the I/O permission bitmap (offset 0x${io.base.toString(16)}) allows ports ${shown}${left}`;
}

/** Selectors and 16-bit registers have four digits. */
const fieldText = (name: string, value: number): string =>
  /^(rsp|ist)\d$/.test(name)
    ? hex(value, 16)
    : hex(value, /^(link|ldt|ip|flags|[c-gs]s\d?|sp\d?|[a-d]x|[sd]i|bp)$/.test(name) ? 4 : 8);

export function taskStateDisplay(task: TaskState): Display {
  const { selector, kind, busy, base, limit, fields, debugTrap } = task;
  const parts = groups.map(([title, names]) => ({
    title,
    rows: names
      .split(" ")
      .flatMap((name) => (fields[name] === undefined ? [] : [[name, fieldText(name, fields[name])]])),
  }));
  const title = `${kind.slice(3)}-bit task-state segment`;
  const where = `linear ${address(base)}, limit ${hex(limit, 4)}`;
  const facts = [`selector <span class="mono">${hex(selector, 4)}</span>`, busy ? "busy" : "available"];
  if (debugTrap) facts.push("debug trap");
  const columns = parts
    .filter(({ rows }) => rows.length > 0)
    .map(
      ({ title: group, rows }) =>
        `<div><div class="title">${group}</div>${table(
          [
            { title: "", mono: true },
            { title: "", mono: true },
          ],
          rows.map((cells) => ({ cells })),
        )}</div>`,
    );
  const html = frame(
    [
      heading(
        title,
        facts.map((fact, index) => (index === 0 ? fact : `<span class="chip">${fact}</span>`)),
        where,
      ),
      `<div class="cols">${columns.join("")}</div>`,
      `<div class="row">${capital(ioText(task))}.</div>`,
    ].join("\n"),
  );
  const lines = parts
    .filter(({ rows }) => rows.length > 0)
    .map(({ title: group, rows }) => [group, rows.map((row) => row.join(" ")).join("  ")]);
  const text = [
    `${title}, selector ${hex(selector, 4)}, ${busy ? "busy" : "available"}, ${where}${debugTrap ? ", debug trap" : ""}`,
    ...columnsOfText(lines).map((line) => `  ${line}`),
    `  ${ioText(task)}`,
  ];
  return new Display(html, text.join("\n"));
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
