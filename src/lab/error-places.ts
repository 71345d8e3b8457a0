/** Where in a cell an `error` output points: what the kernel's launcher writes into tracebacks. */

export interface ErrorPlace {
  /** From 1. */
  readonly line: number;
  /** From 1; undefined when all that is known is the line. */
  readonly column?: number;
  readonly message: string;
}

export interface ErrorOutput {
  readonly ename: string;
  readonly evalue: string;
  readonly traceback: readonly string[];
}

const COMPILER_LINE = /^(?:TypeScriptError: )?\[cell \d+\]:(\d+):(\d+) - (.*)$/s;

/** A line of the cell shown below a message, with its number, or the mark below that. */
const EXCERPT = /^[> ] +\d* *\|/;

/** What the compiler has marked, or the line of this cell that a run-time error came from first. */
export function errorPlaces(error: ErrorOutput, executionCount: number | null): readonly ErrorPlace[] {
  const lines = error.traceback.join("\n").split("\n");
  if (error.ename === "TypeScriptError") return compilerPlaces(lines);
  const ownLine = new RegExp(`\\[cell ${executionCount}\\]:(\\d+)`);
  const line = lines.map((text) => ownLine.exec(text)?.[1]).find((found) => found !== undefined);
  return line === undefined ? [] : [{ line: Number(line), message: `${error.ename}: ${error.evalue}` }];
}

/** A message may go on over lines of its own. */
function compilerPlaces(lines: readonly string[]): readonly ErrorPlace[] {
  const places: ErrorPlace[] = [];
  for (const text of lines) {
    const match = COMPILER_LINE.exec(text);
    const last = places.at(-1);
    if (match !== null) places.push({ line: Number(match[1]), column: Number(match[2]), message: match[3]! });
    else if (last !== undefined && !EXCERPT.test(text))
      places[places.length - 1] = { ...last, message: `${last.message}\n${text}` };
  }
  return places;
}
