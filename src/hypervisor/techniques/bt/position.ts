/** Where the guest is when translated code is left at any of its instructions: the guest's own state, and what was beyond its steps. */
import type { ProcessorPort } from "../../../hardware/cpu/processor.js";
import { TOP } from "../../layout.js";
import { OWN } from "../trap/state.js";
import { blockAt, placeAt } from "./cache.js";
import { WORD } from "./layout.js";
import type { Block, BtOwn } from "./state.js";
import type { OutputPlace } from "./translator.js";

export interface Position {
  readonly eip: number;
  /** Host steps, since the guest was entered, that were none of the guest's. */
  readonly beyond: number;
  /** Registers whose values are elsewhere. */
  readonly eax: number | undefined;
  readonly ecx: number | undefined;
  /** In translated code. */
  readonly block: Block | undefined;
  readonly place: OutputPlace | undefined;
}

type Words = Pick<ProcessorPort, "readPhysical">;

/** The position of a processor with such CS and EIP. `calledOut`: EIP is behind a call-out. */
export function positionOf(
  memory: Words,
  { words, cache, translation }: BtOwn,
  at: { readonly cs: number; readonly eip: number },
  calledOut: boolean,
): Position {
  const word = (offset: number): number => memory.readPhysical(words + offset);
  const counted = word(WORD.extra);
  const none = { eax: undefined, ecx: undefined, block: undefined, place: undefined };
  if (at.cs !== OWN.translated) return { eip: at.eip, beyond: counted, ...none };
  const offset = at.eip - TOP - cache - (calledOut ? 2 : 0);
  const block = blockAt(translation, offset)!;
  const place = placeAt(block, offset)!;
  return {
    eip: place.guest < 0 ? word(WORD.target) : place.guest,
    beyond: counted + place.extra,
    eax: (place.saved & 1) === 0 ? undefined : word(WORD.eax),
    ecx: (place.saved & 2) === 0 ? undefined : word(WORD.ecx),
    block,
    place,
  };
}
