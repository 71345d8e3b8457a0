/** What `virtlab boot` promises beside running guests: options, limits, statuses, reports. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { packageRoot, virtlab } from "./support/virtlab.js";

const guest = (name: string): string => join(packageRoot, "guests", "images", name);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "virtlab-boot-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A flat program of these bytes. */
function program(name: string, ...bytes: number[]): string {
  const file = join(folder, name);
  writeFileSync(file, Uint8Array.from(bytes));
  return file;
}

// mov al, 0xfe / out 0x64, al: the keyboard controller's reset pulse.
const resets = [0xb0, 0xfe, 0xe6, 0x64];
const spins = [0xeb, 0xfe];

describe("virtlab boot", () => {
  it("ends with 0 when the guest resets", async () => {
    expect(await virtlab(["boot", program("reset.bin", ...resets, ...spins)])).toEqual({
      status: 0,
      stdout: "",
      stderr: "",
    });
  });

  it("boots again after a reset with --reboot, and prints from the start again", async () => {
    // mov dx, 0x3f8 / mov al, 'x' / out dx, al, then reset.
    const file = program("again.bin", 0x66, 0xba, 0xf8, 0x03, 0xb0, 0x78, 0xee, ...resets, ...spins);
    const { status, stdout } = await virtlab(["boot", file, "--reboot", "--max-instructions", "18"]);
    expect(status).toBe(3);
    expect(stdout).toBe("xxxx");
  });

  it("ends with 3 at --max-instructions, and says so", async () => {
    const { status, stderr } = await virtlab(["boot", program("spin.bin", ...spins), "--max-instructions", "1_000"]);
    expect(status).toBe(3);
    expect(stderr).toBe("virtlab: stopped at the limit of 1000 instructions\n");
  });

  it("writes counts as JSON with --stats", async () => {
    const file = join(folder, "stats.json");
    await virtlab(["boot", guest("rings.elf"), "--stats", file]);
    const stats = JSON.parse(readFileSync(file, "utf8"));
    expect(Object.keys(stats)).toEqual(["instructions", "ticks", "exceptions", "interrupts", "wallSeconds"]);
    expect(stats.exceptions).toBe(8);
    expect(stats.ticks).toBeGreaterThan(stats.instructions);
  });

  it("refuses statistics that cannot be written, before it runs anything", async () => {
    const { status, stdout, stderr } = await virtlab(["boot", guest("hello.elf"), "--stats", join(folder, "no/where")]);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^virtlab: .*no\/where: cannot be written: no such file or folder\n$/);
  });

  it("writes what goes to --port-log ports to standard error", async () => {
    // mov al, 'p' / out 0x80, al / inc ax / out 0xe9, al / out 0x81, al / out 0xf4, al
    const file = program("ports.bin", 0xb0, 0x70, 0xe6, 0x80, 0x40, 0xe6, 0xe9, 0xe6, 0x81, 0xe6, 0xf4);
    expect(await virtlab(["boot", file, "--port-log", "0x80,0xe9"])).toEqual({
      status: 0xe3,
      stdout: "",
      stderr: "pq",
    });
  });

  it("moves the debug exit, or leaves it out", async () => {
    // mov al, 3 / out 0xf4, al / mov dx, 0x501 / out dx, al / cli / hlt
    const file = program("exit.bin", 0xb0, 3, 0xe6, 0xf4, 0x66, 0xba, 0x01, 0x05, 0xee, 0xfa, 0xf4);
    const status = async (...args: string[]) => (await virtlab(["boot", file, ...args])).status;
    expect(await status()).toBe(7);
    expect(await status("--debug-exit", "0x501")).toBe(7);
    expect(await status("--debug-exit", "none")).toBe(4);
  });

  it("does not end a running machine at the end of standard input", async () => {
    const { status, stdout } = await virtlab(["boot", guest("rings.elf")], { input: "" });
    expect(status).toBe(33);
    expect(stdout).toContain("kernel: done");
  });

  it("gives what comes on standard input to the serial port", async () => {
    const { status, stdout } = await virtlab(["boot", guest("echo.elf")], { input: "ring three\nquit\n" });
    expect([status, stdout]).toEqual([33, "echo: ready\nRING THREE\necho: 1 lines\n"]);
  });

  it("reports a halt that only input could have ended, when there is none", async () => {
    const { status, stderr } = await virtlab(["boot", guest("echo.elf")], { input: "" });
    expect(status).toBe(4);
    expect(stderr).toContain("halted, waiting for input that will not come");
    expect(stderr).toContain("hlt");
  });

  it("stops visibly where the machine lacks what the guest needs", async () => {
    // jmp 0x7ff00000, where there is no memory
    const file = program("nowhere.bin", 0xe9, 0xfb, 0xff, 0xdf, 0x7f);
    const { status, stderr } = await virtlab(["boot", file]);
    expect(status).toBe(4);
    expect(stderr).toContain("code at physical address 0x7ff00000, where there is no memory");
  });

  it("ends with 2 for an unknown option or command", async () => {
    expect((await virtlab(["boot", guest("hello.elf"), "--memroy", "1M"])).status).toBe(2);
    expect((await virtlab(["bot"])).status).toBe(2);
  });

  it("shows its help and version with 0", async () => {
    expect((await virtlab(["--help"])).status).toBe(0);
    expect((await virtlab(["boot", "--help"])).stdout).toContain("--port-log");
    expect((await virtlab(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
