/**
 * qemu-system-i386 as a machine that is stepped: started stopped, with its gdb stub on its standard input and output, so
 * that no port and no file is needed. Interrupts and timers are off while it steps (QEMU's `sstep` mask 7).
 *
 * Spec: QEMU documentation, "GDB usage"; "isa-debug-exit".
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadImage } from "../../src/hardware/boot/image.js";
import type { Segment, SegmentName, TableRegister } from "../../src/hardware/cpu/state.js";
import type { Registers } from "../../src/hardware/machine.js";
import { VirtlabError } from "../../src/state/error.js";
import { parseMemorySize } from "../../src/state/memory-size.js";
import { GdbStub, StubClosed } from "./gdb-stub.js";

export interface QemuOptions {
  /** Full path of qemu-system-i386. */
  readonly program: string;
  /** File name of the image: a multiboot kernel, or a flat binary loaded at 1 MiB. */
  readonly image: string;
  /** QEMU's name of a processor. */
  readonly cpu: string;
  /** As `Machine.boot` takes it. */
  readonly memory: string;
  readonly append?: string | undefined;
  /** QEMU's -initrd: files with their texts, separated by commas. */
  readonly initrd?: string | undefined;
}

/** What `info registers` says beside the registers that the stub gives. */
export interface HiddenState {
  readonly segments: Readonly<Record<SegmentName, Segment>>;
  readonly ldtr: Segment;
  readonly tr: Segment;
  readonly gdtr: TableRegister;
  readonly idtr: TableRegister;
  readonly debug: readonly number[];
}

/** How a step or a run ended: the processor stopped in front of an instruction, or QEMU ended with a status. */
export type QemuStop = { readonly stopped: true } | { readonly stopped: false; readonly status: number | undefined };

const registerNames = [
  ...["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip", "eflags"],
  ...["cs", "ss", "ds", "es", "fs", "gs", "cr0", "cr2", "cr3", "cr4"],
] as const;
const MULTIBOOT_HEADER = 32;
/** Hits of the breakpoint at the entry before the loader has come there: the firmware has code at many addresses. */
const EARLY_HITS = 100;
const ENDING_MILLISECONDS = 10_000;

/** Name and place of each register in the answer to `g`, from the target description. */
export function registerPlaces(description: string): ReadonlyMap<string, number> {
  const places = new Map<string, number>();
  let offset = 0;
  for (const [tag] of description.replace(/<!--.*?-->/gs, "").matchAll(/<reg\s[^>]*>/g)) {
    places.set(/name="([^"]*)"/.exec(tag)?.[1] ?? "", offset);
    offset += Number(/bitsize="(\d+)"/.exec(tag)?.[1]) / 8;
  }
  return places;
}

/** QEMU's printed form of segment and table registers. */
export function parseHiddenState(text: string): HiddenState {
  const fields = (name: string): number[] => {
    const line = new RegExp(`^${name}\\s*=\\s*((?:[0-9a-f]+ ?)+)`, "m").exec(text)?.[1] ?? "";
    return line
      .trim()
      .split(" ")
      .map((field) => Number.parseInt(field, 16));
  };
  const segment = (name: string): Segment => {
    const [selector = 0, base = 0, limit = 0, flags = 0] = fields(name);
    // The descriptor's high word; bits 16 to 19 are the limit's.
    return { selector, base, limit, access: (flags >>> 8) & 0xf0ff };
  };
  const table = (name: string): TableRegister => {
    const [base = 0, limit = 0] = fields(name);
    return { base, limit };
  };
  const [es, cs, ss, ds, fs, gs] = ["ES", "CS", "SS", "DS", "FS", "GS"].map(segment) as [
    ...[Segment, Segment, Segment],
    ...[Segment, Segment, Segment],
  ];
  const debug = [0, 1, 2, 3, 6, 7].map((index) =>
    Number.parseInt(RegExp(`DR${index}=(\\w+)`).exec(text)?.[1] ?? "", 16),
  );
  return {
    segments: { es, cs, ss, ds, fs, gs },
    ldtr: segment("LDT"),
    tr: segment("TR"),
    gdtr: table("GDT"),
    idtr: table("IDT"),
    debug,
  };
}

/**
 * A flat binary behind a multiboot header of the address kind: QEMU loads no other, and the header ends where the binary
 * begins. Spec: Multiboot Specification 0.6.96, "The address fields of Multiboot header".
 */
function withHeader(flat: Uint8Array, entry: number): Uint8Array {
  const header = new DataView(new ArrayBuffer(MULTIBOOT_HEADER));
  const magic = 0x1badb002;
  const flags = 0x10003;
  const start = entry - MULTIBOOT_HEADER;
  [magic, flags, -(magic + flags), start, start, 0, 0, entry].forEach((word, index) => {
    header.setUint32(4 * index, word, true);
  });
  return Buffer.concat([new Uint8Array(header.buffer), flat]);
}

export class Qemu {
  #registerPlaces: ReadonlyMap<string, number> = new Map();
  readonly #stub: GdbStub;

  private constructor(
    private readonly child: ChildProcess,
    /** Status at the end, or what QEMU said of why it could not start. */
    private readonly ended: Promise<{ readonly status: number | undefined; readonly said: string }>,
    private readonly folder: string,
  ) {
    this.#stub = new GdbStub(child.stdout!, child.stdin!);
    process.once("exit", this.#kill);
  }

  readonly #kill = (): boolean => this.child.kill("SIGKILL");

  /**
   * QEMU stopped in front of the image's first instruction.
   *
   * @throws VirtlabError for an image that cannot be loaded and for what QEMU refuses.
   */
  static async start(options: QemuOptions): Promise<Qemu> {
    const { program, image, cpu, memory, append, initrd } = options;
    const bytes = readFileSync(image);
    const plan = loadImage({ image: bytes, imageName: image, memorySize: parseMemorySize(memory) });
    const folder = mkdtempSync(join(tmpdir(), "virtlab-qemu-"));
    let kernel = image;
    if (plan.kind === "flat") {
      kernel = join(folder, "flat.bin");
      writeFileSync(kernel, withHeader(bytes, plan.entry));
    }
    const child = spawn(
      program,
      [
        ...["-kernel", kernel, "-m", `${parseMemorySize(memory) / 1024}k`, "-accel", "tcg", "-cpu", cpu],
        ...["-S", "-gdb", "stdio", "-display", "none", "-serial", "null", "-monitor", "none", "-nic", "none"],
        ...["-no-reboot", "-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
        ...(append === undefined ? [] : ["-append", append]),
        ...(initrd === undefined ? [] : ["-initrd", initrd]),
      ],
      { stdio: ["pipe", "pipe", "pipe"] },
    );
    let said = "";
    child.stderr!.on("data", (text: Buffer) => {
      said += text.toString();
    });
    const ended = new Promise<{ status: number | undefined; said: string }>((resolve) => {
      child.on("close", (code) => resolve({ status: code ?? undefined, said }));
      child.on("error", (error) => resolve({ status: undefined, said: error.message }));
    });
    const qemu = new Qemu(child, ended, folder);
    try {
      await qemu.#enter(plan.entry);
    } catch (error) {
      await qemu.close();
      if (!(error instanceof StubClosed)) throw error;
      const why = said
        .trim()
        .split("\n")[0]
        ?.replace(/^.*qemu-system-i386: /, "");
      throw new VirtlabError(`${image}: QEMU ended before the image's entry: ${why || "it does not say why"}`);
    }
    return qemu;
  }

  async #enter(entry: number): Promise<void> {
    const features = await this.#stub.request("qSupported:qXfer:features:read+");
    if (!features.includes("qXfer:features:read+")) throw new VirtlabError("QEMU's gdb stub describes no registers");
    const target = await this.#stub.object("features:read:target.xml");
    const included = [...target.matchAll(/<xi:include href="([^"]*)"/g)].map(([, name]) => name!);
    let description = target;
    for (const name of included) description += await this.#stub.object(`features:read:${name}`);
    this.#registerPlaces = registerPlaces(description);
    const missing = registerNames.filter((name) => !this.#registerPlaces.has(name));
    if (missing.length > 0) throw new VirtlabError(`QEMU's gdb stub does not give ${missing.join(", ")}`);
    await this.#stub.order("Qqemu.sstep=7");
    await this.#stub.order("Qqemu.PhyMemMode:1");
    for (let hit = 0; hit < EARLY_HITS; hit++) {
      await this.continueTo(entry);
      const { eip, cr0, cs } = await this.registers();
      if (eip === entry && (cr0 & 1) !== 0 && cs === 8) return;
    }
    throw new VirtlabError(`QEMU did not come to the entry 0x${entry.toString(16)} in protected mode`);
  }

  async registers(): Promise<Registers> {
    const bytes = await this.#stub.bytes("g");
    const values: Record<string, number> = {};
    for (const name of registerNames) values[name] = bytes.readUInt32LE(this.#registerPlaces.get(name)!);
    return values as unknown as Registers;
  }

  async hiddenState(): Promise<HiddenState> {
    return parseHiddenState(await this.#stub.monitor("info registers"));
  }

  /** One instruction; a REP iteration or the delivery of an exception is a step, too. */
  step(): Promise<QemuStop> {
    return this.#go("s");
  }

  /** Runs, interrupts and all, to the instruction at this EIP of a flat code segment. */
  async continueTo(eip: number, milliseconds = 60_000): Promise<QemuStop> {
    const place = `${eip.toString(16)},1`;
    await this.#stub.order(`Z1,${place}`);
    const stop = await this.#go("c", milliseconds);
    if (stop.stopped) await this.#stub.order(`z1,${place}`);
    return stop;
  }

  /** Goes on to the end of QEMU; its status, or undefined if it does not come to it. */
  async runToEnd(): Promise<number | undefined> {
    const stop = await this.#go("c", ENDING_MILLISECONDS).catch(() => undefined);
    return stop?.stopped === false ? stop.status : undefined;
  }

  async #go(request: "s" | "c", milliseconds?: number): Promise<QemuStop> {
    try {
      const answer = await this.#stub.request(request, milliseconds);
      if (answer.startsWith("T") || answer.startsWith("S")) return { stopped: true };
    } catch (error) {
      if (!(error instanceof StubClosed)) throw error;
    }
    return { stopped: false, status: (await this.ended).status };
  }

  /** Physical memory, at most 2048 bytes at a time. */
  async readPhysical(address: number, length: number): Promise<Uint8Array> {
    return this.#stub.bytes(`m${address.toString(16)},${length.toString(16)}`);
  }

  /** All of physical memory up to `size`. */
  async readAllMemory(size: number): Promise<Uint8Array> {
    const file = join(this.folder, "memory");
    await this.#stub.monitor(`pmemsave 0 ${size} "${file}"`);
    return readFileSync(file);
  }

  /** QEMU's own disassembly (AT&T syntax) of the instruction at a linear address. */
  async disassemble(linear: number): Promise<string> {
    const text = await this.#stub.monitor(`x/1i 0x${linear.toString(16)}`);
    return text.trim().replace(/\s+/g, " ");
  }

  /** Ends QEMU, if it has not ended, and clears up. */
  async close(): Promise<void> {
    this.#kill();
    process.removeListener("exit", this.#kill);
    await this.ended;
    rmSync(this.folder, { recursive: true, force: true });
  }
}
