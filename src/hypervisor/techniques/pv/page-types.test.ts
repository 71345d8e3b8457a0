import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { stateOf } from "../../../hardware/machine.js";
import { readPages } from "../../../state/page-map.js";
import { Hypervisor } from "../../hypervisor.js";
import type { HypervisorState } from "../../state.js";
import { paravirtualMachine } from "./builder.js";
import { isHarmless, PageTypes, TYPE } from "./page-types.js";
import type { PvOwn } from "./state.js";

const image = readFileSync(path.join(__dirname, "../../../../guests/images/kernel-xen.elf"));
const PAGE = 4096;

/** What a host's frames are used as, by its own list, and counted anew from the tables themselves. */
function usesOf({ machine }: Hypervisor): { readonly kept: number[]; readonly counted: number[] } {
  const { memory, supervisors } = stateOf(machine);
  const own = (supervisors!["hypervisor"]!.state as HypervisorState).vms[0]!.own as PvOwn;
  const page = (frame: number): Int32Array => new Int32Array(readPages(memory, frame * PAGE, PAGE).slice().buffer);
  const words = new Map<number, Int32Array>();
  const readPhysical = (at: number): number => {
    const frame = Math.floor(at / PAGE);
    if (!words.has(frame)) words.set(frame, page(frame));
    return words.get(frame)![(at % PAGE) / 4]! >>> 0;
  };
  const types = new PageTypes({ readPhysical, writePhysical: () => {} }, own);
  const frames = Array.from({ length: own.pages }, (_, index) => own.first + index);
  const counted = new Map<number, number>();
  const use = (frame: number): void => {
    counted.set(frame, (counted.get(frame) ?? 0) + 1);
  };
  use(own.directory);
  for (const frame of own.descriptors) use(frame);
  for (const frame of frames) {
    if (types.isPinned(frame)) use(frame);
    const type = types.typeOf(frame);
    if (type !== TYPE.table && type !== TYPE.directory) continue;
    for (const entry of page(frame).subarray(0, type === TYPE.directory ? 1008 : 1024)) {
      const isUse = (entry & 1) !== 0 && (type === TYPE.directory || (entry & 2) !== 0);
      if (isUse && types.owns(entry >>> 12)) use(entry >>> 12);
    }
  }
  return {
    kept: frames.map((frame) => types.usesOf(frame)),
    counted: frames.map((frame) => counted.get(frame) ?? 0),
  };
}

describe("what frames are used as", () => {
  it("is counted as the tables have it, all through a kernel's life", () => {
    const guest = paravirtualMachine({ image });
    let host = Hypervisor.create({ model: "pentium2", bits: 32, memory: "32M" })
      .addVm({ name: "a", guest, technique: "pv" })
      .run({ maxInstructions: 5000 });
    let looks = 0;
    for (; host.vm("a").status.kind !== "stopped"; looks++) {
      const { kept, counted } = usesOf(host);
      expect(kept).toEqual(counted);
      host = host.run({ until: { vm: "a" }, maxInstructions: 71_111 });
    }
    expect(looks).toBeGreaterThan(10);
  });

  it("lets no descriptor reach the hypervisor", () => {
    expect(isHarmless(0x0000_bfff, 0x00cf_fb00)).toBe(true);
    // Limit FBFFFh pages ends at FBFFFFFFh; one page more does not.
    expect(isHarmless(0x0000_c000, 0x00cf_fb00)).toBe(false);
    expect(isHarmless(0xffff_ffff, 0xff40_f3ff)).toBe(false);
    expect(isHarmless(0x0000_0000, 0x00cf_f700)).toBe(false);
    expect(isHarmless(0x0000_bfff, 0x00cf_9b00)).toBe(false);
    expect(isHarmless(0x0000_bfff, 0x00cf_7b00)).toBe(true);
  });
});
