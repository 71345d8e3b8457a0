/** The comparison with QEMU in lockstep: guests that go the same way, a planted difference, the protocol, the command. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Machine, type Registers } from "../../src/hardware/machine.js";
import { GdbStub, packet, StubClosed, takePacket } from "../support/gdb-stub.js";
import { images } from "../support/guests.js";
import type { Outcome } from "../support/lockstep.js";
import { parseArguments } from "../support/lockstep-command.js";
import { addressOf, compareImage, expectNoDifference } from "../support/lockstep-guests.js";
import { reportJson, reportText } from "../support/lockstep-report.js";
import { peer } from "../support/peers.js";
import { runProcess } from "../support/processes.js";
import { parseHiddenState, registerPlaces } from "../support/qemu.js";
import { packageRoot } from "../support/virtlab.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "virtlab-lockstep-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function program(name: string, ...bytes: number[]): string {
  const file = join(folder, name);
  writeFileSync(file, Uint8Array.from(bytes));
  return file;
}

describe("virtlab and QEMU, step by step", () => {
  it("go the same way through hello, to its debug exit", async (context) => {
    const { end, steps } = await expectNoDifference(context, { image: "hello.elf" }, { steps: 10_000 });
    expect(end).toBe("debug-exit");
    expect(steps).toBeGreaterThan(2000);
  });

  it("go the same way through the user's part of rings", async (context) => {
    const from = addressOf("rings.elf", "user_start");
    const { steps } = await expectNoDifference(context, { image: "rings.elf" }, { from, steps: 2000 });
    expect(steps).toBe(2000);
  });

  it("go the same way through the first exceptions of faults", async (context) => {
    const from = addressOf("faults.elf", "divide_by_zero");
    await expectNoDifference(context, { image: "faults.elf" }, { from, steps: 3000 });
  });

  it("go the same way through triple, to the triple fault", async (context) => {
    expect((await expectNoDifference(context, { image: "triple.elf" }, { steps: 1000 })).end).toBe("triple-fault");
  });

  it("go the same way through flat, which QEMU's loader does not know", async (context) => {
    expect((await expectNoDifference(context, { image: "flat.bin" }, { steps: 1000 })).end).toBe("debug-exit");
  });

  // inc ecx, ten times.
  const counting = [0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41];

  it("differ where a register is changed, and the report names it", async (context) => {
    const image = program("register.bin", ...counting);
    const step = (machine: Machine): Machine =>
      machine.registers.eip === 0x10_0003
        ? machine.step().edit(({ registers }) => {
            registers.ecx += 0x100;
          })
        : machine.step();
    const outcome = await compareImage(context, image, { steps: 10, step });
    const difference = outcome.difference!;
    expect(outcome.steps).toBe(4);
    expect(difference.unequal.map(({ what }) => what)).toEqual(["ecx"]);
    expect(difference.instruction).toMatchObject({ address: 0x10_0003, bytes: Uint8Array.of(0x41), text: "inc ecx" });
    expect(difference.instruction.qemu).toMatch(/inc\w? +%ecx/);
    expect(difference.recent.map(({ address }) => address)).toEqual([0x10_0000, 0x10_0001, 0x10_0002, 0x10_0003]);
    expect(reportText("x", outcome)).toMatch(/^x: ecx differs behind step 4, inc ecx: virtlab \w{8}, QEMU \w{8}\n/);
  });

  it("differ where a step writes something else to memory, though no register shows it", async (context) => {
    // push 5 / nop
    const image = program("memory.bin", 0x6a, 5, 0x90);
    const step = (machine: Machine): Machine => {
      const next = machine.step();
      return next.registers.eip === 0x10_0002 ? next.write(next.registers.esp, Uint8Array.of(6)) : next;
    };
    const { difference, steps } = await compareImage(context, image, { steps: 2, step });
    expect(steps).toBe(1);
    expect(difference?.unequal.map(({ what }) => what)).toEqual([expect.stringMatching(/^memory at 0x[0-9a-f]{8}$/)]);
    expect([difference?.unequal[0].ours.slice(0, 2), difference?.unequal[0].qemu.slice(0, 2)]).toEqual(["06", "05"]);
  });

  it("do not differ in flags that are undefined", async (context) => {
    // mov eax, 0x1234 / mul eax / pushf / pop ebx / hlt: MUL leaves SF, ZF, AF and PF open.
    const image = program("flags.bin", 0xb8, 0x34, 0x12, 0, 0, 0xf7, 0xe0, 0x9c, 0x5b, 0xf4);
    const step = (machine: Machine): Machine => {
      const next = machine.step();
      return next.registers.eip === 0x10_0007
        ? next.edit(({ registers }) => {
            registers.eflags ^= 0xd4;
          })
        : next;
    };
    const outcome = await compareImage(context, image, { steps: 10, step });
    expect(outcome).toEqual({ steps: 5, end: "halt", adopted: { "flags of MUL": 1 } });
  });
});

describe("the report", () => {
  const registers = (changes: Partial<Registers>): Registers => ({ ...Machine.create().registers, ...changes });
  const outcome: Outcome = {
    steps: 1200,
    end: "difference",
    adopted: { IN: 3 },
    difference: {
      unequal: [{ what: "eax", ours: "00000001", qemu: "00000002" }],
      step: 1200,
      instruction: {
        address: 0x10_0000,
        bytes: Uint8Array.of(0x40),
        text: "inc eax",
        qemu: "0x00100000: 40 incl %eax",
      },
      before: registers({ eax: 0 }),
      after: { ours: registers({ eax: 1 }), qemu: registers({ eax: 2 }) },
      recent: [{ address: 0x10_0000, text: "inc eax" }],
    },
  };

  it("has the difference, both disassemblies, the last steps and both register files", () => {
    const lines = reportText("image", outcome).split("\n");
    expect(lines.slice(0, 8)).toEqual([
      "image: eax differs behind step 1,200, inc eax: virtlab 00000001, QEMU 00000002",
      "  instruction at 00100000, bytes 40",
      "    virtlab  inc eax",
      "    QEMU     0x00100000: 40 incl %eax",
      "  last steps",
      "    00100000  inc eax",
      "  registers   in front   virtlab    QEMU",
      "    eax       00000000   00000001   00000002  differs",
    ]);
    expect(lines.filter((line) => line.endsWith("differs"))).toHaveLength(1);
    expect(lines.at(-2)).toBe("  taken over from QEMU, as it differs by nature: IN 3");
  });

  it("is one line of JSON with bytes in hexadecimal", () => {
    const text = reportJson("image", outcome);
    expect(text.indexOf("\n")).toBe(text.length - 1);
    expect(JSON.parse(text)).toMatchObject({
      image: "image",
      steps: 1200,
      difference: { instruction: { bytes: "40" } },
    });
  });
});

describe("the protocol", () => {
  it("sums the bytes of a packet", () => {
    expect(packet("g")).toBe("$g#67");
    expect(packet("Qqemu.sstep=7")).toMatch(/^\$Qqemu\.sstep=7#[0-9a-f]{2}$/);
  });

  it("takes a packet only when it is whole, undoes escapes, and refuses a wrong checksum", () => {
    expect(takePacket(Buffer.from("+$OK#9"))).toBeUndefined();
    expect(takePacket(Buffer.from("+$OK#9a$T"))).toEqual({ payload: "OK", rest: Buffer.from("$T") });
    expect(takePacket(Buffer.from("$l}\x03#ec"))?.payload).toBe("l#");
    expect(() => takePacket(Buffer.from("$OK#9b"))).toThrow("checksum of a packet is 9b, expected 9a");
  });

  it("answers requests in order, collects what a monitor command prints, and says when the peer is gone", async () => {
    const [from, to] = [new PassThrough(), new PassThrough()];
    const stub = new GdbStub(from, to);
    const sent: string[] = [];
    const hexText = (text: string): string => packet(`O${Buffer.from(text).toString("hex")}`);
    const answers = [packet("0a0b"), hexText("on"), hexText("ce"), packet("OK")];
    to.on("data", (bytes: Buffer) => {
      sent.push(bytes.toString());
      const answer = answers.shift();
      if (answer !== undefined) from.write(answer);
    });
    expect(await stub.bytes("m0,2")).toEqual(Buffer.from([10, 11]));
    expect(await stub.monitor("x")).toBe("once");
    expect(sent[0]).toBe(`+${packet("m0,2")}`);
    from.destroy();
    await expect(stub.request("g")).rejects.toThrow(StubClosed);
  });

  it("finds registers by the target description, without what is commented out", () => {
    const text = `<reg name="eax" bitsize="32" regnum="0"/><!-- <reg name="no" bitsize="32"/> -->
      <reg name="st0" bitsize="80"/><reg name="cr0" bitsize="32"/>`;
    expect([...registerPlaces(text)]).toEqual([
      ["eax", 0],
      ["st0", 4],
      ["cr0", 14],
    ]);
  });

  it("reads descriptors and table registers as QEMU prints them", () => {
    const state = parseHiddenState(
      "ES =0010 00000000 ffffffff 00cf9300 DPL=0 DS   [-WA]\nTR =0028 00106000 00000067 00008b00 DPL=0 TSS32-busy\n" +
        "GDT=     001000a0 0000003f\nDR0=00000000 DR1=00000001 DR2=0 DR3=0 \nDR6=ffff0ff0 DR7=00000400\n",
    );
    expect(state.segments.es).toEqual({ selector: 0x10, base: 0, limit: 0xffffffff, access: 0xc093 });
    expect(state.tr).toEqual({ selector: 0x28, base: 0x10_6000, limit: 0x67, access: 0x8b });
    expect(state.gdtr).toEqual({ base: 0x10_00a0, limit: 0x3f });
    expect(state.debug).toEqual([0, 1, 0, 0, 0xffff0ff0, 0x400]);
  });
});

describe("npm run lockstep", () => {
  const command = join(packageRoot, "scripts", "lockstep.mjs");
  const run = (...args: string[]) => runProcess(process.execPath, [command, ...args], { milliseconds: 60_000 });

  it("ends with 0 where nothing differs", async (context) => {
    peer(context, "qemu-system-i386");
    const { status, stdout } = await run(join(images, "flat.bin"), "--steps", "100");
    expect(stdout).toMatch(/flat\.bin: no difference in 100 steps, up to the limit\n/);
    expect(status).toBe(0);
  });

  it("ends with 1 where something does", async (context) => {
    peer(context, "qemu-system-i386");
    // cmpxchg8b [0x1000], which a 486 does not have.
    const image = program("pentium.bin", 0x0f, 0xc7, 0x0d, 0, 0x10, 0, 0, 0x90);
    const { status, stdout } = await run(image, "--cpu", "486", "--json");
    expect(JSON.parse(stdout).difference).toMatchObject({ step: 1, instruction: { text: "cmpxchg8b [0x1000]" } });
    expect(status).toBe(1);
  });

  it("ends with 2 and one line for what it cannot do, and with 0 and its usage for --help", async () => {
    expect(await run(join(folder, "absent.elf"))).toEqual({
      status: 2,
      stdout: "",
      stderr: `lockstep: ${join(folder, "absent.elf")}: cannot read the image: no such file\n`,
    });
    const help = await run("--help");
    expect([help.status, help.stdout.split("\n")[0]]).toEqual([0, "usage: npm run lockstep -- IMAGE [options]"]);
  });

  it("says of a processor that QEMU does not know what QEMU says", async (context) => {
    peer(context, "qemu-system-i386");
    const { status, stderr } = await run(join(images, "hello.elf"), "--cpu", "z80");
    expect(stderr).toMatch(/^lockstep: .*QEMU ended before the image's entry: .*z80.*\n$/);
    expect(status).toBe(2);
  });

  it("understands its options, and names those it does not", () => {
    expect(parseArguments(["x.elf", "--steps", "1_000", "--from", "0x100000"])).toMatchObject({
      ...{ image: "x.elf", steps: 1000, from: 0x10_0000, cpu: "pentium2", json: false },
    });
    expect(() => parseArguments([])).toThrow("no image given");
    expect(() => parseArguments(["x", "y"])).toThrow('one image at a time, not "y" as well');
    expect(() => parseArguments(["x", "--steps", "0"])).toThrow('--steps takes a whole number from 1, not "0"');
    expect(() => parseArguments(["x", "--from", "entry"])).toThrow("--from takes a whole number");
    expect(() => parseArguments(["x", "--memory", "0"])).toThrow("memory size");
    expect(() => parseArguments(["x", "--stpes", "1"])).toThrow("Unknown option '--stpes'");
  });
});
