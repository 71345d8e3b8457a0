import { describe, expect, it } from "vitest";
import { CellOutputs } from "./cell-outputs.js";

const stream = (name: string, text: string) => ({ type: "stream", content: { name, text } });
const display = (text: string, id?: string, type = "display_data") => ({
  type,
  content: { data: { "text/plain": text }, metadata: {}, transient: { display_id: id } },
});

function outputsOf(...messages: { type: string; content: Record<string, unknown> }[]) {
  const outputs = new CellOutputs();
  const cell = outputs.beginCell();
  for (const message of messages) outputs.add(message);
  return cell;
}

describe("outputs of cells", () => {
  it("join neighbouring texts of one stream and keep the order of two", () => {
    const cell = outputsOf(stream("stdout", "a"), stream("stdout", "b"), stream("stderr", "c"), stream("stdout", "d"));
    expect(cell.map((output) => (output.output_type === "stream" ? output.text : ""))).toEqual(["ab", "c", "d"]);
  });

  it("change everywhere when a display is updated by a later cell", () => {
    const outputs = new CellOutputs();
    const first = outputs.beginCell();
    outputs.add(display("old", "x"));
    const second = outputs.beginCell();
    outputs.add(display("new", "x", "update_display_data"));
    expect(first).toMatchObject([{ output_type: "display_data", data: { "text/plain": "new" } }]);
    expect(second).toEqual([]);
  });

  it("never contain what is only transient", () => {
    expect(outputsOf(display("a", "x"))[0]).not.toHaveProperty("transient");
  });

  it("are emptied by clear_output, with wait only when the next one comes", () => {
    const clear = (wait: boolean) => ({ type: "clear_output", content: { wait } });
    expect(outputsOf(stream("stdout", "a"), clear(false))).toEqual([]);
    expect(outputsOf(stream("stdout", "a"), clear(true))).toHaveLength(1);
    expect(outputsOf(stream("stdout", "a"), clear(true), stream("stdout", "b"))).toMatchObject([{ text: "b" }]);
  });

  it("pass over status and execute_input", () => {
    expect(outputsOf({ type: "status", content: { execution_state: "busy" } })).toEqual([]);
  });
});
