/** The two interrupt controllers for readers. */
import type { InterruptControllerLine, InterruptControllers } from "../../hardware/inspect/interrupt-controllers.js";
import { Display } from "../display.js";
import { columnsOfText, heading, type TableRow, table } from "../parts.js";
import { frame } from "../style.js";
import { hex } from "../text.js";

const columns = [
  { title: "IRQ", num: true, mono: true },
  { title: "vector", mono: true },
  { title: "driven by" },
  { title: "priority", num: true },
  { title: "pin" },
  { title: "IRR" },
  { title: "IMR" },
  { title: "ISR" },
] as const;

const dot = (set: boolean, title: string): string =>
  `<span class="${set ? "on" : "off"}" title="${title}">${set ? "●" : "·"}</span>`;

function rowOf(line: InterruptControllerLine, next: number | undefined): TableRow {
  const sense = `${line.input ? "high" : "low"}, ${line.sense}`;
  return {
    class: line.line === next ? "here" : line.masked && !line.requested && !line.inService ? "guess" : "",
    cells: [
      String(line.line),
      `0x${hex(line.vector, 2)}`,
      line.device ?? "",
      String(line.priority),
      sense,
      dot(line.requested, line.requested ? "requested" : "not requested"),
      line.masked ? '<span class="on" title="masked">masked</span>' : dot(false, "not masked"),
      dot(line.inService, line.inService ? "in service" : "not in service"),
    ],
  };
}

function nextText({ next, enabled }: InterruptControllers): string {
  if (next === undefined) return "No interrupt is requested";
  const what = `IRQ ${next.line} comes next, as vector 0x${hex(next.vector, 2)}`;
  return enabled ? what : `${what}, once IF is set`;
}

export function interruptControllersDisplay(controllers: InterruptControllers): Display {
  const { chips, lines, next, enabled } = controllers;
  const facts = chips.map(
    ({ chip, vectorBase, awaitsIcw, autoEndOfInterrupt, specialMask }) =>
      `${chip}: ${[
        awaitsIcw === 0 ? `vectors from 0x${hex(vectorBase, 2)}` : `waits for ICW${awaitsIcw}`,
        autoEndOfInterrupt ? "automatic EOI" : "",
        specialMask ? "special mask mode" : "",
      ]
        .filter(Boolean)
        .join(", ")}`,
  );
  const html = frame(
    [
      heading(
        "Interrupt controllers",
        facts.map((fact) => `<span class="dim">${fact}</span>`),
        enabled ? "IF is set" : "IF is clear",
      ),
      `<div class="cols"><div>${table(
        columns,
        lines.slice(0, 8).map((line) => rowOf(line, next?.line)),
      )}</div><div>${table(
        columns,
        lines.slice(8).map((line) => rowOf(line, next?.line)),
      )}</div></div>`,
      `<div class="row"><div class="result${next === undefined ? "" : " found"}">${nextText(controllers)}.</div></div>`,
    ].join("\n"),
  );
  const rows = lines.map((line) => [
    `${line.line === next?.line ? "=>" : "  "} IRQ ${line.line}`,
    `vector 0x${hex(line.vector, 2)}`,
    line.device ?? "",
    [
      line.requested ? "requested" : "",
      line.inService ? "in service" : "",
      line.masked ? "masked" : "",
      line.input ? "pin high" : "",
      line.sense === "level" ? "level" : "",
    ]
      .filter(Boolean)
      .join(", "),
  ]);
  const text = [
    `interrupt controllers, ${enabled ? "IF is set" : "IF is clear"}; ${facts.join("; ")}`,
    ...columnsOfText(rows),
    nextText(controllers),
  ];
  return new Display(html, text.join("\n"));
}
