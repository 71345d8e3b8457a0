/**
 * Builds every guest of this folder into `images/`.
 *
 *     node guests/build.mjs [--out DIR] [NAME…]
 *
 * Needs gcc with 32-bit code generation, GNU ld and nasm. The images hold no date and no path, so the same tools give the
 * same bytes. The images are committed: nothing but a change to a guest needs this program.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { generateMix } from "./bench-mix/generate.mjs";
import { countLines } from "./kernel/count-lines.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));

// -march=i386 keeps the compiler to instructions every IA-32 processor has; no unit but the integer one is touched.
const CFLAGS = [
  ...["-m32", "-march=i386", "-O2", "-std=c11", "-ffreestanding", "-fno-pic", "-fno-pie", "-mno-sse", "-mno-80387"],
  ...[
    "-fno-stack-protector",
    "-fcf-protection=none",
    "-fno-asynchronous-unwind-tables",
    "-fno-ident",
    "-fomit-frame-pointer",
  ],
  ...["-fno-tree-loop-distribute-patterns", "-fno-strict-aliasing", "-nostdlib", "-Wall", "-Wextra", "-Werror"],
];
const LDFLAGS = [
  ...["-m", "elf_i386", "-nostdlib", "-static", "-n", "-z", "max-page-size=16", "-z", "noexecstack", "--build-id=none"],
  // The code is written by some guests, so one segment may be both.
  "--no-warn-rwx-segments",
];
// Names of functions and variables stay in, for those who look inside; names that only the compiler uses do not.
const KEEP_NAMES = ["--strip-debug", "--discard-locals"];
const DROP_NAMES = ["--strip-all"];

/** Parts of `lib/` a guest is linked with, beside its own sources. */
const BASE = ["entry.asm", "gdt.asm", "exit.asm", "print.c", "multiboot.c", "memory.c"];
const INTERRUPTS = ["traps.asm", "interrupts.c", "pic-pit.c"];
const RING3 = ["ring3.asm", "paging.c"];
/** The kernel has its own entry and tables. */
const KERNEL = ["exit.asm", "memory.c", "pic-pit.c"];

/**
 * Each guest: the file it becomes, and how. `flat` is one assembly file that is the whole image; `script` is for the linker
 * where `lib/link.ld` will not do; with `defines` one source makes several images.
 */
const GUESTS = [
  { name: "hello", image: "hello.elf", lib: BASE },
  { name: "rings", image: "rings.elf", lib: [...BASE, ...INTERRUPTS, ...RING3] },
  { name: "faults", image: "faults.elf", lib: [...BASE, ...INTERRUPTS, ...RING3] },
  { name: "memory", image: "memory.elf", lib: [...BASE, ...INTERRUPTS, ...RING3] },
  { name: "echo", image: "echo.elf", lib: [...BASE, ...INTERRUPTS] },
  { name: "triple", image: "triple.elf", lib: BASE },
  { name: "halt", image: "halt.elf", lib: BASE },
  { name: "flat", image: "flat.bin", flat: "main.asm" },
  { name: "address-fields", image: "address-fields.bin", flat: "main.asm" },
  { name: "sensitive", image: "sensitive.elf", lib: [...BASE, ...INTERRUPTS, "ring3.asm"] },
  { name: "red-pill", image: "red-pill.elf", lib: [...BASE, ...INTERRUPTS, "ring3.asm"] },
  { name: "attacker", image: "attacker.elf", lib: [...BASE, ...INTERRUPTS, "ring3.asm"] },
  { name: "vmx-hypervisor", image: "vmx-hypervisor.elf", lib: [...BASE, "paging.c", "pic-pit.c"] },
  {
    name: "pv-hypervisor",
    image: "pv-hypervisor.elf",
    lib: ["exit.asm", "memory.c", "multiboot.c", "pic-pit.c", "print.c"],
    script: "pv-hypervisor/link.ld",
  },
  { name: "boot-sector", image: "boot-sector.bin", flat: "main.asm" },
  {
    name: "installer",
    image: "installer.elf",
    lib: ["exit.asm", "memory.c", "pic-pit.c", "print.c"],
    generated: { "sector.asm": bootSectorAsData },
  },
  { name: "bench-loop", image: "bench-loop.elf", lib: BASE },
  { name: "bench-sieve", image: "bench-sieve.elf", lib: BASE },
  { name: "bench-fib", image: "bench-fib.elf", lib: BASE },
  { name: "bench-mix", image: "bench-mix.elf", lib: BASE, generated: { "workload.asm": generateMix } },
  { name: "kernel", image: "kernel.elf", lib: KERNEL, script: "kernel/link.ld" },
  { name: "kernel", image: "kernel-long.elf", lib: KERNEL, script: "kernel/link.ld", defines: ["LONG"] },
  { name: "kernel", image: "kernel-xen.elf", lib: ["memory.c"], script: "kernel/link.ld", defines: ["XEN"] },
  {
    name: "nanobench",
    image: "nanobench.elf",
    lib: ["exit.asm", "memory.c", "multiboot.c", "paging.c", "pic-pit.c", "print.c", "ring3.asm"],
  },
  { name: "bench-traps", image: "bench-traps.elf", lib: [...BASE, ...RING3, "pic-pit.c"] },
];

function run(tool, args, cwd = here) {
  try {
    execFileSync(tool, args, { cwd, stdio: ["ignore", "inherit", "pipe"] });
  } catch (error) {
    throw new Error(`${tool} ${args.join(" ")}\n${(error.stderr?.toString() ?? error.message).slice(0, 2000)}`);
  }
}

/** The boot sector as data named `boot_sector`, for a guest that writes it to a disk. */
function bootSectorAsData(workDir) {
  const binary = join(workDir, "boot-sector.bin");
  run("nasm", ["-f", "bin", "-o", binary, join("boot-sector", "main.asm")]);
  return `section .rodata\nglobal boot_sector\nboot_sector: incbin "boot-sector.bin"\n`;
}

function compile(source, object, defines, cwd) {
  const options = defines.map((name) => `-D${name}`);
  if (source.endsWith(".asm"))
    run("nasm", ["-f", "elf32", ...options, "-I", `${dirname(source)}/`, "-o", object, source], cwd);
  else run("gcc", [...CFLAGS, ...options, "-c", "-o", object, source], cwd);
}

function build(guest, outDir, workDir) {
  const image = join(outDir, guest.image);
  if (guest.flat) {
    run("nasm", ["-f", "bin", "-o", image, join(guest.name, guest.flat)]);
    return image;
  }
  const objects = [];
  const add = (source, prefix, cwd) => {
    const object = join(workDir, `${prefix}-${basename(source).replace(/\.(c|asm)$/, "")}.o`);
    compile(source, object, guest.defines ?? [], cwd);
    objects.push(object);
  };
  for (const part of guest.lib) add(join("lib", part), "lib");
  for (const file of readdirSync(join(here, guest.name)).sort()) {
    if (/\.(c|asm)$/.test(file)) add(join(guest.name, file), guest.name);
  }
  for (const [file, generate] of Object.entries(guest.generated ?? {})) {
    writeFileSync(join(workDir, file), generate(workDir));
    // By its bare name, which the image may keep.
    add(file, guest.name, workDir);
  }
  const names = guest.name.startsWith("bench-") ? DROP_NAMES : KEEP_NAMES;
  run("ld", [...LDFLAGS, ...names, "-T", guest.script ?? join("lib", "link.ld"), "-o", image, ...objects]);
  return image;
}

const names = process.argv.slice(2);
let outDir = join(here, "images");
const at = names.indexOf("--out");
if (at >= 0) outDir = names.splice(at, 2)[1];
mkdirSync(outDir, { recursive: true });

const unknown = names.filter((name) => !GUESTS.some((guest) => guest.name === name));
if (unknown.length > 0) {
  console.error(
    `guests/build.mjs: no guest is named ${unknown.join(", ")}; there are ${GUESTS.map((guest) => guest.name).join(", ")}`,
  );
  process.exit(2);
}
if (names.length === 0 || names.includes("kernel"))
  writeFileSync(join(outDir, "kernel-lines.json"), `${JSON.stringify(countLines())}\n`);
for (const guest of GUESTS) {
  if (names.length > 0 && !names.includes(guest.name)) continue;
  const workDir = mkdtempSync(join(tmpdir(), "virtlab-guest-"));
  try {
    const image = build(guest, outDir, workDir);
    // It runs on no operating system.
    chmodSync(image, 0o644);
    console.log(`${guest.image.padEnd(20)} ${String(statSync(image).size).padStart(8)} bytes`);
  } finally {
    rmSync(workDir, { recursive: true, force: true });
  }
}
