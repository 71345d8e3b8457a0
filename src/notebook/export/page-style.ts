/**
 * The look of notebook pages: one column of text for reading, tables that may be wider, light and dark as the reader's
 * system has it. Fonts are those of the system, since a page loads nothing.
 */

/** What displays find inside of their box, also in one of their own; the names are those JupyterLab gives its colours. */
export const OUTPUT_STYLE = `
table { border-collapse: collapse; font-size: .875rem; line-height: 1.5; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .75rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { font-weight: 600; }
thead th { color: var(--faint); border-bottom-color: var(--line-strong); }
tbody tr:last-child > * { border-bottom: 0; }
caption { text-align: left; color: var(--faint); padding: .25rem .75rem; }
pre, code, kbd, samp { font-family: var(--mono); }
pre { margin: 0; }
code { padding: 0; background: none; }
a { color: var(--accent); }
img, svg { max-width: 100%; }
`;

const LIGHT = `
--paper: #fdfdfc; --ink: #1d2327; --faint: #5c666d; --line: #e3e6e4; --line-strong: #c5cbc8; --panel: #f4f6f4;
--accent: #0a6b63; --accent-soft: #dcefeb; --bad: #a8261c; --bad-soft: #fcecea; --warn-soft: #fbf3df;
--comment: #66707a; --string: #8a4b08; --number: #8a4b08; --keyword: #7a2f8f; --type: #0b5c8a; --call: #0a6b63;`;

const DARK = `
--paper: #15181a; --ink: #dfe3e1; --faint: #97a19f; --line: #2b3032; --line-strong: #454c4e; --panel: #1d2123;
--accent: #6cc9bc; --accent-soft: #16332f; --bad: #ff9d92; --bad-soft: #3a1f1c; --warn-soft: #312a18;
--comment: #8d979d; --string: #e3b27a; --number: #e3b27a; --keyword: #cf9fe0; --type: #86bfe6; --call: #6cc9bc;`;

export const PAGE_STYLE = `
:root {${LIGHT}
color-scheme: light dark;
--sans: ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
--mono: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
--text: 46rem; --wide: 64rem; --edge: clamp(1rem, 4vw, 2.5rem);
--jp-content-font-color0: var(--ink); --jp-content-font-color1: var(--ink); --jp-content-font-color2: var(--faint);
--jp-ui-font-color1: var(--ink); --jp-ui-font-color2: var(--faint); --jp-layout-color0: var(--paper);
--jp-layout-color1: var(--paper); --jp-layout-color2: var(--panel); --jp-border-color1: var(--line-strong);
--jp-border-color2: var(--line); --jp-border-color3: var(--line); --jp-brand-color1: var(--accent);
--jp-brand-color3: var(--accent-soft); --jp-error-color1: var(--bad); --jp-error-color3: var(--bad-soft);
--jp-warn-color3: var(--warn-soft); --jp-code-font-family: var(--mono); --jp-ui-font-family: var(--sans);
}
@media (prefers-color-scheme: dark) { :root {${DARK}} }
*, ::before, ::after { box-sizing: border-box; }
html { font-size: 106.25%; -webkit-text-size-adjust: 100%; scroll-padding-top: 1rem; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.65 var(--sans); overflow-wrap: break-word; }
a { color: var(--accent); text-decoration-thickness: 1px; text-underline-offset: .18em; }
a:hover { text-decoration-thickness: 2px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }

.bar { display: flex; align-items: center; gap: 1rem; white-space: nowrap; padding: .7rem var(--edge);
  border-bottom: 1px solid var(--line); font-size: .8125rem; line-height: 1.4; }
.brand { display: inline-flex; align-items: center; gap: .45rem; font-weight: 650; font-size: .9375rem; letter-spacing: -.01em; }
.mark { width: 1.25rem; height: 1.25rem; fill: var(--accent); }
.mark .front { fill: var(--accent); stroke: var(--paper); stroke-width: 1.5; }
.file { min-width: 0; overflow: hidden; text-overflow: ellipsis; color: var(--faint); font-family: var(--mono); }
.status { margin-left: auto; padding: .1rem .6rem; border-radius: 1rem; font-weight: 550; text-decoration: none; }
.good { background: var(--accent-soft); color: var(--accent); }
.bad { background: var(--bad-soft); color: var(--bad); }

main { display: grid; grid-template-columns: minmax(0, 1fr); justify-items: center; padding: clamp(1.5rem, 5vw, 3.5rem) var(--edge) 4rem; }
main > * { width: 100%; max-width: var(--text); }
main > .cell { max-width: none; }
h1, h2, h3, h4, h5, h6 { line-height: 1.25; letter-spacing: -.012em; font-weight: 680; text-wrap: balance; margin: 1.9em 0 .6em; }
h1 { font-size: clamp(1.75rem, 1.2rem + 2.6vw, 2.5rem); letter-spacing: -.022em; line-height: 1.15; margin-top: 0; }
.text ~ .text h1 { margin-top: 1.5em; }
h2 { font-size: 1.45rem; margin-top: 1.5em; }
h3 { font-size: 1.15rem; }
h4, h5, h6 { font-size: 1rem; }
.cell + .text > :first-child:not(h1, h2, h3), .text + .text > :first-child:not(h1, h2, h3) { margin-top: .5rem; }
p, ul, ol, blockquote, .text pre, .text .table { margin: 0 0 1rem; }
ul, ol { padding-left: 1.4rem; }
li + li { margin-top: .25rem; }
li > ul, li > ol { margin: .25rem 0; }
blockquote { padding: .1rem 0 .1rem 1rem; border-left: 3px solid var(--accent); color: var(--faint); }
blockquote > :last-child { margin-bottom: 0; }
hr { border: 0; border-top: 1px solid var(--line-strong); margin: 2.5rem 0; }
.text img { max-width: 100%; height: auto; }
code, pre, kbd, samp { font-family: var(--mono); font-size: .86em; font-variant-ligatures: none; }
:not(pre) > code { padding: .1em .32em; border-radius: 4px; background: var(--panel); overflow-wrap: anywhere; }
pre { margin: 0; overflow-x: auto; font-size: .8125rem; line-height: 1.55; tab-size: 2; scrollbar-width: thin; }
pre code { font-size: inherit; }
.text pre { padding: .8rem 1rem; background: var(--panel); border-radius: 6px; }
.table { overflow-x: auto; }

.cell { margin: .35rem 0 1.6rem; display: grid; grid-template-columns: minmax(0, 1fr) min(100%, var(--text)) minmax(0, 1fr); }
.source { position: relative; grid-column: 2; background: var(--panel); border-radius: 6px; border: 1px solid var(--line); }
/* Wrapped and not scrolled: what is cut off would be overlooked by a reader, and lost on paper. */
.source pre { padding: .7rem 1rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.count { position: absolute; right: 100%; top: .72rem; margin-right: .7rem; color: var(--faint); font: .75rem/1.55 var(--mono); }
.failed .source { border-color: var(--bad); }
.tok-comment { color: var(--comment); font-style: italic; }
.tok-string { color: var(--string); }
.tok-number { color: var(--number); }
.tok-keyword { color: var(--keyword); }
.tok-type { color: var(--type); }
.tok-call { color: var(--call); }

.outputs { grid-column: 2 / -1; justify-self: start; width: fit-content; min-width: min(100%, var(--text)); max-width: min(100%, var(--wide)); padding: 0 0 0 1rem;
  margin-top: .7rem; display: grid; grid-template-columns: minmax(0, 1fr); gap: .7rem; border-left: 3px solid var(--accent-soft); }
.outputs > * { min-width: 0; }
.outputs > pre { max-height: 44rem; overflow: auto; }
.stderr { background: var(--warn-soft); padding: .5rem .75rem; border-radius: 4px; }
.error { background: var(--bad-soft); color: var(--bad); padding: .6rem .75rem; border-radius: 4px; white-space: pre-wrap; }
.failed .outputs { border-left-color: var(--bad); }
/* Charts end where the text does. One that shrinks to a phone cannot be read; it scrolls. */
.picture { max-width: calc(var(--text) - 1rem - 3px); overflow-x: auto; scrollbar-width: thin; }
.picture img { display: block; max-width: max(100%, 36rem); height: auto; }
.paper img { background: #fff; border-radius: 4px; }
.html { overflow-x: auto; contain: layout paint; font-size: .9375rem; line-height: 1.5; scrollbar-width: thin; }
.unshown { color: var(--faint); font-style: italic; margin: 0; }
.outputs > .markdown > :last-child { margin-bottom: 0; }
.html {${OUTPUT_STYLE}}
.text table { border-collapse: collapse; font-size: .9375rem; font-variant-numeric: tabular-nums; }
.text th, .text td { padding: .35rem .8rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
.text th { border-bottom-color: var(--line-strong); }

.contents { font-size: .875rem; line-height: 1.45; margin: .5rem 0 1rem; padding: .9rem 0; border: 1px solid var(--line); border-width: 1px 0; }
.contents p { margin: 0 0 .5rem; font-weight: 600; font-size: .75rem; letter-spacing: .06em; text-transform: uppercase; color: var(--faint); }
.contents ol { list-style: none; margin: 0; padding: 0; columns: 15rem; column-gap: 2rem; }
.contents li { margin: 0; padding: .2rem 0; break-inside: avoid; }
.contents .level-2 { padding-left: 1rem; }
.contents a { color: var(--faint); text-decoration: none; }
.contents a:hover { color: var(--accent); text-decoration: underline; }
@media (min-width: 74rem) {
  main.with-contents, .with-contents + footer { padding-left: 18rem; }
  .contents { position: fixed; left: var(--edge); top: 5.4rem; width: 13rem; max-height: calc(100vh - 7rem);
    overflow-y: auto; margin: 0; padding: 0; border: 0; }
  .contents ol { columns: auto; }
}
@media (max-width: 54rem) {
  .count { position: static; display: block; margin: 0; padding: .35rem 1rem 0; line-height: 1; }
  .count + pre { padding-top: .35rem; }
  .outputs { padding-left: .75rem; }
}
footer { padding: 1.25rem var(--edge); border-top: 1px solid var(--line); color: var(--faint); font-size: .8125rem; line-height: 1.6; }
footer > details { max-width: var(--text); margin: 0 auto; }
summary { cursor: pointer; }
footer dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .15rem 1rem; margin: .9rem 0; }
footer dl > div { display: contents; }
footer dd { margin: 0; font-family: var(--mono); font-size: .93em; overflow-wrap: anywhere; }
footer table { border-collapse: collapse; }
footer th, footer td { padding: .2rem 1.2rem .2rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); white-space: nowrap; }
footer th { font-weight: 600; }
footer td.hash { font-family: var(--mono); font-size: .93em; }
footer p { margin: .9rem 0 0; }
@media print {
  :root {${LIGHT}}
  .source, .outputs > *, img { break-inside: avoid; }
  .outputs > pre { max-height: none; white-space: pre-wrap; }
  .contents { display: none; }
}
`;
