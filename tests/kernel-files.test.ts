/** Key facts of the programs in tests/linux on files; `tests/long/linux-programs.test.ts` compares all of what they print with Linux. */
import { describe, expect, it } from "vitest";
import { compiled, kernelWith, ranOn } from "./support/kernel-programs.js";

function printed(name: string): readonly string[] {
  const kernel = kernelWith([
    { path: "program", mode: 0o100755, data: compiled(`${__dirname}/linux/${name}.c`) },
    ...["tmp", "dev", "etc"].map((folder) => ({ path: folder, mode: 0o041777 })),
    { path: "etc/passwd", mode: 0o100644, data: new Uint8Array(1) },
  ]);
  const { output, status } = ranOn(kernel, ["/program"], { directory: "/tmp" });
  expect(status).toBe(0);
  return output.split("\n");
}

describe("system calls on files", () => {
  it.each([
    [
      "names",
      [
        'rename("d", "d/e/z"): -1 22',
        'rename("full2/s", "full2"): -1 39',
        'rename2("a", "b", 1): -1 17',
        'link("d", "h"): -1 1',
        'named has 8 "nameless"',
      ],
    ],
    [
      "files",
      [
        "lseek(fd, 0, SEEK_DATA): 4096 0",
        "write(fd, big, 1): -1 27",
        'open2(r, "../outside", 0, 0, 8, 24): -1 18',
        "m: 1000000000.123456789 -5.999999999",
        "102 names, 2 dots, 5750, 0",
      ],
    ],
    ["poll", ["empty pipe: 0 0", "no writer: 1 11", "never a writer: 0 0"]],
    ["epoll", ["edge after some was read: 0", "edge with more: 1 2=1", "a writer: 3 7=1 6=1 8=4"]],
    [
      "locks",
      ["all: type 1 from 0 length 10 parent", "set(fd, F_SETLKW, F_WRLCK, 1, 1): -1 35", "the child has it: 0"],
    ],
    ["copies", ['q: 7 "through"', "copy_file_range(a, &from, a, &to, 5, 0): -1 22"]],
    [
      "xattr",
      ['setxattr("x", "trusted.b", "v", 1, XATTR_REPLACE): -1 61', 'setxattr("xf", "user.a", "v", 1, 0): -1 1'],
    ],
    ["inotify", ["written: 1/2/f", "removed: 3/40000200/1 3/8000"]],
  ] as const)("of the program %s say what Linux says", (name, lines) => {
    expect(printed(name)).toEqual(expect.arrayContaining([...lines]));
  });
});
