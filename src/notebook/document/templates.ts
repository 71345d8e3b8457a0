/**
 * Notebooks to start from. Each runs as it is, and has the shape of the package's own: a question, the smallest machine
 * that shows it, a prediction, a step, what it shows, a check, an experiment, references.
 */
import type { NotebookCell, NotebookDocument } from "./notebook-document.js";

interface Template {
  /** For the command's help. */
  readonly summary: string;
  /** Cells as their type, a name, and their text. */
  readonly cells: readonly (readonly ["markdown" | "code", id: string, source: string])[];
}

const QUESTION: Template = {
  summary: "a question answered by a few lines of assembly",
  cells: [
    [
      "markdown",
      "title",
      `# TITLE?

Say in a few sentences why somebody should want to know. Here: POPF loads all flags from the stack, the one that allows
interrupts among them. What if a program does that which may not forbid interrupts?`,
    ],
    [
      "markdown",
      "machine-text",
      `## The smallest machine that shows it

A few lines of assembly are a whole computer. Change a line, and it is another one.`,
    ],
    [
      "code",
      "machine",
      `import assert from "node:assert/strict";
import { assemble, diff, Machine, show } from "virtlab";

const { bytes, symbols } = assemble(\`
        mov esp, 0x8000
        push dword 2     ; all flags off
here:   popf
        hlt\`, { address: 0x100000 });
const before = Machine.boot({ image: bytes, memory: "2M" }).run({ until: symbols["here"]! });
before`,
    ],
    [
      "markdown",
      "prediction",
      `## One step

**Before you run the next cell:** which registers will change, and how?`,
    ],
    ["code", "step", "const after = before.step();\nshow(after, { since: before })"],
    ["markdown", "difference-text", "Only what differs, and nothing else:"],
    ["code", "difference", "diff(before, after)"],
    [
      "markdown",
      "check-text",
      `## The claim, checked

Every claim of a notebook has an assert, so that it is true as long as the notebook runs.`,
    ],
    [
      "code",
      "check",
      `assert.equal(after.registers.esp, before.registers.esp + 4);
assert.equal(before.step().hash, after.hash); // a machine is a value: the same step gives the same machine`,
    ],
    [
      "markdown",
      "experiment",
      `## An experiment of yours

Push another number, such as \`0x202\`, and run all cells again. Which flag is that? What happens in ring 3?`,
    ],
    [
      "markdown",
      "references",
      `## References

- Intel 64 and IA-32 Architectures Software Developer's Manual, Vol. 2, "POPF/POPFD/POPFQ: Pop Stack Into EFLAGS Register"`,
    ],
  ],
};

const TIMELINE: Template = {
  summary: "a kernel run to its end, to drag through, with a figure of the run",
  cells: [
    [
      "markdown",
      "title",
      `# TITLE?

Say in a few sentences why somebody should want to know. Here: a small kernel starts a program that may not be trusted.
When does which of the two run, and what makes the processor change between them?`,
    ],
    [
      "code",
      "machine",
      `import assert from "node:assert/strict";
import { figureOfRun, guest, Machine, scrubber, Timeline } from "virtlab";

const start = Machine.boot({ image: guest("rings"), memory: "16M" });
const timeline = new Timeline(start);
const end = timeline.forward(10_000_000);
console.log(end.serial);`,
    ],
    [
      "markdown",
      "prediction",
      `## Where the program was stopped

Each place below is one exception: the processor refused something, and the kernel was asked what to do.

**Before you drag:** what will have changed on the stack right after the first one?`,
    ],
    ["code", "exceptions", 'scrubber(timeline, { at: "exception" })'],
    ["markdown", "figure-text", "The whole run at once:"],
    ["code", "figure", "figureOfRun(start)"],
    [
      "markdown",
      "check-text",
      `## The claim, checked

Every claim of a notebook has an assert, so that it is true as long as the notebook runs.`,
    ],
    [
      "code",
      "check",
      `assert.equal(end.stop?.reason, "debug-exit");
assert.equal(timeline.goto(0).hash, start.hash); // the past is still there`,
    ],
    [
      "markdown",
      "experiment",
      `## An experiment of yours

Stop at \`"INT"\` or at \`["interrupt", "INT"]\` instead. Who asks whom?`,
    ],
    [
      "markdown",
      "references",
      `## References

- Intel 64 and IA-32 Architectures Software Developer's Manual, Vol. 3A, "Interrupt and Exception Handling"`,
    ],
  ],
};

const EMPTY: Template = {
  summary: "a title and a machine",
  cells: [
    ["markdown", "title", "# TITLE?"],
    [
      "code",
      "machine",
      'import { Machine } from "virtlab";\n\nconst machine = Machine.create({ memory: "1M" });\nmachine',
    ],
  ],
};

export const templates = { question: QUESTION, timeline: TIMELINE, empty: EMPTY } as const;
export type TemplateName = keyof typeof templates;
/** The first is taken unless another is asked for. */
export const templateNames = Object.keys(templates) as readonly TemplateName[];

/** A notebook that nobody has run. @param title of its first heading */
export function notebookFrom(template: TemplateName, title: string): NotebookDocument {
  const cells = templates[template].cells.map(
    ([cell_type, id, source]): NotebookCell => ({
      id,
      cell_type,
      metadata: {},
      source: source.replace("TITLE", () => title),
      ...(cell_type === "code" ? { execution_count: null, outputs: [] } : {}),
    }),
  );
  const metadata = {
    kernelspec: { display_name: "virtlab (TypeScript)", language: "typescript", name: "virtlab" },
    language_info: { name: "typescript", file_extension: ".ts", mimetype: "text/x-typescript" },
  };
  return { cells, metadata };
}
