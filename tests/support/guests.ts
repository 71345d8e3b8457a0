/**
 * The guests of `guests/` and how tests run them.
 *
 * The benchmark guests are given little work here. What a guest must print stands in `guests/expected/NAME.txt`.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { MachineName } from "../../src/hardware/devices/machines.js";
import type { RunOptions } from "./processes.js";
import { packageRoot } from "./virtlab.js";

export const images = join(packageRoot, "guests", "images");

/** Status of a guest that wrote 0x10 to the debug-exit port. */
const GOOD = (0x10 << 1) | 1;
/** And of one that wrote 0x11. */
const BAD = (0x11 << 1) | 1;

export interface Guest {
  readonly name: string;
  /** File name in `guests/images`. */
  readonly image: string;
  /** Command line. */
  readonly append?: string;
  /** File names in `guests/expected`, with the modules' texts. */
  readonly modules?: readonly { readonly file: string; readonly text: string }[];
  /** Typed at the serial port. */
  readonly input?: string;
  /** Kind of machine, where it is not the default one; QEMU's is always a PC. */
  readonly machine?: MachineName;
  /** Exit status of `virtlab boot`. */
  readonly status: number;
  /**
   * What QEMU does at the end: the same debug exit, a reset (status 0 with -no-reboot), nothing (it waits for ever), or
   * it cannot start the image at all.
   */
  readonly qemu: "debug-exit" | "reset" | "waits" | "cannot";
  /** Written to the debug console at port 0xE9. */
  readonly console?: string;
}

export const guests: readonly Guest[] = [
  { name: "hello", image: "hello.elf", status: GOOD, qemu: "debug-exit" },
  {
    name: "hello-modules",
    image: "hello.elf",
    append: "first second=2",
    modules: [
      { file: "module-a.txt", text: "a text" },
      { file: "module-b.txt", text: "" },
    ],
    status: GOOD,
    qemu: "debug-exit",
  },
  { name: "rings", image: "rings.elf", status: GOOD, qemu: "debug-exit" },
  { name: "faults", image: "faults.elf", status: GOOD, qemu: "debug-exit" },
  { name: "memory", image: "memory.elf", status: GOOD, qemu: "debug-exit" },
  {
    name: "echo",
    image: "echo.elf",
    input: "hello there\nWhat 1s this?\n\nquit\n",
    status: GOOD,
    qemu: "debug-exit",
  },
  { name: "address-fields", image: "address-fields.bin", status: GOOD, qemu: "debug-exit" },
  { name: "triple", image: "triple.elf", status: 4, qemu: "reset" },
  { name: "halt", image: "halt.elf", status: 4, qemu: "waits" },
  { name: "flat", image: "flat.bin", status: GOOD, qemu: "cannot", console: "flat: the debug console\n" },
  { name: "kernel", image: "kernel.elf", status: GOOD, qemu: "debug-exit" },
  { name: "sensitive", image: "sensitive.elf", status: GOOD, qemu: "debug-exit" },
  { name: "vmx-hypervisor-none", image: "vmx-hypervisor.elf", status: BAD, qemu: "debug-exit" },
  { name: "installer-none", image: "installer.elf", status: BAD, qemu: "debug-exit" },
  { name: "attacker-none", image: "attacker.elf", status: BAD, qemu: "debug-exit" },
  { name: "attacker-hypercalls", image: "attacker.elf", append: "hypercalls", status: GOOD, qemu: "debug-exit" },
  { name: "nanobench", image: "nanobench.elf", machine: "pc", status: GOOD, qemu: "debug-exit" },
  { name: "bench-loop", image: "bench-loop.elf", append: "rounds=3", status: GOOD, qemu: "debug-exit" },
  { name: "bench-sieve", image: "bench-sieve.elf", append: "rounds=1", status: GOOD, qemu: "debug-exit" },
  { name: "bench-fib", image: "bench-fib.elf", append: "rounds=1", status: GOOD, qemu: "debug-exit" },
  { name: "bench-mix", image: "bench-mix.elf", append: "rounds=50", status: GOOD, qemu: "debug-exit" },
  { name: "bench-traps", image: "bench-traps.elf", append: "rounds=1000", status: GOOD, qemu: "debug-exit" },
];

/** Serial output, exactly. */
export function expectedOutput(guest: Guest): string {
  return readFileSync(join(packageRoot, "guests", "expected", `${guest.name}.txt`), "utf8");
}

function moduleFiles(guest: Guest) {
  return (guest.modules ?? []).map(({ file, text }) => ({
    path: join(packageRoot, "guests", "expected", file),
    text,
  }));
}

/** Arguments of `virtlab` that run the guest. */
export function virtlabArguments(guest: Guest, imageDirectory = images): string[] {
  return [
    ...["boot", join(imageDirectory, guest.image), "--memory", "64M", "--debug-exit", "0xf4"],
    ...(guest.append === undefined ? [] : ["--append", guest.append]),
    ...(guest.machine === undefined ? [] : ["--machine", guest.machine]),
    // As with QEMU, the module's string is the file's name and the text; the guest drops the name.
    ...moduleFiles(guest).flatMap(({ path, text }) => ["--module", text === "" ? path : `${path},${text}`]),
    ...(guest.console === undefined ? [] : ["--port-log", "0xe9"]),
  ];
}

/** Arguments of `qemu-system-i386` that run the guest. */
export function qemuArguments(guest: Guest): string[] {
  return [
    ...["-kernel", join(images, guest.image), "-m", "64", "-accel", "tcg"],
    ...["-display", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot"],
    ...["-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
    ...(guest.append === undefined ? [] : ["-append", guest.append]),
    ...(guest.modules === undefined
      ? []
      : [
          "-initrd",
          moduleFiles(guest)
            .map(({ path, text }) => `${path} ${text}`.trim())
            .join(","),
        ]),
  ];
}

export function inputOf(guest: Guest): RunOptions {
  return guest.input === undefined ? {} : { input: guest.input };
}
