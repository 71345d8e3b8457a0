import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Hub } from "./hub.js";

const folder = mkdtempSync(path.join(tmpdir(), "virtlab-hub-"));
const root = path.join(folder, "root");
mkdirSync(root);
writeFileSync(path.join(folder, "secret.txt"), "secret");
writeFileSync(path.join(root, "a.txt"), "text");
writeFileSync(path.join(root, "a.bin"), Uint8Array.of(0xff, 0xfe));
symlinkSync(folder, path.join(root, "out"));
afterAll(() => rmSync(folder, { recursive: true }));

const hub = new Hub(root);

describe("the hub's REST routes", () => {
  it("answer 404 for what is not served and 405 for another method", async () => {
    expect((await hub.handle("GET", "/api/terminals", "")).status).toBe(404);
    expect((await hub.handle("POST", "/api/me", "")).status).toBe(405);
  });

  it("name virtlab as the default kernel, in TypeScript", async () => {
    const { body } = await hub.handle("GET", "/api/kernelspecs", "");
    expect(body).toMatchObject({ default: "virtlab", kernelspecs: { virtlab: { spec: { language: "typescript" } } } });
  });

  it("answer 404 for a kernel that does not exist and 400 for another language's", async () => {
    expect((await hub.handle("GET", "/api/kernels/none", "")).status).toBe(404);
    expect((await hub.handle("POST", "/api/kernels", '{"name":"python3"}')).status).toBe(400);
  });

  it("answer 400 for a body or an address that cannot be read", async () => {
    expect((await hub.handle("PUT", "/api/contents/b.txt", "{")).status).toBe(400);
    expect((await hub.handle("GET", "/api/contents/%ff", "")).status).toBe(400);
  });
});

describe("the hub's contents", () => {
  it("list a folder without what links lead out of it", async () => {
    const { body } = await hub.handle("GET", "/api/contents", "");
    expect((body as { content: { name: string }[] }).content.map(({ name }) => name).sort()).toEqual([
      "a.bin",
      "a.txt",
    ]);
  });

  it("give text as text and other bytes in base64", async () => {
    expect((await hub.handle("GET", "/api/contents/a.txt", "")).body).toMatchObject({
      format: "text",
      content: "text",
    });
    expect((await hub.handle("GET", "/api/contents/a.bin", "")).body).toMatchObject({
      format: "base64",
      content: "//4=",
    });
  });

  it.each(["..%2fsecret.txt", "out/secret.txt", "x/..%2f..%2fsecret.txt", "out%2fnew.txt", "a%00"])(
    "cannot be read or written outside of the root: %s",
    async (file) => {
      const body = JSON.stringify({ type: "file", format: "text", content: "changed" });
      expect((await hub.handle("GET", `/api/contents/${file}`, "")).status).toBe(404);
      expect((await hub.handle("PUT", `/api/contents/${file}`, body)).status).toBe(404);
      expect(readFileSync(path.join(folder, "secret.txt"), "utf8")).toBe("secret");
    },
  );
});
