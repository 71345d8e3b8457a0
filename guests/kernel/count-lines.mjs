/**
 * How much of the kernel's source is for one kind of what is below it: lines that are neither empty nor a comment
 * alone.
 *
 *     node guests/kernel/count-lines.mjs
 */
import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));

/** What is not for both. */
const ONE_KIND = {
  bare: ["bare.h", "bare.inc", "../lib/pic-pit.c", "../lib/exit.asm"],
  xen: ["xen.h", "xen.inc", "xen-interface.h"],
};

/** Lines with something in them once comments are gone. */
function codeLines(name) {
  const text = readFileSync(`${here}${name}`, "utf8");
  const comments = /\.(asm|inc)$/.test(name) ? /;[^\n]*/g : /\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;
  const bare = text.replace(comments, (comment) => comment.replace(/[^\n]/g, ""));
  return bare.split("\n").filter((line) => line.trim() !== "").length;
}

/** Rows {file, kind, lines} for all sources, in order of kind and name. */
export function countLines() {
  const kindOf = (file) => Object.keys(ONE_KIND).find((kind) => ONE_KIND[kind].includes(file)) ?? "both";
  const own = readdirSync(here).filter((file) => /\.(c|h|asm|inc)$/.test(file));
  const files = [...own, "../lib/guest.h", "../lib/memory.c", "../lib/pic-pit.c", "../lib/exit.asm"];
  return files
    .map((file) => ({ file: basename(file), kind: kindOf(file), lines: codeLines(file) }))
    .sort((a, b) => (a.kind + a.file < b.kind + b.file ? -1 : 1));
}

/** The table as text, with a sum for each kind. */
export function table() {
  const rows = countLines();
  const line = (kind, file, lines) => `${kind.padEnd(6)} ${file.padEnd(18)} ${String(lines).padStart(5)}\n`;
  const sum = (kind) => rows.filter((row) => row.kind === kind).reduce((total, row) => total + row.lines, 0);
  return (
    rows.map(({ kind, file, lines }) => line(kind, file, lines)).join("") +
    ["both", "bare", "xen"].map((kind) => line(kind, "in all", sum(kind))).join("")
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(table());
