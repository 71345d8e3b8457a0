/**
 * The values of `hardware/inspect` as people get them: with displays of their own in a notebook. What each means is said
 * in full where it is made; `show` and a notebook's last line show them.
 */
import type { DescriptorEntry, DescriptorTableName } from "../hardware/inspect/descriptor.js";
import * as tables from "../hardware/inspect/descriptor-table.js";
import * as explanations from "../hardware/inspect/explain.js";
import * as flags from "../hardware/inspect/flags.js";
import * as controllers from "../hardware/inspect/interrupt-controllers.js";
import * as registers from "../hardware/inspect/registers.js";
import * as screens from "../hardware/inspect/screen.js";
import * as selectors from "../hardware/inspect/selector.js";
import * as tasks from "../hardware/inspect/task-state.js";
import * as causes from "../hardware/inspect/why.js";
import type { LinearAddress, Machine } from "../hardware/machine.js";
import { displayable } from "./display.js";
import { descriptorTableDisplay, selectorDisplay } from "./displays/descriptor-display.js";
import { explanationDisplay } from "./displays/explain-display.js";
import { interruptControllersDisplay } from "./displays/interrupt-display.js";
import { flagsDisplay, registersDisplay } from "./displays/register-display.js";
import { screenDisplay } from "./displays/screen-display.js";
import { taskStateDisplay } from "./displays/task-display.js";
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
