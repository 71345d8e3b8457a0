import { expect, it } from "vitest";
import { type CallEvent, callLine } from "./call-line.js";

const event = (name: string, values: readonly number[], result: number, more: Partial<CallEvent> = {}): CallEvent => ({
  ...{ kind: "syscall", tick: 0, eip: 0, task: 1, abi: "x86_64", name, arguments: values, result, served: true },
  ...more,
});

it.each([
  [
    event("openat", [-100, 0x1000, 0o10_1101, 0o644], -13, { texts: { 1: "/etc/x" } }),
    'openat(AT_FDCWD, "/etc/x", O_WRONLY|O_CREAT|O_TRUNC|O_LARGEFILE, 0644) = -1 EACCES (Permission denied)\n',
  ],
  [
    event("write", [1, 0x1000, 100], 100, { texts: { 1: `a"\n\x011\x80${"b".repeat(34)}` } }),
    'write(1, "a\\"\\n\\0011\\200bbbbbbbbbbbbbbbbbbbbbbbbbb"..., 100) = 100\n',
  ],
  [event("read", [0, 0x1000, 9], 0, { texts: { 1: "" } }), 'read(0, "", 9)                          = 0\n'],
  [
    event("mmap", [0, 4096, 3, 0x22, -1, 0], 0x7f00_0000_0000),
    "mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000000000\n",
  ],
  [event("exit_group", [3], 0, { task: 12 }), "[pid    12] exit_group(3)                           = ?\n"],
  [
    event("execve", [1, 2, 0], -2, { texts: { 0: "/bin/x", 1: ["x", "-y"] } }),
    'execve("/bin/x", ["x", "-y"], NULL)     = -1 ENOENT (No such file or directory)\n',
  ],
])("a call is shown as strace shows it (%#)", (one, line) => {
  expect(callLine(one)).toBe(line);
});
