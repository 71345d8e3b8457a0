/**
 * The outputs of cells, gathered from the messages of a kernel. Manual: Messaging in Jupyter, "Messages on the IOPub
 * channel", and nbformat, "Code cell outputs".
 */
import type { CellOutput, MimeBundle } from "./notebook-document.js";

/** What of a message on iopub makes outputs. */
export interface OutputMessage {
  readonly type: string;
  readonly content: Readonly<Record<string, unknown>>;
}

/** The outputs of the cells of one notebook; displays can be updated by later cells. */
export class CellOutputs {
  readonly #cells: CellOutput[][] = [];
  readonly #displays = new Map<string, { cell: CellOutput[]; index: number }[]>();
  #clearBeforeNext = false;

  /** Begins the outputs of the next cell; the list fills as messages come. */
  beginCell(): readonly CellOutput[] {
    const cell: CellOutput[] = [];
    this.#cells.push(cell);
    this.#clearBeforeNext = false;
    return cell;
  }

  /** Takes a message into the outputs; messages that make no output are passed over. */
  add({ type, content }: OutputMessage): void {
    if (type === "update_display_data") {
      this.#update(content);
      return;
    }
    if (type === "clear_output") {
      if (content["wait"] === true) this.#clearBeforeNext = true;
      else this.#clear();
      return;
    }
    const output = outputOf(type, content);
    if (output === undefined) return;
    if (this.#clearBeforeNext) this.#clear();
    const cell = this.#current();
    const last = cell.at(-1);
    if (output.output_type === "stream" && last?.output_type === "stream" && last.name === output.name) {
      // One print is one message; a reader of the notebook wants one text.
      cell[cell.length - 1] = { ...last, text: last.text + output.text };
      return;
    }
    cell.push(output);
    const id = displayId(content);
    if (id !== undefined) {
      this.#displays.set(id, [...(this.#displays.get(id) ?? []), { cell, index: cell.length - 1 }]);
    }
  }

  #current(): CellOutput[] {
    const cell = this.#cells.at(-1);
    if (cell === undefined) throw new Error("no cell has begun");
    return cell;
  }

  #clear(): void {
    const cell = this.#current();
    cell.length = 0;
    for (const [id, places] of this.#displays) {
      this.#displays.set(
        id,
        places.filter((place) => place.cell !== cell),
      );
    }
    this.#clearBeforeNext = false;
  }

  #update(content: Readonly<Record<string, unknown>>): void {
    const id = displayId(content);
    for (const { cell, index } of (id === undefined ? undefined : this.#displays.get(id)) ?? []) {
      const old = cell[index];
      if (old?.output_type === "display_data" || old?.output_type === "execute_result") {
        cell[index] = { ...old, data: content["data"] as MimeBundle, metadata: (content["metadata"] ?? {}) as object };
      }
    }
  }
}

function outputOf(type: string, content: Readonly<Record<string, unknown>>): CellOutput | undefined {
  const shown = () => ({ data: content["data"] as MimeBundle, metadata: (content["metadata"] ?? {}) as object });
  switch (type) {
    case "stream":
      return { output_type: "stream", name: String(content["name"]), text: String(content["text"]) };
    case "display_data":
      return { output_type: "display_data", ...shown() };
    case "execute_result":
      return { output_type: "execute_result", execution_count: Number(content["execution_count"]), ...shown() };
    case "error":
      return {
        output_type: "error",
        ename: String(content["ename"]),
        evalue: String(content["evalue"]),
        traceback: content["traceback"] as string[],
      };
    default:
      return undefined;
  }
}

function displayId(content: Readonly<Record<string, unknown>>): string | undefined {
  const transient = content["transient"] as { display_id?: unknown } | undefined;
  return typeof transient?.display_id === "string" ? transient.display_id : undefined;
}
