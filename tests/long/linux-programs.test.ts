import { describe, expect, it } from "vitest";
import { inside, linuxPrograms, onLinux, preparedKernel } from "../support/linux-oracle.js";
import { peer } from "../support/peers.js";

describe("programs of ours print inside what they print on Linux", () => {
  const names = linuxPrograms();
  for (const name of names)
    it(name, (context) => {
      const linux = onLinux(peer(context, "qemu-system-x86_64"), names, 64);
      const kernel = preparedKernel(names, 64);
      expect(inside(kernel, name)).toBe(linux.get(name));
    });
});
