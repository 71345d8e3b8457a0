/** What binary translation has made of a guest's kernel, for readers: input and output of a block side by side, and all blocks as a list. */
import { disassemble } from "../../hardware/isa/disassembler.js";
import { CALL_OUT } from "../../hypervisor/layout.js";
import type { TranslatedBlock, TranslationView } from "../../hypervisor/techniques/bt/view.js";
import { Display } from "../display.js";
import { columnsOfText, table } from "../parts.js";
import { frame } from "../style.js";
import { tableOf } from "../table/table-display.js";
import { counted, escapeHtml, hex } from "../text.js";

interface Line {
  readonly address: string;
  readonly text: string;
}

/** A guest's instruction, and what stands for it. */
interface Pair {
  readonly input: readonly Line[];
  readonly output: readonly Line[];
  /** The guest's bytes are executed as they are. */
  readonly copied: boolean;
}

const CALL_OUT_TEXT = `int 0x${CALL_OUT.toString(16)}`;
const addressText = (value: number): string => hex(value, 8);

/** Which of the guest's instructions is translated at an address of the cache. */
function translatedAt(address: number, blocks: readonly TranslatedBlock[]): number | undefined {
  for (const { cacheAddress, guestAddress, output, pairs } of blocks) {
    if (address < cacheAddress || address >= cacheAddress + output.length) continue;
    const found = pairs.find((pair) => cacheAddress + pair.output === address);
    return found && guestAddress + found.input;
  }
  return undefined;
}

/** What an instruction of a translation does, where its text does not say it. */
function meaningOf(text: string, blocks: readonly TranslatedBlock[]): string {
  if (text === CALL_OUT_TEXT) return "calls the hypervisor";
  const target = /^(?:j\w+|call) 0x([0-9a-f]{8})$/.exec(text)?.[1];
  const guest = target === undefined ? undefined : translatedAt(Number.parseInt(target, 16), blocks);
  return guest === undefined ? "" : `translation of ${addressText(guest)}`;
}

function pairsOf(block: TranslatedBlock, blocks: readonly TranslatedBlock[]): readonly Pair[] {
  const { input, output, guestAddress, cacheAddress, pairs } = block;
  const linesOf = (bytes: Uint8Array, address: number): readonly Line[] =>
    disassemble(bytes, { address }).map(({ address: at, text }) => {
      const meaning = meaningOf(text, blocks);
      return { address: addressText(at), text: meaning === "" ? text : `${text}  ; ${meaning}` };
    });
  return pairs.map((pair, index) => {
    const next = pairs[index + 1] ?? { input: input.length, output: output.length };
    const [from, to] = [input.subarray(pair.input, next.input), output.subarray(pair.output, next.output)];
    return {
      input: linesOf(from, guestAddress + pair.input),
      output: linesOf(to, cacheAddress + pair.output),
      copied: from.length === to.length && from.every((byte, at) => byte === to[at]),
    };
  });
}

function factsOf({ input, output, instructions, links, looksUp }: TranslatedBlock): readonly string[] {
  const chained = links.filter((link) => link.chained).length;
  return [
    counted(instructions, "instruction"),
    `${input.length} bytes in, ${output.length} out`,
    ...(links.length === 0 ? [] : [`${chained} of ${counted(links.length, "link")} chained`]),
    ...(looksUp ? ["ends with a look-up"] : []),
  ];
}

/**
 * A block of the guest's kernel beside its translation: a row for each instruction of the guest, with what is executed in its place.
 *
 * @param blocks All that there are: a jump to one of them is told as such.
 */
export function translatedBlockDisplay(block: TranslatedBlock, blocks: readonly TranslatedBlock[]): Display {
  const pairs = pairsOf(block, blocks);
  const title = `Block at ${addressText(block.guestAddress)}`;
  const facts = factsOf(block);
  const cell = (lines: readonly Line[], of: "address" | "text"): string =>
    lines.map((line) => escapeHtml(line[of])).join("<br>");
  const rows = pairs.map(({ input, output, copied }) => ({
    cells: [
      `<span class="dim">${cell(input, "address")}</span>`,
      cell(input, "text"),
      copied ? '<span title="copied" aria-label="copied">=</span>' : "→",
      `<span class="dim">${cell(output, "address")}</span>`,
      copied ? `<span class="dim">${cell(output, "text")}</span>` : cell(output, "text"),
    ],
  }));
  const columns = ["", "the guest's code", "", "", "what is executed"].map((name) => ({ title: name, mono: true }));
  const head = `<div class="head"><b>${title}</b> ${facts.map((fact) => `<span>${fact}</span>`).join(" ")}</div>`;
  const lines = pairs.flatMap(({ input, output, copied }) =>
    output.map((line, index) => [
      index === 0 ? input[0]!.address : "",
      index === 0 ? input[0]!.text : "",
      index > 0 ? "" : copied ? "=" : "→",
      line.address,
      line.text,
    ]),
  );
  return new Display(
    frame(`${head}<div class="first row">${table(columns, rows)}</div>`),
    [`${title}: ${facts.join(", ")}`, ...columnsOfText(lines)].join("\n"),
  );
}

/** The cache: a row for each block, in the order in which they were translated. */
export function translationDisplay({ blocks, cacheBytes, remembered, flushes }: TranslationView): Display {
  const facts = [
    `Translation cache: ${counted(blocks.length, "block")}`,
    counted(cacheBytes, "byte"),
    `${counted(remembered, "target")} in the table`,
    ...(flushes === 0 ? [] : [`dropped ${counted(flushes, "time")}`]),
  ];
  const rows = blocks.map(({ guestAddress, cacheAddress, input, output, instructions, links, looksUp, callOuts }) => ({
    block: addressText(guestAddress),
    translation: addressText(cacheAddress),
    instructions,
    "bytes in": input.length,
    "bytes out": output.length,
    "calls the hypervisor": callOuts.emulate + callOuts.simulate,
    "goes on to": [
      ...links.map(({ target, chained }) => `${addressText(target)}${chained ? "" : " (not yet)"}`),
      ...(looksUp ? ["(looked up)"] : []),
    ].join(", "),
  }));
  return tableOf(rows, { caption: facts.join("; ") });
}
