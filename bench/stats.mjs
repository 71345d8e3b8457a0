/**
 * Samples, rows and the table. A row is one measured figure with its target; nothing here knows what was measured.
 * Leaves out means and standard deviations on purpose: on a shared machine the median with its extremes says more.
 */

/** Median of a non-empty list of numbers (mean of the middle two when their number is even). */
export function median(samples) {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * One row of the result.
 * @param section group the row belongs to
 * @param name what was measured
 * @param unit unit of the samples
 * @param samples one figure a round
 * @param target `{ atLeast }` or `{ atMost }` in the same unit, compared with the median; absent for information only
 */
export function row(section, name, unit, samples, target) {
  const middle = median(samples);
  const result = { section, name, unit, median: middle, min: Math.min(...samples), max: Math.max(...samples) };
  result.rounds = samples.length;
  if (target !== undefined) {
    result.target = target;
    result.pass = target.atLeast !== undefined ? middle >= target.atLeast : middle <= target.atMost;
  }
  return result;
}

/** Time of one call in seconds, by the monotonic clock. */
export function seconds(work) {
  const start = process.hrtime.bigint();
  work();
  return Number(process.hrtime.bigint() - start) / 1e9;
}

function figure(value) {
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en-US");
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

function targetText(target) {
  if (target === undefined) return "";
  return target.atLeast !== undefined ? `>= ${figure(target.atLeast)}` : `<= ${figure(target.atMost)}`;
}

/** The rows as a text table, a blank line between sections. */
export function table(rows) {
  const header = ["", "median", "min .. max", "unit", "target", ""];
  const lines = rows.map((r) => [
    `${r.section}: ${r.name}`,
    figure(r.median),
    `${figure(r.min)} .. ${figure(r.max)}`,
    r.unit,
    targetText(r.target),
    r.pass === undefined ? "" : r.pass ? "pass" : "FAIL",
  ]);
  const widths = header.map((title, i) => Math.max(title.length, ...lines.map((line) => line[i].length)));
  const layout = (cells) =>
    cells
      .map((cell, i) => (i === 1 || i === 2 || i === 4 ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
      .join("  ")
      .trimEnd();
  const out = [layout(header)];
  rows.forEach((r, i) => {
    if (i > 0 && rows[i - 1].section !== r.section) out.push("");
    out.push(layout(lines[i]));
  });
  return out.join("\n");
}
