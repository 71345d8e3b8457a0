/** What the kernel promises, for any transport that leads @jupyterlab/services to it: one sentence for each promise. */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { type Kernel, KernelConnection, type KernelMessage, type ServerConnection } from "@jupyterlab/services";
import { afterAll, describe, expect, it, type TestContext, vi } from "vitest";
import { CellOutputs } from "../../src/notebook/document/cell-outputs.js";

/** A running kernel and a way to end it and its server. */
export interface OpenKernel {
  readonly model: Kernel.IModel;
  readonly settings: ServerConnection.ISettings;
  /** The folder in which the kernel runs. */
  readonly folder: string;
  close(): Promise<void>;
}

interface CellRun {
  readonly outputs: readonly unknown[];
  readonly reply: KernelMessage.IExecuteReplyMsg["content"];
}

const HOOK = '(globalThis as any)[Symbol.for("virtlab.notebook")]';

/** A client of one kernel. */
class Client {
  readonly connection: KernelConnection;

  constructor(readonly open: OpenKernel) {
    // It tells about its connections on console.debug, which in Node is standard output.
    console.debug = () => {};
    this.connection = new KernelConnection({ model: open.model, serverSettings: open.settings });
  }

  /** Runs a cell; `onOutput` is called after each message with what the cell shows by then. */
  async run(code: string, onOutput: (outputs: readonly unknown[]) => void = () => {}): Promise<CellRun> {
    const gathered = new CellOutputs();
    const outputs = gathered.beginCell();
    const future = this.connection.requestExecute({ code, allow_stdin: false, stop_on_error: true });
    future.onIOPub = ({ header, content }) => {
      gathered.add({ type: header.msg_type, content: content as unknown as Record<string, unknown> });
      onOutput(outputs);
    };
    const { content } = await future.done;
    return { outputs, reply: content };
  }

  /** Runs a cell and interrupts it when it has printed its first line. */
  async interrupted(code: string): Promise<CellRun> {
    let asked = false;
    return this.run(code, (outputs) => {
      if (asked || outputs.length === 0) return;
      asked = true;
      void this.connection.interrupt();
    });
  }

  async outputs(code: string): Promise<readonly unknown[]> {
    return (await this.run(code)).outputs;
  }
}

/** The text of a cell that prints only. */
const stdout = (text: string) => [{ output_type: "stream", name: "stdout", text }];
const result = (text: string) => ({ output_type: "execute_result", data: { "text/plain": text } });

/**
 * Declares the tests.
 *
 * @param open starts a kernel; it may skip the test of its context.
 */
export function kernelPromises(transport: string, open: (context: TestContext) => Promise<OpenKernel>): void {
  describe(`the kernel over ${transport}`, () => {
    let started: Promise<Client> | undefined;
    const client = (context: TestContext): Promise<Client> => {
      started ??= open(context).then((kernel) => new Client(kernel));
      return started;
    };
    afterAll(async () => {
      const opened = await started?.catch(() => undefined);
      opened?.connection.dispose();
      await opened?.open.close();
    });

    outputPromises(client);
    errorPromises(client);
    questionPromises(client);
    interruptPromises(client);
  });
}

type GiveClient = (context: TestContext) => Promise<Client>;

function outputPromises(client: GiveClient): void {
  it("gives the last expression as execute_result and what is printed as streams, in order", async (context) => {
    const kernel = await client(context);
    const { outputs, reply } = await kernel.run(
      'const x: number = 20;\nconsole.log("out"); console.error("err"); console.log("again");\nx * 2',
    );
    expect(outputs).toMatchObject([
      ...stdout("out\n"),
      { output_type: "stream", name: "stderr", text: "err\n" },
      ...stdout("again\n"),
      result("40"),
    ]);
    expect(reply).toMatchObject({ status: "ok", execution_count: expect.any(Number) });
    expect(await kernel.outputs("await new Promise<string>((done) => setTimeout(done, 10, 'late'))")).toMatchObject([
      result("late"),
    ]);
    expect(await kernel.outputs("undefined")).toEqual([]);
    const awaiting = [
      "await (async () => 5)()",
      "let sum = 0; for await (const n of [2, 3]) sum += n; sum",
      "export const exported = 5;\nexport class Seen {}\nexported",
    ];
    for (const code of awaiting) expect(await kernel.outputs(code), code).toMatchObject([result("5")]);
  });

  it("reads and writes names of earlier cells wherever they may stand", async (context) => {
    const kernel = await client(context);
    const declarations = [
      'let q = 5, w = 1; const o = { q: 7, inner: { q: 9 } }; import { join, sep as divider } from "node:path";',
      "interface Q { q: number } class K { q = 3 } enum E { q = 6 } namespace N { export const q = 11 } function give() { return q }",
    ];
    await kernel.run(declarations.join("\n"));
    const reads: readonly (readonly [expression: string, value: unknown])[] = [
      ["{ q }", { q: 5 }],
      [`{ q: q, w, [\`\${q}\`]: { q } }`, { q: 5, w: 1, 5: { q: 5 } }],
      ["{ ...{ q }, w: [{ w }] }", { q: 5, w: [{ w: 1 }] }],
      [`\`\${q} \${\`\${w}\${{ q }.q}\`}\``, "5 15"],
      [
        "((a = q, { b = q, c = { w } }: { b?: number; c?: object } = {}, [d = w]: number[] = []) => [a, b, c, d])()",
        [5, 5, { w: 1 }, 1],
      ],
      ["(({ q: z, q }: Q) => [z, q, w])({ q: 12 })", [12, 12, 1]],
      ["(({ inner: { q: z }, ...rest }) => ({ z, q, rest }))(o)", { z: 9, q: 5, rest: { q: 7 } }],
      ["(() => { const { q: z, inner } = o; return [z, inner, q]; })()", [7, { q: 9 }, 5]],
      ["(function (q: string) { return { q, w }; })('own')", { q: "own", w: 1 }],
      ["(() => { const q = 2; return { q }; })()", { q: 2 }],
      ["(() => { q: for (;;) break q; return { q() { return { q }; }, get w() { return w; } }.q(); })()", { q: 5 }],
      [
        "new (class extends K { override q = q; other = { q }; constructor(public w = q) { super(); } })()",
        { q: 5, other: { q: 5 }, w: 5 },
      ],
      ["[E.q, N.q, new K().q, o?.q, o['q'], typeof q, { q } satisfies Q]", [6, 11, 3, 7, 7, "number", { q: 5 }]],
      [
        "[Object.keys({ K, E, N, give }), { give }.give(), { join }.join('a', 'b') === 'a' + divider + 'b', { divider }.divider === divider]",
        [["K", "E", "N", "give"], 5, true, true],
      ],
      ["await Promise.all([{ q }, (async () => ({ w }))()])", [{ q: 5 }, { w: 1 }]],
    ];
    const list = `[${reads.map(([expression]) => `(${expression.startsWith("{") ? `(${expression})` : expression})`).join(",\n")}]`;
    const text = (shown: readonly unknown[]): unknown => JSON.parse((shown[0] as { text: string }).text);
    expect(text(await kernel.outputs(`console.log(JSON.stringify(${list}))`))).toEqual(reads.map(([, value]) => value));

    const writes: readonly (readonly [statement: string, q: number])[] = [
      ["({ q } = o)", 7],
      ["({ q = 3 } = {} as { q?: number })", 3],
      ["({ q = { w }.w } = {} as { q?: number })", 1],
      ["({ a: q, inner: { q: w } } = { a: 2, ...o })", 2],
      ["({ inner: { q } } = o)", 9],
      ["[q = 4] = [] as number[]", 4],
      ["for ({ q } of [{ q: 30 }, { q: 31 }]);", 31],
      ["for (q of [32]);", 32],
      ["q++; q += w;", 42],
      ["export { q, w as other }", 42],
    ];
    for (const [statement, value] of writes) {
      await kernel.run(statement);
      expect([statement, text(await kernel.outputs("console.log(JSON.stringify(q))"))]).toEqual([statement, value]);
    }
  });

  it("loses none of 20,000 lines that one cell prints", async (context) => {
    const kernel = await client(context);
    const lines = Array.from({ length: 20_000 }, (_, index) => `line ${index}\n`);
    const code = "for (let i = 0; i < 20000; i++) console.log('line ' + i);";
    expect(await kernel.outputs(code)).toEqual(stdout(lines.join("")));
  });

  it("shows a line before a long computation at once", async (context) => {
    const kernel = await client(context);
    const seen = path.join(kernel.open.folder, "seen");
    // The computation ends when the line has been seen.
    const code = `import { existsSync } from "node:fs"; console.log("begins"); while (!existsSync(${JSON.stringify(seen)}));`;
    const { reply } = await kernel.run(code, (outputs) => {
      if (outputs.length > 0) writeFileSync(seen, "");
    });
    expect(reply.status).toBe("ok");
  });

  it("keeps every character, and callbacks of writes are called", async (context) => {
    const kernel = await client(context);
    const bytes = "process.stdout.write(Uint8Array.of(0xc3)); process.stdout.write(Uint8Array.of(0xbc));";
    expect(await kernel.outputs(`${bytes} console.log("😀 \\u0007 \\u2028 é");`)).toEqual(
      stdout("ü😀 \u0007 \u2028 é\n"),
    );
    const written = 'await new Promise((done) => process.stdout.write("w", () => done("called")))';
    expect(await kernel.outputs(written)).toMatchObject([...stdout("w"), result("called")]);
  });

  it("shows an object with the display symbol as one bundle, given at once or promised", async (context) => {
    const kernel = await client(context);
    const symbol = '[Symbol.for("Jupyter.display")]';
    expect(
      await kernel.outputs(`({ ${symbol}: () => ({ "text/html": "<b>m</b>", "text/plain": "m" }) })`),
    ).toMatchObject([{ output_type: "execute_result", data: { "text/html": "<b>m</b>", "text/plain": "m" } }]);
    expect(
      await kernel.outputs(`({ async ${symbol}() { return { "image/png": Uint8Array.of(1, 2, 3) }; } })`),
    ).toMatchObject([
      { output_type: "execute_result", data: { "image/png": "AQID", "text/plain": expect.stringContaining("{") } },
    ]);
    expect(await kernel.outputs(`({ ${symbol}() { throw new RangeError("not now"); } })`)).toMatchObject([
      { output_type: "error", ename: "RangeError", evalue: "not now" },
    ]);
  });

  it("shows what tslab's own display functions are given", async (context) => {
    const kernel = await client(context);
    const code =
      'import { display, newDisplay } from "tslab"; display.html("<i>t</i>"); const d = newDisplay(); d.text("1");';
    const shown = (data: object) => ({ output_type: "display_data", data });
    expect(await kernel.outputs(`${code} d.text("2");`)).toMatchObject([
      shown({ "text/html": "<i>t</i>" }),
      shown({ "text/plain": "2" }),
    ]);
  });

  it("lets libraries display, update and clear, also out of a loop that gives no turn", async (context) => {
    const kernel = await client(context);
    const shown = await kernel.outputs(
      `${HOOK}.display({ "text/plain": "0" }, { id: "bar" });
       for (let n = 1; n <= 100; n++) ${HOOK}.update({ "text/plain": String(n) }, { id: "bar" });`,
    );
    expect(shown).toMatchObject([{ output_type: "display_data", data: { "text/plain": "100" } }]);
    const cleared = `console.log("gone"); ${HOOK}.clear({ wait: true }); await ${HOOK}.show([1]);`;
    expect(await kernel.outputs(cleared)).toMatchObject([
      { output_type: "display_data", data: { "text/plain": "[ 1 ]" } },
    ]);
  });

  it("finds types through the exports of a package, also of one that is installed later, and checks strictly", async (context) => {
    const kernel = await client(context);
    const install = (name: string) => {
      const folder = path.join(kernel.open.folder, "node_modules", name);
      mkdirSync(folder, { recursive: true });
      const exported = { "./part": { types: "./p.d.ts", default: "./p.js" } };
      writeFileSync(path.join(folder, "p.js"), 'exports.answer = "known";');
      writeFileSync(path.join(folder, "p.d.ts"), 'export declare const answer: "known";');
      writeFileSync(path.join(folder, "package.json"), JSON.stringify({ name, exports: exported }));
    };
    const use = (name: string) => `import { answer } from "${name}/part"; const same: "known" = answer; same`;
    install("installed");
    expect(await kernel.outputs(use("installed"))).toMatchObject([result("known")]);
    expect((await kernel.run(use("later"))).reply).toMatchObject({ ename: "TypeScriptError" });
    install("later");
    // The compiler hears of new files in its own time.
    await vi.waitFor(async () => expect(await kernel.outputs(use("later"))).toMatchObject([result("known")]), {
      timeout: 40_000,
      interval: 200,
    });
    expect(await kernel.outputs("const text: string = null;")).toMatchObject([
      { output_type: "error", ename: "TypeScriptError", evalue: "Type 'null' is not assignable to type 'string'." },
    ]);
  });
}

function errorPromises(client: GiveClient): void {
  const trace = (run: CellRun): string =>
    (run.outputs as { traceback?: string[] }[])
      .flatMap((output) => output.traceback ?? [])
      .join("\n")
      .replaceAll(/\[cell \d+\]/g, "[cell]");

  it("points with an error into the cell: line, mark and frames, also behind an await and in other cells", async (context) => {
    const kernel = await client(context);
    await kernel.run("function fail(x: number): void {\n  if (x > 1) throw new RangeError('too big');\n}");
    const code = "interface Unseen { a: number }\nconst early: Unseen = { a: 2 };\nawait null;\n  fail(early.a)";
    const run = await kernel.run(code);
    expect(trace(run)).toBe(
      [
        "RangeError: too big",
        "  1 | function fail(x: number): void {",
        "> 2 |   if (x > 1) throw new RangeError('too big');",
        "    |                    ^",
        "    at fail ([cell]:2:20)",
        "    at [cell]:4:3",
      ].join("\n"),
    );
    const reply = { status: "error", ename: "RangeError", evalue: "too big" };
    expect(run.reply).toMatchObject(reply);
    expect(run.outputs).toMatchObject([{ output_type: "error", ename: "RangeError", evalue: "too big" }]);
  });

  it("points into a cell with names of earlier cells in short forms", async (context) => {
    const kernel = await client(context);
    await kernel.run("const known = 1, object = { known: 2 };");
    const code =
      "const { known: same } = object, both = { known, same };\nboth.known = { known,\n  x: (null as any).x }.x";
    expect(trace(await kernel.run(code))).toMatch(/> 3 \| {3}x: \(null as any\)\.x }\.x\n.*\^\n {4}at \[cell\]:3:\d+$/);
  });

  it("points at the cell for errors out of libraries and rejected promises", async (context) => {
    const kernel = await client(context);
    expect(trace(await kernel.run('const a = 1;\nJSON.parse("{");'))).toMatch(
      /^SyntaxError: .*\n {2}1 \| const a = 1;\n> 2 \| JSON\.parse\("\{"\);\n {4}\| {6}\^\n {4}at JSON\.parse \(<anonymous>\)\n {4}at \[cell\]:2:6$/,
    );
    const rejected =
      'class NoPage extends Error {}\nasync function look() {\n  throw new NoPage("rejected");\n}\nawait look();';
    const run = await kernel.run(rejected);
    expect(run.reply).toMatchObject({ ename: "NoPage", evalue: "rejected" });
    expect(trace(run)).toContain('\n> 3 |   throw new NoPage("rejected");\n    |         ^\n');
  });

  it("marks what the compiler says of a cell, and does not run it", async (context) => {
    const kernel = await client(context);
    const run = await kernel.run('console.log("not printed");\nconst n: number = "text";\nunknownName + 1;');
    expect(run.outputs).toHaveLength(1);
    expect(trace(run)).toBe(
      [
        "TypeScriptError: [cell]:2:7 - Type 'string' is not assignable to type 'number'. (TS2322)",
        '> 2 | const n: number = "text";',
        "    |       ^",
        "[cell]:3:1 - Cannot find name 'unknownName'. (TS2304)",
        "> 3 | unknownName + 1;",
        "    | ^^^^^^^^^^^",
      ].join("\n"),
    );
  });

  it("tells of thrown values that are no errors", async (context) => {
    const kernel = await client(context);
    for (const [thrown, shown] of [
      ["'text'", "'text'"],
      ["undefined", "undefined"],
      ["{ code: 7 }", "{ code: 7 }"],
      ["Object.create(null)", "[Object: null prototype] {}"],
    ]) {
      expect((await kernel.run(`throw ${thrown};`)).reply).toMatchObject({ ename: "Thrown value", evalue: shown });
    }
  });

  it("lives on after errors in timers and promises that nobody waits for, and tells them with their place", async (context) => {
    const kernel = await client(context);
    const code = [
      'setTimeout(() => { throw new Error("in a timer"); }, 5);',
      'void Promise.reject(new Error("unhandled"));',
      "await new Promise((done) => setTimeout(done, 100));",
    ];
    const [stream] = (await kernel.outputs(code.join("\n"))) as { name: string; text: string }[];
    expect(stream?.name).toBe("stderr");
    expect(stream?.text).toMatch(/Unhandled promise rejection:\nError: unhandled\n(.*\n)*> 2 \|/);
    expect(stream?.text).toMatch(/Uncaught exception:\nError: in a timer\n> 1 \|/);
    expect(await kernel.outputs("1 + 1")).toMatchObject([result("2")]);
  });

  it("keeps the variables of a cell that failed", async (context) => {
    const kernel = await client(context);
    await kernel.run('let reached = 0;\nreached = 41;\nthrow new Error("stop");');
    expect(await kernel.outputs("reached + 1")).toMatchObject([result("42")]);
  });

  it("aborts cells that wait behind one that fails, and no others", async (context) => {
    const { connection } = await client(context);
    const ask = (code: string, stop_on_error: boolean) => connection.requestExecute({ code, stop_on_error }).done;
    const together = await Promise.all([ask("throw 1", true), ask("2", true), ask("3", false)]);
    expect(together.map(({ content }) => content.status)).toEqual(["error", "aborted", "aborted"]);
    // Asked after the reply, at once.
    expect((await ask("4", true)).content.status).toBe("ok");
    const unstopped = await Promise.all([ask("throw 1", false), ask("2", true)]);
    expect(unstopped.map(({ content }) => content.status)).toEqual(["error", "ok"]);
  });
}

function questionPromises(client: GiveClient): void {
  it("completes and documents names of cells and libraries, with places counted in code points", async (context) => {
    const kernel = await client(context);
    await kernel.run("/** Doubles a number. */\nfunction twice(n: number): number { return 2 * n; }");
    const code = 'const face = "😀"; twi';
    const { content } = await kernel.connection.requestComplete({ code, cursor_pos: [...code].length });
    const start = [...code].length - 3;
    expect(content).toMatchObject({ status: "ok", matches: ["twice"], cursor_start: start, cursor_end: start + 3 });
    expect((content as { metadata: object }).metadata).toEqual({
      _jupyter_types_experimental: [{ start, end: start + 3, text: "twice", type: "function" }],
    });
    const asked = { code: '"😀"; twice(1)', cursor_pos: 7, detail_level: 0 as const };
    const { content: inspected } = await kernel.connection.requestInspect(asked);
    expect(inspected).toMatchObject({
      status: "ok",
      found: true,
      data: {
        "text/plain": "function twice(n: number): number\n\nDoubles a number.",
        "text/markdown": "```typescript\nfunction twice(n: number): number\n```\n\nDoubles a number.",
      },
    });
    const nothing = await kernel.connection.requestInspect({ code: "   ", cursor_pos: 1, detail_level: 0 });
    expect(nothing.content).toMatchObject({ status: "ok", found: false });
  });

  it("says whether code is complete, what was run, and that it has no comms", async (context) => {
    const { connection } = await client(context);
    for (const [code, status] of [
      ["1 + 1", "complete"],
      ["function f() {", "incomplete"],
      ["`text", "incomplete"],
      ["1 = )", "invalid"],
    ] as const) {
      expect((await connection.requestIsComplete({ code })).content.status, code).toBe(status);
    }
    await connection.requestExecute({ code: '"remembered"' }).done;
    const tail = { output: false, raw: true, hist_access_type: "tail", n: 1 } as const;
    const history = await connection.requestHistory(tail);
    expect(history.content).toMatchObject({ history: [[1, expect.any(Number), '"remembered"']] });
    expect((await connection.requestCommInfo({})).content).toMatchObject({ status: "ok", comms: {} });
    const info = await connection.requestKernelInfo();
    expect(info?.content).toMatchObject({
      status: "ok",
      language_info: { name: "typescript", file_extension: ".ts", mimetype: "text/typescript" },
    });
  });

  it("answers completions while a cell awaits, and still says that it is busy", async (context) => {
    const { connection } = await client(context);
    const statuses: { state: string; of: string | undefined }[] = [];
    connection.iopubMessage.connect((_, { header, content, parent_header }) => {
      const { execution_state: state } = content as { execution_state?: string };
      const { msg_id: of } = parent_header as { msg_id?: string };
      if (header.msg_type === "status") statuses.push({ state: state!, of });
    });
    const code = `await new Promise((done) => ${HOOK}.signal.addEventListener("abort", done));`;
    const cell = connection.requestExecute({ code });
    await new Promise<void>((started) => {
      cell.onIOPub = ({ header }) => {
        if (header.msg_type === "execute_input") started();
      };
    });
    const reply = await connection.requestComplete({ code: "Math.ma", cursor_pos: 7 });
    expect(reply.content).toMatchObject({ matches: expect.arrayContaining(["max"]) });
    const answered = (reply.parent_header as { msg_id: string }).msg_id;
    await vi.waitFor(() => {
      const idle = statuses.findIndex(({ state, of }) => state === "idle" && of === answered);
      expect(idle).toBeGreaterThan(0);
      expect(statuses[idle + 1]).toEqual({ state: "busy", of: cell.msg.header.msg_id });
    });
    await connection.interrupt();
    await cell.done;
  });
}

function interruptPromises(client: GiveClient): void {
  const stopped = { status: "error", ename: "Interrupted", evalue: expect.stringMatching(/was stopped$/) };

  it.for([
    ["a busy loop", 'console.log("runs"); for (;;) {}'],
    ["a busy loop behind an await", 'console.log("runs"); await null; for (;;) {}'],
    [
      "a busy loop in a timer",
      'setTimeout(() => { console.log("runs"); for (;;) {} }, 5); await new Promise(() => {})',
    ],
    ["a loop of promises that are kept at once", 'console.log("runs"); for (;;) await null;'],
    [
      "code that hears of the interrupt and ends",
      `console.log("runs"); await new Promise((_, no) => ${HOOK}.signal.addEventListener("abort", () => no(new Error())));`,
    ],
  ])("stops %s when it is interrupted", async ([, code], context) => {
    const kernel = await client(context);
    expect((await kernel.interrupted(code!)).reply).toMatchObject(stopped);
    expect(await kernel.outputs("6 * 7")).toMatchObject([result("42")]);
  });

  it("says of an async loop that it goes on after an interrupt, and that a restart ends it", async (context) => {
    const kernel = await client(context);
    const loop =
      'let turns = 0; console.log("runs"); for (;;) { await new Promise((done) => setTimeout(done, 10)); turns++; }';
    const { reply, outputs } = await kernel.interrupted(loop);
    expect(reply).toMatchObject({
      status: "error",
      ename: "Interrupted",
      evalue: expect.stringMatching(/^stopped waiting for \[cell \d+\], whose asynchronous code goes on$/),
    });
    expect(JSON.stringify(outputs)).toMatch(/Restarting the kernel ends it\./);
    // It is true.
    const turns = "const before = turns; await new Promise((done) => setTimeout(done, 200)); turns > before";
    expect(await kernel.outputs(turns)).toMatchObject([result("true")]);
    await kernel.connection.restart();
    expect((await kernel.run("turns")).reply).toMatchObject({ ename: "TypeScriptError", execution_count: 1 });
  });
}
