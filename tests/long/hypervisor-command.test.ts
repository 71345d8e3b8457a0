/** `virtlab boot --hypervisor` with recordings and saved states. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { packageRoot, virtlab } from "../support/virtlab.js";

const guest = (name: string): string => join(packageRoot, "guests", "images", name);
const folder = mkdtempSync(join(tmpdir(), "virtlab-hypervisor-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("virtlab boot --hypervisor", () => {
  it("follows a recording of a VM, and goes on with a host that was saved", async () => {
    const [record, state] = [join(folder, "recording.json"), join(folder, "host.state")];
    const args = ["boot", guest("hello.elf"), "--hypervisor", "vmx"];
    const limited = ["--max-instructions", "1500", "--record", record, "--save-state", state];
    const first = await virtlab([...args, ...limited]);
    expect(first.status).toBe(3);
    expect((await virtlab([...args, "--replay", record])).status).toBe(0);
    const rest = await virtlab(["boot", "--load-state", state]);
    expect(rest.status).toBe(33);
    const whole = await virtlab(args);
    expect(first.stdout + rest.stdout).toBe(whole.stdout);
    const other = await virtlab(["boot", "--load-state", state, "--hypervisor", "svm"]);
    expect([other.status, other.stderr]).toEqual([
      2,
      `virtlab: ${state}: its VM runs under vmx-ept, and cannot go on under svm-npt\n`,
    ]);
  });

  it("runs a machine that was saved in a VM", async () => {
    const state = join(folder, "machine.state");
    const args = ["boot", guest("hello.elf"), "--cpu", "nehalem"];
    const first = await virtlab([...args, "--max-instructions", "1500", "--save-state", state]);
    const rest = await virtlab(["boot", "--load-state", state, "--hypervisor", "vmx"]);
    expect(rest.status).toBe(33);
    expect(first.stdout + rest.stdout).toBe((await virtlab(args)).stdout);
  });
});
