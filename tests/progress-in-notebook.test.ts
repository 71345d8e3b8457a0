/** progress() in cells of the real kernel: it is seen while a cell keeps the kernel busy, and what it leaves is the same every time. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { KernelAPI, KernelConnection } from "@jupyterlab/services";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runNotebook } from "../src/notebook/document/run-notebook.js";
import { Hub } from "../src/notebook/hub/hub.js";
import { inProcessSettings } from "../src/notebook/hub/in-process-transport.js";
import { KERNEL_NAME } from "../src/notebook/hub/kernel-spec.js";

const folder = mkdtempSync(path.join(tmpdir(), "virtlab-progress-"));
beforeAll(() => {
  console.debug = () => {};
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Shown {
  readonly type: string;
  readonly id: string | undefined;
  readonly text: string;
}

describe("progress in a cell", () => {
  it("is seen while a loop keeps the kernel busy that never gives the event loop a turn", async () => {
    const seen = path.join(folder, "seen");
    const code = `
      import { existsSync } from "node:fs";
      import { guest, Machine, progress } from "virtlab";
      const bar = progress("busy");
      // Goes on when the client says that it has seen the bar, which it can only when the message has left by then.
      Machine.boot({ image: guest("rings") }).run({ maxInstructions: 10_000, onProgress: (word) => {
        bar(word);
        while (!existsSync(${JSON.stringify(seen)}));
      } }).steps`;
    const hub = new Hub(folder);
    try {
      const settings = inProcessSettings(hub);
      const model = await KernelAPI.startNew({ name: KERNEL_NAME }, settings);
      const connection = new KernelConnection({ model, serverSettings: settings });
      const future = connection.requestExecute({ code });
      const shown: Shown[] = [];
      future.onIOPub = ({ header, content }) => {
        const { data, transient } = content as { data?: Record<string, string>; transient?: { display_id?: string } };
        if (data === undefined) return;
        shown.push({ type: header.msg_type, id: transient?.display_id, text: data["text/plain"]! });
        writeFileSync(seen, "");
      };
      expect((await future.done).content.status).toBe("ok");
      expect(existsSync(seen)).toBe(true);
      expect(shown.map(({ type, text }) => `${type} ${text}`)).toEqual([
        "display_data busy: 0 %, 0 of 10,000 steps",
        expect.stringMatching(/^update_display_data busy: 10,000 steps, \S+ ms of machine time$/),
        "execute_result 10000",
      ]);
      expect(shown[0]!.id).toBeDefined();
      expect(shown[1]!.id).toBe(shown[0]!.id);
      connection.dispose();
    } finally {
      await hub.dispose();
    }
  });

  it("leaves one line, and the same at every run", async () => {
    const source = `
      import { guest, Machine, progress, Timeline } from "virtlab";
      const machine = Machine.boot({ image: guest("rings") });
      const end = machine.run({ onProgress: progress("boot") });
      new Timeline(machine).goto(20_000, { onProgress: progress("goto") });
      for (const seed of progress([1, 2, 3], "seeds")) machine.run({ maxInstructions: seed });`;
    const cell = { cell_type: "code" as const, metadata: {}, source, execution_count: null, outputs: [] };
    const cells = ["a", "b"].map((id) => ({ ...cell, id }));
    const { notebook } = await runNotebook({ cells, metadata: {} }, { folder });
    const [once, again] = notebook.cells.map(({ outputs }) => outputs as { data: Record<string, string> }[]);
    expect(once!.map(({ data }) => data["text/plain"])).toEqual([
      "boot: 377,345 steps, 4.93 ms of machine time",
      "goto: 20,000 steps",
      "seeds: 3",
    ]);
    expect(again).toEqual(once);
  });
});
