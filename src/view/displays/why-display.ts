/** Why an exception was raised, for readers. */
import type { ExplainedFault, Why } from "../../hardware/inspect/why.js";
import { Display } from "../display.js";
import { heading } from "../parts.js";
import { frame } from "../style.js";
import { address, counted, escapeHtml, hexBytes } from "../text.js";

function errorCodeLine({ errorCode, errorCodeMeaning }: ExplainedFault): string {
  if (errorCode === undefined) return "";
  const code = errorCode === 0 ? "0" : `0x${errorCode.toString(16)}`;
  return `error code ${code}${errorCodeMeaning === undefined ? "" : `: ${errorCodeMeaning}`}`;
}

/** When, seen from the machine that was asked. */
const whenText = ({ when, steps }: Why): string =>
  when === "ahead"
    ? `${counted(steps ?? 0, "step")} ahead`
    : when === "before"
      ? "the last exception"
      : "not within reach";

export function whyDisplay(why: Why): Display {
  const { name, sentence, instruction, chain, cpl } = why;
  const title = name === undefined ? "Why" : `Why ${name}?`;
  const facts = [
    ...(instruction === undefined ? [] : [`<span class="mono">${escapeHtml(instruction.text)}</span>`]),
    ...(cpl === undefined ? [] : [`<span class="chip${cpl === 3 ? " user" : ""}">CPL ${cpl}</span>`]),
  ];
  const links = chain.map((fault, index) => {
    const code = errorCodeLine(fault);
    return `<div class="row link"><b>${escapeHtml(fault.exception)}</b><div>${escapeHtml(fault.check)}${
      code === "" ? "" : `<div class="dim">${escapeHtml(code)}</div>`
    }<div class="dim">${escapeHtml(fault.spec)}</div></div>${
      index === 0 || fault.exception === "#DF" ? "" : '<span class="dim end">while it was being delivered</span>'
    }</div>`;
  });
  const html = frame(
    [
      heading(title, facts, whenText(why)),
      `<div class="first row"><div class="result${chain.length === 0 ? "" : " fault"}">${escapeHtml(sentence)}</div></div>`,
      ...links,
      instruction === undefined
        ? ""
        : `<div class="row dim">instruction at <span class="mono">${address(instruction.address)}</span>${instruction.bytes.length === 0 ? "" : ` <span class="mono">${hexBytes(Uint8Array.from(instruction.bytes))}</span>`}</div>`,
    ].join("\n"),
  );
  const text = [
    sentence,
    ...chain.flatMap((fault) => [
      `  ${fault.exception}: ${fault.check}`,
      ...(errorCodeLine(fault) === "" ? [] : [`    ${errorCodeLine(fault)}`]),
      `    ${fault.spec}`,
    ]),
  ];
  return new Display(html, text.join("\n"));
}
