/**
 * Fences, and the flush of a cache line. Memory here has one order, that of the program, and no caches, so that nothing
 * is left to do but what can be seen: a flush faults as a load does.
 * Spec: SDM Vol. 3A, "Strengthening or Weakening the Memory-Ordering Model"; Vol. 1, "Cacheability Control Instructions".
 */
import type { Feature } from "../../cpu/features.js";
import { type Definition, define } from "../instruction.js";

const fence = (mnemonic: string, opcode: string, what: string, name: string, needs: Feature): Definition => ({
  mnemonic,
  group: "miscellaneous",
  summary: `Lets no ${what} pass.`,
  spec: `SDM Vol. 2, ${mnemonic}—${name}`,
  forms: [[opcode]],
  needs,
  semantics: () => {},
});

const definitions: readonly Definition[] = [
  fence("LFENCE", "NP 0F AE E8", "load", "Load Fence", "SSE2"),
  fence("MFENCE", "NP 0F AE F0", "load and no store", "Memory Fence", "SSE2"),
  fence("SFENCE", "NP 0F AE F8", "store", "Store Fence", "SSE"),
  {
    mnemonic: "CLFLUSH",
    group: "miscellaneous",
    summary: "Writes back and drops the cache line of an address, of which there are none.",
    spec: "SDM Vol. 2A, CLFLUSH—Flush Cache Line",
    forms: [["NP 0F AE /7", "Mb"]],
    needs: "CLFSH",
    semantics: (c) => {
      c.let(c.read(0));
    },
  },
];

export const memoryOrderingRows = definitions.flatMap(define);
