/** `npm run lockstep`: the command around the comparison. Exit status: 0 no difference, 1 difference, 2 bad usage. */
import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { parseArgs } from "node:util";
import { Machine } from "../../src/hardware/machine.js";
import { commandPlace } from "../../src/notebook/progress/places.js";
import { progressAt } from "../../src/notebook/progress/progress.js";
import { VirtlabError } from "../../src/state/error.js";
import { parseMemorySize } from "../../src/state/memory-size.js";
import { lockstep } from "./lockstep.js";
import { reportJson, reportText } from "./lockstep-report.js";
import { findPeer } from "./peers.js";
import { Qemu } from "./qemu.js";

export const LOCKSTEP_STATUS = { same: 0, different: 1, badUsage: 2 } as const;

const usage = `usage: npm run lockstep -- IMAGE [options]

Steps virtlab and QEMU (qemu-system-i386) through IMAGE, a multiboot kernel or a flat binary loaded at 1 MiB, and
reports the first difference in registers or memory. Interrupts are off on both sides.

  --steps N        steps at the most (default 100000)
  --cpu MODEL      QEMU's processor (default pentium2)
  --from ADDRESS   run freely to this EIP, then compare
  --memory SIZE    RAM of both, such as 16M (default 64M)
  --append TEXT    the kernel's command line
  --json           print the outcome as one line of JSON
  --help           print this

Exit status: 0 no difference, 1 a difference, 2 bad usage or no QEMU.
`;

interface Arguments {
  readonly image: string;
  readonly steps: number;
  readonly cpu: string;
  readonly from: number | undefined;
  readonly memory: string;
  readonly append: string | undefined;
  readonly json: boolean;
}

const bad = (message: string): never => {
  throw new VirtlabError(message);
};

/** @throws VirtlabError for what cannot be understood; undefined when help is wanted. */
export function parseArguments(args: readonly string[]): Arguments | undefined {
  const { values, positionals } = parse(args);
  if (values.help) return undefined;
  const [image, ...more] = positionals;
  if (image === undefined) return bad("no image given (--help says more)");
  if (more.length > 0) bad(`one image at a time, not "${more.join('", "')}" as well`);
  parseMemorySize(values.memory);
  return {
    image,
    steps: wholeNumber("--steps", values.steps, 1, Number.MAX_SAFE_INTEGER),
    cpu: values.cpu,
    from: values.from === undefined ? undefined : wholeNumber("--from", values.from, 0, 0xffff_ffff),
    memory: values.memory,
    append: values.append,
    json: values.json,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        steps: { type: "string", default: "100000" },
        cpu: { type: "string", default: "pentium2" },
        from: { type: "string" },
        memory: { type: "string", default: "64M" },
        append: { type: "string" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    return bad((error as Error).message.split(/[.\n]/)[0]!);
  }
}

function wholeNumber(option: string, text: string, least: number, most: number): number {
  const digits = text.replaceAll("_", "");
  const value = /^(0x[0-9a-f]+|[0-9]+)$/i.test(digits) ? Number(digits) : Number.NaN;
  return value >= least && value <= most ? value : bad(`${option} takes a whole number from ${least}, not "${text}"`);
}

function readImage(file: string): Uint8Array {
  try {
    accessSync(file, constants.R_OK);
    if (statSync(file).isDirectory()) return bad(`${file}: is a directory`);
    return readFileSync(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (error instanceof VirtlabError) throw error;
    return bad(`${file}: cannot read the image: ${code === "ENOENT" ? "no such file" : code}`);
  }
}

async function compare(args: Arguments): Promise<number> {
  const { image, steps, cpu, from, memory, append, json } = args;
  const options = { imageName: image, memory, ...(append === undefined ? {} : { append }) };
  const machine = Machine.boot({ image: readImage(image), ...options });
  const program = findPeer("qemu-system-i386") ?? bad("qemu-system-i386 is not installed");
  const bar = progressAt(() => commandPlace(process.stderr), "lockstep", { unit: "steps", total: steps });
  let done = 0;
  const progress = (now: number): void => {
    done = now;
    bar({ done });
  };
  const qemu = await Qemu.start({ program, image, cpu, memory, append });
  try {
    const end = (): void => bar({ done, finished: true });
    const outcome = await lockstep(qemu, machine, { steps, from, progress }).finally(end);
    process.stdout.write(json ? reportJson(image, outcome) : reportText(image, outcome));
    return outcome.difference === undefined ? LOCKSTEP_STATUS.same : LOCKSTEP_STATUS.different;
  } finally {
    await qemu.close();
  }
}

/** Runs the command and gives its exit status. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const parsed = parseArguments(args);
    if (parsed !== undefined) return await compare(parsed);
    process.stdout.write(usage);
    return LOCKSTEP_STATUS.same;
  } catch (error) {
    if (!(error instanceof VirtlabError)) throw error;
    process.stderr.write(`lockstep: ${error.message}\n`);
    return LOCKSTEP_STATUS.badUsage;
  }
}
