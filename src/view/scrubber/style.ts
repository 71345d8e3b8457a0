/** The look of scrubbers, beside that of all displays. Heights are fixed where content comes and goes, so that nothing jumps. */
import { STYLE } from "../style.js";

const MARK = "#d08700";
const ACCENT = "var(--jp-brand-color1, #3d8bd4)";
const dim = (percent: number): string => `color-mix(in srgb, currentColor ${percent}%, transparent)`;
const THUMB = "14px";

export const SCRUBBER_STYLE = `${STYLE}<style>
.vl.vl.vl.vl-scrubber { width: 62rem; max-width: 100%; container-type: inline-size; }
.vl.vl.vl .scrub { padding: .45rem .8rem .5rem; border-bottom: 1px solid ${dim(14)}; }
.vl.vl.vl .track { position: relative; padding: 0 calc(${THUMB} / 2); }
.vl.vl.vl .track svg { height: 28px; }
.vl.vl.vl .track path, .vl.vl.vl .track line { vector-effect: non-scaling-stroke; }
.vl.vl.vl .level { fill: ${ACCENT}; opacity: .42; }
.vl.vl.vl .ground { fill: currentColor; opacity: .14; }
.vl.vl.vl .exception { stroke: #d55e00; stroke-width: 2; }
.vl.vl.vl .interrupt { stroke: #b8860b; stroke-width: 2; }
.vl.vl.vl .edit { stroke: #cc79a7; stroke-width: 2; stroke-dasharray: 2 2; }
.vl.vl.vl .still { stroke: ${ACCENT}; stroke-width: 2; }
.vl.vl.vl .slider { -webkit-appearance: none; appearance: none; position: absolute; inset: 0; width: 100%; height: 28px; margin: 0; padding: 0; border: 0; background: none; cursor: pointer; touch-action: pan-y; }
.vl.vl.vl .track:has(.slider) .still { display: none; }
.vl.vl.vl .slider::-webkit-slider-runnable-track { height: 28px; background: none; border: 0; }
.vl.vl.vl .slider::-moz-range-track { height: 28px; background: none; border: 0; }
.vl.vl.vl .slider::-webkit-slider-thumb { -webkit-appearance: none; appearance: none; width: ${THUMB}; height: 28px; margin: 0; border: 2px solid ${ACCENT}; border-radius: 5px; background: color-mix(in srgb, ${ACCENT} 30%, transparent); }
.vl.vl.vl .slider::-moz-range-thumb { box-sizing: border-box; width: ${THUMB}; height: 28px; border: 2px solid ${ACCENT}; border-radius: 5px; background: color-mix(in srgb, ${ACCENT} 30%, transparent); }
.vl.vl.vl .slider:focus-visible { outline: 2px solid ${ACCENT}; outline-offset: 2px; border-radius: 5px; }
.vl.vl.vl .bar { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem 1rem; margin-top: .4rem; min-height: 1.75rem; }
.vl.vl.vl .controls { display: flex; flex-wrap: wrap; align-items: center; gap: .2rem; }
.vl.vl.vl .controls button { display: grid; place-items: center; width: 2rem; height: 1.75rem; margin: 0; padding: 0; border: 1px solid ${dim(22)}; border-radius: 5px; background: none; color: inherit; cursor: pointer; }
.vl.vl.vl .controls button svg { width: 14px; height: 14px; fill: currentColor; }
.vl.vl.vl .controls button:hover { background: ${dim(9)}; }
.vl.vl.vl .controls button:disabled { opacity: .38; cursor: default; background: none; }
.vl.vl.vl .controls button:focus-visible { outline: 2px solid ${ACCENT}; outline-offset: 1px; }
.vl.vl.vl .controls .play { width: 2.6rem; }
.vl.vl.vl .controls .undo { margin-left: .4rem; }
.vl.vl.vl .where { margin-left: .6rem; white-space: nowrap; }
.vl.vl.vl .legend { display: flex; flex-wrap: wrap; gap: 0 .9rem; margin-left: auto; font-size: 12px; }
.vl.vl.vl .legend i { display: inline-block; width: 10px; height: 10px; margin-right: .35em; vertical-align: -1px; border-radius: 2px; }
.vl.vl.vl .legend .k-level { background: ${ACCENT}; opacity: .6; }
.vl.vl.vl .legend .k-exception, .vl.vl.vl .legend .k-interrupt, .vl.vl.vl .legend .k-edit { width: 3px; height: 12px; border-radius: 1px; background: #d55e00; }
.vl.vl.vl .legend .k-interrupt { background: #b8860b; height: 8px; vertical-align: 0; }
.vl.vl.vl .legend .k-edit { background: repeating-linear-gradient(#cc79a7 0 3px, transparent 3px 5px); }
.vl.vl.vl .label { font-weight: 650; }
.vl.vl.vl .chip:empty { display: none; }
.vl.vl.vl .new { font-weight: 650; background: color-mix(in srgb, ${MARK} 26%, transparent); background-clip: content-box; }
.vl.vl.vl mark:empty { display: none; }
.vl.vl.vl tr.new, .vl.vl.vl tbody tr.new:nth-child(n) { font-weight: inherit; background: none; box-shadow: none; }
.vl.vl.vl tr.new td:nth-child(2) { font-weight: 650; background: color-mix(in srgb, ${MARK} 26%, transparent); background-clip: content-box; }
.vl.vl.vl .more { font-size: 12px; }
.vl.vl.vl .registers td.was { min-width: 12.5ch; }
.vl.vl.vl .registers .short td.was { min-width: 8.5ch; }
.vl.vl.vl .cols > .listing { flex-basis: 16rem; min-height: calc(13 * 1.55 * 13px + 1.2rem); }
.vl.vl.vl .listing td { padding-right: .75rem; }
.vl.vl.vl .listing td.bytes { max-width: 20ch; overflow: hidden; text-overflow: ellipsis; }
.vl.vl.vl .listing td.arrow { min-width: 1.6em; }
.vl.vl.vl .memory { border-top: 1px solid ${dim(12)}; }
.vl.vl.vl .memory > div { min-width: 0; min-height: calc(5 * 1.55 * 13px + 2.7rem); overflow-x: auto; }
.vl.vl.vl .memory .stack { min-width: min(20rem, 100%); min-height: calc(6 * 1.55 * 13px + 2.7rem); }
.vl.vl.vl .memory td { padding-right: .8rem; }
.vl.vl.vl .tail { height: calc(var(--lines) * 1.5 * 12.5px + 2px); overflow: auto; white-space: pre; scrollbar-width: thin; }
.vl.vl.vl .counts { display: flex; flex-wrap: wrap; gap: .1rem 1.6rem; }
.vl.vl.vl .counts small { display: block; font-size: 11px; color: ${dim(62)}; }
.vl.vl.vl .counts > span { min-width: 6.5rem; white-space: nowrap; }
/* What fits depends on the output's width and not on the window's. */
@container (max-width: 880px) {
.vl.vl.vl .listing td.bytes { display: none; }
}
@container (max-width: 600px) {
.vl.vl.vl .cols > .grow { border-left: 0; border-top: 1px solid ${dim(12)}; flex-basis: 100%; }
.vl.vl.vl .legend { margin-left: 0; }
.vl.vl.vl .registers td.was { display: none; }
.vl.vl.vl .counts > span { min-width: 5.5rem; }
}
</style>`;
