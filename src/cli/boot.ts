/**
 * `virtlab boot IMAGE`: runs a machine with its serial port on standard input and output.
 * Exit status: 0 powered off or reset, (value << 1) | 1 debug exit, 2 bad input, 3 limit, 4 triple fault or a dead halt.
 */
import { accessSync, constants, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import type { BootModule } from "../hardware/boot/multiboot-info.js";
import { type ModelName, modelNames } from "../hardware/cpu/model.js";
import { Machine } from "../hardware/machine.js";
import type { MachineEvent, Stop } from "../hardware/state.js";
import { VirtlabError } from "../state/error.js";
import { parseMemorySize } from "../state/memory-size.js";
import { deathReport } from "./death-report.js";
import { EXIT_STATUS } from "./status.js";

/** Steps between two looks at standard input: some tens of milliseconds. */
const SLICE = 4_000_000;
/** Exceptions a report shows. */
const LAST_EXCEPTIONS = 8;

interface BootFlags {
  readonly rom?: string;
  readonly real?: true;
  readonly model: ModelName;
  readonly memory: string;
  readonly append?: string;
  readonly module: readonly string[];
  readonly portLog?: readonly number[];
  readonly debugExit: number | "none";
  readonly maxInstructions?: number;
  readonly stats?: string;
  readonly reboot?: true;
}

const portNumber = (text: string): number => {
  const value = /^(0x[0-9a-f]+|[0-9]+)$/i.test(text.trim()) ? Number(text.trim()) : Number.NaN;
  if (!(value >= 0 && value <= 0xffff)) throw new InvalidArgumentError(`"${text}" is no port (0 to 0xffff).`);
  return value;
};

const count = (text: string): number => {
  const value = Number(text.replaceAll("_", ""));
  if (!(Number.isSafeInteger(value) && value > 0))
    throw new InvalidArgumentError(`"${text}" is not a positive whole number.`);
  return value;
};

export function bootCommand(): Command {
  return new Command("boot")
    .description("boot a kernel, a flat binary or a ROM, with its serial port on standard input and output")
    .argument("[image]", "multiboot kernel (ELF or with address fields), or a flat binary loaded at 1 MiB")
    .option("--rom <file>", "instead of an image: start in this ROM as after reset, in real mode at F000:FFF0")
    .option("--real", "load the image at 0x7c00 and start it in real mode, as a boot sector")
    .addOption(new Option("--model <name>", "processor model").choices([...modelNames]).default("pentium2"))
    .option("--memory <size>", "RAM, such as 64M", "64M")
    .option("--append <text>", "the kernel's command line")
    .addOption(
      new Option("--module <file[,text]>", "load a multiboot module, with its command line; may be repeated")
        .argParser((text: string, all: string[]) => [...all, text])
        .default([], "none"),
    )
    .option(
      "--port-log <ports>",
      "write what the guest writes to these ports to standard error, such as 0x80,0xe9",
      (text: string) => text.split(",").map(portNumber),
    )
    .addOption(
      new Option("--debug-exit <port>", 'port that ends the machine with status (value << 1) | 1, or "none"')
        .argParser((text: string) => (text === "none" ? text : portNumber(text)))
        .default(0xf4, "0xf4"),
    )
    .option("--max-instructions <n>", "give up after this many instructions (status 3)", count)
    .option("--stats <file>", "write counts as JSON when the machine ends")
    .option("--reboot", "boot again when the guest asks for a reset")
    .action(async (image: string | undefined, flags: BootFlags) => {
      process.exitCode = await boot(image, flags);
    });
}

function readInput(file: string, what: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason =
      code === "ENOENT"
        ? "no such file"
        : code === "EISDIR"
          ? "is a directory"
          : code === "EACCES"
            ? "permission denied"
            : String(code);
    throw new VirtlabError(`${file}: cannot read the ${what}: ${reason}`);
  }
}

function readModule(option: string): BootModule {
  const comma = option.indexOf(",");
  const file = comma < 0 ? option : option.slice(0, comma);
  // As QEMU has it: the module's command line begins with the file's name.
  return { data: readInput(file, "module"), text: comma < 0 ? file : `${file} ${option.slice(comma + 1)}` };
}

/** What is typed, byte by byte as it comes. The end of standard input does not end the machine. */
class Keyboard {
  #chunks: Uint8Array[] = [];
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(private readonly stdin: NodeJS.ReadStream) {
    stdin.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#wake?.();
    });
    const end = (): void => {
      this.#ended = true;
      this.#wake?.();
    };
    stdin.on("end", end);
    stdin.on("error", end);
  }

  typed(): Uint8Array {
    const bytes = Buffer.concat(this.#chunks);
    this.#chunks = [];
    return bytes;
  }

  /** Waits for something typed; false when nothing will come any more. */
  async more(): Promise<boolean> {
    while (this.#chunks.length === 0 && !this.#ended) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#chunks.length > 0;
  }

  close(): void {
    this.stdin.destroy();
  }
}

async function boot(imageFile: string | undefined, flags: BootFlags): Promise<number> {
  const file = flags.rom ?? imageFile;
  if (file === undefined || (flags.rom !== undefined && imageFile !== undefined))
    throw new VirtlabError("boot: give either an image or --rom <file>");
  const { memory, append, debugExit, portLog, maxInstructions = Number.POSITIVE_INFINITY, stats, reboot } = flags;
  parseMemorySize(memory);
  const start = Machine.boot({
    ...(flags.rom === undefined ? { image: readInput(file, "image") } : { rom: readInput(file, "ROM") }),
    ...(flags.real ? { mode: "real" } : {}),
    imageName: file,
    model: flags.model,
    memory,
    debugExitPort: debugExit === "none" ? null : debugExit,
    modules: flags.module.map(readModule),
    ...(append === undefined ? {} : { append }),
  });
  if (stats !== undefined) checkWritable(stats);
  const began = process.hrtime.bigint();
  const keyboard = new Keyboard(process.stdin);
  let machine = start;
  let sliceStart = start;
  let printed = 0;
  let done = 0;
  let closed = false;
  process.stdout.on("error", () => {
    closed = true; // whoever read the output is gone
  });
  const exceptions: MachineEvent[] = [];
  try {
    for (;;) {
      const typed = keyboard.typed();
      if (typed.length > 0) machine = machine.type(typed);
      sliceStart = machine;
      machine = machine.run({
        maxInstructions: Math.min(SLICE, maxInstructions - done),
        observe: portLog ? ["exception", "port"] : ["exception"],
      });
      done += machine.steps - sliceStart.steps;
      const output = machine.devices.uart.output;
      if (output.length > printed) process.stdout.write(Buffer.from(output.slice(printed), "latin1"));
      printed = output.length;
      for (const event of machine.events) {
        if (event.kind === "exception") exceptions.push(event);
        else if (event.kind === "port" && event.direction === "out" && portLog?.includes(event.port))
          process.stderr.write(portBytes(event.value, event.size));
      }
      exceptions.splice(0, exceptions.length - LAST_EXCEPTIONS);
      const stop = machine.stop as Stop;
      if (stop.reason === "limit" && done < maxInstructions && !closed) {
        await new Promise((resolve) => setImmediate(resolve));
        continue;
      }
      if (stop.reason === "halted" && stop.waitsForInput && !closed && (await keyboard.more())) continue;
      if (stop.reason === "reset" && reboot) {
        machine = start;
        printed = 0;
        continue;
      }
      if (stats !== undefined) writeStats(stats, machine, Number(process.hrtime.bigint() - began) / 1e9);
      return conclude(stop, machine, sliceStart, exceptions, maxInstructions);
    }
  } finally {
    keyboard.close();
  }
}

function conclude(
  stop: Stop,
  machine: Machine,
  sliceStart: Machine,
  exceptions: readonly MachineEvent[],
  limit: number,
): number {
  switch (stop.reason) {
    case "debug-exit":
      return stop.status;
    case "reset":
      return EXIT_STATUS.ok;
    case "limit":
    case "until":
      process.stderr.write(`virtlab: stopped at the limit of ${limit} instructions\n`);
      return EXIT_STATUS.limit;
    default:
      process.stderr.write(deathReport(stop, machine, sliceStart, exceptions));
      return EXIT_STATUS.stuck;
  }
}

function portBytes(value: number, size: number): Buffer {
  return Buffer.from(Array.from({ length: size }, (_, index) => (value >>> (8 * index)) & 0xff));
}

/** Before a long run rather than after it: whether its statistics can be written. */
function checkWritable(file: string): void {
  try {
    if (existsSync(file)) accessSync(file, constants.W_OK);
    else accessSync(path.dirname(path.resolve(file)), constants.W_OK);
    if (existsSync(file) && statSync(file).isDirectory()) throw Object.assign(new Error(), { code: "EISDIR" });
  } catch (error) {
    throw new VirtlabError(`${file}: cannot write the statistics: ${(error as NodeJS.ErrnoException).code}`);
  }
}

function writeStats(file: string, machine: Machine, wallSeconds: number): void {
  const { instructions, exceptions, interrupts } = machine.counters;
  try {
    writeFileSync(
      file,
      `${JSON.stringify({ instructions, ticks: machine.ticks, exceptions, interrupts, wallSeconds }, null, 2)}\n`,
    );
  } catch (error) {
    throw new VirtlabError(`${file}: cannot write the statistics: ${(error as NodeJS.ErrnoException).code}`);
  }
}
