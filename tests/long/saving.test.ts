// Saving under fire: whatever moment the writer is killed at, the file is the old one or the new one, whole.
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { writeAtomically } from "../../src/notebook/atomic-file.js";
import { runProcess } from "../support/processes.js";
import { Random } from "../support/random.js";
import { packageRoot } from "../support/virtlab.js";

const folder = mkdtempSync(path.join(tmpdir(), "virtlab-saving-"));
afterAll(() => rmSync(folder, { recursive: true }));

const LEAST_KILLS = 60;
const MOST_KILLS = 600;

const HUB = `
const { Hub } = require(${JSON.stringify(path.join(packageRoot, "dist/notebook/hub/hub.js"))});
const hub = new Hub(process.argv[1]);
`;

/** Saves notebooks of some megabytes through the hub, one after the other, and says which before and after each. */
const WRITER = `${HUB}
const { writeSync } = require("node:fs");
const text = "x".repeat(1024) + "\\n";
const notebook = (number) => ({
  cells: Array.from({ length: 20 + (number % 40) }, (_, cell) => ({
    cell_type: "code", id: "c" + cell, metadata: {}, execution_count: number, source: "cell " + number,
    outputs: [{ output_type: "stream", name: "stdout", text: text.repeat(100) }],
  })),
  metadata: { number }, nbformat: 4, nbformat_minor: 5,
});
(async () => {
  for (let number = Number(process.argv[2]); ; number += 1) {
    const body = JSON.stringify({ type: "notebook", format: "json", content: notebook(number) });
    writeSync(1, "begin " + number + "\\n");
    const { status } = await hub.handle("PUT", "/api/contents/n.ipynb", body);
    writeSync(1, "end " + number + " " + status + "\\n");
  }
})();
`;

describe("a notebook that is being saved", () => {
  it("is the old or the new one, whole, at whatever moment the writer is killed", async () => {
    const root = path.join(folder, "root");
    mkdirSync(root);
    const file = path.join(root, "n.ipynb");
    const random = new Random(1);
    const seen = new Set<string>();
    let next = 0;
    // Kills have to hit saves in their middle as well as between two.
    for (let kill = 0; kill < LEAST_KILLS || seen.size < 2; kill += 1) {
      expect(kill).toBeLessThan(MOST_KILLS);
      const { begun, ended } = await killedWriter(root, next, random.below(120));
      const { cells, metadata } = JSON.parse(readFileSync(file, "utf8")) as {
        cells: { execution_count: number; outputs: { text: string[] }[] }[];
        metadata: { number: number };
      };
      const { number } = metadata;
      // At least the last that was said to be saved, at most the last that was begun.
      expect(number).toBeGreaterThanOrEqual(ended);
      expect(number).toBeLessThanOrEqual(begun);
      expect(cells).toHaveLength(20 + (number % 40));
      for (const cell of cells) {
        expect(cell.execution_count).toBe(number);
        expect(cell.outputs[0]?.text).toHaveLength(100);
      }
      seen.add(number === begun ? "new" : "old");
      next = begun + 1;
    }

    const leftOvers = () => readdirSync(root).filter((name) => name.endsWith(".tmp"));
    for (const name of leftOvers()) {
      const old = new Date(Date.now() - 3_600_000);
      utimesSync(path.join(root, name), old, old);
    }
    writeAtomically(file, "{}");
    expect(leftOvers()).toEqual([]);
  });

  it("never has a reader see a part of it", async () => {
    const root = path.join(folder, "read");
    mkdirSync(root);
    const file = path.join(root, "n.ipynb");
    const writer = startWriter(root, 0);
    await firstSave(writer);
    const versions = new Set<string>();
    const end = Date.now() + 5_000;
    try {
      while (Date.now() < end || versions.size < 3) {
        const text = readFileSync(file, "utf8");
        expect(() => JSON.parse(text)).not.toThrow();
        versions.add(createHash("sha256").update(text).digest("hex"));
        await new Promise(setImmediate);
      }
    } finally {
      writer.kill("SIGKILL");
      await ended(writer);
    }
  });

  it("stays what it was when the disk takes no more", async () => {
    const root = path.join(folder, "full");
    mkdirSync(root);
    const script = `${HUB}
      const save = (length) => hub.handle("PUT", "/api/contents/a.txt",
        JSON.stringify({ type: "file", format: "text", content: "x".repeat(length) }));
      (async () => {
        const { status } = await save(1000);
        console.log(JSON.stringify([status, await save(2 ** 20)]));
      })();`;
    // No file may grow beyond 64 blocks; ignoring the signal for that makes it an error of the write.
    const limited = `trap '' XFSZ; ulimit -f 64; exec "$0" -e "$1" "$2"`;
    const { stdout } = await runProcess("sh", ["-c", limited, process.execPath, script, root]);
    const body = { message: "a.txt: too large for the disk", reason: null };
    expect(JSON.parse(stdout)).toEqual([201, { status: 507, body }]);
    expect(statSync(path.join(root, "a.txt")).size).toBe(1000);
    expect(readdirSync(root)).toEqual(["a.txt"]);
  });
});

function startWriter(root: string, first: number): ChildProcess {
  return spawn(process.execPath, ["-e", WRITER, root, String(first)], { stdio: ["ignore", "pipe", "inherit"] });
}

/** Runs a writer for some milliseconds after its first save; which saves it began and ended last. */
async function killedWriter(root: string, first: number, after: number): Promise<{ begun: number; ended: number }> {
  const writer = startWriter(root, first);
  let said = "";
  writer.stdout?.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  await firstSave(writer);
  await new Promise((resolve) => setTimeout(resolve, after));
  writer.kill("SIGKILL");
  await ended(writer);
  const last = (pattern: RegExp): number => Number([...said.matchAll(pattern)].at(-1)?.[1]);
  expect(said).not.toMatch(/end \d+ [3-5]/);
  return { begun: last(/^begin (\d+)$/gm), ended: last(/^end (\d+) 20[01]$/gm) };
}

function firstSave(writer: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    writer.stdout?.on("data", (text: Buffer | string) => {
      if (String(text).includes("end ")) resolve();
    });
  });
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once("close", () => resolve());
  });
}
