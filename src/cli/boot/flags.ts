/** The options of `virtlab boot`. */
import { InvalidArgumentError, Option } from "commander";
import { type CostTableName, costTables } from "../../hardware/cost/tables.js";
import { type ModelName, modelNames } from "../../hardware/cpu/model.js";
import { MACHINES, type MachineName } from "../../hardware/devices/machines.js";
import { type HypervisorName, hypervisors } from "./technique.js";

export interface BootFlags {
  readonly rom?: string;
  readonly real?: true;
  readonly machine: MachineName;
  readonly model?: ModelName;
  readonly smp: number;
  readonly memory: string;
  readonly seed?: bigint;
  readonly append?: string;
  readonly initrd?: string;
  readonly entry?: 32 | 64;
  readonly disk: readonly string[];
  readonly screen?: true;
  readonly module: readonly string[];
  readonly portLog?: readonly number[];
  readonly debugExit: number | "none";
  readonly maxInstructions?: number;
  readonly timeout?: number;
  readonly stats?: string;
  readonly json?: true;
  readonly progress?: true;
  readonly reboot?: true;
  readonly record?: string;
  readonly replay?: string;
  readonly gdb?: number;
  readonly saveState?: string;
  readonly loadState?: string;
  readonly hypervisor?: HypervisorName;
  readonly ept?: true;
  readonly shadow?: true;
  readonly hostMemory?: string;
  readonly costTable?: CostTableName;
}

/** The part that exits are given cycles of where no other is chosen: the model that has VT-x with EPT. */
export const COST_TABLE: CostTableName = "nehalem";

const portNumber = (text: string): number => {
  const value = /^(0x[0-9a-f]+|[0-9]+)$/i.test(text.trim()) ? Number(text.trim()) : Number.NaN;
  if (!(value >= 0 && value <= 0xffff)) throw new InvalidArgumentError(`"${text}" is no port (0 to 0xffff).`);
  return value;
};

const entryBits = (text: string): 32 | 64 => {
  if (text !== "32" && text !== "64") throw new InvalidArgumentError(`"${text}" is neither 32 nor 64.`);
  return text === "32" ? 32 : 64;
};

const count = (text: string): number => {
  const value = Number(text.replaceAll("_", ""));
  if (!(Number.isSafeInteger(value) && value > 0))
    throw new InvalidArgumentError(`"${text}" is not a positive whole number.`);
  return value;
};

const seed = (text: string): bigint => {
  const value = /^(0x[0-9a-f]+|[0-9]+)$/i.test(text.trim()) ? BigInt(text.trim()) : -1n;
  if (value < 0n || value >= 2n ** 64n)
    throw new InvalidArgumentError(`"${text}" is no whole number from 0 to 2^64 - 1.`);
  return value;
};

const seconds = (text: string): number => {
  const value = Number(text);
  if (!(value > 0 && value < 2 ** 21)) throw new InvalidArgumentError(`"${text}" is no number of seconds.`);
  return value;
};

/** In the order in which help shows them. */
export const bootOptions: readonly Option[] = [
  new Option("--rom <file>", "instead of an image: start in this ROM as after reset, in real mode at F000:FFF0"),
  new Option("--real", "load the image at 0x7c00 and start it in real mode, as a boot sector"),
  new Option("--machine <name>", "kind of machine").choices(Object.keys(MACHINES)).default("isapc"),
  new Option(
    "--cpu, --model <name>",
    "processor model (default: pentium2 for an isapc, else max; with --hypervisor one that has what it takes)",
  ).choices([...modelNames]),
  new Option("--smp <n>", "number of processors, of the virtual machine with --hypervisor").argParser(count).default(1),
  new Option("--memory <size>", "RAM, such as 64M").default("64M"),
  new Option("--seed <n>", "what the machine's random numbers follow from (default: 0)").argParser(seed),
  new Option("--cmdline, --append <text>", "the kernel's command line"),
  new Option("--initrd <file>", "a Linux kernel's first root"),
  new Option("--entry <bits>", "where a bzImage is entered: in protected mode, or in 64-bit mode").argParser(entryBits),
  new Option(
    "--disk <file[,ro]>",
    "a disk with a raw image, which is not written to; without an image the machine starts from it; may be repeated",
  )
    .argParser((text: string, all: string[]) => [...all, text])
    .default([], "none"),
  new Option("--module <file[,text]>", "load a multiboot module, with its command line; may be repeated")
    .argParser((text: string, all: string[]) => [...all, text])
    .default([], "none"),
  new Option(
    "--port-log <ports>",
    "write what the guest writes to these ports to standard error, such as 0x80,0xe9",
  ).argParser((text: string) => text.split(",").map(portNumber)),
  new Option("--debug-exit <port>", 'port that ends the machine with status (value << 1) | 1, or "none"')
    .argParser((text: string) => (text === "none" ? text : portNumber(text)))
    .default(0xf4, "0xf4"),
  new Option("--max-instructions <n>", "give up after this many instructions (status 3)").argParser(count),
  new Option("--timeout <seconds>", "give up after this time (status 3)").argParser(seconds),
  new Option("--record <file>", "write down what is typed and when"),
  new Option("--replay <file>", "type what a recording has instead of standard input, and compare the end"),
  new Option(
    "--gdb <port>",
    "wait for gdb on this port of 127.0.0.1 only, one at a time; who connects rules the machine (0: a free port)",
  ).argParser(portNumber),
  new Option("--load-state <file>", "instead of an image: go on with a saved machine"),
  new Option("--save-state <file>", "save the machine when it ends, at a limit or at Ctrl-C, too"),
  new Option("--stats <file>", "write counts as JSON when the machine ends"),
  new Option("--json", "write one JSON object when the machine ends, the serial output in it, and nothing before"),
  new Option("--screen", "write what the screen shows when the machine ends"),
  new Option("--progress", "show on standard error how far the machine is"),
  new Option("--reboot", "boot again when the guest asks for a reset"),
  new Option(
    "--hypervisor <technique>",
    "run it in a virtual machine: by VT-x, AMD-V, binary translation, simulation, trap-and-emulate or paravirtualization",
  ).choices(Object.keys(hypervisors)),
  new Option("--ept", "with --hypervisor vmx: the guest's memory is behind EPT (default)"),
  new Option("--shadow", "with --hypervisor vmx: the guest's memory is behind shadow page tables"),
  new Option("--host-memory <size>", "with --hypervisor: RAM of the host (default: what the guest needs)"),
  new Option(
    "--cost-table <name>",
    `with --hypervisor: the part whose cycles --stats gives exits (default: ${COST_TABLE})`,
  ).choices(Object.keys(costTables)),
];
