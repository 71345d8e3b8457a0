// The server over HTTP: the page and its files, and what @jupyterlab/services asks of it apart from kernels.
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { ContentsManager, EventManager, KernelSpecManager, ServerConnection } from "@jupyterlab/services";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type HubServer, startHubServer, TOKEN } from "./support/hub-server.js";

let lab: HubServer;
beforeAll(async () => {
  lab = await startHubServer();
});
afterAll(() => lab.end());

describe("the page", () => {
  const config = async (target: string): Promise<Record<string, string>> => {
    const text = await (await lab.ask("GET", target)).text();
    const block = /<head>\n<script id="jupyter-config-data" type="application\/json">(.*)<\/script>/.exec(text);
    return JSON.parse(block?.[1] ?? "{}");
  };

  it("is at /lab, with its configuration where JupyterLab's components look for it", async () => {
    const response = await lab.ask("GET", "/lab");
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    // It has the token in it.
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(await config("/lab")).toMatchObject({
      baseUrl: "/",
      appUrl: "/lab",
      treeUrl: "/lab/tree",
      treePath: "",
      fullStaticUrl: "/static/lab",
      token: TOKEN,
      appVersion: expect.stringMatching(/^\d+\.\d+\.\d+/),
    });
    const root = await lab.ask("GET", "/");
    expect([root.status, root.headers.get("location")]).toEqual([302, "/lab"]);
  });

  it("is told the file that its address names, which cannot end the configuration", async () => {
    expect((await config("/lab/tree/sub/a%20b.ipynb"))["treePath"]).toBe("sub/a b.ipynb");
    expect((await config("/lab/tree/%3C%2Fscript%3E%3Cscript%3Ealert(1)"))["treePath"]).toBe(
      "</script><script>alert(1)",
    );
    const text = await (await lab.ask("GET", "/lab/tree/%3C%2Fscript%3E%3Cscript%3Ealert(1)")).text();
    expect(text).not.toContain("</script><script>alert");
    expect((await lab.ask("GET", "/lab/other")).status).toBe(404);
  });

  it("loads files that may be kept for ever when their names tell their content, and asked for again when not", async () => {
    const script = "export {};\n".repeat(1000);
    mkdirSync(path.join(lab.pageFolder, "chunks"));
    writeFileSync(path.join(lab.pageFolder, "chunks/main-AB12CD34.js"), script);
    writeFileSync(path.join(lab.pageFolder, "chunks/main-AB12CD34.js.gz"), gzipSync(script));
    writeFileSync(path.join(lab.pageFolder, "theme.css"), "a{}");
    const hashed = await lab.ask("GET", "/static/lab/chunks/main-AB12CD34.js");
    expect(Object.fromEntries(hashed.headers)).toMatchObject({
      "content-type": "text/javascript; charset=utf-8",
      "content-encoding": "gzip",
      "cache-control": "private, max-age=31536000, immutable",
      vary: "Accept-Encoding",
    });
    expect(await hashed.text()).toBe(script);
    const theme = await lab.ask("GET", "/static/lab/theme.css");
    expect(theme.headers.get("cache-control")).toBe("no-cache");
    expect(theme.headers.get("content-type")).toBe("text/css; charset=utf-8");
    expect(await theme.text()).toBe("a{}");
    expect((await lab.ask("GET", "/static/lab/none.js")).status).toBe(404);
  });

  it("may ask by HEAD, which has the headers and no body", async () => {
    const response = await lab.ask("HEAD", "/static/lab/theme.css");
    expect([response.status, response.headers.get("content-length"), await response.text()]).toEqual([200, "3", ""]);
  });
});

describe("@jupyterlab/services", () => {
  it("finds the kernelspec, and its logos where the server says they are", async () => {
    const manager = new KernelSpecManager({ serverSettings: lab.settings() });
    await manager.ready;
    const spec = manager.specs?.kernelspecs["virtlab"];
    expect([manager.specs?.default, spec?.language]).toEqual(["virtlab", "typescript"]);
    for (const address of Object.values(spec?.resources ?? {})) {
      const response = await lab.ask("GET", address);
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toMatch(/^image\//);
    }
    manager.dispose();
  });

  it("makes, saves, copies, renames and removes files, and keeps checkpoints of them", async () => {
    const contents = new ContentsManager({ serverSettings: lab.settings() });
    const made = await contents.newUntitled({ type: "notebook", path: "" });
    const content = { cells: [], metadata: { kernelspec: { name: "virtlab" } }, nbformat: 4, nbformat_minor: 5 };
    await contents.save(made.path, { type: "notebook", format: "json", content });
    const read = await contents.get(made.path, { type: "notebook", content: true, hash: true });
    expect(read.content).toEqual(content);
    expect(read.hash).toMatch(/^[0-9a-f]{64}$/);
    const point = await contents.createCheckpoint(made.path);
    expect(await contents.listCheckpoints(made.path)).toEqual([point]);
    await contents.restoreCheckpoint(made.path, point.id);
    await contents.deleteCheckpoint(made.path, point.id);
    const copy = await contents.copy(made.path, "");
    const moved = await contents.rename(copy.path, "ünï #1?.ipynb");
    expect((await contents.get("")).content.map(({ name }: { name: string }) => name)).toEqual([
      ...["Untitled.ipynb", "ünï #1?.ipynb"],
    ]);
    const download = await contents.getDownloadUrl(moved.path);
    expect((await fetch(download, { headers: { Authorization: `token ${TOKEN}` } })).status).toBe(200);
    for (const file of [made.path, moved.path]) await contents.delete(file);
    await expect(contents.get(made.path)).rejects.toThrow("file or directory '/Untitled.ipynb' does not exist");
    contents.dispose();
  });

  it("hears of what happens to files, and of what other pages tell", async () => {
    const events = new EventManager({ serverSettings: lab.settings() });
    const heard = (async () => {
      const all: Record<string, unknown>[] = [];
      for await (const event of events.stream) {
        all.push(event as Record<string, unknown>);
        if (event.schema_id === "https://example.org/test") return all;
      }
      return all;
    })();
    // The subscription takes a moment; events are told until the first has come.
    const telling = setInterval(() => {
      void lab.ask("PUT", "/api/contents/told.txt", { type: "file", format: "text", content: "x" });
      void events.emit({ schema_id: "https://example.org/test", version: "1", data: { a: 1 } } as never);
    }, 50);
    const all = await heard;
    clearInterval(telling);
    expect(all.at(-1)).toMatchObject({ a: 1, schema_version: "1" });
    events.dispose();
  });

  it("is refused with the server's own words", async () => {
    const contents = new ContentsManager({ serverSettings: { ...lab.settings(), token: "wrong" } });
    await expect(contents.get("")).rejects.toThrow("Forbidden: the token is wrong");
    contents.dispose();
    const { ResponseError, makeRequest } = ServerConnection;
    const settings = lab.settings();
    const response = await makeRequest(`${settings.baseUrl}api/terminals`, {}, settings);
    const error = await ResponseError.create(response);
    expect([response.status, error.message]).toEqual([404, "/api/terminals is not served"]);
  });
});
