/** What an instruction means, for readers. */
import type { ExplainedOperand, Explanation } from "../../hardware/inspect/explain.js";
import type { Privilege } from "../../hardware/inspect/privilege.js";
import { Display } from "../display.js";
import { columnsOfText, heading, table } from "../parts.js";
import { frame } from "../style.js";
import { address, addressDigits, escapeHtml, hex, hexBytes } from "../text.js";

const columns = [
  { title: "operand", mono: true },
  { title: "now", mono: true },
  { title: "effective", mono: true },
  { title: "linear", mono: true },
  { title: "physical", mono: true },
] as const;

const addressText = (value: number): string => hex(value, addressDigits(value));

const valueText = ({ value, bits }: ExplainedOperand): string =>
  value === undefined ? "" : hex(value, Math.ceil(bits / 4));

function cellsOf(operand: ExplainedOperand): readonly string[] {
  const { kind, name, effective, linear, physical } = operand;
  if (kind !== "memory") return [name, valueText(operand), "", "", ""];
  return [
    `[${name}]`,
    valueText(operand),
    effective === undefined ? "" : addressText(effective),
    linear === undefined ? "" : addressText(linear),
    physical === undefined ? (linear === undefined ? "" : "not mapped") : addressText(physical),
  ];
}

function flagsText({ flags }: Explanation): string {
  const defined = flags.written.filter((name) => !flags.undefined.includes(name));
  if (flags.written.length === 0) return "no status flags are written";
  return [
    defined.length === 0 ? "" : `writes ${defined.join(" ")}`,
    flags.undefined.length === 0 ? "" : `leaves ${flags.undefined.join(" ")} undefined`,
  ]
    .filter(Boolean)
    .join(", ");
}

const allowedText = ({ allowed }: Privilege): string =>
  allowed === true ? "allowed now" : allowed === false ? "not allowed now" : "here the bitmap decides";

export function explanationDisplay(explanation: Explanation): Display {
  const {
    address: at,
    bytes,
    text,
    mnemonic,
    opcode,
    group,
    summary,
    operands,
    privilege,
    prefixes,
    spec,
  } = explanation;
  const encoded = hexBytes(Uint8Array.from(bytes));
  const facts = [
    `<span class="mono">${escapeHtml(text)}</span>`,
    ...(group === undefined ? [] : [`<span class="chip">${group}</span>`]),
    ...prefixes.map((prefix) => `<span class="chip">${prefix}</span>`),
  ];
  const parts = [
    heading(mnemonic ?? "No instruction", facts, `at ${address(at)}`),
    `<div class="first row">${escapeHtml(summary)}</div>`,
  ];
  if (operands.length > 0) {
    // Columns of addresses are for memory operands only.
    const used = operands.some(({ kind }) => kind === "memory") ? columns.length : 2;
    parts.push(
      `<div class="row">${table(
        columns.slice(0, used),
        operands.map((operand) => ({ cells: cellsOf(operand).slice(0, used).map(escapeHtml) })),
      )}</div>`,
    );
  }
  const facts2: (readonly [string, string])[] = [
    ...(mnemonic === undefined ? [] : [["flags", escapeHtml(flagsText(explanation))] as const]),
    ...(privilege === undefined
      ? []
      : [["needs", `${escapeHtml(privilege.needs)} <span class="dim">(${allowedText(privilege)})</span>`] as const]),
    [
      "bytes",
      `<span class="mono">${encoded}</span>${opcode === undefined ? "" : ` <span class="dim">opcode <span class="mono">${escapeHtml(opcode)}</span></span>`}`,
    ],
    ...(spec === undefined ? [] : [["manual", escapeHtml(spec)] as const]),
  ];
  parts.push(
    `<div class="row"><table><tbody>${facts2.map(([name, value]) => `<tr><th scope="row">${name}</th><td class="wrap">${value}</td></tr>`).join("")}</tbody></table></div>`,
  );
  const lines = [
    `${text} at ${address(at)} (${encoded})`,
    `  ${summary}`,
    ...columnsOfText(
      operands.map((operand) => {
        const [name, now, effective, linear, physical] = cellsOf(operand) as [string, string, string, string, string];
        const place =
          linear === ""
            ? effective === ""
              ? ""
              : `effective ${effective}`
            : `effective ${effective}, linear ${linear}, physical ${physical}`;
        return [name, now === "" ? "" : `= ${now}`, place];
      }),
    ).map((line) => `  ${line}`),
    ...(mnemonic === undefined ? [] : [`  ${flagsText(explanation)}`]),
    ...(privilege === undefined ? [] : [`  needs ${privilege.needs} (${allowedText(privilege)})`]),
    ...(spec === undefined ? [] : [`  ${spec}`]),
  ];
  return new Display(frame(parts.join("\n")), lines.join("\n"));
}
