/** The translation cache: where translations are, how they are made at the first need, linked, and dropped when the guest's code is another. */
import { newTranslation, translate as walk } from "../../../hardware/cpu/paging.js";
import { PTE } from "../../../hardware/cpu/paging-levels.js";
import type { SystemState } from "../../../hardware/cpu/state.js";
import type { Host } from "../../host.js";
import { TOP } from "../../layout.js";
import { withShadow } from "../../shadow/use.js";
import { CACHE_BYTES, CHUNK, TABLE_ENTRIES, WORD } from "./layout.js";
import type { Block, BtOwn, TranslatedPage, Translation } from "./state.js";
import { type OutputPlace, translate } from "./translator.js";

const PAGE = 4096;
const ALIGNMENT = 16;
const FETCH = { write: false, user: false, fetch: true, ac: false };

export const ownOf = (host: Host, number: number): BtOwn => host.vm(number).own as BtOwn;

const change = (host: Host, number: number, translation: Translation): void => {
  host.change(number, { own: { ...ownOf(host, number), translation } });
};

// ---- look-ups -------------------------------------------------------------------------------------------------------

/** The block a place of the cache is in. */
export function blockAt({ chunks }: Translation, offset: number): Block | undefined {
  return chunks[Math.floor(offset / CHUNK)]?.find(({ at, length }) => offset >= at && offset < at + length);
}

/** The last place at or in front of an offset in a block. */
export const placeAt = ({ at, places }: Block, offset: number): OutputPlace | undefined =>
  places.findLast((place) => place.at + at <= offset);

/** Offset in the cache of what stands for an instruction of the guest. */
export function offsetOf({ pages }: Translation, eip: number): number | undefined {
  const page = pages[Math.floor(eip / PAGE)];
  if (page === undefined) return undefined;
  for (const { guest, input, at, places } of page.blocks) {
    if (eip < guest || eip > guest + input.length / 2) continue;
    const place = places.find((one) => one.start && one.guest === eip);
    if (place !== undefined) return at + place.at;
  }
  return undefined;
}

// ---- the guest's code -----------------------------------------------------------------------------------------------

/** The guest's frame behind a page of code, and whether all of its accessed flags are set; undefined where it cannot be fetched. */
function frameOf(host: Host, number: number, system: SystemState, page: number, fetch: boolean) {
  const board = host.board(number);
  const { memory } = board;
  const tables = {
    read32: (physical: number) => {
      const at = board.onBus(physical);
      return memory.has(at) ? memory.read(at, 4) : -1;
    },
    write32: (physical: number, value: number) => {
      const at = board.onBus(physical);
      if (memory.has(at)) memory.write(at, 4, value >>> 0);
    },
  };
  let accessed = true;
  const { physical } = walk(tables, system, page * PAGE, FETCH, fetch, newTranslation(), (level, _address, low) => {
    // The PDPTE registers have no such flag.
    if (level.level !== 3 && (low & PTE.A) === 0) accessed = false;
  });
  if (physical < 0) return undefined;
  const at = board.onBus(physical);
  return memory.has(at) ? { frame: Math.floor(at / PAGE), accessed } : undefined;
}

/** Bytes of the guest's code. A page that is fetched from is marked as accessed. */
function codeReader(host: Host, number: number, system: SystemState) {
  const frames = new Map<number, number>();
  const byteAt = (linear: number): number => {
    const page = Math.floor(linear / PAGE);
    let frame = frames.get(page);
    if (frame === undefined) {
      frame = frameOf(host, number, system, page, true)?.frame;
      if (frame === undefined) throw new RangeError("code that cannot be fetched");
      frames.set(page, frame);
    }
    return host.board(number).memory.read(frame * PAGE + (linear % PAGE), 1);
  };
  return { byteAt, frames };
}

// ---- making ---------------------------------------------------------------------------------------------------------

function write(host: Host, at: number, bytes: Uint8Array): void {
  for (let index = 0; index < bytes.length; index += 4) {
    let word = 0;
    for (let byte = 3; byte >= 0; byte--) word = word * 256 + (bytes[index + byte] ?? 0x90);
    host.port.writePhysical(at + index, word);
  }
}

/** Every entry holds an address that is never looked up in it. */
function clearTable(host: Host, words: number): void {
  for (let index = 0; index < TABLE_ENTRIES; index++) {
    host.port.writePhysical(words + WORD.table + 8 * index, -(index ^ 1) >>> 0);
    host.port.writePhysical(words + WORD.table + 8 * index + 4, 0);
  }
}

export function clearWords(host: Host, words: number): void {
  host.port.writePhysical(words + WORD.extra, 0);
  clearTable(host, words);
}

/** Drops all translations. */
export function flush(host: Host, number: number, system: SystemState): void {
  const { translation, words } = ownOf(host, number);
  const frames = new Set(Object.values(translation.pages).map(({ frame }) => frame));
  withShadow(host, number, system, (shadow) => {
    for (const frame of frames) shadow.watch(frame, false);
  });
  clearTable(host, words);
  change(host, number, { ...translation, next: 0, pages: {}, chunks: {}, flushes: translation.flushes + 1 });
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Translates what begins at an address. Gives its offset in the cache. */
function make(host: Host, number: number, system: SystemState, guest: number): number {
  let { translation } = ownOf(host, number);
  const { byteAt, frames } = codeReader(host, number, system);
  const { cache } = ownOf(host, number);
  const put = (at: number) =>
    translate({
      guest,
      byteAt,
      at: TOP + cache + at,
      translated: (eip) => {
        const offset = offsetOf(translation, eip);
        return offset === undefined ? undefined : TOP + cache + offset;
      },
      model: system.model,
    });
  let at = translation.next;
  let unit = put(at);
  if (Math.floor(at / CHUNK) !== Math.floor((at + unit.output.length - 1) / CHUNK)) {
    at = Math.ceil(at / CHUNK) * CHUNK;
    if (at + CHUNK > CACHE_BYTES) {
      flush(host, number, system);
      ({ translation } = ownOf(host, number));
      at = 0;
    }
    unit = put(at);
  }
  write(host, cache + at, unit.output);
  const { input, output, places } = unit;
  const block: Block = { guest, input: hex(input), at, length: output.length, places };
  const pages: Record<number, TranslatedPage> = { ...translation.pages };
  for (const [page, frame] of frames) pages[page] = { frame, blocks: [...(pages[page]?.blocks ?? []), block] };
  const chunk = Math.floor(at / CHUNK);
  const chunks = { ...translation.chunks, [chunk]: [...(translation.chunks[chunk] ?? []), block] };
  const next = Math.ceil((at + output.length) / ALIGNMENT) * ALIGNMENT;
  change(host, number, { ...translation, next, pages, chunks, made: translation.made + 1 });
  withShadow(host, number, system, (shadow) => {
    for (const frame of frames.values()) shadow.watch(frame, true);
  });
  return at;
}

/** Linear address of what stands for an instruction of the guest's kernel. */
export function translationOf(host: Host, number: number, system: SystemState, eip: number): number {
  const { translation, cache } = ownOf(host, number);
  return TOP + cache + (offsetOf(translation, eip) ?? make(host, number, system, eip));
}

// ---- linking --------------------------------------------------------------------------------------------------------

/** Lets a jump that was a call-out lead to its translation: JMP, or the distance of a conditional one. */
export function link(host: Host, number: number, block: Block, patch: number, to: number): void {
  const { cache } = ownOf(host, number);
  const from = cache + block.at + patch;
  const byte = (at: number): number => (host.port.readPhysical(at - (at & 3)) >>> (8 * (at & 3))) & 0xff;
  const conditional = byte(from) === 0x0f;
  const length = conditional ? 6 : 5;
  const distance = to - (TOP + from + length);
  const bytes = conditional ? [0x0f, byte(from + 1)] : [0xe9];
  for (let index = 0; index < 4; index++) bytes.push((distance >> (8 * index)) & 0xff);
  for (const [index, value] of bytes.entries()) {
    const at = from + index;
    const word = at - (at & 3);
    const shift = 8 * (at & 3);
    host.port.writePhysical(word, ((host.port.readPhysical(word) & ~(0xff << shift)) | (value << shift)) >>> 0);
  }
}

/** Lets indirect transfers find a translation. */
export function remember(host: Host, number: number, eip: number, to: number): void {
  const entry = ownOf(host, number).words + WORD.table + 8 * (eip & 0xff);
  host.port.writePhysical(entry, -eip >>> 0);
  host.port.writePhysical(entry + 4, to);
}

// ---- staying true ---------------------------------------------------------------------------------------------------

/** Whether all code is what it was when it was translated, where frames may have been stored to. */
function isSame(host: Host, number: number, written: ReadonlySet<number>): boolean {
  const { memory } = host.board(number);
  for (const [page, { frame, blocks }] of Object.entries(ownOf(host, number).translation.pages)) {
    if (!written.has(frame)) continue;
    for (const { guest, input } of blocks)
      for (let index = 0; index < input.length / 2; index++) {
        const linear = guest + index;
        if (Math.floor(linear / PAGE) !== Number(page)) continue;
        const byte = Number.parseInt(input.slice(2 * index, 2 * index + 2), 16);
        if (memory.read(frame * PAGE + (linear % PAGE), 1) !== byte) return false;
      }
  }
  return true;
}

/** Whether all pages still are where they were, with their accessed flags set: then fetching from them would change nothing. */
function isMapped(host: Host, number: number, system: SystemState): boolean {
  for (const [page, { frame }] of Object.entries(ownOf(host, number).translation.pages)) {
    const now = frameOf(host, number, system, Number(page), false);
    if (now === undefined || now.frame !== frame || !now.accessed) return false;
  }
  return true;
}

/** Drops translations of what is no longer there: called with the frames that were stored to since it was last called. */
export function keepTrue(host: Host, number: number, system: SystemState, written: ReadonlySet<number>): void {
  const { translation, shadow } = ownOf(host, number);
  const { cr0, cr3, cr4, efer, pdptes } = system;
  const paging = [cr0 & 0x8001_0001, cr3, cr4, efer, ...pdptes].join(" ");
  let check = paging !== translation.checked;
  for (const frame of written) check ||= (shadow.traces[frame]?.tables.length ?? 0) > 0;
  if (paging !== translation.checked) change(host, number, { ...translation, checked: paging });
  if (isSame(host, number, written) && (!check || isMapped(host, number, system))) return;
  flush(host, number, system);
}
