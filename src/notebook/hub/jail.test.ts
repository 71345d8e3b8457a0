import * as fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { Jail } from "./jail.js";

const system = vi.hoisted(() => ({ tellsWhatIsOpen: true }));
// Stands for a system without /proc.
vi.mock("node:fs", async (original) => {
  const real = await original<typeof fs>();
  const readlinkSync = (file: string): string => {
    if (!system.tellsWhatIsOpen && file.startsWith("/proc/")) throw new Error("no such file");
    return real.readlinkSync(file);
  };
  return { ...real, readlinkSync };
});

describe.each([
  ["as here", true],
  ["without /proc", false],
])("a jail on a system %s", (_, tellsWhatIsOpen) => {
  const folder = fs.mkdtempSync(path.join(tmpdir(), "virtlab-jail-"));
  const root = path.join(folder, "root");
  fs.mkdirSync(path.join(root, "sub"), { recursive: true });
  fs.writeFileSync(path.join(root, "sub/a.txt"), "a");
  fs.writeFileSync(path.join(folder, "secret.txt"), "secret");
  fs.symlinkSync("sub", path.join(root, "inner"));
  fs.symlinkSync("a.txt", path.join(root, "sub/link.txt"));
  fs.symlinkSync("..", path.join(root, "outer"));
  const jail = new Jail(root);
  beforeAll(() => {
    system.tellsWhatIsOpen = tellsWhatIsOpen;
  });
  afterAll(() => fs.rmSync(folder, { recursive: true }));

  it("reads, lists and writes through links that stay inside", () => {
    expect(String(jail.read("inner/a.txt", 100))).toBe("a");
    expect(jail.list("inner").sort()).toEqual(["a.txt", "link.txt"]);
    jail.write("inner/link.txt", "b");
    expect(fs.readFileSync(path.join(root, "sub/a.txt"), "utf8")).toBe("b");
    expect(fs.readlinkSync(path.join(root, "sub/link.txt"))).toBe("a.txt");
    jail.write("sub/a.txt", "a");
  });

  it("changes a link itself, not what it leads to", () => {
    fs.symlinkSync("a.txt", path.join(root, "sub/other.txt"));
    jail.change("inner/other.txt", (entry) => fs.unlinkSync(entry));
    expect(fs.readdirSync(path.join(root, "sub")).sort()).toEqual(["a.txt", "link.txt"]);
  });

  it("reaches nothing outside", () => {
    for (const relative of ["..", "../secret.txt", "outer/secret.txt", "outer", "sub/../../secret.txt"]) {
      expect(() => jail.read(relative, 100)).toThrow("outside root contents directory");
      expect(() => jail.write(relative, "x")).toThrow("outside root contents directory");
      expect(() => jail.change(relative, () => expect.unreachable())).toThrow("outside root contents directory");
    }
    expect(() => jail.write("", "x")).toThrow("the root folder cannot be changed");
    expect(fs.readFileSync(path.join(folder, "secret.txt"), "utf8")).toBe("secret");
  });

  it("reads files of the limit and not one byte more", () => {
    fs.writeFileSync(path.join(root, "large"), "x".repeat(100));
    expect(jail.read("large", 100)).toHaveLength(100);
    expect(() => jail.read("large", 99)).toThrow("large: 100 bytes, more than 99 bytes");
    expect(() => jail.read("sub", 99)).toThrow("sub: not a file");
  });
});
