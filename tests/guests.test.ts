/**
 * Every guest of `guests/`: what the committed image does under virtlab, that QEMU sees the same, and that an image built
 * anew from the sources behaves like the committed one.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { expectedOutput, guests, inputOf, qemuArguments, virtlabArguments } from "./support/guests.js";
import { peer } from "./support/peers.js";
import { runProcess, runProcessToFile } from "./support/processes.js";
import { packageRoot, virtlab } from "./support/virtlab.js";

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

describe("guests/build.mjs", () => {
  it("builds images that behave like the committed ones", async (context) => {
    peer(context, "nasm");
    peer(context, "ld", ["-m", "elf_i386", "--version"]);
    peer(context, "gcc", ["-m32", "-march=i386", "-x", "c", "-c", "-o", "/dev/null", "-"]);
    const directory = mkdtempSync(join(tmpdir(), "virtlab-guests-"));
    try {
      const builder = join(packageRoot, "guests", "build.mjs");
      const built = await runProcess(process.execPath, [builder, "--out", directory]);
      expect(built.status, built.stderr).toBe(0);
      for (const guest of guests) {
        const ended = await virtlab(virtlabArguments(guest, directory), inputOf(guest));
        expect(`${guest.name}: ${ended.status}\n${ended.stdout}`, ended.stderr).toBe(
          `${guest.name}: ${guest.status}\n${expectedOutput(guest)}`,
        );
      }
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }, 180_000);
});
