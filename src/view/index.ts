/** `virtlab/view`: values for readers: displays, tables and diagrams. Figures are in `virtlab/plot`. */
export type { Diagram, DiagramOptions } from "./diagram/diagram.js";
export { type DiskDiagramOptions, diskDiagram } from "./diagram/disk.js";
export { type GanttDiagramOptions, ganttDiagram } from "./diagram/gantt-diagram.js";
export { type Layer, type LayerBoundary, type LayerBox, layersDiagram } from "./diagram/layers.js";
export { nestedWalkDiagram } from "./diagram/nested-walk.js";
export { type RingsOptions, type RingTransition, type RingWay, ringsDiagram } from "./diagram/rings.js";
export { screenDiagram } from "./diagram/screen.js";
export { vmcsStatesDiagram } from "./diagram/vmcs-states.js";
export { walkDiagram } from "./diagram/walk.js";
export { DISPLAY, type Display, type Displayable, type MimeBundle } from "./display.js";
export type { MachineDisplayOptions } from "./displays/machine-display.js";
export type { ToyDisplayOptions } from "./displays/toy-display.js";
export type { Span } from "./plot/gantt.js";
export { type Inspection, type Showable, show } from "./show.js";
export { type CellMark, type TableOptions, type TableRecord, tableOf } from "./table/table-display.js";
