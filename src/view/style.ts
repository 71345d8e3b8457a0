/**
 * The look of all displays. Colours are mixed from the text colour of the page, so they fit light and dark pages alike;
 * what is marked by a colour is also marked by weight or a sign. Rules repeat the class to win over those that notebook
 * front ends have for tables and code.
 */
const MARK = "#d08700";
const ACCENT = "var(--jp-brand-color1, #3d8bd4)";

export const STYLE = `<style>
.vl.vl.vl { font-family: var(--jp-ui-font-family, system-ui, sans-serif); font-size: 13px; line-height: 1.5; color: inherit; max-width: 62rem; margin: .25rem 0 .5rem; font-variant-numeric: tabular-nums; }
.vl.vl.vl *, .vl.vl.vl *::before { box-sizing: border-box; }
.vl.vl.vl .box { border: 1px solid color-mix(in srgb, currentColor 18%, transparent); border-radius: 7px; overflow: hidden; }
.vl.vl.vl .head { display: flex; flex-wrap: wrap; align-items: baseline; gap: .1rem .9rem; padding: .4rem .8rem; background: color-mix(in srgb, currentColor 5%, transparent); border-bottom: 1px solid color-mix(in srgb, currentColor 14%, transparent); }
.vl.vl.vl .head:last-child { border-bottom: 0; }
.vl.vl.vl .head b { font-size: 14px; font-weight: 650; }
.vl.vl.vl .head .end { margin-left: auto; }
.vl.vl.vl .dim { color: color-mix(in srgb, currentColor 62%, transparent); }
.vl.vl.vl .chip { padding: 0 .5rem; border-radius: 1rem; border: 1px solid color-mix(in srgb, currentColor 28%, transparent); }
.vl.vl.vl .chip.user { border-color: ${ACCENT}; box-shadow: inset 0 0 0 1px ${ACCENT}; }
.vl.vl.vl .cols { display: flex; flex-wrap: wrap; }
.vl.vl.vl .cols > div { padding: .6rem .8rem .7rem; }
.vl.vl.vl .cols > .grow { flex: 1 1 21rem; min-width: 0; overflow-x: auto; border-left: 1px solid color-mix(in srgb, currentColor 12%, transparent); }
.vl.vl.vl .row { overflow-x: auto; padding: .5rem .8rem .6rem; border-top: 1px solid color-mix(in srgb, currentColor 12%, transparent); }
.vl.vl.vl .first.row { border-top: 0; }
.vl.vl.vl .title { font-size: 11px; letter-spacing: .04em; color: color-mix(in srgb, currentColor 62%, transparent); margin: 0 0 .2rem; }
.vl.vl.vl table { border-collapse: collapse; border: 0; margin: 0; font-size: 13px; line-height: 1.55; width: auto; table-layout: auto; }
.vl.vl.vl tr, .vl.vl.vl tbody tr:nth-child(n), .vl.vl.vl tbody tr:hover { background: none; border: 0; }
.vl.vl.vl th, .vl.vl.vl td { padding: 0 .9rem 0 0; margin: 0; border: 0; background: none; text-align: left; vertical-align: baseline; white-space: nowrap; font-weight: inherit; color: inherit; max-width: none; }
.vl.vl.vl th { color: color-mix(in srgb, currentColor 62%, transparent); font-weight: 400; }
.vl.vl.vl td:last-child, .vl.vl.vl th:last-child { padding-right: 0; }
.vl.vl.vl td.num, .vl.vl.vl th.num { text-align: right; }
.vl.vl.vl td.wrap { white-space: pre-wrap; overflow-wrap: anywhere; }
.vl.vl.vl pre, .vl.vl.vl code { background: none; padding: 0; border: 0; color: inherit; }
.vl.vl.vl .mono, .vl.vl.vl pre, .vl.vl.vl code { font-family: var(--jp-code-font-family, ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace); font-size: 12.5px; }
.vl.vl.vl pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.5; }
.vl.vl.vl mark { color: inherit; font-weight: 650; background: color-mix(in srgb, ${MARK} 26%, transparent); border-radius: 3px; padding: 0 .25em; box-decoration-break: clone; -webkit-box-decoration-break: clone; }
.vl.vl.vl .was { color: color-mix(in srgb, currentColor 62%, transparent); }
.vl.vl.vl .flags { display: inline-flex; flex-wrap: wrap; gap: .1rem .45rem; }
.vl.vl.vl .flags .off { color: color-mix(in srgb, currentColor 45%, transparent); }
.vl.vl.vl .flags .on { font-weight: 650; }
.vl.vl.vl tr.here td, .vl.vl.vl tbody tr.here:nth-child(n) { background: color-mix(in srgb, ${ACCENT} 17%, transparent); }
.vl.vl.vl tr.guess td { color: color-mix(in srgb, currentColor 62%, transparent); }
.vl.vl.vl tr.here td:first-child { border-radius: 4px 0 0 4px; }
.vl.vl.vl tr.here td:last-child { border-radius: 0 4px 4px 0; }
.vl.vl.vl td.arrow { color: ${ACCENT}; font-weight: 700; padding: 0 .3rem; }
.vl.vl.vl .bits { display: flex; flex-wrap: wrap; gap: .35rem; }
.vl.vl.vl .bits > span { flex: 0 1 auto; padding: .1rem .6rem .2rem; border-radius: 5px; background: color-mix(in srgb, currentColor 7%, transparent); }
.vl.vl.vl .bits small { display: block; font-size: 11px; color: color-mix(in srgb, currentColor 62%, transparent); }
.vl.vl.vl .boxes { display: flex; flex-wrap: wrap; gap: .25rem; }
.vl.vl.vl .boxes > span { min-width: 2.9rem; padding: .1rem .35rem .15rem; text-align: center; border-radius: 5px; border: 1px solid color-mix(in srgb, currentColor 16%, transparent); line-height: 1.35; }
.vl.vl.vl .boxes small, .vl.vl.vl .boxes b { display: block; }
.vl.vl.vl .boxes small { font-size: 10.5px; color: color-mix(in srgb, currentColor 62%, transparent); }
.vl.vl.vl .boxes .off { color: color-mix(in srgb, currentColor 62%, transparent); }
.vl.vl.vl .boxes .off small, .vl.vl.vl tr.guess td .dim { color: inherit; }
.vl.vl.vl .boxes .on { font-weight: 650; background: color-mix(in srgb, ${ACCENT} 17%, transparent); border-color: ${ACCENT}; }
.vl.vl.vl .fields { display: flex; flex-wrap: wrap; gap: .35rem; }
.vl.vl.vl .fields > span { padding: .15rem .6rem .25rem; border-radius: 5px; background: color-mix(in srgb, currentColor 7%, transparent); }
.vl.vl.vl .fields small { display: block; font-size: 11px; color: color-mix(in srgb, currentColor 62%, transparent); }
.vl.vl.vl .cells { display: flex; }
.vl.vl.vl .cells i { font-style: normal; padding: 0 .3rem; border-left: 1px solid color-mix(in srgb, currentColor 22%, transparent); }
.vl.vl.vl .cells i:first-child { border-left: 0; padding-left: 0; }
.vl.vl.vl .link { display: flex; align-items: baseline; gap: .9rem; }
.vl.vl.vl .link > b { flex: 0 0 3rem; }
.vl.vl.vl .link > div { flex: 1 1 auto; min-width: 0; }
.vl.vl.vl .yes { color: #3a9d74; font-weight: 700; }
.vl.vl.vl .no { color: #c8503c; font-weight: 700; }
.vl.vl.vl .result { font-weight: 650; }
.vl.vl.vl .fault { box-shadow: inset 3px 0 0 #c8503c; padding-left: .6rem; }
.vl.vl.vl .found { box-shadow: inset 3px 0 0 #3a9d74; padding-left: .6rem; }
.vl.vl.vl svg { display: block; width: 100%; height: auto; max-width: none; overflow: visible; }
</style>`;

/** A display's frame with its style; the content is escaped already. */
export const frame = (content: string): string => `<div class="vl">${STYLE}<div class="box">${content}</div></div>`;
