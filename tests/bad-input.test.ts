/**
 * Bad input: one line that names the file, the offset where it is a matter of the file's content, and the reason; status
 * 2; nothing on standard output, which means nothing was loaded and run.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Machine, VirtlabError } from "../src/index.js";
import { Draft, ELF, MULTIBOOT, PROGRAM_HEADER } from "./support/damage.js";
import { images } from "./support/guests.js";
import type { Ended } from "./support/processes.js";
import { virtlab } from "./support/virtlab.js";

const elf = (): Draft => new Draft("hello.elf");
const fields = (): Draft => new Draft("address-fields.bin");
const firstSegment = ELF.programHeaders;

/** A broken image: its bytes, what the reason must mention, and arguments if it is broken only with these. */
interface Broken {
  readonly title: string;
  readonly bytes: () => Uint8Array;
  readonly reason: RegExp;
  readonly args?: readonly string[];
}

const broken: readonly Broken[] = [
  { title: "an empty file", bytes: () => new Uint8Array(0), reason: /empty/ },
  { title: "an ELF file cut off in its header", bytes: () => elf().cut(20), reason: /past the end|cut off/ },
  {
    title: "an ELF file cut off in its program headers",
    bytes: () => elf().cut(firstSegment + 10),
    reason: /program header/,
  },
  {
    title: "an ELF file cut off before its multiboot header",
    bytes: () => elf().cut(elf().header),
    reason: /past the end|no multiboot header/,
  },
  {
    title: "an ELF file cut off in its multiboot header",
    bytes: () => elf().cut(elf().header + 6),
    reason: /past the end|cut off/,
  },
  { title: "an ELF file cut off in its code", bytes: () => elf().cut(0x200), reason: /past the end/ },
  { title: "a 64-bit ELF file", bytes: () => elf().set8(ELF.class, 2).bytes, reason: /64-bit/ },
  { title: "an ELF file of no class", bytes: () => elf().set8(ELF.class, 0).bytes, reason: /class/ },
  { title: "a big-endian ELF file", bytes: () => elf().set8(ELF.data, 2).bytes, reason: /endian/ },
  { title: "an ELF file for another machine", bytes: () => elf().set8(ELF.machine, 40).bytes, reason: /machine 40/ },
  { title: "a relocatable ELF file", bytes: () => elf().set8(ELF.type, 1).bytes, reason: /relocatable/ },
  {
    title: "an ELF file whose entry is outside of it",
    bytes: () => elf().set32(ELF.entry, 0x10).bytes,
    reason: /entry/,
  },
  {
    title: "an ELF segment larger in the file than in memory",
    bytes: () => elf().set32(firstSegment + PROGRAM_HEADER.memorySize, 1).bytes,
    reason: /memory/,
  },
  {
    title: "an ELF segment beyond the end of the file",
    bytes: () => elf().set32(firstSegment + PROGRAM_HEADER.offset, 0x7fff_0000).bytes,
    reason: /past the end/,
  },
  {
    title: "an ELF segment beyond the end of memory",
    bytes: () => elf().set32(firstSegment + PROGRAM_HEADER.memorySize, 0x0500_0000).bytes,
    reason: /does not fit/,
  },
  {
    title: "an ELF segment that wraps around the address space",
    bytes: () => elf().set32(firstSegment + PROGRAM_HEADER.physical, 0xffff_ff00).bytes,
    reason: /address space/,
  },
  {
    title: "an ELF file without a multiboot header",
    bytes: () => elf().set32(elf().header, 0).bytes,
    reason: /no multiboot header/,
  },
  {
    title: "a multiboot header with a wrong checksum",
    bytes: () => elf().set32(elf().header + MULTIBOOT.checksum, 1).bytes,
    reason: /checksum/,
  },
  {
    title: "a multiboot header that requires what nobody knows",
    bytes: () => elf().setFlags(0x0000_8003).bytes,
    reason: /flags|features/,
  },
  {
    title: "address fields whose load address is behind the header",
    bytes: () => fields().set32(fields().header + MULTIBOOT.load, 0x0030_0000).bytes,
    reason: /load address/,
  },
  {
    title: "address fields whose end of load is before the load address",
    bytes: () => fields().set32(fields().header + MULTIBOOT.loadEnd, 0x001f_0000).bytes,
    reason: /end of load/,
  },
  {
    title: "address fields whose end of bss is before the end of load",
    bytes: () => fields().set32(fields().header + MULTIBOOT.bssEnd, 0x0020_0010).bytes,
    reason: /bss/,
  },
  {
    title: "address fields whose entry is outside of what is loaded",
    bytes: () => fields().set32(fields().header + MULTIBOOT.entry, 0x0010_0000).bytes,
    reason: /entry/,
  },
  {
    title: "a file shorter than its address fields say",
    bytes: () => fields().cut(fields().bytes.length - 8),
    reason: /past the end/,
  },
  {
    title: "a kernel that does not fit in memory",
    bytes: () => fields().bytes,
    args: ["--memory", "2M"],
    reason: /does not fit/,
  },
];

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "virtlab-bad-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function expectRefused(ended: Ended, ...mentions: readonly (string | RegExp)[]): void {
  expect(ended.stderr).toMatch(/^[^\n]+\n$/);
  for (const mention of mentions) expect(ended.stderr).toMatch(mention);
  expect(ended.stdout).toBe("");
  expect(ended.status).toBe(2);
}

describe("virtlab boot refuses", () => {
  for (const [index, { title, bytes, reason, args = [] }] of broken.entries()) {
    it(`${title}, with file, offset and reason`, async () => {
      const file = join(directory, `broken-${index}.img`);
      writeFileSync(file, bytes());
      expectRefused(await virtlab(["boot", file, ...args]), file, /offset (0x)?[0-9a-f]+/, reason);
    });
  }

  it("a file that does not exist", async () => {
    const file = join(directory, "nowhere.elf");
    expectRefused(await virtlab(["boot", file]), file, /no such file/i);
  });

  it("a directory", async () => {
    const file = join(directory, "directory");
    mkdirSync(file);
    expectRefused(await virtlab(["boot", file]), file, /directory/i);
  });

  it("a module that does not exist", async () => {
    const file = join(directory, "nowhere.txt");
    expectRefused(
      await virtlab(["boot", join(images, "hello.elf"), "--module", `${file},text`]),
      file,
      /no such file/i,
    );
  });

  it("a module that does not fit in memory", async () => {
    const file = join(directory, "large.bin");
    writeFileSync(file, new Uint8Array(4 * 2 ** 20));
    const ended = await virtlab(["boot", join(images, "hello.elf"), "--memory", "4M", "--module", file]);
    expectRefused(ended, /module/, /does not fit/);
  });

  for (const size of ["0", "4", "much", "64X", "1.5M", "5G", "9999999999T", "1e400"]) {
    it(`${size} as the size of memory`, async () => {
      expectRefused(await virtlab(["boot", join(images, "hello.elf"), "--memory", size]), /memory/i, size);
    });
  }

  it("a limit that is no number", async () => {
    const ended = await virtlab(["boot", join(images, "hello.elf"), "--max-instructions", "many"]);
    expectRefused(ended, /max-instructions/, /many/);
  });
});

describe("Machine.load refuses", () => {
  const good = (): Uint8Array =>
    Machine.boot({ image: elf().bytes, memory: "4M" }).run({ maxInstructions: 100 }).save();

  function expectLoadRefused(bytes: Uint8Array): void {
    let error: unknown;
    try {
      Machine.load(bytes);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(VirtlabError);
    expect((error as VirtlabError).message).toMatch(/^[^\n]*offset \d+[^\n]*$/);
  }

  it("a save that was cut off anywhere", () => {
    const bytes = good();
    for (const length of [0, 1, 8, 12, 23, 24, 100, bytes.length >> 1, bytes.length - 33, bytes.length - 1]) {
      expectLoadRefused(bytes.slice(0, length));
    }
  });

  it("a save with any one byte changed", () => {
    const bytes = good();
    for (let at = 0; at < bytes.length; at += Math.max(1, bytes.length >> 6)) {
      const changed = bytes.slice();
      changed[at]! ^= 0x40;
      expectLoadRefused(changed);
    }
  });

  it("a save with something behind it", () => {
    const bytes = good();
    const longer = new Uint8Array(bytes.length + 1);
    longer.set(bytes);
    expectLoadRefused(longer);
  });

  it("files that are something else", () => {
    expectLoadRefused(elf().bytes);
    expectLoadRefused(new TextEncoder().encode("not a save at all, but a text of some length".repeat(9)));
    expectLoadRefused(new Uint8Array(5000));
  });
});
