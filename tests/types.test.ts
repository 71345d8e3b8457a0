// The published package as its users meet it: types under the compiler of the notebook kernel, and both module systems.
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runProcess } from "./support/processes.js";
import { checkTypes, consumerOf } from "./support/type-gate.js";
import { packageRoot } from "./support/virtlab.js";

const folder = mkdtempSync(join(tmpdir(), "virtlab-types-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A user's folder in which the package is installed. */
function install(name: string, linkTo: string): string {
  const user = join(folder, name);
  mkdirSync(join(user, "node_modules"), { recursive: true });
  symlinkSync(linkTo, join(user, "node_modules", "virtlab"), "dir");
  return user;
}

beforeAll(() => {
  if (!existsSync(join(packageRoot, "dist/index.d.ts")))
    throw new Error('dist is not there: run "npm run build" first');
});

describe("the published types", () => {
  it("are without error for TypeScript 5.0, and every type that a user can come by has a public name", () => {
    const user = install("types", packageRoot);
    const consumer = consumerOf(user);
    // As many uses as there are things to use: nothing is passed over.
    expect(consumer).toContain("export const use_Machine_walk_result");
    expect(consumer).toContain("export const use_Timeline_back_result");
    expect(consumer.split("\n").length).toBeGreaterThan(80);
    expect(checkTypes(user, consumer)).toEqual([]);
  });

  it.each(["virtlab/plot", "virtlab/view", "virtlab/gdb"])("of %s are so as well", (part) => {
    const user = install(part, packageRoot);
    const consumer = consumerOf(user, part);
    expect(consumer.split("\n").length).toBeGreaterThan(20);
    expect(checkTypes(user, consumer)).toEqual([]);
  });

  it("of the parts are found by compilers that do not read exports", () => {
    const source = `import { lines } from "virtlab/plot";\nimport { tableOf } from "virtlab/view";
      export const hash: string = lines([1]).provenance.data;\nexport const text: number = tableOf([]).text;`;
    expect(checkTypes(install("older", packageRoot), source, { older: true })).toEqual([
      expect.stringContaining("Type 'string' is not assignable to type 'number'"),
    ]);
  });

  it.each([
    {
      what: "a newer generic type that would become any",
      index: "export declare function bytes(): Uint8Array<ArrayBuffer>;",
      error: "Type 'Uint8Array' is not generic",
    },
    {
      what: "a type behind a signature that is not exported",
      index: 'export declare function where(): import("./place.js").Place;',
      error: "cannot be named",
    },
  ])("are held by a gate that rejects $what", ({ what, index, error }) => {
    const broken = join(folder, what, "package");
    mkdirSync(join(broken, "dist"), { recursive: true });
    const exports = { ".": { types: "./dist/index.d.ts", default: "./dist/index.js" } };
    writeFileSync(join(broken, "package.json"), JSON.stringify({ name: "virtlab", version: "1.0.0", exports }));
    writeFileSync(join(broken, "dist/index.d.ts"), index);
    writeFileSync(join(broken, "dist/place.d.ts"), "export interface Place { readonly name: string }");
    const user = install(what, broken);
    expect(checkTypes(user, consumerOf(user)).join("\n")).toContain(error);
  });
});

describe("the package", () => {
  it("has parts that mean the same by the same names, by require and by import", async () => {
    const user = install("parts", packageRoot);
    const names = ["virtlab", "virtlab/plot", "virtlab/view", "virtlab/gdb"];
    const report = `
      const [whole, ...parts] = all;
      const names = parts.map((part) => Object.keys(part).filter((name) => !/^(default|__esModule)$/.test(name)));
      const differing = parts.flatMap((part, i) => names[i].filter((name) => name in whole && whole[name] !== part[name]));
      const twice = names[0].filter((name) => names[1].includes(name));
      const figure = parts[0].lines([1, 2], { from: whole.Machine.create({ memory: "1M" }) });
      console.log(JSON.stringify({ names, differing, twice, isFigure: figure instanceof whole.Figure }));`;
    writeFileSync(join(user, "user.cjs"), `const all = [${names.map((name) => `require("${name}")`)}];${report}\n`);
    const imports = names.map((name, index) => `import * as part${index} from "${name}";`).join("\n");
    writeFileSync(join(user, "user.mjs"), `${imports}\nconst all = [part0, part1, part2];${report}\n`);
    for (const file of ["user.cjs", "user.mjs"]) {
      const { status, stdout, stderr } = await runProcess(process.execPath, [file], { cwd: user });
      expect([file, status, stderr]).toEqual([file, 0, ""]);
      const told = JSON.parse(stdout);
      expect(told).toMatchObject({ differing: [], twice: [], isFigure: true });
      expect(told.names[0]).toEqual(expect.arrayContaining(["lines", "axis", "figureOfRun", "plot"]));
      expect(told.names[1]).toEqual(expect.arrayContaining(["show", "tableOf", "DISPLAY"]));
    }
  });

  it("gives require and import the same names and the same classes", async () => {
    const user = install("modules", packageRoot);
    const compare = `
      const names = Object.keys(required).sort();
      const same = names.filter((name) => imported[name] === required[name]);
      const machine = imported.Machine.create({ memory: "1M" });
      console.log(JSON.stringify({ names, same, isMachine: machine instanceof required.Machine, eip: machine.step().registers.eip }));`;
    writeFileSync(
      join(user, "user.cjs"),
      `const required = require("virtlab");\nimport("virtlab").then((imported) => {${compare}});\n`,
    );
    writeFileSync(
      join(user, "user.mjs"),
      `import * as imported from "virtlab";\nimport { Machine, Timeline, VirtlabError, diff, firstDivergence } from "virtlab";
      import { createRequire } from "node:module";\nconst required = createRequire(import.meta.url)("virtlab");
      if (required.Machine !== Machine) throw new Error("two classes");${compare}\n`,
    );
    for (const file of ["user.cjs", "user.mjs"]) {
      const { status, stdout, stderr } = await runProcess(process.execPath, [file], { cwd: user });
      expect([file, status, stderr]).toEqual([file, 0, ""]);
      const { names, same, ...rest } = JSON.parse(stdout);
      expect(names).toEqual(expect.arrayContaining(["Machine", "Timeline", "VirtlabError", "diff", "firstDivergence"]));
      expect(same).toEqual(names);
      expect(rest).toEqual({ isMachine: true, eip: expect.any(Number) });
    }
  });
});
