import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createMessage, type JupyterMessage } from "./jupyter-message.js";
import { outputMerger } from "./output-merger.js";

const MUCH = 2 ** 20;

function message(cell: string, type: string, content: Record<string, unknown>): JupyterMessage {
  return { ...createMessage("iopub", type, content, "kernel"), parent_header: { msg_id: cell } };
}
const print = (text: string, name = "stdout", cell = "1") => message(cell, "stream", { name, text });

/** What a notebook shows of messages: each cell's texts, neighbours in one stream as one, and everything else. */
function shown(messages: readonly JupyterMessage[]): unknown[] {
  const rows: { key: string; text: string }[] = [];
  for (const { header, parent_header: parent, content } of messages) {
    const key = `${parent.msg_id} ${header.msg_type} ${String(content["name"])}`;
    const last = rows.at(-1);
    if (header.msg_type === "stream" && last?.key === key) last.text += String(content["text"]);
    else rows.push({ key, text: String(content["text"]) });
  }
  return rows;
}

describe("output for a client that is behind", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it("is shown the same, whenever the client falls behind and catches up", () => {
    const step = fc.record({
      message: fc.oneof(
        fc.tuple(fc.string(), fc.constantFrom("stdout", "stderr"), fc.constantFrom("1", "2")).map((a) => print(...a)),
        fc.constantFrom("status", "display_data").map((type) => message("1", type, {})),
      ),
      backlog: fc.constantFrom(0, MUCH),
      wait: fc.constantFrom(0, 50),
    });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const sent: JupyterMessage[] = [];
        let backlog = 0;
        const merger = outputMerger({ send: (each) => sent.push(each), backlog: () => backlog });
        for (const { message: next, backlog: now, wait } of steps) {
          backlog = now;
          merger.receive(next);
          vi.advanceTimersByTime(wait);
        }
        backlog = 0;
        vi.advanceTimersByTime(50);
        expect(shown(sent)).toEqual(shown(steps.map(({ message: each }) => each)));
      }),
    );
  });

  it("is sent as it comes while the client keeps up, and as one message when it does not", () => {
    const sent: JupyterMessage[] = [];
    let backlog = 0;
    const merger = outputMerger({ send: (each) => sent.push(each), backlog: () => backlog });
    for (let line = 0; line < 3; line += 1) merger.receive(print("a\n"));
    expect(sent).toHaveLength(3);
    backlog = MUCH;
    for (let line = 0; line < 1000; line += 1) merger.receive(print("b\n"));
    expect(sent).toHaveLength(3);
    merger.receive(message("1", "status", {}));
    expect(sent.slice(3).map(({ header }) => header.msg_type)).toEqual(["stream", "status"]);
    expect(sent[3]?.content["text"]).toBe("b\n".repeat(1000));
  });

  it("without end is cut off, and says so", () => {
    const sent: JupyterMessage[] = [];
    const merger = outputMerger({ send: (each) => sent.push(each), backlog: () => MUCH });
    for (let part = 0; part < 20; part += 1) merger.receive(print("x".repeat(2 ** 20)));
    merger.receive(message("1", "status", {}));
    expect(sent).toHaveLength(3);
    expect(String(sent[0]?.content["text"])).toHaveLength(2 ** 24);
    expect(sent[1]?.content).toEqual({
      name: "stderr",
      text: "[4194304 characters of output left out: they came faster than the page could take them]\n",
    });
    expect(sent[1]?.parent_header.msg_id).toBe("1");
  });
});
