/**
 * Lets machines, timelines, differences and page walks show themselves in a notebook. The levels below know nothing of
 * displays, so the method is put on them from here, once, when the package is loaded.
 */
import { isLong } from "../hardware/cpu/state.js";
import type { Screen } from "../hardware/inspect/screen.js";
import { stackChange } from "../hardware/inspect/stack-change.js";
import { Machine } from "../hardware/machine.js";
import { ToyMachine } from "../hardware/toy/machine.js";
import { Hypervisor } from "../hypervisor/hypervisor.js";
import type { Vm } from "../hypervisor/options.js";
import type { TranslationView } from "../hypervisor/techniques/bt/view.js";
import { Kernel } from "../kernel/kernel.js";
import { Timeline } from "../state/timeline.js";
import { DISPLAY, type Display, type Displayable, displayable } from "./display.js";
import { differenceDisplay } from "./displays/diff-display.js";
import { explanationDisplay } from "./displays/explain-display.js";
import { hypervisorDisplay, ledgerDisplay, vmDisplay } from "./displays/hypervisor-display.js";
import {
  filesDisplay,
  kernelDisplay,
  mountsDisplay,
  namespacesDisplay,
  processesDisplay,
} from "./displays/kernel-display.js";
import { machineDisplay } from "./displays/machine-display.js";
import { screenDisplay } from "./displays/screen-display.js";
import { toyDisplay } from "./displays/toy-display.js";
import { translatedBlockDisplay, translationDisplay } from "./displays/translation-display.js";
import { walkDisplay } from "./displays/walk-display.js";
import { timelineDisplay } from "./timeline-display.js";

function give<T extends object>(prototype: T, display: (value: T) => Displayable): void {
  Object.defineProperty(prototype, DISPLAY, {
    value(this: T) {
      return display(this)[DISPLAY]();
    },
    configurable: true,
    writable: true,
  });
}

function shownTranslation(view: TranslationView): TranslationView {
  const blocks = view.blocks.map((block) => displayable(block, (one) => translatedBlockDisplay(one, view.blocks)));
  return displayable({ ...view, blocks: Object.freeze(blocks) }, translationDisplay);
}

/** A VM with displays, of its ledger and its translation too. What is looked at only when it is asked for stays so. */
function shownVm(vm: Vm): Vm {
  const shown: PropertyDescriptorMap = {
    ...Object.getOwnPropertyDescriptors(vm),
    ledger: { value: displayable(vm.ledger, (ledger) => ledgerDisplay(ledger)), enumerable: true },
    translation: { get: () => vm.translation && shownTranslation(vm.translation), enumerable: true },
    [DISPLAY]: { value: () => vmDisplay(vm)[DISPLAY]() },
  };
  return Object.freeze(Object.defineProperties({}, shown)) as Vm;
}

/** The VMs of a host are records, too. */
function giveVms(): void {
  const { vm } = Hypervisor.prototype;
  Hypervisor.prototype.vm = function (name) {
    return shownVm(vm.call(this, name));
  };
  const { get: vms } = Object.getOwnPropertyDescriptor(Hypervisor.prototype, "vms")!;
  Object.defineProperty(Hypervisor.prototype, "vms", {
    get(this: Hypervisor) {
      return Object.freeze((vms!.call(this) as readonly Vm[]).map(shownVm));
    },
    configurable: true,
  });
}

/** A table of a kernel's. */
function giveTable<K extends "processes" | "namespaces" | "mounts" | "files">(
  name: K,
  show: (rows: Kernel[K]) => Display,
): void {
  const { get: rows } = Object.getOwnPropertyDescriptor(Kernel.prototype, name)!;
  Object.defineProperty(Kernel.prototype, name, {
    get(this: Kernel) {
      return displayable(rows!.call(this) as Kernel[K], show);
    },
    configurable: true,
  });
}

/** Gives the displays; a second call changes nothing. */
export function installDisplays(): void {
  if (Object.hasOwn(Machine.prototype, DISPLAY)) return;
  give(Machine.prototype, (machine) => machineDisplay(machine));
  give(ToyMachine.prototype, (machine) => toyDisplay(machine));
  give(Timeline.prototype as Timeline<Machine>, (timeline: Timeline<Machine>) => timelineDisplay<Machine>(timeline));
  give(Hypervisor.prototype, (host) => hypervisorDisplay(host));
  giveVms();
  give(Kernel.prototype, (kernel) => kernelDisplay(kernel));
  giveTable("processes", processesDisplay);
  giveTable("namespaces", namespacesDisplay);
  giveTable("mounts", mountsDisplay);
  giveTable("files", filesDisplay);
  const { diff: diffKernels } = Kernel;
  Kernel.diff = (a, b) => displayable(diffKernels(a, b), differenceDisplay);
  // These are records without a class: the functions that make them give each its method.
  const { diff } = Machine;
  Machine.diff = (a, b) =>
    displayable(diff(a, b), (difference) => differenceDisplay(difference, stackChange(a, b), isLong(b.cpu.system)));
  const { diff: diffToys } = ToyMachine;
  ToyMachine.diff = (a, b) => displayable(diffToys(a, b), differenceDisplay);
  const { walk, explain } = Machine.prototype;
  Machine.prototype.explain = function (...where) {
    return displayable(explain.apply(this, where), explanationDisplay);
  };
  const { get: screen } = Object.getOwnPropertyDescriptor(Machine.prototype, "screen")!;
  Object.defineProperty(Machine.prototype, "screen", {
    get(this: Machine) {
      const shown = screen!.call(this) as Screen | undefined;
      return shown && displayable(shown, screenDisplay);
    },
    configurable: true,
  });
  Machine.prototype.walk = function (...where) {
    return displayable(walk.apply(this, where), walkDisplay);
  };
}
