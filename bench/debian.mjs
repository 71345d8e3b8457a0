/**
 * An unmodified Debian kernel: the time to its prompt beside QEMU's translator, and what the booted machine costs as a
 * value. The packages are those of `virtlab state fetch debian-shell`; without them these rows are left out with a word.
 */
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { row, seconds } from "./stats.mjs";

const section = "debian";
const PROMPT = "\n# ";
const MEMORY = "64M";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc");

const heapBytes = () => {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};

/** Wall time of a fresh process until its serial port has put out the prompt. */
function untilPrompt(command, args) {
  return new Promise((resolve, reject) => {
    const begin = process.hrtime.bigint();
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "ignore"] });
    let text = "";
    let time;
    child.stdout.on("data", (bytes) => {
      text = (text + bytes.toString("latin1").replaceAll("\r", "")).slice(-200_000);
      if (time !== undefined || !text.includes(PROMPT)) return;
      time = Number(process.hrtime.bigint() - begin) / 1e9;
      child.kill("SIGKILL");
    });
    child.on("error", reject);
    child.on("close", () =>
      time === undefined
        ? reject(new Error(`${command} ended before the prompt:\n${text.slice(-400)}`))
        : resolve(time),
    );
  });
}

async function bootTimes({ rounds }, { vmlinux, initrd }, { append, model }) {
  const ours = [];
  const theirs = [];
  const ratios = [];
  for (let round = 0; round < Math.min(rounds, 3); round++) {
    const flags = ["--cpu", model, "--memory", MEMORY, "--initrd", initrd, "--append", append];
    ours.push(await untilPrompt(process.execPath, ["dist/cli/main.js", "boot", ...flags, vmlinux]));
    const qemu = ["-M", "isapc", "-cpu", model, "-m", MEMORY, "-accel", "tcg", "-nographic", "-no-reboot"];
    theirs.push(
      await untilPrompt("qemu-system-i386", [...qemu, "-kernel", vmlinux, "-initrd", initrd, "-append", append]),
    );
    ratios.push(ours[round] / theirs[round]);
  }
  return [
    row(section, "686-pae to its prompt", "s", ours),
    row(section, "the same in QEMU (TCG)", "s", theirs),
    row(section, "virtlab / QEMU", "times", ratios, { atMost: 10 }),
  ];
}

/** Techniques that translate a guest's addresses by hardware, and what the boot may take more than on the bare machine. */
const virtualized = [
  { name: "VT-x with EPT", flags: ["--hypervisor", "vmx", "--ept"], model: "nehalem", target: { atMost: 1.5 } },
  { name: "AMD-V with nested paging", flags: ["--hypervisor", "svm"], model: "phenom" },
];

/** The same boot in a VM of this library's hypervisor, beside the bare machine of that model. */
async function bootInVms({ rounds, progress }, { vmlinux, initrd }, { append }) {
  const rows = [];
  for (const { name, flags, model, target } of virtualized) {
    progress(`debian: boot under ${name}`);
    const all = ["boot", "--cpu", model, "--memory", MEMORY, "--initrd", initrd, "--append", append];
    const command = (more) => untilPrompt(process.execPath, ["dist/cli/main.js", ...all, ...more, vmlinux]);
    const inVm = [];
    const ratios = [];
    for (let round = 0; round < Math.min(rounds, 3); round++) {
      const bare = await command([]);
      inVm.push(await command(flags));
      ratios.push(inVm[round] / bare);
    }
    rows.push(row(section, `686-pae to its prompt, ${name}`, "s", inVm));
    rows.push(row(section, `${name} / bare`, "times", ratios, target));
  }
  return rows;
}

/** A booted machine as a value: a step and its seal, the file, what forks hold that each type a command of their own. */
function bootedValue(machine) {
  const snapshots = [];
  let current = machine;
  for (let index = 0; index < 200; index++) {
    current = current.run({ maxInstructions: 1000 });
    snapshots.push(
      seconds(() => {
        current = current.step();
      }) * 1e3,
    );
  }
  const before = heapBytes();
  const forks = Array.from({ length: 100 }, (_, index) =>
    machine.type(`echo ${index} | md5sum\n`).run({ maxInstructions: 200_000 }),
  );
  const held = heapBytes() - before;
  if (new Set(forks.map(({ hash }) => hash)).size !== forks.length) throw new Error("two forks are the same");
  return [
    row(section, "snapshot of the booted machine", "ms", snapshots, { atMost: 1 }),
    row(section, "its file", "MiB", [machine.save().length / 2 ** 20], { atMost: 25 }),
    row(section, "100 forks of it, each with a command run", "MiB", [held / 2 ** 20], { atMost: 100 }),
  ];
}

const packet = (text) => {
  const sum = [...text].reduce((total, letter) => (total + letter.charCodeAt(0)) & 255, 0);
  return new TextEncoder().encode(`$${text}#${sum.toString(16).padStart(2, "0")}`);
};
const BREAK = Uint8Array.of(3);

/** What gdb waits for after reverse-stepi, 400 million instructions behind the start. */
function reverseStep({ beginSession, receive, proceed }, start) {
  const settled = (session) => {
    let now = session;
    while (now.motion !== undefined) now = proceed(now).session;
    return now;
  };
  let { session } = receive(beginSession(start), packet("c"));
  while (session.machine.steps < 400e6) session = proceed(session).session;
  session = settled(receive(session, BREAK).session);
  const times = [];
  for (let index = 0; index < 5; index++) {
    const { steps } = session.machine;
    times.push(
      seconds(() => {
        session = settled(receive(session, packet("bs")).session);
      }),
    );
    if (session.machine.steps !== steps - 1) throw new Error("reverse-stepi did not go one step back");
  }
  return row(section, "reverse-stepi at 400 M instructions", "s", times, { atMost: 2 });
}

/** @returns rows of the table */
export async function debian(context) {
  const { virtlab, wanted, progress } = context;
  if (!wanted(section, "")) return [];
  const { debianSystem } = await import("../dist/cli/debian/debian-system.js");
  const { stateRecipe } = await import("../dist/cli/debian/states.js");
  const recipe = stateRecipe("debian-shell");
  let files;
  try {
    files = debianSystem(recipe.flavour, {});
  } catch (error) {
    progress(`debian: left out: ${error.message}`);
    return [];
  }
  const rows = [];
  if (spawnSync("qemu-system-i386", ["--version"]).status === 0) {
    progress("debian: boot, here and in QEMU");
    rows.push(...(await bootTimes(context, files, recipe)));
  }
  rows.push(...(await bootInVms(context, files, recipe)));
  progress("debian: the booted machine");
  const start = virtlab.Machine.boot({
    image: readFileSync(files.vmlinux),
    initrd: readFileSync(files.initrd),
    append: recipe.append,
    model: recipe.model,
    memory: MEMORY,
  });
  const booted = start.run({ until: { serial: PROMPT } });
  rows.push(...bootedValue(booted));
  progress("debian: going back in gdb");
  const gdb = { ...(await import("../dist/gdb/session.js")), ...(await import("../dist/gdb/exchange.js")) };
  rows.push(reverseStep(gdb, start));
  return rows;
}
