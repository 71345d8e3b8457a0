/** Every guest of `guests/`: what the committed image does under virtlab, and that QEMU sees the same. */
import { describe, expect, it } from "vitest";
import { expectedOutput, guests, inputOf, qemuArguments, virtlabArguments } from "./support/guests.js";
import { peer } from "./support/peers.js";
import { runProcessToFile } from "./support/processes.js";
import { virtlab } from "./support/virtlab.js";

describe("virtlab boot", () => {
  for (const guest of guests) {
    it(`runs ${guest.name} to its expected output and status ${guest.status}`, async () => {
      const ended = await virtlab(virtlabArguments(guest), inputOf(guest));
      expect(ended.stdout, ended.stderr).toBe(expectedOutput(guest));
      expect(ended.status, ended.stderr).toBe(guest.status);
      if (guest.console !== undefined) expect(ended.stderr).toContain(guest.console);
    });
  }

  it("reports registers and the last exceptions when a triple fault ends the guest", async () => {
    const ended = await virtlab(virtlabArguments(guests.find((guest) => guest.name === "triple")!));
    expect(ended.status).toBe(4);
    expect(ended.stderr).toMatch(/triple fault/i);
    expect(ended.stderr).toMatch(/eip/i);
    expect(ended.stderr).toContain("#UD");
  });
});

describe("QEMU", () => {
  for (const guest of guests.filter(({ qemu }) => qemu !== "cannot")) {
    it(`prints what is expected of ${guest.name}, too`, async (context) => {
      const qemu = peer(context, "qemu-system-i386");
      const expected = expectedOutput(guest);
      // A machine that waits for ever is ended once it has said everything.
      const ending = guest.qemu === "waits" ? { killAfter: expected } : {};
      const ended = await runProcessToFile(qemu, qemuArguments(guest), { ...inputOf(guest), ...ending });
      expect(ended.stdout, ended.stderr).toBe(expected);
      const status = { "debug-exit": guest.status, reset: 0, waits: undefined, cannot: undefined }[guest.qemu];
      expect(ended.status, ended.stderr).toBe(status);
    });
  }
});
