/** Shadow paging of a VM, for its technique: what it remembers is in the technique's own record, as `shadow`. */
import type { PagingState } from "../../hardware/cpu/paging.js";
import { guestMemory } from "../guest-memory.js";
import type { Host } from "../host.js";
import { lacks } from "../isolation/protections.js";
import { Shadow } from "./shadow.js";
import type { ShadowState } from "./state.js";

interface HasShadow {
  readonly shadow: ShadowState;
}

/** Works with the shadow tables of a VM whose paging is that of `system`. */
export function withShadow<Result>(
  host: Host,
  number: number,
  system: PagingState,
  work: (shadow: Shadow) => Result,
): Result {
  const { extents, name, own } = host.vm(number);
  const before = (own as HasShadow).shadow;
  const board = host.board(number);
  const shadow = new Shadow(
    {
      port: host.port,
      extents,
      ...(lacks(host.vm(number), "shadow-entry validation") ? { open: host.state.frames.end } : {}),
      memory: guestMemory(host.port, extents),
      onBus: (physical) => board.onBus(physical),
      allocate: () => host.allocate(1, `${name}: its shadow tables`),
      area: host.state.bits === 32,
    },
    before,
    system,
  );
  const { unseen, seen } = host.stores(number);
  if (unseen.size > 0) shadow.wrote(unseen);
  for (const frame of unseen) seen.add(frame);
  unseen.clear();
  const result = work(shadow);
  if (shadow.state !== before) host.change(number, { own: { ...host.vm(number).own, shadow: shadow.state } as object });
  return result;
}
