/** What `virtlab exec` promises: programs for Linux with their streams and statuses, roots, traces, and errors in a line. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { program } from "./support/small-program.js";
import { virtlab } from "./support/virtlab.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "virtlab-exec-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, program(text));
  return path;
}

/** Copies standard input to standard output; its status is that of the last read. */
const COPY = `again:
  xor eax, eax
  xor edi, edi
  lea rsi, [rel buffer]
  mov edx, 4096
  syscall
  test eax, eax
  jle done
  mov edx, eax
  mov eax, 1
  mov edi, 1
  lea rsi, [rel buffer]
  syscall
  jmp again
done: mov edi, eax
  neg edi
  mov eax, 231
  syscall
buffer: times 4096 db 0`;

const write = (descriptor: number, text: string): string => `
  mov eax, 1
  mov edi, ${descriptor}
  lea rsi, [rel text${descriptor}]
  mov edx, ${text.length}
  syscall
  jmp behind${descriptor}
text${descriptor}: db "${text}"
behind${descriptor}:`;
const exit = (status: number): string => `
  mov eax, 231
  mov edi, ${status}
  syscall`;

describe("virtlab exec", () => {
  it("gives standard output and error on, and ends with the program's status", async () => {
    const ended = await virtlab(["exec", file("hello", write(1, "out") + write(2, "err") + exit(42))]);
    expect([ended.stdout, ended.stderr, ended.status]).toEqual(["out", "err", 42]);
  });

  it("passes bytes unchanged, as many as there are", async () => {
    const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * 7 + (index >> 8)) & 0x7f));
    const ended = await virtlab(["exec", file("copy", COPY)], { input: bytes.toString("latin1") });
    expect(ended.stdout.length).toBe(bytes.length);
    expect(ended.stdout === bytes.toString("latin1")).toBe(true);
    expect(ended.status).toBe(0);
  });

  it("ends with 128 and the number of the signal that ended the program", async () => {
    expect((await virtlab(["exec", file("fault", "mov [0], eax")])).status).toBe(139);
  });

  it("gives the program its arguments, options and all, and a variable", async () => {
    // argv[2] and envp[2], with their zeros, lie behind the stack pointer: argc, 3 arguments, 0, variables.
    const shows = `
      mov rsi, [rsp + 24]
      mov edx, 6
      mov eax, 1
      mov edi, 1
      syscall
      mov rsi, [rsp + 56]
      mov edx, 4
      mov eax, 1
      mov edi, 1
      syscall
      ${exit(0)}`;
    const ended = await virtlab(["exec", "--env", "A=b", file("shows", shows), "-x", "--root"]);
    expect(ended.stdout).toBe("--root" + "A=b\0");
  });

  it("shows system calls on standard error, texts and errors in words", async () => {
    const opens = `
      mov eax, 2
      lea rdi, [rel path]
      xor esi, esi
      syscall
      ${exit(0)}
      path: db "/none", 0`;
    const { stderr } = await virtlab(["exec", "--trace", file("opens", opens)]);
    expect(stderr).toContain('open("/none", O_RDONLY');
    expect(stderr).toContain("= -1 ENOENT (No such file or directory)\n");
    expect(stderr).toContain("exit_group(0)                           = ?\n");
  });

  it("takes a folder as root, with its links and modes, and finds programs in PATH", async () => {
    const root = join(folder, "root");
    mkdirSync(join(root, "bin"), { recursive: true });
    writeFileSync(join(root, "bin", "real"), program(write(1, "found") + exit(5)));
    chmodSync(join(root, "bin", "real"), 0o755);
    symlinkSync("real", join(root, "bin", "link"));
    const ended = await virtlab(["exec", "--root", root, "link"]);
    expect([ended.stdout, ended.status]).toEqual(["found", 5]);
    chmodSync(join(root, "bin", "real"), 0o644);
    const refused = await virtlab(["exec", "--root", root, "link"]);
    expect([refused.stderr, refused.status]).toEqual(["virtlab: link: cannot be run: Permission denied (EACCES)\n", 2]);
  });
});

describe("virtlab exec says in a line what is wrong, with status 2", () => {
  const cases: readonly (readonly [string, () => string[], string])[] = [
    ["a program that is not there", () => ["nowhere"], "nowhere: cannot be read: no such file or folder"],
    ["a root that is not there", () => ["--root", "nowhere", "x"], "nowhere: cannot be read: no such file or folder"],
    [
      "a root that is no archive",
      () => ["--root", join(__dirname, "exec-command.test.ts"), "x"],
      "neither a tar nor a newc cpio archive",
    ],
    ["a memory size that cannot be", () => ["--memory", "lots", file("m", exit(0))], "lots"],
    [
      "a model without 64-bit mode",
      () => ["--model", "pentium2", file("n", exit(0))],
      "needs a processor with 64-bit mode",
    ],
    ["a variable without a value", () => ["--env", "A", file("e", exit(0))], '"A" is not NAME=VALUE'],
    ["no program", () => [], "missing required argument 'program'"],
  ];
  it.each(cases)("%s", async (_name, args, message) => {
    const { status, stdout, stderr } = await virtlab(["exec", ...args()]);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain("    at ");
  });

  it("a program in another format", async () => {
    const { status, stderr } = await virtlab(["exec", __filename]);
    expect([status, stderr.endsWith("cannot be run: Exec format error (ENOEXEC)\n")]).toEqual([2, true]);
  });
});
