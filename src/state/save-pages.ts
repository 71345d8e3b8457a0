/**
 * Pages for saving: each content once, and runs of frames that say which content is where. Pages are compared byte by
 * byte, so no two contents can be taken for one.
 */
import { VirtlabError } from "./error.js";
import { PAGE_SIZE } from "./pages.js";

/** Pages by frame number (physical address / 4096), ascending. */
export type NumberedPages = Iterable<readonly [frame: number, bytes: Uint8Array]>;

/** `count` frames from `frame` on have the contents from `content` on. */
export interface Run {
  readonly frame: number;
  readonly content: number;
  readonly count: number;
}

/**
 * The different contents among the pages, in order of appearance, and which frames have which. Arrays are recognized, so
 * one must not be reused for another page. Throws a VirtlabError if a page is not 4096 bytes or the frame numbers do
 * not ascend.
 */
export function gatherPages(pages: NumberedPages): { contents: Uint8Array[]; runs: Run[] } {
  const contents: Uint8Array[] = [];
  const runs: { frame: number; content: number; count: number }[] = [];
  const byArray = new Map<Uint8Array, number>();
  const byHash = new Map<number, number[]>();
  let nextFrame = 0;
  for (const [frame, bytes] of pages) {
    if (!Number.isSafeInteger(frame) || frame < nextFrame) {
      throw new VirtlabError(`cannot save: frame ${frame} is out of order`);
    }
    if (bytes.length !== PAGE_SIZE) {
      throw new VirtlabError(`cannot save: frame ${frame} has ${bytes.length} bytes, not ${PAGE_SIZE}`);
    }
    nextFrame = frame + 1;
    const content = byArray.get(bytes) ?? contentNumber(bytes, contents, byHash);
    byArray.set(bytes, content);
    const last = runs.at(-1);
    if (last && last.frame + last.count === frame && last.content + last.count === content) last.count++;
    else runs.push({ frame, content, count: 1 });
  }
  return { contents, runs };
}

function contentNumber(bytes: Uint8Array, contents: Uint8Array[], byHash: Map<number, number[]>): number {
  const hash = quickHash(bytes);
  const candidates = byHash.get(hash) ?? [];
  const known = candidates.find((candidate) => contents[candidate]!.every((byte, index) => byte === bytes[index]));
  if (known !== undefined) return known;
  byHash.set(hash, [...candidates, contents.length]);
  return contents.push(bytes) - 1;
}

/** A hash that only sorts pages into buckets (FNV-1a), 32 bits. */
function quickHash(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < bytes.length; index++) hash = Math.imul(hash ^ bytes[index]!, 0x01000193);
  return hash;
}

/** The contents joined into pieces of `perPiece` pages; the last piece may be shorter. */
export function joinPages(contents: readonly Uint8Array[], perPiece: number): Uint8Array[] {
  const joined: Uint8Array[] = [];
  for (let first = 0; first < contents.length; first += perPiece) {
    const group = contents.slice(first, first + perPiece);
    const bytes = new Uint8Array(group.length * PAGE_SIZE);
    for (const [index, page] of group.entries()) bytes.set(page, index * PAGE_SIZE);
    joined.push(bytes);
  }
  return joined;
}
