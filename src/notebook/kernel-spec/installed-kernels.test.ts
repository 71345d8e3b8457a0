import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { installedKernels, installKernel, removeKernel } from "./installed-kernels.js";

const folder = mkdtempSync(path.join(tmpdir(), "virtlab-kernelspec-"));
afterAll(() => rmSync(folder, { recursive: true }));
const data = (name: string): string => path.join(folder, name);

function putKernel(dataFolder: string, name: string, spec: object): string {
  const place = path.join(dataFolder, "kernels", name);
  mkdirSync(place, { recursive: true });
  writeFileSync(path.join(place, "kernel.json"), JSON.stringify(spec));
  return place;
}

describe("an installed kernelspec", () => {
  it("names this Node and the launcher of this package by absolute paths that exist, and has three logos", () => {
    const place = installKernel(data("new/deep"));
    expect(place).toBe(path.join(data("new/deep"), "kernels", "virtlab"));
    expect(readdirSync(place).sort()).toEqual(["kernel.json", "logo-32x32.png", "logo-64x64.png", "logo-svg.svg"]);
    const { argv, language, metadata } = JSON.parse(readFileSync(path.join(place, "kernel.json"), "utf8"));
    const launcher = path.resolve(__dirname, "../../../kernel-spec/launcher.js");
    expect(argv[0]).toBe(process.execPath);
    expect(argv.slice(-2)).toEqual([launcher, "{connection_file}"]);
    expect([existsSync(launcher), language, metadata.virtlab.version]).toEqual([
      true,
      "typescript",
      expect.any(String),
    ]);
    for (const size of [32, 64]) {
      const header = readFileSync(path.join(place, `logo-${size}x${size}.png`)).subarray(0, 24);
      expect([header.toString("latin1", 1, 4), header.readUInt32BE(16), header.readUInt32BE(20)]).toEqual([
        "PNG",
        size,
        size,
      ]);
    }
  });

  it("takes the place of an older one and leaves nothing else behind", () => {
    const place = putKernel(data("old"), "virtlab", {
      argv: ["/gone"],
      display_name: "old",
      metadata: { virtlab: { version: "0" } },
    });
    writeFileSync(path.join(place, "left-over"), "");
    installKernel(data("old"));
    expect(existsSync(path.join(place, "left-over"))).toBe(false);
    expect(readdirSync(path.dirname(place))).toEqual(["virtlab"]);
  });

  it("is removed once; then there is nothing to remove", () => {
    installKernel(data("removed"));
    const place = removeKernel(data("removed"));
    expect(existsSync(place)).toBe(false);
    expect(() => removeKernel(data("removed"))).toThrow(`${place}: no kernel is installed there`);
  });

  it("is not put in the place of another program's kernel, nor is that removed", () => {
    const place = putKernel(data("other"), "virtlab", { argv: ["python"], display_name: "other", language: "python" });
    for (const act of [installKernel, removeKernel]) {
      expect(() => act(data("other"))).toThrow(`${place}: a kernel of another program is there`);
    }
    expect(readdirSync(place)).toEqual(["kernel.json"]);
  });

  it("is not written below a file, with one line that says so", () => {
    writeFileSync(data("file"), "");
    expect(() => installKernel(data("file"))).toThrow(/cannot be written: a part of its path is not a folder$/);
    mkdirSync(path.join(data("taken"), "kernels"), { recursive: true });
    writeFileSync(path.join(data("taken"), "kernels", "virtlab"), "");
    expect(() => installKernel(data("taken"))).toThrow(/a file is there, not a folder$/);
  });
});

describe("the kernels that are found", () => {
  it("are those of the first folder that has the name, with what is missing of their command", () => {
    installKernel(data("first"));
    putKernel(data("second"), "virtlab", { argv: ["node"], display_name: "hidden", language: "x" });
    putKernel(data("second"), "Gone", {
      argv: ["/no/such/python", "-m", "x"],
      display_name: "Gone",
      language: "python",
    });
    putKernel(data("second"), "broken", []);
    const kernels = installedKernels([data("first"), data("nowhere"), data("second")]);
    expect(kernels.map(({ name, version, missing }) => [name, version !== undefined, missing])).toEqual([
      ["virtlab", true, undefined],
      ["gone", false, "/no/such/python"],
    ]);
  });
});
