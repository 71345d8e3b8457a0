/**
 * What the kernel takes for its work: system calls, processes, namespaces; and what a thousand containers are as a value. Busybox is that
 * of `virtlab state fetch`; without it the rows that need it are left out with a word.
 */
import { createRequire } from "node:module";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { row, seconds } from "./stats.mjs";

const require = createRequire(import.meta.url);
const section = "kernel";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc");
const heapBytes = () => {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};

/** A static ELF file of one segment with this 64-bit code. */
function program({ assemble }, text) {
  const base = 0x40_0000;
  const { bytes } = assemble(`org ${base + 0x78}\n${text}`, { bits: 64, name: "program" });
  const file = new Uint8Array(0x78 + bytes.length);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  for (const [at, value] of [
    ...[
      [16, 2 + 62 * 2 ** 16] /* type and machine */,
      [20, 1],
      [24, base + 0x78],
      [32, 64],
    ],
    ...[
      [52, 64 + 56 * 2 ** 16],
      [56, 1],
      [64, 1],
      [68, 7],
      [80, base],
      [88, base],
      [96, file.length],
    ],
    ...[
      [104, file.length + 4096],
      [112, 4096],
    ],
  ])
    view.setUint32(at, value, true);
  file.set(bytes, 0x78);
  return file;
}

const CALL = { getpid: 39, clone: 56, fork: 57, execve: 59, wait4: 61, pause: 34, exit: 231 };
const exit = `mov eax, ${CALL.exit}\nxor edi, edi\nsyscall`;

/** `body` so many times. */
const loop = (times, body) => `mov ebx, ${times}\nagain: ${body}\ndec ebx\njnz again\n${exit}`;

const SIGCHLD = 17;
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET; the eighth, time, is unshared by the child. */
const SEVEN = 0x7e02_0000;
const NEWTIME = 0x80;
const UNSHARE = 272;

const clone = (flags, child) => `
        mov eax, ${CALL.clone}
        mov edi, ${flags | SIGCHLD}
        xor esi, esi
        xor edx, edx
        xor r10d, r10d
        xor r8d, r8d
        syscall
        test eax, eax
        jnz parent
        ${child}
parent:`;

const wait = `
        mov eax, ${CALL.wait4}
        mov rdi, -1
        xor esi, esi
        xor edx, edx
        xor r10d, r10d
        syscall`;

const unshareTime = `mov eax, ${UNSHARE}\nmov edi, ${NEWTIME}\nsyscall`;

const texts = {
  getpid: (times) => loop(times, `mov eax, ${CALL.getpid}\nsyscall`),
  execTrue: (times) =>
    `${loop(
      times,
      `${clone(0, `mov eax, ${CALL.execve}\nlea rdi, [rel path]\nlea rsi, [rel list]\nxor edx, edx\nsyscall\n${exit}`)}${wait}`,
    )}
path:   db "/bin/busybox", 0
name:   db "true", 0
        align 8
list:   dq name, 0`,
  namespaces: (times) => loop(times, `${clone(SEVEN, `${unshareTime}\n${exit}`)}${wait}`),
  containers: (times) =>
    `${loop(times, clone(SEVEN, `${unshareTime}\nmov eax, ${CALL.pause}\nsyscall\n${exit}`)).replace(
      exit,
      `mov eax, ${CALL.pause}\nsyscall`,
    )}`,
};

/** Debian's static busybox, if its package is there. */
function busybox() {
  try {
    const { debianPackages } = require("../dist/cli/debian/debian-system.js");
    const { fileOfPackage } = require("../dist/cli/debian/packages.js");
    return fileOfPackage(debianPackages("cloud-amd64").busybox, "./bin/busybox");
  } catch {
    return undefined;
  }
}

function boot(virtlab, files, memory) {
  const machine = virtlab.Machine.create({ machine: "pc", model: "max", memory });
  const root = Object.entries(files).map(([path, data]) => ({ path, mode: 0o100755, data }));
  return virtlab.Kernel.boot(machine, { root });
}

/** Runs a program to the end, and gives what it takes for each of `times`, in seconds. */
function each(kernel, times) {
  let done;
  const taken = seconds(() => {
    done = kernel.run();
  });
  const { status, failed } = done.spawned.at(-1);
  if (status !== 0) throw new Error(`a program ended with ${failed ?? status}`);
  return taken / times;
}

/**
 * @param context virtlab (the package), rounds, progress(text), wanted(section, name)
 * @returns rows of the table
 */
export function kernel({ virtlab, rounds, progress, wanted }) {
  const rows = [];
  const measure = (name, unit, target, files, memory, times, convert) => {
    if (!wanted(section, name)) return;
    const start = boot(virtlab, files, memory).spawn(["/program"]);
    const samples = [];
    for (let round = -1; round < rounds; round++) {
      progress(`${section}: ${name}, round ${round + 1} of ${rounds}${round < 0 ? " (warm-up)" : ""}`);
      const taken = each(start, times);
      if (round >= 0) samples.push(convert(taken));
    }
    rows.push(row(section, name, unit, samples, target));
  };
  const rate = (taken) => 1 / taken;
  const milliseconds = (taken) => taken * 1e3;
  const make = (text) => ({ program: program(virtlab, text) });
  measure("getpid", "calls/s", { atLeast: 500_000 }, make(texts.getpid(500_000)), "16M", 500_000, rate);
  const tool = busybox();
  if (tool === undefined) progress(`${section}: busybox is not here ("virtlab state fetch cloud64-shell" gets it)`);
  else
    measure(
      "fork, exec and wait of busybox true",
      "1/s",
      { atLeast: 300 },
      { ...make(texts.execTrue(200)), "bin/busybox": tool },
      "64M",
      200,
      rate,
    );
  measure("a process in 8 new namespaces", "ms", { atMost: 3 }, make(texts.namespaces(100)), "64M", 100, milliseconds);
  if (wanted(section, "1,000 containers")) {
    const files = { ...make(texts.containers(1000)), busy: program(virtlab, texts.getpid(1e6)) };
    rows.push(...containers(virtlab, files, progress));
  }
  return rows;
}

/** A thousand processes that sleep, each in namespaces of its own. */
function containers(virtlab, files, progress) {
  progress(`${section}: 1,000 containers`);
  const start = boot(virtlab, files, "256M").spawn(["/program"]);
  const before = heapBytes();
  const full = start.run();
  const bytes = heapBytes() - before;
  const count = full.processes.length;
  if (count !== 1001) throw new Error(`there are ${count} processes, not 1,001`);
  // One more makes system calls all the time: each snapshot is of another state.
  const [piece, pieces] = [500, 1000];
  const busy = full.spawn(["/busy"]).run({ maxInstructions: 10_000 });
  const whole = seconds(() => busy.run({ maxInstructions: piece * pieces }));
  const kept = [busy];
  const inPieces = seconds(() => {
    for (let at = 0; at < pieces; at++) kept.push(kept.at(-1).run({ maxInstructions: piece }));
  });
  if (kept.some(({ machine }, at) => machine.steps !== busy.machine.steps + at * piece))
    throw new Error("it stood still");
  const forks = seconds(() => {
    for (let at = 0; at < 1e5; at++) kept[at % 2] = virtlab.Kernel.of(full.machine);
  });
  return [
    row(section, "1,000 containers: memory", "MiB", [bytes / 2 ** 20], { atMost: 300 }),
    row(section, "1,000 containers: a snapshot", "ms", [((inPieces - whole) * 1e3) / pieces], { atMost: 1 }),
    row(section, "1,000 containers: a fork", "us", [(forks * 1e6) / 1e5], { atMost: 1 }),
  ];
}
