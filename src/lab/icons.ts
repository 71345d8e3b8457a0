/** The page's icons: strokes on a grid of 16, in the colour of the text. */
import { drawn } from "./element.js";

const STROKES = {
  run: '<path d="M5 3.2v9.6L12.6 8z" fill="currentColor"/>',
  runAll: '<path d="M2.5 3.2v9.6L8.6 8zM8.4 3.2v9.6L14.5 8z" fill="currentColor"/>',
  stop: '<rect x="4" y="4" width="8" height="8" rx="1.5" fill="currentColor"/>',
  restart: '<path d="M13 8a5 5 0 1 1-1.6-3.7M13 2.5v3h-3"/>',
  restartRun:
    '<path d="M12.6 9.5A5 5 0 1 1 11 4.1M12.8 2.3v2.9H9.9"/><path d="M6.7 5.9v4.2L10 8z" fill="currentColor"/>',
  save: '<path d="M3 4a1 1 0 0 1 1-1h6.5L13 5.5V12a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1z"/><path d="M5.5 3v3h4V3M5.5 13V9.5h5V13"/>',
  add: '<path d="M8 3.2v9.6M3.2 8h9.6"/>',
  outline: '<path d="M2.5 4h11M2.5 8h7M2.5 12h9"/>',
  sun: '<circle cx="8" cy="8" r="2.8"/><path d="M8 1.7v1.4M8 12.9v1.4M1.7 8h1.4M12.9 8h1.4M3.5 3.5l1 1M11.5 11.5l1 1M12.5 3.5l-1 1M4.5 11.5l-1 1"/>',
  moon: '<path d="M13 9.6A5.5 5.5 0 0 1 6.4 3a5.5 5.5 0 1 0 6.6 6.6z"/>',
  system: '<rect x="2" y="3" width="12" height="8" rx="1.2"/><path d="M6 13.5h4"/>',
  help: '<circle cx="8" cy="8" r="6"/><path d="M6.2 6.3a1.8 1.8 0 1 1 2.6 1.6c-.5.3-.8.6-.8 1.2"/><path d="M8 11.3v.05"/>',
  up: '<path d="M8 13V3.5M4 7.3l4-4 4 4"/>',
  down: '<path d="M8 3v9.5M4 8.7l4 4 4-4"/>',
  remove: '<path d="M3 4.5h10M6.3 4.5V3h3.4v1.5M4.5 4.5l.6 8.5h5.8l.6-8.5M6.8 7v3.7M9.2 7v3.7"/>',
  duplicate: '<rect x="5.5" y="5.5" width="7.5" height="7.5" rx="1"/><path d="M10.5 3H4a1 1 0 0 0-1 1v6.5"/>',
  code: '<path d="M5.5 4.5 2 8l3.5 3.5M10.5 4.5 14 8l-3.5 3.5"/>',
  text: '<path d="M3.5 4.5v-1h9v1M8 3.5v9M6.3 12.5h3.4"/>',
  close: '<path d="m4 4 8 8M12 4l-8 8"/>',
  folder: '<path d="M2 4.5a1 1 0 0 1 1-1h3l1.5 1.6H13a1 1 0 0 1 1 1V12a1 1 0 0 1-1 1H3a1 1 0 0 1-1-1z"/>',
  back: '<path d="M10 3.5 5.5 8l4.5 4.5"/>',
  check: '<path d="m3.5 8.4 3 3 6-6.6"/>',
  warning: '<path d="M8 2.3 14.3 13H1.7zM8 6.4v3.2M8 11.3v.05"/>',
  search: '<circle cx="7" cy="7" r="4.2"/><path d="m10.2 10.2 3.3 3.3"/>',
  undo: '<path d="M5.8 3 3 5.8l2.8 2.8M3.2 5.8h6a3.6 3.6 0 0 1 0 7.2H6"/>',
} as const;

export type IconName = keyof typeof STROKES;

/** The mark of virtlab: a value and the ones that were made from it. */
export const MARK = `<svg class="mark" viewBox="0 0 20 20" aria-hidden="true"><rect x="7.5" y="1.5" width="11" height="11" rx="2.5" opacity=".35"/><rect x="4.5" y="4.5" width="11" height="11" rx="2.5" opacity=".6"/><rect x="1.5" y="7.5" width="11" height="11" rx="2.5" class="front"/></svg>`;

export function icon(name: IconName): Element {
  return drawn(
    `<svg class="icon" viewBox="0 0 16 16" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.4" stroke-linecap="round" stroke-linejoin="round">${STROKES[name]}</svg>`,
  );
}
