/** `virtlab/plot`: figures, in Plotly's form, each stamped with what it was made from. */

export { colours, heatColours, seriesColours } from "../palette.js";
export { type Axis, type AxisLike, axis, axisTitle } from "./axis.js";
export { type BarData, type BarOptions, bars } from "./bars.js";
export type { ChartOptions } from "./chart.js";
export { Figure, type FigureWords, type PlotlyFigure } from "./figure.js";
export { type GanttOptions, gantt, type Span, type SpanColumns, spansOf } from "./gantt.js";
export { type GridData, type HeatmapOptions, heatmap } from "./heatmap.js";
export { boxes, type HistogramOptions, histogram, percentiles, type SampleData } from "./histogram.js";
export { lines, type StepOptions, scatter, steps } from "./lines.js";
export { type PlotOptions, plot } from "./plot.js";
export { type FigureSources, type Hashed, type Provenance, provenanceOf } from "./provenance.js";
export { figureOfRun } from "./run-figure.js";
export type { ProfileOptions } from "./run-profile.js";
export { figureOfSchedule, type Scheduled } from "./schedule-figure.js";
export type { Place, PlotRecord, Points, SeriesData } from "./series.js";
export { shares } from "./shares.js";
export { quantile } from "./statistics.js";
