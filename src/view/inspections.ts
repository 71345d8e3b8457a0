/**
 * The values of `hardware/inspect` as people get them: with displays of their own in a notebook. What each means is said
 * in full where it is made; `show` and a notebook's last line show them.
 */
import type { CostTable } from "../hardware/cost/cost-table.js";
import type { DescriptorEntry, DescriptorTableName } from "../hardware/inspect/descriptor.js";
import * as tables from "../hardware/inspect/descriptor-table.js";
import * as failures from "../hardware/inspect/entry-failures.js";
import * as explanations from "../hardware/inspect/explain.js";
import * as flags from "../hardware/inspect/flags.js";
import * as controllers from "../hardware/inspect/interrupt-controllers.js";
import * as inventories from "../hardware/inspect/inventory.js";
import * as registers from "../hardware/inspect/registers.js";
import * as screens from "../hardware/inspect/screen.js";
import * as selectors from "../hardware/inspect/selector.js";
import * as tasks from "../hardware/inspect/task-state.js";
import * as exits from "../hardware/inspect/vm-exits.js";
import * as transitions from "../hardware/inspect/vm-transition.js";
import * as vmcbs from "../hardware/inspect/vmcb.js";
import * as vmcses from "../hardware/inspect/vmcs.js";
import * as causes from "../hardware/inspect/why.js";
import type { LinearAddress, Machine } from "../hardware/machine.js";
import type { Hypervisor } from "../hypervisor/hypervisor.js";
import * as battery from "../hypervisor/isolation/battery.js";
import * as matrix from "../hypervisor/isolation/matrix.js";
import * as pills from "../hypervisor/isolation/red-pills.js";
import * as ledgers from "../hypervisor/ledger.js";
import type { Vm } from "../hypervisor/options.js";
import * as shadows from "../hypervisor/shadow/view.js";
import * as statistics from "../hypervisor/statistics.js";
import { displayable } from "./display.js";
import { descriptorTableDisplay, selectorDisplay } from "./displays/descriptor-display.js";
import { explanationDisplay } from "./displays/explain-display.js";
import { ledgerDisplay, statisticsDisplay } from "./displays/hypervisor-display.js";
import { interruptControllersDisplay } from "./displays/interrupt-display.js";
import { inventoryDifferenceDisplay, inventoryDisplay } from "./displays/inventory-display.js";
import {
  attackMatrixDisplay,
  isolationDisplay,
  pillMatrixDisplay,
  redPillsDisplay,
} from "./displays/isolation-display.js";
import { flagsDisplay, registersDisplay } from "./displays/register-display.js";
import { screenDisplay } from "./displays/screen-display.js";
import { shadowTablesDisplay } from "./displays/shadow-display.js";
import { taskStateDisplay } from "./displays/task-display.js";
import {
  checksDisplay,
  exitDisplay,
  exitReasonsDisplay,
  transitionDisplay,
  vmcbDisplay,
  vmcsDisplay,
  whyEntryFailsDisplay,
} from "./displays/virtualization-display.js";
import { whyDisplay } from "./displays/why-display.js";

/** The machine's registers as a list; with `since`, what changed from another machine. */
export const registersOf = (
  machine: Machine,
  options: { readonly since?: Machine } = {},
): readonly registers.RegisterValue[] => displayable(registers.registersOf(machine, options), registersDisplay);

/** The machine's flags by name. */
export const flagsOf = (machine: Machine): flags.Flags => displayable(flags.flagsOf(machine), flagsDisplay);

/**
 * The entries of the GDT, the LDT or the IDT as a list.
 *
 * @throws VirtlabError for the LDT where LDTR holds none.
 */
export const descriptorTable = (machine: Machine, table: DescriptorTableName): readonly DescriptorEntry[] =>
  displayable(tables.descriptorTable(machine, table), descriptorTableDisplay);

/**
 * A selector's parts, the descriptor it names, and where it could be loaded now.
 *
 * @throws VirtlabError for a value that is not one of 0 to 0xFFFF.
 */
export const selector = (machine: Machine, value: number): selectors.Selector =>
  displayable(selectors.selector(machine, value), selectorDisplay);

/**
 * The task-state segment of TR, or of a selector.
 *
 * @throws VirtlabError where there is none.
 */
export const taskState = (machine: Machine, selector?: number): tasks.TaskState =>
  displayable(tasks.taskState(machine, selector), taskStateDisplay);

/** Both interrupt controllers, line by line. */
export const interruptControllers = (machine: Machine): controllers.InterruptControllers =>
  displayable(controllers.interruptControllers(machine), interruptControllersDisplay);

/**
 * Why the last exception was raised, or the next one will be.
 *
 * @throws VirtlabError for a name that is no exception's.
 */
export const why = (machine: Machine, name?: string): causes.Why => displayable(causes.why(machine, name), whyDisplay);

/**
 * What the instruction at EIP, or at an address, means.
 *
 * @throws VirtlabError where nothing is mapped at the address.
 */
export const explain = (machine: Machine, address?: LinearAddress): explanations.Explanation =>
  displayable(explanations.explain(machine, address), explanationDisplay);

/**
 * What the machine's VGA shows in text mode.
 *
 * @throws VirtlabError for a machine without a VGA.
 */
export const screen = (machine: Machine): screens.Screen => displayable(screens.screen(machine), screenDisplay);

/** A transition and the exit in it, each with a display. */
function shownTransition(transition: transitions.VmTransition): transitions.VmTransition {
  const { exit } = transition;
  return displayable(
    exit === undefined ? transition : { ...transition, exit: displayable(exit, exitDisplay) },
    transitionDisplay,
  );
}

/**
 * What the step between two machines loaded, saved and wrote on its way into a guest of VT-x or AMD-V, or out of one: every field
 * of the VMCS or the VMCB, and the register it went to or came from.
 * Spec: SDM Vol. 3C, "VM Entries", "VM Exits"; AMD64 Architecture Programmer's Manual Vol. 2, "VMRUN", "#VMEXIT".
 *
 * @throws VirtlabError for machines that are not one step apart, and for a step that enters and leaves no guest.
 */
export const vmTransition = (before: Machine, after: Machine): transitions.VmTransition =>
  shownTransition(transitions.vmTransition(before, after));

/**
 * Runs a machine to its next VM entry or exit: the machines on both sides of it, and what it did. On a timeline the counters
 * `vmEntries` and `vmExits` lead there: `timeline.find(({ counters }) => counters.vmExits > 0)`. Undefined where none comes.
 *
 * @example
 * findVmTransition(Machine.boot({ image: guest("rings") })) // => undefined
 */
export const findVmTransition = (
  machine: Machine,
  options: transitions.FindTransitionOptions = {},
): transitions.FoundTransition | undefined => {
  const found = transitions.findVmTransition(machine, options);
  return found && Object.freeze({ ...found, transition: shownTransition(found.transition) });
};

/**
 * The current VMCS of a machine, or the one at a physical address: its fields by the manual's names, and the state it is in.
 * Spec: SDM Vol. 3C, "Virtual Machine Control Structures"; Vol. 3D, Appendix B "Field Encoding in VMCS".
 *
 * @throws VirtlabError where none is current and none is named, and for an address that is no page of memory.
 *
 * @example
 * const machine = Machine.create({ memory: "1M", model: "max" });
 * vmcs(machine, 0x1000).state.launch // => 'clear'
 */
export const vmcs = (machine: Machine, address?: number): vmcses.Vmcs =>
  displayable(vmcses.vmcs(machine, address), vmcsDisplay);

/**
 * The VMCB of the guest that runs, or the one at a physical address, by the manual's names of its fields.
 * Spec: AMD64 Architecture Programmer's Manual Vol. 2, Appendix B "Layout of VMCB".
 *
 * @throws VirtlabError where no guest of AMD-V runs and no address is given, and for an address that is no page of memory.
 *
 * @example
 * const machine = Machine.create({ memory: "1M", model: "phenom" }).write(0x1058, Uint8Array.of(3));
 * vmcb(machine, 0x1000).fields["GUEST_ASID"] // => 3n
 */
export const vmcb = (machine: Machine, address?: number): vmcbs.Vmcb =>
  displayable(vmcbs.vmcb(machine, address), vmcbDisplay);

/**
 * A VM exit in words, of VT-x and AMD-V alike: from an event of `run({ observe: ["vm-exit"] })`, from a VMCS or a VMCB, or from
 * the numbers. Spec: SDM Vol. 3D, Appendix C "VMX Basic Exit Reasons"; AMD64 Architecture Programmer's Manual Vol. 2, Appendix C
 * "SVM Intercept Exit Codes".
 *
 * @example
 * explainExit({ technology: "vmx", reason: 30, qualification: 0x600008n }).told["port"] // => '0x60'
 * explainExit({ technology: "svm", reason: 0x7b, info1: 0x600011n, info2: 0n }).name // => 'VMEXIT_IOIO'
 */
export const explainExit = (from: exits.ExitSource): exits.ExplainedExit =>
  displayable(exits.explainExit(from), exitDisplay);

/**
 * Every reason for which this processor leaves a guest, in the order of the manual's table.
 *
 * @example
 * exitReasons("vmx").find(({ number }) => number === 48)?.name // => 'EPT violation'
 */
export const exitReasons = (technology: exits.VmTechnology): readonly exits.ExitReasonEntry[] =>
  displayable(exits.exitReasons(technology), exitReasonsDisplay);

/**
 * The checks of VM entry in the manual's order: what must hold, and what becomes of an entry that fails one. Of AMD-V they are told
 * by what must not be.
 * Spec: SDM Vol. 3C, "VM Entries"; AMD64 Architecture Programmer's Manual Vol. 2, "Canonicalization and Consistency Checks".
 *
 * @example
 * entryChecks("svm")[0]?.sentence // => 'EFER.SVME is clear.'
 */
export const entryChecks = (technology: exits.VmTechnology): readonly failures.VmEntryCheck[] =>
  displayable(failures.entryChecks(technology), checksDisplay);

/**
 * Which checks of VM entry the current VMCS fails, or the one at a physical address; of AMD-V the VMCB at an address. The host is
 * the machine as it stands: in front of VMLAUNCH or VMRUN, or behind one that failed.
 *
 * @throws VirtlabError where no VMCS is current and no address is given, and for an address that is no page of memory.
 *
 * @example
 * const machine = Machine.create({ memory: "1M", model: "max" });
 * whyEntryFails(machine, 0x1000).failed[0]?.group // => 'control'
 */
export const whyEntryFails = (machine: Machine, address?: number): failures.WhyEntryFails =>
  displayable(failures.whyEntryFails(machine, address), whyEntryFailsDisplay);

/**
 * The ledger of a VM by reasons, with cycles by a cost table: an exit is the way out of the guest, the handler's entry and the way
 * back in, and an instruction decoded where the handler executed one. The sums are those of the ledger: no exit is left out, none is
 * counted twice.
 *
 * @throws VirtlabError where the table lacks a figure for what came.
 * @example
 * const machine = Machine.boot({ image: guest("hello"), model: "nehalem", memory: "4M" });
 * const host = Hypervisor.create({ memory: "16M" }).addVm({ name: "a", guest: machine, technique: "vmx-ept" });
 * const vm = host.run({ until: { vm: "a" } }).vm("a");
 * const { exits, sum } = vmStatistics(vm, costTables.nehalem);
 * exits["I/O instruction"]?.number // => 30
 * sum.count === vm.exits // => true
 */
export const vmStatistics = (vm: Vm, table: CostTable): statistics.VmStatistics =>
  displayable(statistics.vmStatistics(vm, table), statisticsDisplay);

/**
 * Makes attacks of the guest `attacker` on a host, each beside a guest that does its work, and compares that guest at its end, the time
 * it took, and all that is the hypervisor's (its code and tables, what it keeps for VMs, frames that nobody has, the host's devices and
 * MSRs) with what they are beside a guest that does nothing. The victim has to come to an end by itself.
 *
 * Under paravirtualization the attacks are guests of their own, beside `paravirtualVictim`; those that need a device that such a machine
 * has not are not applicable.
 *
 * @throws VirtlabError for a technique or an attack that is unknown, and for a victim that comes to no end.
 * @example
 * const options = { technique: "vmx-ept", attacker: guest("attacker"), victim: guest("hello"), attacks: ["triple-fault"] } as const;
 * const [report] = isolation(options);
 * report?.verdict // => 'held'
 */
export const isolation = (options: battery.IsolationOptions): readonly battery.AttackReport[] =>
  displayable(battery.isolation(options), isolationDisplay);

/**
 * Reports of `isolation` side by side: a row for each attack, a column for each technique.
 *
 * @example
 * attackMatrix([]).length // => 0
 */
export const attackMatrix = (reports: readonly battery.AttackReport[]): readonly matrix.AttackRow[] =>
  displayable(matrix.attackMatrix(reports), attackMatrixDisplay);

/**
 * Reports of `redPills` side by side: a row for each pill, a column for each technique.
 *
 * @example
 * pillMatrix([]).length // => 0
 */
export const pillMatrix = (reports: readonly pills.RedPillReport[]): readonly matrix.PillRow[] =>
  displayable(matrix.pillMatrix(reports), pillMatrixDisplay);

/**
 * Runs the guest `red-pill` on a bare machine and in a VM under each technique, and gives the lines that differ.
 *
 * @param image of the guest, which prints `pill NAME VALUE` lines.
 * @throws VirtlabError for an image that prints none on the bare machine.
 * @example
 * const [ept] = redPills(guest("red-pill"), { techniques: ["vmx-ept"] });
 * ept?.revealed.filter(({ name }) => name.startsWith("sidt")) // => []
 */
export const redPills = (image: Uint8Array, options: pills.RedPillOptions = {}): readonly pills.RedPillReport[] =>
  displayable(pills.redPills(image, options), redPillsDisplay);

/**
 * What software finds on a machine: the PCI functions of bus 0 as reads and writes of ports CF8h and CFCh show them; every CPUID leaf
 * as the instruction answers it, in 64-bit code where the model has that, and its flags by name; the memory map of INT 15h,
 * AX = E820h, with ROM and registers of devices. The machine stays as it is. Of a VM it is what its guest finds.
 * Spec: PCI Local Bus Specification 2.2, "Configuration Space Organization"; SDM Vol. 2A, "CPUID—CPU Identification"; ACPI
 * Specification, "System Address Map Interfaces".
 *
 * @example
 * const found = inventory(Machine.create({ machine: "pc", memory: "16M" }));
 * found.find(({ name }) => name === "00:01.1")?.value // => '8086:7010; PIIX3 IDE; class 010180; BAR4 ports c000, 16 bytes'
 * found.find(({ name }) => name === "00100000-00fdffff")?.value // => 'E820 available'
 */
export const inventory = (machine: Machine): readonly inventories.InventoryItem[] =>
  displayable(inventories.inventory(machine), inventoryDisplay);

/**
 * What software finds on one of two machines and not on the other, such as a host and a guest. A thing that both have under one
 * name, but not alike, is in both lists. `show` makes a table of it.
 *
 * @example
 * const host = Hypervisor.create({ machine: "pc", model: "nehalem", memory: "64M" });
 * const machine = Machine.boot({ image: guest("hello"), model: "nehalem", memory: "16M" });
 * const vm = host.addVm({ name: "a", guest: machine, technique: "vmx-ept" }).vm("a");
 * const { first, second } = inventoryDifference(host.machine, vm.machine);
 * first.some(({ value }) => value.includes("PIIX3 IDE")) // => true
 * second.find(({ value }) => value === "E820 available")?.name // => '00100000-00ffffff'
 */
export const inventoryDifference = (first: Machine, second: Machine): inventories.InventoryDifference =>
  displayable(inventories.inventoryDifference(first, second), inventoryDifferenceDisplay);

/**
 * The shadow page tables of a VM, entry by entry beside the guest's own, as they are at this step: under VT-x with shadow paging,
 * trap-and-emulate and binary translation.
 *
 * @throws VirtlabError for a name that no VM has, and for a VM whose technique keeps no shadow tables, or that has not run yet.
 * @example
 * const machine = Machine.boot({ image: guest("hello"), model: "nehalem", memory: "4M" });
 * const host = Hypervisor.create({ memory: "16M" }).addVm({ name: "a", guest: machine, technique: "vmx-shadow" });
 * shadowTables(host.run({ until: { vm: "a" } }), "a").tables[0].kind // => 'flat'
 */
export const shadowTables = (hypervisor: Hypervisor, vm: string): shadows.ShadowTables =>
  displayable(shadows.shadowTables(hypervisor, vm), shadowTablesDisplay);

/**
 * The exits of a VM between two of its values: what the later ledger has more than the earlier one. Of hosts one step apart that is one
 * exit, or none.
 *
 * @example
 * const machine = Machine.boot({ image: guest("hello"), model: "nehalem", memory: "4M" });
 * const host = Hypervisor.create({ memory: "16M" }).addVm({ name: "a", guest: machine, technique: "vmx-ept" });
 * const half = host.run({ maxInstructions: 1000 }).vm("a");
 * const end = host.run({ until: { vm: "a" } }).vm("a");
 * exitsBetween(half, end).reduce((sum, { count }) => sum + count, 0) === end.exits - half.exits // => true
 */
export const exitsBetween = (before: Vm, after: Vm): readonly ledgers.LedgerEntry[] =>
  displayable(ledgers.between(before.ledger, after.ledger), (ledger) => ledgerDisplay(ledger));
