import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ContentsModel } from "./contents.js";
import { Hub } from "./hub.js";
import type { HubResponse } from "./rest.js";

let root: string;
let hub: Hub;
const at = (name: string): string => path.join(root, name);
const text = (name: string): string => readFileSync(at(name), "utf8");
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), "virtlab-contents-"));
  hub = new Hub(root);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const NOTEBOOK = { cells: [], metadata: {}, nbformat: 4, nbformat_minor: 5 };

function ask(method: string, file: string, body?: unknown): Promise<HubResponse> {
  const address = file === "" ? "/api/contents" : `/api/contents/${file}`;
  return hub.handle(method, address, body === undefined ? "" : JSON.stringify(body));
}

async function model(method: string, file: string, body?: unknown): Promise<ContentsModel> {
  const response = await ask(method, file, body);
  expect([200, 201]).toContain(response.status);
  return response.body as ContentsModel;
}

const file = (content: string) => ({ type: "file", format: "text", content });
const message = async (response: Promise<HubResponse>) => ((await response).body as { message: string }).message;

describe("a file", () => {
  it("is answered 201 when it is new and 200 when it was there, with its address and time", async () => {
    const first = await ask("PUT", "a%20b.txt", file("one"));
    expect(first).toMatchObject({ status: 201, headers: { Location: "/api/contents/a%20b.txt" } });
    expect((await ask("PUT", "a%20b.txt", file("two"))).status).toBe(200);
    const got = await ask("GET", "a%20b.txt");
    const { last_modified, ...rest } = got.body as ContentsModel;
    expect(rest).toMatchObject({ name: "a b.txt", path: "a b.txt", type: "file", content: "two", size: 3 });
    expect(got.headers?.["Last-Modified"]).toBe(new Date(last_modified).toUTCString());
    expect(last_modified).toBe(statSync(at("a b.txt")).mtime.toISOString());
  });

  it("tells the hash of its bytes when it is asked for", async () => {
    writeFileSync(at("a.txt"), "text");
    // printf text | sha256sum
    const hash = "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1";
    expect(await model("GET", "a.txt?content=0&hash=1")).toMatchObject({
      hash,
      hash_algorithm: "sha256",
      content: null,
    });
    expect(await model("GET", "a.txt")).toMatchObject({ hash: null, hash_algorithm: null });
  });

  it("is given in the format that is asked for, or refused", async () => {
    writeFileSync(at("a.txt"), "text");
    writeFileSync(at("a.png"), Uint8Array.of(0x89, 0x50));
    expect(await model("GET", "a.txt?format=base64")).toMatchObject({ format: "base64", content: "dGV4dA==" });
    expect(await model("GET", "a.png")).toMatchObject({ format: "base64", content: "iVA=", mimetype: "image/png" });
    expect(await ask("GET", "a.png?format=text")).toEqual({
      status: 400,
      body: { message: "a.png is not UTF-8 encoded", reason: "bad format" },
    });
    expect(await message(ask("GET", "a.txt?format=json"))).toBe("Format 'json' is invalid");
    expect(await message(ask("GET", "a.txt?content=yes"))).toBe("Content 'yes' is invalid");
    expect((await ask("GET", "a.txt?type=directory")).status).toBe(400);
    expect((await ask("GET", "?type=file")).status).toBe(400);
  });

  it("in base64 is saved as its bytes", async () => {
    await model("PUT", "a.bin", { type: "file", format: "base64", content: "//4=\n" });
    expect([...readFileSync(at("a.bin"))]).toEqual([0xff, 0xfe]);
  });

  it("gets the next free name when it is made without one", async () => {
    const names = [];
    for (const body of [
      { type: "notebook" },
      { type: "notebook" },
      { type: "directory" },
      { type: "directory" },
      { type: "file", ext: ".ts" },
      {},
    ]) {
      names.push((await model("POST", "", body)).name);
    }
    expect(names).toEqual([
      ...["Untitled.ipynb", "Untitled1.ipynb", "Untitled Folder", "Untitled Folder 1", "untitled.ts", "untitled"],
    ]);
    expect(JSON.parse(text("Untitled.ipynb"))).toEqual(NOTEBOOK);
    expect((await ask("POST", "none", {})).status).toBe(404);
  });

  it("is copied under the next free name, a folder with what is in it", async () => {
    mkdirSync(at("sub"));
    writeFileSync(at("sub/a.txt"), "a");
    writeFileSync(at("b.txt"), "b");
    const copy = async (folder: string, source: string) => (await model("POST", folder, { copy_from: source })).path;
    expect([await copy("", "b.txt"), await copy("", "b-Copy1.txt"), await copy("sub", "b.txt")]).toEqual([
      ...["b-Copy1.txt", "b-Copy2.txt", "sub/b.txt"],
    ]);
    expect(await copy("", "sub")).toBe("sub-Copy1");
    expect(text("sub-Copy1/a.txt")).toBe("a");
    expect((await ask("POST", "", { copy_from: "none" })).status).toBe(404);
    expect((await ask("POST", "sub", { copy_from: "sub" })).status).toBe(400);
  });

  it("is renamed and moved, but never over another", async () => {
    mkdirSync(at("sub"));
    writeFileSync(at("a.txt"), "a");
    writeFileSync(at("b.txt"), "b");
    expect(await model("PATCH", "a.txt", { path: "sub/c.txt" })).toMatchObject({ path: "sub/c.txt" });
    expect(text("sub/c.txt")).toBe("a");
    expect(await ask("PATCH", "b.txt", { path: "sub/c.txt" })).toMatchObject({ status: 409 });
    expect((await ask("PATCH", "none", { path: "d.txt" })).status).toBe(404);
    expect((await ask("PATCH", "b.txt", { path: "none/d.txt" })).status).toBe(404);
    expect((await ask("PATCH", "b.txt", { path: 1 })).status).toBe(400);
    expect(text("b.txt")).toBe("b");
  });

  it("is removed, a folder only when it is empty, the root never", async () => {
    mkdirSync(at("sub"));
    writeFileSync(at("sub/a.txt"), "a");
    expect(await message(ask("DELETE", "sub"))).toBe("sub: the folder is not empty");
    expect((await ask("DELETE", "sub/a.txt")).status).toBe(204);
    expect((await ask("DELETE", "sub")).status).toBe(204);
    expect((await ask("DELETE", "sub")).status).toBe(404);
    expect(await message(ask("DELETE", ""))).toBe("Can't delete root");
    expect(existsSync(root)).toBe(true);
  });

  it("that may not be written says so", async () => {
    writeFileSync(at("a.txt"), "a");
    chmodSync(at("a.txt"), 0o444);
    // The superuser may write it all the same.
    expect((await model("GET", "a.txt")).writable).toBe(process.getuid?.() === 0);
  });

  it("is served bare for pages and downloads", async () => {
    writeFileSync(at("a b.svg"), "<svg/>");
    const bare = await hub.handle("GET", "/files/a%20b.svg", "");
    expect(bare.file).toEqual({ bytes: Buffer.from("<svg/>"), type: "image/svg+xml" });
    const download = await hub.handle("GET", "/files/a%20b.svg?download=1", "");
    expect(download.headers?.["Content-Disposition"]).toBe("attachment; filename*=utf-8''a%20b.svg");
  });
});

describe("a folder", () => {
  it("is made once, and lists what is in it by name, hidden files and special files left out", async () => {
    expect((await ask("PUT", "sub", { type: "directory" })).status).toBe(201);
    expect((await ask("PUT", "sub", { type: "directory" })).status).toBe(200);
    for (const name of ["b.txt", "a.ipynb", ".hidden"]) writeFileSync(at(`sub/${name}`), "{}");
    mkdirSync(at("sub/c"));
    const { content, format, type } = await model("GET", "sub");
    expect([format, type]).toEqual(["json", "directory"]);
    const rows = (content as ContentsModel[]).map((child) => [child.path, child.type, child.content]);
    expect(rows).toEqual([
      ["sub/a.ipynb", "notebook", null],
      ["sub/b.txt", "file", null],
      ["sub/c", "directory", null],
    ]);
    expect((await ask("PUT", "sub/b.txt", { type: "directory" })).status).toBe(400);
    expect((await ask("PUT", "sub", file("x"))).status).toBe(400);
  });
});

describe("a checkpoint", () => {
  it("is made, listed, restored and removed, and goes where its file goes", async () => {
    writeFileSync(at("n.ipynb"), "old");
    expect((await ask("GET", "n.ipynb/checkpoints")).body).toEqual([]);
    const made = await ask("POST", "n.ipynb/checkpoints");
    expect(made).toMatchObject({ status: 201, body: { id: "checkpoint" } });
    expect(made.headers?.["Location"]).toBe("/api/contents/n.ipynb/checkpoints/checkpoint");
    expect(text(".ipynb_checkpoints/n-checkpoint.ipynb")).toBe("old");
    writeFileSync(at("n.ipynb"), "new");
    await ask("PATCH", "n.ipynb", { path: "m.ipynb" });
    expect((await ask("GET", "n.ipynb/checkpoints")).body).toEqual([]);
    expect((await ask("GET", "m.ipynb/checkpoints")).body).toHaveLength(1);
    expect((await ask("POST", "m.ipynb/checkpoints/checkpoint")).status).toBe(204);
    expect(text("m.ipynb")).toBe("old");
    expect((await ask("DELETE", "m.ipynb/checkpoints/checkpoint")).status).toBe(204);
    expect((await ask("DELETE", "m.ipynb/checkpoints/checkpoint")).status).toBe(404);
    expect((await ask("POST", "m.ipynb/checkpoints/other")).status).toBe(404);
    expect((await ask("POST", "none.ipynb/checkpoints")).status).toBe(404);
  });

  it("goes with its file, and the folder around both can be removed then", async () => {
    mkdirSync(at("sub"));
    writeFileSync(at("sub/a.txt"), "a");
    await ask("POST", "sub/a.txt/checkpoints");
    await ask("DELETE", "sub/a.txt");
    expect(readdirSync(at("sub"))).toEqual([".ipynb_checkpoints"]);
    expect((await ask("DELETE", "sub")).status).toBe(204);
  });
});

describe("trust in a notebook", () => {
  const cell = (metadata: object, outputs: unknown[]) => ({
    cell_type: "code",
    id: "c",
    metadata,
    source: "1",
    execution_count: 1,
    outputs,
  });
  const html = { output_type: "display_data", data: { "text/html": "<script></script>" }, metadata: {} };
  const notebook = (metadata: object, outputs: unknown[] = [html]) => ({
    ...NOTEBOOK,
    cells: [cell(metadata, outputs)],
  });
  const isTrusted = async (name: string) => {
    const { content } = await model("GET", name);
    return (content as { cells: { metadata: { trusted?: boolean } }[] }).cells[0]?.metadata.trusted;
  };
  const save = (name: string, content: unknown) => model("PUT", name, { type: "notebook", format: "json", content });

  it("is what its client says when it saves, and is not in the file", async () => {
    await save("own.ipynb", notebook({ trusted: true }));
    expect(await isTrusted("own.ipynb")).toBe(true);
    expect(text("own.ipynb")).not.toContain("trusted");
  });

  it("is missing where outputs come from elsewhere, until somebody says so", async () => {
    const other = { ...html, data: { "text/html": "<script>other()</script>" } };
    writeFileSync(at("other.ipynb"), JSON.stringify(notebook({ trusted: true }, [other])));
    expect(await isTrusted("other.ipynb")).toBe(false);
    await save("other.ipynb", notebook({ trusted: false }, [other]));
    expect(await isTrusted("other.ipynb")).toBe(false);
    expect((await ask("POST", "other.ipynb/trust")).status).toBe(201);
    expect(await isTrusted("other.ipynb")).toBe(true);
  });

  it("is there where there are no outputs", async () => {
    writeFileSync(at("empty.ipynb"), JSON.stringify(notebook({}, [])));
    expect(await isTrusted("empty.ipynb")).toBe(true);
  });

  it("lasts over the end of the server, in a file that only its user can reach", async () => {
    const trustFile = at("data/virtlab/trust.json");
    hub = new Hub(root, undefined, { trustFile });
    await save("own.ipynb", notebook({ trusted: true }));
    hub = new Hub(root, undefined, { trustFile });
    expect(await isTrusted("own.ipynb")).toBe(true);
    expect(statSync(path.dirname(trustFile)).mode & 0o777).toBe(0o700);
    writeFileSync(trustFile, "damaged");
    hub = new Hub(root, undefined, { trustFile });
    expect(await isTrusted("own.ipynb")).toBe(false);
  });
});
