/** What `virtlab boot` promises beside running guests: options, limits, statuses, reports. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bzImage } from "../src/hardware/boot/linux-fixtures.test-helper.js";
import { assemble } from "../src/index.js";
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

/** Ends with status 7 at the third interrupt; the timer has them some five million steps apart. */
const ticks = `
  xor ax, ax
  mov ds, ax
  mov word [0x80], handler
  mov word [0x82], ax
  mov word [0x90], handler
  mov word [0x92], ax
  mov al, 0x11
  out 0x20, al
  mov al, 0x20
  out 0x21, al
  mov al, 4
  out 0x21, al
  mov al, 1
  out 0x21, al
  mov al, 0xfe ; the timer
  out 0x21, al
  mov al, 0x36
  out 0x43, al
  mov al, 0
  out 0x40, al
  out 0x40, al
  mov dx, 0x3f9
  mov al, 1
  out dx, al
  mov dx, 0x3fc
  mov al, 8
  out dx, al
  sti
wait: jmp wait
handler:
  mov dx, 0x3f8
  in al, dx
  mov al, 0x20
  out 0x20, al
  inc byte [0x500]
  cmp byte [0x500], 3
  jne done
  mov al, 3
  out 0xf4, al
done: iret`;

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

  it("ends with a report where the guest jumps to itself and nothing can end that", async () => {
    // pause / jmp: with interrupts off
    const { status, stderr } = await virtlab(["boot", program("waits.bin", 0xf3, 0x90, 0xeb, 0xfc)]);
    expect(status).toBe(4);
    expect(stderr).toMatch(/^virtlab: jumps to itself, and nothing can end that, after \d+ instructions\n/);
    expect(stderr).toContain("00100000  pause");
    // sti / jmp: a key could have ended it
    const open = await virtlab(["boot", program("open.bin", 0xfb, ...spins)], { input: "" });
    expect(open.status).toBe(4);
    expect(open.stderr).toContain("jumps to itself, waiting for input that will not come");
  });

  it("goes on where a guest jumps to itself until a timer's interrupt", async () => {
    const { bytes } = assemble(ticks, { address: 0x7c00, bits: 16 });
    expect((await virtlab(["boot", program("ticks.bin", ...bytes), "--real"])).status).toBe(7);
  });

  it("waits for input where a guest jumps to itself until there is some", async () => {
    const { bytes } = assemble(ticks.replace("0xfe ; the timer", "0xef ; COM1"), { address: 0x7c00, bits: 16 });
    expect((await virtlab(["boot", program("typed.bin", ...bytes), "--real"], { input: "abc" })).status).toBe(7);
  });

  it("reports code as it was when it ran, in 64 bits where the machine has them", async () => {
    // mov r9, 0x1122334455667788 / mov rax, 0xffff800000000000 / mov [rax], r9
    const code = [
      0x49, 0xb9, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0x48, 0xb8, 0, 0, 0, 0, 0, 0x80, 0xff, 0xff,
    ];
    const kernel = bzImage({ payload: [...new Array<number>(0x200).fill(0), ...code, 0x4c, 0x89, 0x08] });
    kernel[0x236] = 1; // there is a 64-bit entry point
    writeFileSync(join(folder, "bzImage"), kernel);
    const { status, stderr } = await virtlab(["boot", join(folder, "bzImage"), "--entry", "64", "--cpu", "core2"]);
    expect(status).toBe(4);
    expect(stderr).toContain("r8=0000000000000000 r9=1122334455667788");
    expect(stderr).toContain("#PF error code 0002 at ffff800000000000, rip 00100214");
    expect(stderr).toContain("  0010020a  mov rax, 0xffff800000000000\n  00100214  mov [rax], r9\n");
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
