/**
 * The values of `hardware/inspect` as people get them: with displays of their own in a notebook. What each means is said
 * where it is made; `show` and a notebook's last line show them.
 */
import * as tables from "../hardware/inspect/descriptor-table.js";
import * as explanations from "../hardware/inspect/explain.js";
import * as flags from "../hardware/inspect/flags.js";
import * as controllers from "../hardware/inspect/interrupt-controllers.js";
import * as registers from "../hardware/inspect/registers.js";
import * as selectors from "../hardware/inspect/selector.js";
import * as tasks from "../hardware/inspect/task-state.js";
import * as causes from "../hardware/inspect/why.js";
import { descriptorTableDisplay, selectorDisplay } from "./descriptor-display.js";
import { type Displayable, displayable } from "./display.js";
import { explanationDisplay } from "./explain-display.js";
import { interruptControllersDisplay } from "./interrupt-display.js";
import { flagsDisplay, registersDisplay } from "./register-display.js";
import { taskStateDisplay } from "./task-display.js";
import { whyDisplay } from "./why-display.js";

const shown =
  <Arguments extends readonly unknown[], T extends object>(
    make: (...given: Arguments) => T,
    display: (value: T) => Displayable,
  ): ((...given: Arguments) => T) =>
  (...given) =>
    displayable(make(...given), display);

/** The machine's registers as a list; with `since`, what changed from another machine. */
export const registersOf: typeof registers.registersOf = shown(registers.registersOf, registersDisplay);

/** The machine's flags by name. */
export const flagsOf: typeof flags.flagsOf = shown(flags.flagsOf, flagsDisplay);

/** The entries of the GDT, the LDT or the IDT as a list. */
export const descriptorTable: typeof tables.descriptorTable = shown(tables.descriptorTable, descriptorTableDisplay);

/** A selector's parts, the descriptor it names, and where it could be loaded now. */
export const selector: typeof selectors.selector = shown(selectors.selector, selectorDisplay);

/** The task-state segment of TR, or of a selector. */
export const taskState: typeof tasks.taskState = shown(tasks.taskState, taskStateDisplay);

/** Both interrupt controllers, line by line. */
export const interruptControllers: typeof controllers.interruptControllers = shown(
  controllers.interruptControllers,
  interruptControllersDisplay,
);

/** Why the last exception was raised, or the next one will be. */
export const why: typeof causes.why = shown(causes.why, whyDisplay);

/** What the instruction at EIP, or at an address, means. */
export const explain: typeof explanations.explain = shown(explanations.explain, explanationDisplay);
