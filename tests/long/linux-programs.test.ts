import { describe, expect, it } from "vitest";
import type { Kernel } from "../../src/kernel/kernel.js";
import { inside, linuxPrograms, onLinux, preparedKernel } from "../support/linux-oracle.js";
import { peer } from "../support/peers.js";
import { recordCalls } from "../support/syscall-coverage.js";

describe("programs of ours print inside what they print on Linux", () => {
  const names = linuxPrograms();
  /** Made once: each program runs on a fork of it. */
  let prepared: Kernel | undefined;
  for (const name of names)
    it(name, (context) => {
      const linux = onLinux(peer(context, "qemu-system-x86_64"), names, 64);
      prepared ??= preparedKernel(names, 64);
      const { output, kernel } = inside(prepared, name);
      expect(output).toBe(linux.get(name));
      recordCalls(name, kernel.events);
    });
});
