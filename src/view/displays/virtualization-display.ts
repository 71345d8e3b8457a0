/** VM entries and exits, VMCS and VMCB, exit reasons and checks of VM entry, for readers. */
import type { VmEntryCheck, WhyEntryFails } from "../../hardware/inspect/entry-failures.js";
import type { ExitReasonEntry, ExplainedExit, VmTechnology } from "../../hardware/inspect/vm-exits.js";
import type { VmMove, VmTransition } from "../../hardware/inspect/vm-transition.js";
import type { Vmcb } from "../../hardware/inspect/vmcb.js";
import type { Vmcs, VmcsState } from "../../hardware/inspect/vmcs.js";
import { vmcbFields } from "../../hardware/svm/vmcb.js";
import { fieldNames, fields } from "../../hardware/vmx/fields.js";
import type { Display } from "../display.js";
import { tableOf } from "../table/table-display.js";
import { address, grouped } from "../text.js";

const hex = (value: bigint): string => `0x${value.toString(16)}`;
const names: Readonly<Record<VmTechnology, string>> = { vmx: "VT-x", svm: "AMD-V" };
const blocks: Readonly<Record<VmTechnology, string>> = { vmx: "VMCS", svm: "VMCB" };

const toldText = ({ told }: ExplainedExit): string =>
  Object.entries(told)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");

const moveRow = ({ way, area, field = "", register = "", before, after }: VmMove) => ({
  way,
  area,
  field,
  register,
  before: hex(before),
  after: before === after ? "the same" : hex(after),
});

const kinds: Readonly<Record<VmTransition["kind"], string>> = {
  entry: "VM entry",
  exit: "VM exit",
  refused: "refused VM entry",
  "entry and exit": "VM entry whose event leaves the guest at once",
};

export function transitionDisplay({
  kind,
  technology,
  step,
  address: at,
  exit,
  injected,
  moves,
}: VmTransition): Display {
  const changed = moves.filter(({ before, after }) => before !== after).length;
  const facts = [
    `${names[technology]}: ${kinds[kind]} at step ${grouped(step)}`,
    `${blocks[technology]} at ${address(at)}`,
    ...(exit === undefined ? [] : [`${exit.name}${toldText(exit) === "" ? "" : ` (${toldText(exit)})`}`]),
    ...(injected === undefined ? [] : [`injects ${injected.type} ${injected.vector}`]),
    `${moves.length} values, ${changed} of them changed`,
  ];
  return tableOf(moves.map(moveRow), {
    caption: facts.join("; "),
    mark: (value) => (value === "the same" ? "dim" : undefined),
  });
}

/** "active, current, launched". */
export const stateText = ({ active, current, launch, running }: VmcsState): string =>
  [
    active === true ? "active" : "inactive, or active",
    current ? "current" : "not current",
    launch,
    ...(running ? ["its guest runs"] : []),
  ].join(", ");

export function vmcsDisplay({ address: at, state, fields: values }: Vmcs): Display {
  const rows = fieldNames.map((name) => {
    const { encoding, type } = fields[name];
    return {
      field: name,
      encoding: `0x${encoding.toString(16).padStart(4, "0")}`,
      area: type,
      value: hex(values[name]),
    };
  });
  return tableOf(rows, { caption: `VMCS at ${address(at)}: ${stateText(state)}` });
}

export function vmcbDisplay({ address: at, running, fields: values }: Vmcb): Display {
  const rows = vmcbFields.map(({ name, area, offset, summary }) => ({
    field: name,
    offset: `0x${offset.toString(16).padStart(3, "0")}`,
    area,
    value: hex(values[name]!),
    "what it is": summary,
  }));
  return tableOf(rows, { caption: `VMCB at ${address(at)}${running ? ": its guest runs" : ""}` });
}

export const exitDisplay = (exit: ExplainedExit): Display =>
  tableOf([{ number: exit.number, name: exit.name, ...exit.told }], {
    caption: `${exit.entryFailed ? "VM entry of" : "VM exit of"} ${names[exit.technology]}${exit.entryFailed ? " that failed" : ""}`,
  });

export const exitReasonsDisplay = (reasons: readonly ExitReasonEntry[]): Display =>
  tableOf(reasons.map(({ number, name, tells }) => ({ number: String(number), name, tells: tells.join(", ") })));

export const checksDisplay = (checks: readonly VmEntryCheck[]): Display =>
  tableOf(checks.map(({ group, section, sentence, outcome }) => ({ group, section, check: sentence, outcome })));

export const whyEntryFailsDisplay = ({ sentence, failed }: WhyEntryFails): Display =>
  tableOf(
    failed.map(({ group, section, sentence: check, outcome }) => ({ group, section, check, outcome })),
    { caption: sentence },
  );
