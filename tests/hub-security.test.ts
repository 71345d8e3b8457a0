// What the server refuses, tried with real requests; where clients would tidy a request up, it is written byte by byte.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { type HttpServer, startHttpServer } from "../src/notebook/hub/http-server.js";
import { Hub } from "../src/notebook/hub/hub.js";
import { rawRequest, requestText } from "./support/raw-http.js";

const TOKEN = "0123456789abcdef0123456789abcdef";
const AUTHORIZED = { Authorization: `token ${TOKEN}` };
const SECRET = "nobody's business";
const LIMIT = 64 * 2 ** 20;

const folder = mkdtempSync(path.join(tmpdir(), "virtlab-security-"));
const root = path.join(folder, "root");
const outside = path.join(folder, "outside");
const pageFolder = path.join(folder, "page");
let server: HttpServer;
let hub: Hub;

beforeAll(async () => {
  for (const name of [root, outside, pageFolder, path.join(root, "sub"), path.join(root, ".hidden")]) mkdirSync(name);
  writeFileSync(path.join(outside, "secret.txt"), SECRET);
  writeFileSync(path.join(root, "a.txt"), "a");
  writeFileSync(path.join(root, ".env"), SECRET);
  writeFileSync(path.join(root, ".hidden", "b.txt"), SECRET);
  writeFileSync(path.join(pageFolder, "index.html"), "<html><head></head></html>");
  writeFileSync(path.join(folder, "beside-page.js"), SECRET);
  symlinkSync(path.join(outside, "secret.txt"), path.join(root, "link.txt"));
  symlinkSync(outside, path.join(root, "linked"));
  symlinkSync("../../outside", path.join(root, "sub", "relative"));
  symlinkSync(path.join(outside, "new.txt"), path.join(root, "dangling.txt"));
  symlinkSync(path.join(root, "circle"), path.join(root, "circle"));
  symlinkSync("a.txt", path.join(root, "inside.txt"));
  hub = new Hub(root);
  server = await startHttpServer({ hub, token: TOKEN, port: 0, pageFolder });
});
afterAll(async () => {
  await server.close();
  await hub.dispose();
  rmSync(folder, { recursive: true });
});

/** Everything below a folder with its content: what must be the same after a refused request. */
function snapshot(where: string): string[] {
  return readdirSync(where, { recursive: true, withFileTypes: true })
    .map((entry) => {
      const file = path.join(entry.parentPath, entry.name);
      return `${file} ${entry.isFile() ? readFileSync(file, "utf8") : entry.isSymbolicLink()}`;
    })
    .sort();
}

const save = JSON.stringify({ type: "file", format: "text", content: "changed" });
const send = (method: string, target: string, headers: Record<string, string> = {}, body = "") =>
  rawRequest(server.port, requestText(server.port, method, target, headers, body));

/** What every refusal must be: JSON that says why, without the name of a file on this machine or a stack. */
function expectRefused(response: { status: number; body: string }, ...statuses: number[]): void {
  expect(statuses).toContain(response.status);
  const { message } = JSON.parse(response.body) as { message: string };
  expect(message).toMatch(/^[^\n]+$/);
  expect(response.body).not.toMatch(/\s+at .*:\d+|node:internal/);
  expect(response.body).not.toContain(root);
  expect(response.body).not.toContain(SECRET);
}

const targets = ["/api", "/api/contents", "/api/contents/a.txt", "/api/kernels", "/lab", "/static/lab/index.html"];

describe("a request without the token", () => {
  it.each(targets)("to %s is answered 403", async (target) => {
    expectRefused(await send("GET", target), 403);
  });

  it.each([
    ["a wrong token", { Authorization: "token wrong" }, ""],
    ["a token that is longer", { Authorization: `token ${TOKEN}0` }, ""],
    ["a token that is shorter", { Authorization: `token ${TOKEN.slice(1)}` }, ""],
    ["an empty token", { Authorization: "token " }, ""],
    ["a password", { Authorization: `Basic ${Buffer.from(`a:${TOKEN}`).toString("base64")}` }, ""],
    ["a wrong token in the address", {}, "?token=wrong"],
    ["an empty token in the address", {}, "?token="],
    ["a ticket that nobody gave", {}, "?ticket=wrong"],
    ["a wrong token and the right one in the address", { Authorization: "token wrong" }, `?token=${TOKEN}`],
    ["another server's cookie", { Cookie: `virtlab-1=${TOKEN}` }, ""],
    ["the token as the cookie", { Cookie: `virtlab-PORT=${TOKEN}` }, ""],
  ])("but with %s is answered 403", async (_, headers, query) => {
    const sent = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, value.replace("PORT", String(server.port))]),
    );
    expectRefused(await send("GET", `/api/status${query}`, sent), 403);
  });

  it("by PUT writes nothing", async () => {
    const before = snapshot(folder);
    expectRefused(await send("PUT", "/api/contents/a.txt", {}, save), 403);
    expectRefused(await send("PUT", "/api/contents/new.txt", { Authorization: "token wrong" }, save), 403);
    expect(snapshot(folder)).toEqual(before);
  });

  it.each(["POST", "PATCH", "DELETE"])("by %s changes nothing", async (method) => {
    const before = snapshot(folder);
    expectRefused(await send(method, "/api/contents/a.txt", {}, '{"path":"b.txt"}'), 403);
    expect(snapshot(folder)).toEqual(before);
  });

  it("from a browser is answered 403 with a page that says what to do", async () => {
    const { status, headers, body } = await send("GET", "/lab", { Accept: "text/html" });
    expect(status).toBe(403);
    expect(headers["content-type"]).toBe("text/html; charset=utf-8");
    expect(body).toContain("Open the address that <code>virtlab lab</code> printed");
  });
});

describe("a request with the token", () => {
  it.each([
    ["in the header", AUTHORIZED, ""],
    ["as a bearer", { Authorization: `Bearer ${TOKEN}` }, ""],
    ["in the address", {}, `?token=${TOKEN}`],
  ])("%s is answered", async (_, headers, query) => {
    expect((await send("GET", `/api/status${query}`, headers)).status).toBe(200);
  });

  it("in the page's address is answered with a cookie that scripts cannot read and that lets in from then on", async () => {
    const page = await send("GET", `/lab?token=${TOKEN}`);
    const cookie = page.headers["set-cookie"] ?? "";
    expect(cookie).toMatch(/^virtlab-\d+=[0-9a-f]{64}; HttpOnly; SameSite=Strict; Path=\/$/);
    expect(cookie).not.toContain(TOKEN);
    const headers = { Cookie: `other=1; ${cookie.split(";")[0]}` };
    expect((await send("GET", "/api/status", headers)).status).toBe(200);
    // A change that is asked for by cookie alone must say from which page.
    expectRefused(await send("PUT", "/api/contents/a.txt", headers, save), 403);
    const origin = { Origin: `http://127.0.0.1:${server.port}` };
    expect((await send("POST", "/api/contents/none", { ...headers, ...origin }, "{}")).status).toBe(404);
  });

  it("in a ticket opens the page once", async () => {
    const { pathname, search } = new URL(server.ticketAddress());
    expect(search).not.toContain(TOKEN);
    const first = await send("GET", pathname + search);
    expect(first.status).toBe(200);
    expect(first.headers["set-cookie"]).toMatch(/^virtlab-/);
    expectRefused(await send("GET", pathname + search), 403);
  });
});

describe("a request from elsewhere", () => {
  const foreign: readonly (readonly [string, Record<string, string>])[] = [
    ["another site's page", { Origin: "http://evil.example" }],
    ["a page of another server on this machine", { Origin: "http://127.0.0.1:1" }],
    ["a page over https", { Origin: "https://127.0.0.1:PORT" }],
    ["a page whose site begins like ours", { Origin: "http://127.0.0.1:PORT.evil.example" }],
    ["a page without an origin", { Origin: "null" }],
    ["a name that leads here", { Host: "evil.example" }],
    ["a name that leads here, with our port", { Host: "evil.example:PORT", Origin: "http://evil.example:PORT" }],
    ["a name that begins like ours", { Host: "127.0.0.1.evil.example:PORT" }],
    ["a name with a user", { Host: "127.0.0.1@evil.example" }],
    ["an empty name", { Host: "" }],
    ["another site without telling which", { "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors" }],
    ["another port of this machine without telling which", { "Sec-Fetch-Site": "same-site" }],
  ];
  const real = (headers: Record<string, string>) =>
    Object.fromEntries(
      Object.entries({ ...AUTHORIZED, ...headers }).map(([name, value]) => [
        name,
        value.replace("PORT", String(server.port)),
      ]),
    );

  it.each(foreign)("by %s is answered 403 and reads and writes nothing, even with the token", async (_, headers) => {
    const before = snapshot(folder);
    expectRefused(await send("GET", "/api/contents/a.txt", real(headers)), 403);
    expectRefused(await send("GET", `/api/contents/a.txt?token=${TOKEN}`, real(headers)), 403);
    expectRefused(await send("PUT", "/api/contents/a.txt", real(headers), save), 403);
    expect(snapshot(folder)).toEqual(before);
  });

  it("is answered where it is a link to the page that somebody follows", async () => {
    const headers = { "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document" };
    expect((await send("GET", `/lab?token=${TOKEN}`, headers)).status).toBe(200);
    expectRefused(await send("GET", "/lab", { ...AUTHORIZED, ...headers, "Sec-Fetch-Dest": "iframe" }), 403);
  });

  it("gets no leave from the headers of cross-origin requests", async () => {
    const headers = { Origin: "http://evil.example", "Access-Control-Request-Method": "PUT" };
    const response = await send("OPTIONS", "/api/contents/a.txt", headers);
    expect(response.status).toBe(403);
    expect(Object.keys(response.headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
  });

  it.each(["localhost", "LOCALHOST", "[::1]"])("under the name %s is one from here", async (name) => {
    const host = `${name}:${server.port}`;
    const headers = { ...AUTHORIZED, Host: host, Origin: `http://${host}` };
    expect((await send("GET", "/api/status", headers)).status).toBe(200);
  });

  it("cannot reach the server at another address of this machine", async () => {
    const other = Object.values(networkInterfaces())
      .flatMap((list) => list ?? [])
      .find(({ family, internal }) => family === "IPv4" && !internal);
    const address = other?.address ?? "127.0.0.2";
    const code = await new Promise((resolve) => {
      const socket = connect(server.port, address, () => resolve("connected"));
      socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code));
      socket.once("close", () => socket.destroy());
    });
    expect(code).toBe("ECONNREFUSED");
  });
});

describe("a WebSocket", () => {
  const upgrade = { Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": "13" };
  const key = { "Sec-WebSocket-Key": Buffer.alloc(16).toString("base64") };
  const open = (target: string, headers: Record<string, string> = {}) =>
    send("GET", target, { ...upgrade, ...key, ...headers });

  it.each(["/api/events/subscribe", "/api/kernels/none/channels"])("to %s needs the token", async (target) => {
    expect((await open(target)).status).toBe(403);
    expect((await open(`${target}?token=wrong`)).status).toBe(403);
    expect((await open(target, { Authorization: "token wrong" })).status).toBe(403);
  });

  it("is refused to pages and names from elsewhere, even with the token", async () => {
    for (const headers of [
      { Origin: "http://evil.example" },
      { Origin: "null" },
      { Origin: "http://127.0.0.1:1" },
      { Host: "evil.example" },
      { Host: "evil.example", Origin: "http://evil.example" },
      { "Sec-Fetch-Site": "cross-site" },
    ] as Record<string, string>[]) {
      expect((await open(`/api/events/subscribe?token=${TOKEN}`, headers)).status).toBe(403);
    }
  });

  it("is opened with the token, from the page's own origin too", async () => {
    expect((await open(`/api/events/subscribe?token=${TOKEN}`)).status).toBe(101);
    const origin = { Origin: `http://127.0.0.1:${server.port}` };
    expect((await open("/api/events/subscribe", { ...AUTHORIZED, ...origin })).status).toBe(101);
  });

  it("to no kernel is answered 404", async () => {
    expect((await open("/api/kernels/none/channels", AUTHORIZED)).status).toBe(404);
    expect((await open("/lab", AUTHORIZED)).status).toBe(404);
    expect((await send("GET", "/api/kernels/none/channels", AUTHORIZED)).status).toBe(400);
  });
});

describe("a path that leads out of the root", () => {
  const paths = [
    "..",
    "../outside/secret.txt",
    "sub/../../outside/secret.txt",
    "./../outside/secret.txt",
    "%2e%2e/outside/secret.txt",
    "%2E%2E%2Foutside%2Fsecret.txt",
    "..%2foutside%2fsecret.txt",
    "sub%2f..%2f..%2foutside%2fsecret.txt",
    "%252e%252e%252foutside%252fsecret.txt",
    "..%252foutside%252fsecret.txt",
    "..%5coutside%5csecret.txt",
    "..\\outside\\secret.txt",
    "sub%5c..%5c..%5coutside%5csecret.txt",
    "%255c..%255coutside",
    "..%c0%afoutside%c0%afsecret.txt",
    "..%ef%bc%8foutside%ef%bc%8fsecret.txt",
    "....//outside/secret.txt",
    "..;/outside/secret.txt",
    "a.txt%00",
    "%00/outside/secret.txt",
    "../outside/secret.txt%00.ipynb",
    "/OUTSIDE/secret.txt",
    "%2fOUTSIDE%2fsecret.txt",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "link.txt",
    "linked",
    "linked/secret.txt",
    "linked/new.txt",
    "linked%2fnew.txt",
    "sub/relative/secret.txt",
    "sub/relative/new.txt",
    "dangling.txt",
    "dangling.txt/x",
    "circle",
    "circle/x",
    "a%0ab.txt",
    "a%7f",
    "file:///etc/passwd",
    "~/.ssh/id_rsa",
    "a.txt/../../outside/secret.txt",
    "sub//../../outside/secret.txt",
    "C:%5cWindows%5cwin.ini",
    "%",
    "%ff",
  ];
  const real = (file: string) => file.replace("OUTSIDE", outside.slice(1).replaceAll("/", "%2f"));

  it.each(paths)("is refused to readers and writers, and nothing is read or written: %s", async (file) => {
    const before = snapshot(folder);
    const target = `/api/contents/${real(file)}`;
    for (const query of ["", "?content=0", "?type=file&format=text", "?type=directory", "?hash=1"]) {
      expectRefused(await send("GET", target + query, AUTHORIZED), 400, 404);
    }
    expectRefused(await send("PUT", target, AUTHORIZED, save), 400, 404);
    expectRefused(await send("PUT", target, AUTHORIZED, '{"type":"directory"}'), 400, 404);
    expectRefused(await send("POST", target, AUTHORIZED, '{"type":"file"}'), 400, 404);
    expectRefused(await send("PATCH", target, AUTHORIZED, '{"path":"stolen.txt"}'), 400, 404);
    expectRefused(await send("DELETE", target, AUTHORIZED), 400, 404);
    expectRefused(await send("POST", `${target}/checkpoints`, AUTHORIZED), 400, 404);
    expectRefused(await send("GET", `/files/${real(file)}`, AUTHORIZED), 400, 404);
    expect(snapshot(folder)).toEqual(before);
  });

  const named = [
    ...["..", "../outside/secret.txt", "sub/../../outside/secret.txt", "/etc/passwd", "a\0", "..\\outside\\secret.txt"],
    ...[
      "link.txt",
      "linked/secret.txt",
      "sub/relative/secret.txt",
      "dangling.txt",
      "circle",
      "%2e%2e%2foutside",
      "a\ud800",
      "a\nb",
    ],
    ...[outside, path.join(outside, "secret.txt")],
  ];

  it.each(named)(
    "is refused as the source of a copy, the new name of a file and a kernel's folder: %s",
    async (file) => {
      const before = snapshot(folder);
      const json = (value: unknown) => JSON.stringify(value);
      expectRefused(await send("POST", "/api/contents/sub", AUTHORIZED, json({ copy_from: file })), 400, 404);
      expectRefused(await send("PATCH", "/api/contents/a.txt", AUTHORIZED, json({ path: file })), 400, 404, 409);
      expectRefused(
        await send("PATCH", "/api/contents/a.txt", AUTHORIZED, json({ path: `${file}/new.txt` })),
        ...[400, 404, 409],
      );
      expectRefused(
        await send("POST", "/api/contents", AUTHORIZED, json({ type: "file", ext: `/../${file}` })),
        400,
        404,
      );
      const kernel = { path: `${file}/n.ipynb`, type: "notebook", kernel: { name: "virtlab" } };
      expectRefused(await send("POST", "/api/sessions", AUTHORIZED, json(kernel)), 400, 404);
      expect(snapshot(folder)).toEqual(before);
    },
  );

  it("is not in the list of a folder, and a link that stays inside is", async () => {
    const { body } = await send("GET", "/api/contents", AUTHORIZED);
    const { content } = JSON.parse(body) as { content: { name: string }[] };
    expect(content.map(({ name }) => name).sort()).toEqual(["a.txt", "inside.txt", "sub"]);
    expect(JSON.parse((await send("GET", "/api/contents/inside.txt", AUTHORIZED)).body)).toMatchObject({
      content: "a",
    });
  });

  it.each([
    "../../beside-page.js",
    "..%2f..%2fbeside-page.js",
    "%2e%2e/%2e%2e/beside-page.js",
    "..%5cbeside-page.js",
    "a%00",
  ])("is refused among the page's own files: %s", async (file) => {
    expectRefused(await send("GET", `/static/lab/${file}`, AUTHORIZED), 400, 404);
    expectRefused(await send("GET", `/kernelspecs/virtlab/${file}`, AUTHORIZED), 400, 404);
  });

  it("is refused where a folder becomes a link between two looks", async () => {
    // A folder inside and a link to the outside change places as fast as they can while files in it are read and written.
    const place = path.join(root, "place");
    const spare = path.join(root, "spare");
    mkdirSync(place);
    writeFileSync(path.join(place, "secret.txt"), "inside");
    symlinkSync(outside, spare);
    let goesOn = true;
    const swapping = (async () => {
      while (goesOn) {
        renameSync(place, `${place}-`);
        renameSync(spare, place);
        renameSync(`${place}-`, spare);
        await new Promise(setImmediate);
      }
    })();
    for (let round = 0; round < 300; round += 1) {
      const [read, write] = await Promise.all([
        hub.handle("GET", "/api/contents/place/secret.txt", ""),
        hub.handle("PUT", "/api/contents/place/secret.txt", save),
      ]);
      expect(JSON.stringify(read.body)).not.toContain(SECRET);
      expect([200, 201, 404]).toContain(write.status);
    }
    goesOn = false;
    await swapping;
    expect(readFileSync(path.join(outside, "secret.txt"), "utf8")).toBe(SECRET);
    expect(readdirSync(outside)).toEqual(["secret.txt"]);
    rmSync(place, { recursive: true, force: true });
    rmSync(spare, { recursive: true, force: true });
  });
});

describe("a hidden file", () => {
  it.each([".env", ".hidden", ".hidden/b.txt", "sub/.new", "%2eenv"])(
    "is neither shown nor written: %s",
    async (file) => {
      const before = snapshot(folder);
      const target = `/api/contents/${file}`;
      expectRefused(await send("GET", target, AUTHORIZED), 404);
      expectRefused(await send("GET", `/files/${file}`, AUTHORIZED), 404);
      expectRefused(await send("PUT", target, AUTHORIZED, save), 400);
      expectRefused(await send("PATCH", target, AUTHORIZED, '{"path":"b.txt"}'), 400);
      expectRefused(await send("DELETE", target, AUTHORIZED), 400);
      expect(snapshot(folder)).toEqual(before);
    },
  );
});

describe("a body that is too large", () => {
  const start = (headers: Record<string, string>) =>
    requestText(server.port, "PUT", "/api/contents/large.txt", { ...AUTHORIZED, ...headers });

  it("is refused before any of it is read when its length is told", async () => {
    // None of the body is ever sent, so the answer cannot have waited for it.
    const text = start({ "Content-Length": String(100 * 2 ** 20) });
    expectRefused(await rawRequest(server.port, text), 413);
    expectRefused(await rawRequest(server.port, start({ "Content-Length": String(LIMIT + 1) })), 413);
  });

  it("is not asked for where a client asks first", async () => {
    const headers = { "Content-Length": String(100 * 2 ** 20), Expect: "100-continue" };
    expectRefused(await rawRequest(server.port, start(headers)), 413);
    const small = { "Content-Length": "2", Expect: "100-continue" };
    const foreign = { ...small, Origin: "http://evil.example" };
    expectRefused(await rawRequest(server.port, start(foreign)), 403);
    expect((await rawRequest(server.port, start(small))).status).toBe(100);
  });

  it("is refused when it comes in pieces, and nothing is written", async () => {
    const before = snapshot(folder);
    const piece = Buffer.alloc(2 ** 20, "x");
    const response = await new Promise<{ status: number; body: string }>((resolve, reject) => {
      const headers = { ...AUTHORIZED, "Transfer-Encoding": "chunked" };
      const asked = request(
        { port: server.port, host: "127.0.0.1", method: "PUT", path: "/api/contents/large.txt", headers },
        (answer) => {
          let body = "";
          answer.setEncoding("utf8").on("data", (text: string) => {
            body += text;
          });
          answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body }));
        },
      );
      asked.on("error", reject);
      for (let count = 0; count < 100; count += 1) asked.write(piece);
      asked.end();
    });
    expectRefused(response, 413);
    expect(snapshot(folder)).toEqual(before);
    expect((await send("GET", "/api/status", AUTHORIZED)).status).toBe(200);
  });

  it("is refused to a client that sends all of it at once, with an answer that arrives", async () => {
    const response = await fetch(`http://127.0.0.1:${server.port}/api/contents/large.txt`, {
      method: "PUT",
      headers: AUTHORIZED,
      body: Buffer.alloc(100 * 2 ** 20, "x"),
    });
    expectRefused({ status: response.status, body: await response.text() }, 413);
    expect(existsSync(path.join(root, "large.txt"))).toBe(false);
  });

  it("is refused without the token as any other", async () => {
    const text = requestText(server.port, "PUT", "/api/contents/large.txt", { "Content-Length": String(2 ** 40) });
    expectRefused(await rawRequest(server.port, text), 403);
  });

  it("closes a WebSocket that gets it", async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/api/events/subscribe?token=${TOKEN}`);
    await new Promise((resolve) => socket.once("open", resolve));
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("error", () => {});
    socket.send(Buffer.alloc(LIMIT + 1));
    expect(await closed).toBe(1009);
  });
});

describe("a request that makes no sense", () => {
  it.each([
    ["a body that is not JSON", "PUT", "/api/contents/b.txt", "{", 400],
    ["a body that is no object", "PUT", "/api/contents/b.txt", "[1]", 400],
    ["no body", "PUT", "/api/contents/b.txt", "", 400],
    ["content that is no text", "PUT", "/api/contents/b.txt", '{"type":"file","format":"text","content":{}}', 400],
    [
      "content that is not base64",
      "PUT",
      "/api/contents/b.bin",
      '{"type":"file","format":"base64","content":"!"}',
      400,
    ],
    ["a notebook that is none", "PUT", "/api/contents/b.ipynb", '{"type":"notebook","content":{}}', 400],
    ["a notebook of format 3", "PUT", "/api/contents/b.ipynb", '{"type":"notebook","content":{"nbformat":3}}', 400],
    ["a file in no folder", "PUT", "/api/contents/none/b.txt", save, 404],
    ["a file in a file", "PUT", "/api/contents/a.txt/b.txt", save, 404],
    ["a file in the place of a folder", "PUT", "/api/contents/sub", save, 400],
    ["a name that is too long", "PUT", `/api/contents/${"n".repeat(300)}`, save, 400],
    ["a path that is too long", "PUT", `/api/contents/${"n/".repeat(3000)}`, save, 400],
    ["another language's kernel", "POST", "/api/kernels", '{"name":"python3"}', 400],
    ["no such address", "GET", "/api/terminals", "", 404],
    ["no such method", "POST", "/api/me", "", 405],
    ["an absolute address of another server", "GET", "http://evil.example/api/status", "", 404],
    ["two slashes in front", "GET", "//evil.example/api/status", "", 404],
  ])("is answered with one sentence: %s", async (_, method, target, body, status) => {
    const before = snapshot(folder);
    expectRefused(await send(method, target, AUTHORIZED, body), status);
    expect(snapshot(folder)).toEqual(before);
  });

  it("is answered with one sentence where the system gives no permission", async () => {
    const file = path.join(root, "protected.txt");
    writeFileSync(file, "old");
    chmodSync(file, 0o400);
    chmodSync(folder, 0o755);
    await withoutPrivileges(async () => {
      for (const name of ["protected.txt", "new.txt"]) {
        const { status, body } = await hub.handle("PUT", `/api/contents/${name}`, save);
        expectRefused({ status, body: JSON.stringify(body) }, 403);
      }
    });
    expect(readFileSync(file, "utf8")).toBe("old");
    expect(existsSync(path.join(root, "new.txt"))).toBe(false);
    rmSync(file);
  });
});

/** Does something as a user who owns nothing here; the superuser, who may do everything, becomes one for that time. */
async function withoutPrivileges(action: () => Promise<void>): Promise<void> {
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534);
  else chmodSync(root, 0o555);
  try {
    await action();
  } finally {
    if (isRoot) process.seteuid?.(0);
    else chmodSync(root, 0o755);
  }
}

describe("every answer", () => {
  it.each([
    ["/lab", AUTHORIZED, 200],
    ["/api/contents", AUTHORIZED, 200],
    ["/api/none", AUTHORIZED, 404],
    ["/api/contents", {}, 403],
    ["/files/a.txt", AUTHORIZED, 200],
  ])(
    "forbids guessing of types, foreign frames, and telling the address to others: %s",
    async (target, headers, status) => {
      const response = await send("GET", target, headers as Record<string, string>);
      expect(response.status).toBe(status);
      expect(response.headers).toMatchObject({
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "content-security-policy": expect.stringContaining("frame-ancestors 'self'"),
      });
      expect(Object.keys(response.headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
      expect(response.headers).not.toHaveProperty("x-powered-by");
    },
  );

  it("keeps pages among the user's files from acting as this server's", async () => {
    const { headers } = await send("GET", "/files/a.txt", AUTHORIZED);
    expect(headers["content-security-policy"]).toContain("sandbox allow-scripts");
  });
});
