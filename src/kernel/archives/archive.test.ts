import { execFileSync } from "node:child_process";
import { chmodSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { peer } from "../../../tests/support/peers.js";
import { S } from "../fs/types.js";
import { entriesOf } from "./archive.js";

const long = `${"d".repeat(90)}/${"e".repeat(120)}`;
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "virtlab-archive-"));
  mkdirSync(path.join(folder, path.dirname(long)), { recursive: true });
  writeFileSync(path.join(folder, "a"), "hello");
  chmodSync(path.join(folder, "a"), 0o4751);
  linkSync(path.join(folder, "a"), path.join(folder, "b"));
  symlinkSync("a", path.join(folder, "c"));
  writeFileSync(path.join(folder, long), new Uint8Array(1000).fill(7));
  execFileSync("mkfifo", [path.join(folder, "f")]);
});
afterAll(() => rmSync(folder, { recursive: true }));

const tar = (...options: string[]): Uint8Array =>
  new Uint8Array(execFileSync("tar", [...options, "--owner=5", "--group=6", "-c", "-f", "-", "-C", folder, "."]));

const summary = (archive: Uint8Array) =>
  Object.fromEntries(entriesOf(archive).map(({ path: name, ...entry }) => [name, entry]));

describe.each([
  ["pax", () => tar("--format=pax")],
  ["GNU", () => tar("--format=gnu")],
  ["compressed", () => gzipSync(tar("--format=pax"))],
])("a tar archive (%s)", (_name, archive) => {
  it("has files with modes, owners and contents", () => {
    const entries = summary(archive());
    expect(entries[""]!.mode! & S.IFMT).toBe(S.IFDIR);
    const file = [entries.a!, entries.b!].find(({ data }) => data !== undefined)!;
    expect(file).toMatchObject({ mode: S.IFREG | 0o4751, uid: 5, gid: 6, data: new TextEncoder().encode("hello") });
    expect([entries.a!, entries.b!].find(({ hardLink }) => hardLink)).toBeDefined();
    expect(entries.c).toMatchObject({ target: "a" });
    expect(entries.f!.mode! & S.IFMT).toBe(S.IFIFO);
    expect(entries[long]!.data).toEqual(new Uint8Array(1000).fill(7));
  });

  it("that is cut off is refused, naming the place", () => {
    const bytes = tar();
    expect(() => entriesOf(bytes.subarray(0, 700))).toThrow(/root: damaged at byte \d+/);
  });
});

describe("a newc archive", () => {
  it("has files with modes and contents, those with several names once", (context) => {
    const cpio = peer(context, "cpio");
    const archive = execFileSync("sh", ["-c", `cd ${folder} && find . | ${cpio} -o -H newc --quiet`]);
    const entries = summary(archive);
    const names = [entries.a!, entries.b!];
    expect(new Uint8Array(names.find(({ data }) => data !== undefined)!.data!)).toEqual(
      new TextEncoder().encode("hello"),
    );
    expect(names.find(({ hardLink }) => hardLink)!.mode).toBe(S.IFREG | 0o4751);
    expect(entries.c).toMatchObject({ target: "a" });
  });

  it("that is cut off is refused, naming the place", () => {
    const text = `070701${"00000001".repeat(13)}`;
    expect(() => entriesOf(new TextEncoder().encode(text))).toThrow("root: damaged at byte 0");
  });
});

it("what is no archive is refused", () => {
  expect(() => entriesOf(new TextEncoder().encode("hello"))).toThrow("neither a tar nor a newc cpio archive");
});
