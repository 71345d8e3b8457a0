/** `virtlab/view`: values for readers: displays, tables and diagrams. Figures are in `virtlab/plot`. */
export { DISPLAY, type Display, type Displayable, type MimeBundle } from "./display.js";
export type { MachineDisplayOptions } from "./displays/machine-display.js";
export type { ToyDisplayOptions } from "./displays/toy-display.js";
export { type Inspection, type Showable, show } from "./show.js";
export { type CellMark, type TableOptions, type TableRecord, tableOf } from "./table/table-display.js";
