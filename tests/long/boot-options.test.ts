/** What `virtlab boot` promises of kernels, recordings, saved states and limits of time. */
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
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
    // inc eax / jmp: it does something, so who knows when it ends.
    const counts = write("counts.bin", [0x40, 0xeb, 0xfd]);
    expect(await virtlab(["boot", counts, "--timeout", "0.2"])).toEqual({
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

  it("says that gdb's port is in use", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as AddressInfo;
    const { status, stderr } = await virtlab(["boot", spins, "--gdb", String(port)]);
    taken.close();
    expect([status, stderr]).toEqual([2, `virtlab: gdb: cannot listen on 127.0.0.1:${port}: the port is in use\n`]);
  });

  it("makes the same machine from the same seed", async () => {
    const hash = async (...seed: string[]): Promise<string> =>
      JSON.parse((await virtlab(["boot", write("exits.bin", exits), "--json", ...seed])).stdout).hash;
    const [none, zero, five, hex] = [
      await hash(),
      await hash("--seed", "0"),
      await hash("--seed", "5"),
      await hash("--seed", "0x5"),
    ];
    expect([zero, hex]).toEqual([none, five]);
    expect(five).not.toBe(none);
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
    [
      "a state to be saved in no folder",
      ["SPINS", "--save-state", "SPINS/x"],
      "/x: cannot be written: a part of its path",
    ],
    ["one file for two things", ["SPINS", "--save-state", "A", "--record", "A"], "each need a file of its own"],
    [
      "another processor for a saved machine",
      ["--load-state", "A", "--cpu", "486"],
      "--model does not go with --load-state",
    ],
    [
      "a command line for a boot sector",
      ["SPINS", "--real", "--append", "a"],
      "a boot sector cannot be given a command line",
    ],
    ["a disk of half a sector", ["--disk", "ODD"], "odd: 256 bytes are no disk"],
    ["a seed that is none", ["SPINS", "--seed", "-1"], '"-1" is no whole number from 0 to 2^64 - 1'],
    ["a processor nobody knows", ["SPINS", "--cpu", "z80"], "Allowed choices are 486, pentium"],
    ["a machine nobody knows", ["SPINS", "--machine", "mac"], "Allowed choices are isapc, pc, microvm"],
    ["no processor", ["SPINS", "--smp", "0"], '"0" is not a positive whole number'],
    ["two processors in an isapc", ["SPINS", "--smp", "2"], 'machine "isapc" has 1 processor, not 2'],
    ["nine processors", ["SPINS", "--smp", "9", "--machine", "pc"], 'machine "pc" has 1 to 8 processors, not 9'],
    ["no time at all", ["SPINS", "--timeout", "0"], '"0" is no number of seconds'],
    ["a recording that cannot be written", ["SPINS", "--record", "NONE/x"], "NONE/x: cannot be written"],
  ])("refuses %s in one line", async (_, words, message) => {
    const names: Readonly<Record<string, () => string>> = {
      KERNEL: () => write("kernel", pvhElf()),
      ODD: () => write("odd", new Uint8Array(256)),
      BIG: () => write("big", new Uint8Array(16 * 2 ** 20)),
      SPINS: () => spins,
    };
    const { status, stdout, stderr } = await virtlab([
      "boot",
      ...words.map((word) => names[word]?.() ?? word.replace("SPINS", spins)),
    ]);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^(virtlab|error): .*\n$/);
    expect(stderr).toContain(message.replace("SPINS", spins));
    expect(existsSync(at("x"))).toBe(false);
  });
});
