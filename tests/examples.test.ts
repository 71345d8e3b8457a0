/**
 * The examples of docstrings and of the README, run as they stand. A line that ends in `// => value` is an expression,
 * and `value` is what Node shows of it.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { inspect } from "node:util";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import * as virtlab from "../src/index.js";
import * as view from "../src/view/index.js";
import * as plot from "../src/view/plot/index.js";
import { packageRoot } from "./support/virtlab.js";

interface Example {
  readonly title: string;
  readonly code: string;
}

function docstringExamples(): Example[] {
  const files = readdirSync(join(packageRoot, "src"), { recursive: true, encoding: "utf8" });
  return files
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
    .flatMap((file) => {
      const text = readFileSync(join(packageRoot, "src", file), "utf8");
      return [...text.matchAll(/@example\n((?:\s*\* .*\n)+?)\s*\*\//g)].map((match) => ({
        title: `${file}:${text.slice(0, match.index).split("\n").length}`,
        code: match[1]!.replace(/^\s*\* /gm, ""),
      }));
    });
}

function readmeExamples(): Example[] {
  const text = readFileSync(join(packageRoot, "README.md"), "utf8");
  return [...text.matchAll(/```ts\n([^`]*(?:`[^`]+`[^`]*)*?)```/g)].map((match, index) => ({
    title: `README.md, example ${index + 1}`,
    code: match[1]!.replace(/^import .*$/gm, ""),
  }));
}

/** Every `expression // => value` becomes a call of `shows`. */
function checked(code: string): string {
  return code.replace(/^(.*\S)\s+\/\/ => (.+)$/gm, (_, expression: string, value: string) => {
    return `shows(${expression.replace(/;$/, "")}, ${JSON.stringify(value)});`;
  });
}

describe("examples", () => {
  const examples = [...docstringExamples(), ...readmeExamples()];

  it("are there", () => {
    expect(examples.length).toBeGreaterThanOrEqual(8);
  });

  for (const { title, code } of examples) {
    it(`${relative(".", title)} does what it says`, () => {
      const shows = (actual: unknown, expected: string): void => expect(inspect(actual)).toBe(expected);
      const names = {
        ...view,
        ...plot,
        ...virtlab,
        readFileSync: (file: string) => readFileSync(join(packageRoot, file)),
        shows,
      };
      const script = ts.transpile(checked(code), { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.None });
      // In a block of its own, so that an example may give its values any name.
      new Function(...Object.keys(names), `{\n${script}\n}`)(...Object.values(names));
    });
  }
});
