/** `virtlab state make`, from Debian's packages to a machine at its prompt that a library user goes on with. */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { debianPackages } from "../../src/cli/debian/debian-system.js";
import { builtState } from "../../src/systems/built-state.js";
import { debianFiles, enter } from "../support/debian.js";
import { packageRoot, virtlab } from "../support/virtlab.js";

const folder = mkdtempSync(join(tmpdir(), "virtlab-state-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const state = (...words: string[]) =>
  virtlab(["state", ...words], { environment: { ...process.env, XDG_CACHE_HOME: join(folder, "empty") } });

describe("virtlab state", () => {
  it("lists what there is, and that nothing has been made", async () => {
    const { status, stdout } = await state("list");
    expect([status, stdout]).toEqual([0, expect.stringMatching(/^debian-shell +not made +Debian 12's kernel 686-pae/)]);
    const listed = JSON.parse((await state("list", "--json")).stdout);
    expect(listed[0]).toEqual({ name: "debian-shell", about: expect.any(String), made: false });
  });

  it("says which package is missing, and how to get it", async () => {
    const { status, stderr } = await state("make", "debian-shell");
    expect(status).toBe(2);
    expect(stderr).toMatch(/^virtlab: linux-image-6\.1\.0-N-686-pae \(i386\) of Debian 12 is not in .*packages: /);
    expect(stderr).toContain('"virtlab state fetch" gets it by apt, or it is on https://packages.debian.org/bookworm/');
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });

  it("names the states there are when it is asked for another", async () => {
    const { status, stderr } = await state("make", "dos");
    expect([status, stderr]).toEqual([
      2,
      expect.stringMatching(/^virtlab: state "dos" is unknown \(known: debian-shell/),
    ]);
  });
});

it("a state is made from packages in a folder once, and then is there", async (context) => {
  debianFiles(context, "686-pae");
  const packages = join(folder, "packages");
  mkdirSync(packages);
  for (const { file, name } of Object.values(debianPackages("686-pae")))
    copyFileSync(file, join(packages, `${name}_1_i386.deb`));
  const environment = { ...process.env, XDG_CACHE_HOME: folder };
  const make = () =>
    virtlab(["state", "make", "debian-shell", "--packages", packages], { environment, milliseconds: 300_000 });
  const { status, stdout, stderr } = await make();
  expect([status, stderr]).toEqual([0, ""]);
  const file = stdout.trim();
  expect(statSync(file).size).toBeLessThan(25 * 2 ** 20);
  const files = readdirSync(join(folder, "virtlab", "states"));
  expect(files).toHaveLength(3);
  expect((await make()).stdout).toBe(stdout);

  const lesson = join(packageRoot, "notebooks", "13-boot.ipynb");
  const run = await virtlab(["notebook", "run", lesson, "--output-dir", folder], {
    environment,
    milliseconds: 300_000,
  });
  expect([run.status, run.stderr]).toEqual([0, expect.not.stringContaining("failed")]);
  expect(readFileSync(join(folder, "13-boot.ipynb"), "utf8")).toMatch(/model name\\t: Pentium III/);

  const before = process.env["XDG_CACHE_HOME"];
  process.env["XDG_CACHE_HOME"] = folder;
  try {
    const machine = builtState("debian-shell");
    expect(file).toContain(machine.hash);
    expect(enter(machine, "echo $((6 * 7))").serial).toMatch(/\r\n42\r\n# $/);
  } finally {
    if (before === undefined) delete process.env["XDG_CACHE_HOME"];
    else process.env["XDG_CACHE_HOME"] = before;
  }
});
