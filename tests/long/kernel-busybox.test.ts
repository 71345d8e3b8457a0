/** Debian's static busybox in the kernel: its shell at a terminal, and commands as on Linux, for both instruction sets. */
import { beforeAll, describe, expect, it } from "vitest";
import { Machine } from "../../src/hardware/machine.js";
import { Kernel } from "../../src/kernel/kernel.js";
import { busyboxCommands } from "../support/busybox-commands.js";
import { busyboxRoot, ranOn } from "../support/kernel-programs.js";

const STEPS = 60_000_000;

/** A kernel that has started, with a file system of its own at /tmp. */
function started(architecture: "amd64" | "i386"): Kernel {
  const machine = Machine.create({ machine: "pc", model: "max", memory: "64M" });
  const mounts = [
    { type: "tmpfs", at: "/tmp" },
    { type: "devpts", at: "/dev/pts", options: "mode=620,ptmxmode=666" },
  ];
  return Kernel.boot(machine, { root: busyboxRoot(architecture), mounts });
}

describe.each(["amd64", "i386"] as const)("busybox for %s", (architecture) => {
  let kernel: Kernel;
  beforeAll(() => {
    kernel = started(architecture).spawn(["true"]).run();
  });

  it.each(busyboxCommands)("prints what it prints on Linux: $command", ({ command, output, errors, status }) => {
    const ran = ranOn(kernel, ["sh", "-c", command], { steps: STEPS });
    expect({ output: ran.output, errors: ran.errors, status: ran.status }).toEqual({
      output,
      errors,
      status: status! << 8,
    });
  });
});

describe.each(["amd64", "i386"] as const)("the shell of busybox for %s at the console", (architecture) => {
  /** What the shell asks the terminal for where its cursor is. */
  const PROMPT = "# \x1b[6n";
  const lines: readonly (readonly [typed: string, shown: string])[] = [
    ["echo hi\n", `echo hi\r\nhi\r\n${PROMPT}`],
    ["ls /et\t\n", `ls /et\r# ls /etc/\x1b[J\r\ngroup   passwd\r\n${PROMPT}`],
    ["stty size\n", `stty size\r\n24 80\r\n${PROMPT}`],
    ["echo as\x7fbc\n", `echo as\b\x1b[Jbc\r\nabc\r\n${PROMPT}`],
    // A program is interrupted, and the shell hears of it.
    ["cat\n", "cat\r\n"],
    ["\x03", `^C\r\n${PROMPT}`],
    ["echo $?\n", `echo $?\r\n130\r\n${PROMPT}`],
    // Lines are edited before a program reads them; an empty one that is ended is the end.
    ["cat\n", "cat\r\n"],
    ["one\x17two\x15a\x7fabc\n", "one\b \b\b \b\b \btwo\b \b\b \b\b \ba\b \babc\r\nabc\r\n"],
    ["\x04", PROMPT],
    // Jobs stop, go on in the foreground, and end.
    ["cat\n", "cat\r\n"],
    ["\x1a", `^Z[1]+  Stopped                    cat\r\n${PROMPT}`],
    ["jobs\n", `jobs\r\n[1]+  Stopped                    cat\r\n${PROMPT}`],
    ["fg\n", "fg\r\ncat\r\n"],
    ["on\n", "on\r\non\r\n"],
    ["\x1c", `^\\Quit\r\n${PROMPT}`],
    // A job of the background that reads is stopped by the terminal.
    ["cat &\n", `cat &\r\n${PROMPT}`],
    ["\n", `\r\n[1]+  Stopped (tty input)        cat\r\n${PROMPT}`],
    ["fg\n", "fg\r\ncat\r\n"],
    ["q\n", "q\r\nq\r\n"],
    ["\x04", PROMPT],
    ["sleep 50 &\n", `sleep 50 &\r\n${PROMPT}`],
    ["jobs\n", `jobs\r\n[1]+  Done                       sleep 50\r\n${PROMPT}`],
    ["stty -echo; echo quiet\n", "stty -echo; echo quiet\r\nquiet\r\n# "],
    ["stty echo\n", PROMPT],
    ["seq 2 | while read x; do echo $x; done\n", `seq 2 | while read x; do echo $x; done\r\n1\r\n2\r\n${PROMPT}`],
  ];

  it("shows and does what is typed, with job control", () => {
    let kernel = started(architecture)
      .resize(24, 80)
      .spawn(["sh"], { streams: "console", environment: ["PS1=# "] })
      .run();
    const shown: [string, string][] = [];
    for (const [typed] of lines) {
      const before = kernel.console.length;
      kernel = kernel.type(typed).run({ maxInstructions: STEPS });
      shown.push([typed, kernel.console.slice(before)]);
    }
    expect(shown).toEqual(lines);
    expect(kernel.type("exit 3\n").run({ maxInstructions: STEPS }).spawned[0]!.status).toBe(3 << 8);
  });

  it("edits a file in vi, on the whole screen", () => {
    let kernel = started(architecture)
      .resize(24, 80)
      .spawn(["sh"], { streams: "console", environment: ["PS1=# ", "TERM=linux"] })
      .run();
    for (const typed of ["vi /tmp/v\n", "iHello\x1b", "yyp", ":wq\n"])
      kernel = kernel.type(typed).run({ maxInstructions: STEPS });
    const before = kernel.console.length;
    kernel = kernel.type("cat /tmp/v\n").run({ maxInstructions: STEPS });
    expect(kernel.console.slice(before)).toBe(`cat /tmp/v\r\nHello\r\nHello\r\n${PROMPT}`);
  });
});
