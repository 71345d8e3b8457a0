/** A host with virtual machines, a VM, and its ledger, for readers. */
import type { Hypervisor } from "../../hypervisor/hypervisor.js";
import type { LedgerEntry } from "../../hypervisor/ledger.js";
import type { Vm } from "../../hypervisor/options.js";
import type { VmStatistics } from "../../hypervisor/statistics.js";
import { techniques } from "../../hypervisor/techniques/names.js";
import type { Display } from "../display.js";
import { tableOf } from "../table/table-display.js";
import { counted, grouped, quoted, visible } from "../text.js";
import { stopText } from "./machine-display.js";

const statusText = ({ status }: Vm): string => {
  if (status.kind === "stopped") return stopText(status.stop);
  if (status.kind !== "halted") return status.kind;
  return status.until === undefined ? "halted" : `halted until tick ${grouped(status.until)}`;
};

const vmRow = (vm: Vm) => ({
  VM: vm.name,
  technique: techniques[vm.technique].title,
  status: statusText(vm),
  exits: vm.exits,
  "ticks run": vm.ran,
  weight: vm.weight,
  cap: vm.cap === 0 ? "none" : `${vm.cap} %`,
  output: vm.serial === "" ? "" : quoted(vm.serial, 40),
});

/** VMs with status, technique and exits. */
export function hypervisorDisplay({ machine, vms, free }: Hypervisor): Display {
  const facts = [
    `host at step ${grouped(machine.steps)}, tick ${grouped(machine.ticks)}`,
    `${machine.cpu.system.model}, ${grouped(machine.memory.size)} bytes, ${grouped(free)} free`,
    counted(vms.length, "VM"),
    `content ${machine.hash.slice(0, 12)}`,
  ];
  return tableOf(vms.map(vmRow), { caption: facts.join("; ") });
}

const exitRow = ({ reason, number, instruction, effect, count }: LedgerEntry) => ({
  reason,
  number,
  instruction,
  effect,
  count,
});

const sumOf = (ledger: readonly LedgerEntry[]): number => ledger.reduce((sum, { count }) => sum + count, 0);

/** Exits by reason, instruction and effect, the most frequent first, and their sum. */
export function ledgerDisplay(ledger: readonly LedgerEntry[], caption = "Exits"): Display {
  const rows = [...ledger].sort((a, b) => b.count - a.count).map(exitRow);
  return tableOf([...rows, { reason: "sum", count: sumOf(ledger) }], {
    caption,
    mark: (value, column) => (column === "reason" && value === "sum" ? "dim" : undefined),
  });
}

/** A VM: its status, and its ledger. */
export function vmDisplay(vm: Vm): Display {
  const facts = [
    `VM ${visible(vm.name)}: ${techniques[vm.technique].title}`,
    statusText(vm),
    counted(vm.ran, "tick"),
    counted(vm.exits, "exit"),
  ];
  return ledgerDisplay(vm.ledger, facts.join("; "));
}

/** Exits by reason with cycles, and their sums. */
export function statisticsDisplay({ technique, exits, translatedBlocks, shadow, sum }: VmStatistics): Display {
  const facts = [
    `Exits under ${techniques[technique].title}`,
    ...(translatedBlocks === 0 ? [] : [`${counted(translatedBlocks, "block")} translated`]),
    ...(shadow.builds === 0
      ? []
      : [`${counted(shadow.builds, "shadow table")}, ${counted(shadow.faults, "hidden fault")}`]),
  ];
  const rows = Object.entries(exits).map(([reason, exit]) => ({ reason, ...exit }));
  return tableOf([...rows, { reason: "sum", ...sum }], { caption: facts.join("; ") });
}
