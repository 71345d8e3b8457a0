/**
 * Plotly figures, drawn by Plotly itself, which is loaded when the first figure is met. A figure takes its colours from
 * what is around it unless it names its own, follows the theme, and fits itself into its room when that changes. Used by
 * the lab page and by the extension for JupyterLab, which differ in where Plotly and the colours come from.
 */
import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";
import type { Message } from "@lumino/messaging";
import { Widget } from "@lumino/widgets";
import type * as Plotly from "plotly.js-dist-min";

const MIME_TYPE = "application/vnd.plotly.v1+json";

interface FigureData {
  readonly data?: Plotly.Data[];
  readonly layout?: Partial<Plotly.Layout>;
  readonly config?: Partial<Plotly.Config>;
  readonly frames?: Plotly.Frame[];
}

/** The colours of a page, and its font. */
export interface PlotlyLook {
  readonly font: string;
  readonly ink: string;
  readonly line: string;
  readonly axis: string;
  /** Behind what stands above the figure, such as the text at the pointer. */
  readonly raised: string;
}

/** What is around figures. */
export interface PlotlyPlace {
  load(): Promise<typeof Plotly>;
  look(): PlotlyLook;
  /** Calls the listener when the look has changed; the result ends that. */
  onLook(listener: () => void): () => void;
}

/** What a figure that says nothing about colours gets. */
function template({ font, ink, line, axis: axisColor, raised }: PlotlyLook): Plotly.Template {
  const axis = {
    gridcolor: line,
    linecolor: axisColor,
    zerolinecolor: axisColor,
    tickcolor: axisColor,
    automargin: true,
  };
  return {
    layout: {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: font, size: 12.5, color: ink },
      colorway: ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#8a8f98"],
      xaxis: axis,
      yaxis: axis,
      hoverlabel: { bgcolor: raised, bordercolor: axisColor, font: { color: ink } },
      legend: { bgcolor: "rgba(0,0,0,0)" },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: axisColor, activecolor: ink },
    },
  } as unknown as Plotly.Template;
}

class PlotlyOutput extends Widget implements IRenderMime.IRenderer {
  #figure: FigureData | undefined;
  #plotly: typeof Plotly | undefined;
  #endLookWatch: (() => void) | undefined;
  readonly #sizes = new ResizeObserver(() => this.#resize());
  #width = 0;

  constructor(private readonly place: PlotlyPlace) {
    super();
    this.addClass("plotly-output");
    this.node.setAttribute("role", "figure");
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this.#figure = model.data[MIME_TYPE] as FigureData;
    const height = this.#figure.layout?.height;
    if (height !== undefined) this.node.style.minHeight = `${height}px`;
    const words = model.data["text/plain"];
    if (typeof words === "string") this.node.setAttribute("aria-label", words.slice(0, 300));
    this.#plotly ??= await this.place.load();
    if (this.isDisposed) return;
    await this.#draw();
    this.#endLookWatch ??= this.place.onLook(() => void this.#draw());
  }

  override dispose(): void {
    if (this.isDisposed) return;
    this.#endLookWatch?.();
    this.#sizes.disconnect();
    this.#plotly?.purge(this.node);
    super.dispose();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.#sizes.observe(this.node);
  }

  protected override onBeforeDetach(message: Message): void {
    this.#sizes.disconnect();
    super.onBeforeDetach(message);
  }

  async #draw(): Promise<void> {
    if (this.isDisposed || this.#plotly === undefined || this.#figure === undefined) return;
    // Plotly writes into what it is given, and the figure is part of the notebook.
    const { data = [], layout = {}, frames, config } = structuredClone(this.#figure);
    const { width: _, ...free } = layout;
    await this.#plotly.newPlot(this.node, {
      data,
      layout: { ...free, template: layout.template ?? template(this.place.look()), autosize: true },
      config: { displaylogo: false, responsive: false, ...config },
      ...(frames === undefined ? {} : { frames }),
    } as never);
    this.#width = this.node.clientWidth;
  }

  #resize(): void {
    const width = this.node.clientWidth;
    if (width === 0 || width === this.#width || this.#plotly === undefined || this.node.firstChild === null) return;
    this.#width = width;
    void this.#plotly.Plots.resize(this.node);
  }
}

/** Shows Plotly figures at a place. */
export const plotlyRendererAt = (place: PlotlyPlace): IRenderMime.IRendererFactory => ({
  safe: true,
  mimeTypes: [MIME_TYPE],
  defaultRank: 0,
  createRenderer: () => new PlotlyOutput(place),
});
