import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { installPlotlyExtension, removePlotlyExtension } from "./plotly-extension.js";

const folder = mkdtempSync(path.join(tmpdir(), "virtlab-extension-"));
afterAll(() => rmSync(folder, { recursive: true }));
const data = (name: string): string => path.join(folder, name);
const placeIn = (name: string): string => path.join(data(name), "labextensions/virtlab-plotly");

describe("the extension for Plotly figures", () => {
  it("is a prebuilt extension of JupyterLab that is complete: what it loads is there, and Plotly", () => {
    const place = installPlotlyExtension(data("new/deep"));
    expect(place).toBe(placeIn("new/deep"));
    const { name, jupyterlab } = JSON.parse(readFileSync(path.join(place, "package.json"), "utf8"));
    expect(name).toBe("virtlab-plotly");
    const { load, mimeExtension } = jupyterlab._build;
    expect(mimeExtension).toBe("./mimeExtension");
    const container = readFileSync(path.join(place, load), "utf8");
    const renderer = /renderer-\w+\.js/.exec(container)![0];
    const text = readFileSync(path.join(place, "static", renderer), "utf8");
    expect(text).toContain('window._JUPYTERLAB["virtlab-plotly"].modules["@lumino/widgets"]');
    const plotly = /plotly-[\d.]+\.min\.js/.exec(text)![0];
    expect(readFileSync(path.join(place, "static", plotly), "utf8")).toMatch(/^\/\*\*\n\* plotly\.js v/);
    expect(readdirSync(path.dirname(place))).toEqual(["virtlab-plotly"]);
  });

  it("takes the place of an older one, is removed once, and is not missed where it never was", () => {
    const place = installPlotlyExtension(data("again"));
    writeFileSync(path.join(place, "static/left-over.js"), "");
    installPlotlyExtension(data("again"));
    expect(existsSync(path.join(place, "static/left-over.js"))).toBe(false);
    expect(removePlotlyExtension(data("again"))).toBe(place);
    expect(existsSync(place)).toBe(false);
    expect(removePlotlyExtension(data("again"))).toBeUndefined();
  });

  it("is not put in the place of another program's extension, nor is that removed", () => {
    mkdirSync(placeIn("other"), { recursive: true });
    writeFileSync(path.join(placeIn("other"), "package.json"), "{}");
    for (const act of [installPlotlyExtension, removePlotlyExtension]) {
      expect(() => act(data("other"))).toThrow(`${placeIn("other")}: an extension of another program is there`);
    }
    expect(readdirSync(placeIn("other"))).toEqual(["package.json"]);
  });

  it("is not written below a file, with one line that says so", () => {
    writeFileSync(data("file"), "");
    expect(() => installPlotlyExtension(data("file"))).toThrow(
      /cannot be written: a part of its path is not a folder$/,
    );
  });
});
