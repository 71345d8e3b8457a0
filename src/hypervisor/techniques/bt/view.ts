/** Translated code as a value to look at: what went in, what came out, and how it hangs together. */
import type { MachineState } from "../../../hardware/state.js";
import { readPages } from "../../../state/page-map.js";
import { TOP } from "../../layout.js";
import { entriesOf } from "../../ledger.js";
import type { VmState } from "../../state.js";
import { TABLE_ENTRIES, WORD } from "./layout.js";
import type { Block, BtOwn } from "./state.js";
import type { CallOut } from "./translator.js";

/** A transfer of control out of a block to an address that is known when it is translated. */
export interface Link {
  readonly target: number;
  /** It leads to the translation; before that it calls the hypervisor. */
  readonly chained: boolean;
}

/** A unit of a guest's kernel and its translation. */
export interface TranslatedBlock {
  /** Linear address of the guest's code. */
  readonly guestAddress: number;
  /** Linear address of the translation. */
  readonly cacheAddress: number;
  /** The guest's bytes, as they were translated. */
  readonly input: Uint8Array;
  /** The bytes that are executed, as they are now. */
  readonly output: Uint8Array;
  /** Instructions of the guest. */
  readonly instructions: number;
  /** For each instruction of the guest, in order: where it and what stands for it begin, from the start of input and output. */
  readonly pairs: readonly { readonly input: number; readonly output: number }[];
  readonly links: readonly Link[];
  /** All of its links lead to translations. */
  readonly chained: boolean;
  /** Instructions that are left to the hypervisor, by how it does them. */
  readonly callOuts: Readonly<Record<"emulate" | "simulate", number>>;
  /** The address of an indirect transfer is looked up. */
  readonly looksUp: boolean;
}

/** What binary translation has made of a guest's kernel, at this step. */
export interface TranslationView {
  /** In the order of the cache. */
  readonly blocks: readonly TranslatedBlock[];
  /** Bytes of translated code. */
  readonly cacheBytes: number;
  /** Entries of the table that indirect transfers use. */
  readonly remembered: number;
  /** Blocks made since the VM began, and how often all were dropped because the guest's code or its mapping had changed. */
  readonly translatedBlocks: number;
  readonly flushes: number;
  /** Calls of the hypervisor by translated code, by kind, since the VM began. */
  readonly callOuts: Readonly<Record<CallOut["kind"], number>>;
}

const unhex = (text: string): Uint8Array =>
  Uint8Array.from({ length: text.length / 2 }, (_, index) => Number.parseInt(text.slice(2 * index, 2 * index + 2), 16));

const CALL = 0xcd;
const CONDITIONAL = 0x0f;

/** Whether the jump that a call-out was made for leads to a translation by now. */
function isChained(output: Uint8Array, callAt: number, patch: number): boolean {
  if (output[patch] !== CONDITIONAL) return output[patch] !== CALL;
  const distance = new DataView(output.buffer, output.byteOffset).getInt32(patch + 2, true);
  return patch + 6 + distance !== callAt;
}

function blockView({ memory }: MachineState, cache: number, block: Block): TranslatedBlock {
  const output = readPages(memory, cache + block.at, block.length);
  const links: Link[] = [];
  const callOuts = { emulate: 0, simulate: 0 };
  let looksUp = false;
  for (const { at, callOut } of block.places) {
    if (callOut === undefined) continue;
    if (callOut.kind === "chain")
      links.push(Object.freeze({ target: callOut.target, chained: isChained(output, at, callOut.patch) }));
    else if (callOut.kind === "indirect") looksUp = true;
    else callOuts[callOut.kind]++;
  }
  const pairs = block.places
    .filter(({ start }) => start)
    .map(({ at, guest }) => Object.freeze({ input: guest - block.guest, output: at }));
  return Object.freeze({
    guestAddress: block.guest,
    cacheAddress: TOP + cache + block.at,
    input: unhex(block.input),
    output,
    instructions: pairs.length,
    pairs: Object.freeze(pairs),
    links: Object.freeze(links),
    chained: links.every(({ chained }) => chained),
    callOuts: Object.freeze(callOuts),
    looksUp,
  });
}

export function translationView(machine: MachineState, { own, ledger }: VmState): TranslationView | undefined {
  if (own === undefined) return undefined;
  const { translation, cache, words } = own as BtOwn;
  const table = new DataView(readPages(machine.memory, words + WORD.table, 8 * TABLE_ENTRIES).buffer);
  let remembered = 0;
  for (let index = 0; index < TABLE_ENTRIES; index++) if (table.getUint32(8 * index + 4, true) !== 0) remembered++;
  const called = (kind: CallOut["kind"]): number =>
    entriesOf(ledger).reduce((sum, { reason, count }) => (reason === `call-out: ${kind}` ? sum + count : sum), 0);
  const blocks = Object.values(translation.chunks).flat();
  return Object.freeze({
    blocks: Object.freeze(blocks.map((block) => blockView(machine, cache, block))),
    cacheBytes: blocks.reduce((sum, { length }) => sum + length, 0),
    remembered,
    translatedBlocks: translation.made,
    flushes: translation.flushes,
    callOuts: Object.freeze({
      emulate: called("emulate"),
      simulate: called("simulate"),
      chain: called("chain"),
      indirect: called("indirect"),
    }),
  });
}
