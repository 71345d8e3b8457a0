/** A guest's memory as pages of its own numbers, and the host's with them in their frames: pages are shared, never copied. */
import type { PageMap } from "../state/page-map.js";
import { PAGE_SIZE, type Page } from "../state/pages.js";
import { PersistentMap } from "../state/persistent-map.js";
import type { Extent } from "./state.js";

/** Pages by new numbers, which have to rise. */
class Renumbered {
  readonly #pages: (readonly [number: number, page: Page | undefined])[] = [];

  add(number: number, page: Page | undefined): void {
    this.#pages.push([number, page]);
  }

  into(map: PageMap): PageMap {
    const pages = this.#pages.sort(([a], [b]) => a - b);
    return map.setAll(
      pages.map(([number]) => number),
      pages.map(([, page]) => page),
    );
  }
}

const NO_PAGES: PageMap = PersistentMap.empty();

/** Made from what they are a view of alone: the guest's memory that was asked for last, by its extents. */
const views = new WeakMap<readonly Extent[], { readonly host: PageMap; readonly guest: PageMap }>();

/** The memory of a guest. What was the same when it was last asked for is not looked at. */
export function guestPages(host: PageMap, extents: readonly Extent[]): PageMap {
  const last = views.get(extents);
  if (last?.host === host) return last.guest;
  const changed = new Renumbered();
  PersistentMap.compare(last?.host ?? NO_PAGES, host, (number, _before, after) => {
    const at = number * PAGE_SIZE;
    const extent = extents.find((part) => at >= part.host && at < part.host + part.bytes);
    if (extent !== undefined) changed.add((at - extent.host + extent.guest) / PAGE_SIZE, after);
  });
  const guest = changed.into(last?.guest ?? NO_PAGES);
  views.set(extents, { host, guest });
  return guest;
}

/** The host's memory with what differs between two versions of a guest's. */
export function withGuestPages(host: PageMap, extents: readonly Extent[], before: PageMap, after: PageMap): PageMap {
  const changed = new Renumbered();
  PersistentMap.compare(before, after, (number, _before, page) => {
    const at = number * PAGE_SIZE;
    const extent = extents.find((part) => at >= part.guest && at < part.guest + part.bytes);
    if (extent !== undefined) changed.add((at - extent.guest + extent.host) / PAGE_SIZE, page);
  });
  const next = changed.into(host);
  views.set(extents, { host: next, guest: after });
  return next;
}
