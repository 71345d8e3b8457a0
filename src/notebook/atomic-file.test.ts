import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeAtomically } from "./atomic-file.js";

let folder: string;
const at = (name: string): string => path.join(folder, name);
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "virtlab-atomic-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The id of a process that has ended: one above what the system gives. */
const ENDED = 2 ** 22 + 1;
const HOUR = 3_600_000;

describe("writing a file whole or not at all", () => {
  it("makes a file, replaces it, and leaves nothing else", () => {
    writeAtomically(at("a"), "old");
    expect(readFileSync(at("a"), "utf8")).toBe("old");
    writeAtomically(at("a"), Uint8Array.of(1, 2));
    expect([...readFileSync(at("a"))]).toEqual([1, 2]);
    expect(readdirSync(folder)).toEqual(["a"]);
  });

  it("keeps the permissions of the file, whatever the mask for new ones", () => {
    writeAtomically(at("a"), "old");
    for (const mode of [0o600, 0o666, 0o751]) {
      chmodSync(at("a"), mode);
      writeAtomically(at("a"), "new");
      expect(statSync(at("a")).mode & 0o7777).toBe(mode);
    }
  });

  it("follows a link to a file and leaves the link", () => {
    writeFileSync(at("a"), "old");
    symlinkSync("a", at("link"));
    writeAtomically(at("link"), "new");
    expect(readlinkSync(at("link"))).toBe("a");
    expect(readFileSync(at("a"), "utf8")).toBe("new");
  });

  it("works with the longest name that a file may have", () => {
    const name = "n".repeat(255);
    writeAtomically(at(name), "content");
    expect(readFileSync(at(name), "utf8")).toBe("content");
  });

  it.each([
    ["the folder is missing", "none/a", "ENOENT"],
    ["a part of the path is a file", "file/a", "ENOTDIR"],
    ["it is a folder", "folder", "EISDIR"],
    ["the name is too long", "n".repeat(256), "ENAMETOOLONG"],
  ])("changes nothing when %s", (_, name, code) => {
    writeFileSync(at("file"), "old");
    mkdirSync(at("folder"));
    expect(() => writeAtomically(at(name), "new")).toThrow(expect.objectContaining({ code }));
    expect(readdirSync(folder)).toEqual(["file", "folder"]);
    expect(readFileSync(at("file"), "utf8")).toBe("old");
  });

  it("takes away what a writer left that was killed, and nothing else", () => {
    const old = new Date(Date.now() - HOUR);
    const names = {
      leftOver: `.virtlab-${ENDED}-0123456789ab.tmp`,
      ofALivingWriter: `.virtlab-${process.pid}-0123456789ab.tmp`,
      ofAnotherMachine: `.virtlab-${ENDED}-ba9876543210.tmp`,
      another: ".virtlab-notes.tmp",
    };
    for (const name of Object.values(names)) writeFileSync(at(name), "");
    for (const name of [names.leftOver, names.ofALivingWriter, names.another]) utimesSync(at(name), old, old);
    writeAtomically(at("a"), "new");
    expect(existsSync(at(names.leftOver))).toBe(false);
    expect(readdirSync(folder).sort()).toEqual(
      [names.another, names.ofALivingWriter, names.ofAnotherMachine, "a"].sort(),
    );
  });
});
