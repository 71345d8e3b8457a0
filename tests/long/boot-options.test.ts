/** What `virtlab boot` promises of kernels, recordings, saved states and limits of time. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { bzImage, pvhElf } from "../../src/hardware/boot/linux-fixtures.test-helper.js";
import { Machine } from "../../src/hardware/machine.js";
import { packageRoot, virtlab } from "../support/virtlab.js";

const folder = mkdtempSync(join(tmpdir(), "virtlab-boot-options-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);
const echo = join(packageRoot, "guests", "images", "echo.elf");

function write(name: string, bytes: Uint8Array | readonly number[]): string {
  writeFileSync(at(name), Uint8Array.from(bytes));
  return at(name);
}

/** mov al, 3 / out 0xf4, al: ends with status 7. */
const exits = [0xb0, 3, 0xe6, 0xf4];
const spins = write("spins.bin", [0xeb, 0xfe]);

describe("virtlab boot", () => {
  it("boots a vmlinux and a bzImage with an initrd and a command line", async () => {
    const initrd = write("initrd", new Uint8Array(100));
    const vmlinux = write("vmlinux", pvhElf({ code: exits }));
    expect((await virtlab(["boot", vmlinux, "--initrd", initrd, "--append", "quiet"])).status).toBe(7);
    const kernel = write("bzImage", bzImage({ payload: [...exits, 0] }));
    expect((await virtlab(["boot", kernel, "--initrd", initrd, "--cmdline", "quiet", "--cpu", "486"])).status).toBe(7);
  });

  it("types what a recording has, to the same end", async () => {
    const record = ["boot", echo, "--record", at("echo.json")];
    const recorded = await virtlab(record, { input: "ring three\nquit\n" });
    expect([recorded.status, recorded.stdout]).toEqual([33, "echo: ready\nRING THREE\necho: 1 lines\n"]);
    const replay = ["boot", echo, "--replay", at("echo.json")];
    expect(await virtlab(replay, { input: "another\nquit\n" })).toEqual(recorded);

    const other = await virtlab([...replay, "--memory", "32M"]);
    expect([other.status, other.stderr]).toEqual([2, expect.stringContaining("recorded on another machine")]);
    const text = readFileSync(at("echo.json"), "utf8");
    writeFileSync(at("changed.json"), text.replace(/"hash": "./, '"hash": "x'));
    const changed = await virtlab(["boot", echo, "--replay", at("changed.json")]);
    expect([changed.status, changed.stderr]).toEqual([2, expect.stringContaining("the run ended otherwise")]);
  });

  it("saves the machine it stops with, and goes on with it", async () => {
    const saved = await virtlab(["boot", echo, "--max-instructions", "1000", "--save-state", at("early.machine")]);
    expect(saved.status).toBe(3);
    expect(Machine.load(readFileSync(at("early.machine"))).steps).toBe(1000);
    const { status, stdout } = await virtlab(["boot", "--load-state", at("early.machine")], { input: "quit\n" });
    expect(status).toBe(33);
    expect(saved.stdout + stdout).toBe("echo: ready\necho: 0 lines\n");
  });

  it("gives up after --timeout, and says so", async () => {
    expect(await virtlab(["boot", spins, "--timeout", "0.2"])).toEqual({
      status: 3,
      stdout: "",
      stderr: "virtlab: stopped after 0.2 seconds\n",
    });
  });

  it("puts everything into one object with --json", async () => {
    const { status, stdout } = await virtlab(["boot", echo, "--json"], { input: "quit\n" });
    expect(status).toBe(33);
    expect(JSON.parse(stdout)).toMatchObject({
      end: "debug-exit",
      status: 33,
      steps: expect.any(Number),
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      serial: "echo: ready\necho: 0 lines\n",
    });
  });

  it.each([
    ["no image", [], "boot: give either an image, --rom <file> or --load-state <file>"],
    ["an initrd larger than the memory", ["KERNEL", "--initrd", "BIG", "--memory", "16M"], "initrd does not fit"],
    ["an initrd for a flat binary", ["SPINS", "--initrd", "BIG"], "a flat binary cannot be given an initrd"],
    [
      "an initrd that is not there",
      ["KERNEL", "--initrd", "NONE"],
      "NONE: cannot read the initrd: no such file or folder",
    ],
    ["a state that is none", ["--load-state", "SPINS"], "SPINS: "],
    ["a recording that is none", ["SPINS", "--replay", "SPINS"], "SPINS: no recording"],
    ["both a recording and a replay", ["SPINS", "--replay", "A", "--record", "B"], "not both at once"],
    ["a recording that cannot be written", ["SPINS", "--record", "NONE/x"], "NONE/x: cannot be written"],
  ])("refuses %s in one line", async (_, words, message) => {
    const names: Readonly<Record<string, () => string>> = {
      KERNEL: () => write("kernel", pvhElf()),
      BIG: () => write("big", new Uint8Array(16 * 2 ** 20)),
      SPINS: () => spins,
    };
    const { status, stdout, stderr } = await virtlab(["boot", ...words.map((word) => names[word]?.() ?? word)]);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^virtlab: .*\n$/);
    expect(stderr).toContain(message.replace("SPINS", spins));
    expect(existsSync(at("x"))).toBe(false);
  });
});
