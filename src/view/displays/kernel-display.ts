/** A kernel, and what there is in it, for readers. */
import type { Kernel } from "../../kernel/kernel.js";
import type { FileRow, MountRow, NamespaceRow, ProcessRow } from "../../kernel/views.js";
import type { Display } from "../display.js";
import { tableOf } from "../table/table-display.js";
import { counted, grouped } from "../text.js";

/** What the letters of ps(1) mean. */
const STATES: Readonly<Record<ProcessRow["state"], string>> = {
  R: "runs",
  S: "waits",
  T: "stopped",
  Z: "ended",
};

const processRow = ({ state, resident, ...row }: ProcessRow) => ({
  ...row,
  state: STATES[state],
  "resident bytes": resident,
});

export function processesDisplay(
  rows: readonly ProcessRow[],
  caption = counted(rows.length, "process", "processes"),
): Display {
  return tableOf(rows.map(processRow), {
    caption,
    mark: (value, column) => (column === "state" && value === "ended" ? "dim" : undefined),
  });
}

export const namespacesDisplay = (rows: readonly NamespaceRow[]): Display =>
  tableOf(
    rows.map(({ id, ...row }) => ({ namespace: String(id), ...row })),
    { caption: counted(rows.length, "namespace") },
  );

export const mountsDisplay = (rows: readonly MountRow[]): Display =>
  tableOf(
    rows.map(({ id, parent, namespace, ...row }) => ({
      ...{ mount: String(id), on: parent === id ? "" : String(parent), namespace: String(namespace) },
      ...row,
    })),
    { caption: counted(rows.length, "mount") },
  );

export const filesDisplay = (rows: readonly FileRow[]): Display =>
  tableOf(
    rows.map(({ pid, descriptor, kind, name, offset }) => ({ pid, descriptor, kind, name, offset })),
    { caption: `${counted(rows.length, "descriptor")}` },
  );

/** The machine, and its processes. */
export function kernelDisplay({ machine, processes }: Kernel): Display {
  const facts = [
    `kernel at step ${grouped(machine.steps)}, tick ${grouped(machine.ticks)}`,
    `${machine.cpu.system.model}, ${grouped(machine.memory.size)} bytes`,
    counted(processes.length, "process", "processes"),
    `content ${machine.hash.slice(0, 12)}`,
  ];
  return processesDisplay(processes, facts.join("; "));
}
