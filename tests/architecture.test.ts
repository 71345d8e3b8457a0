/** What must hold of the sources as a whole: who imports whom, and what every row of the instruction table has. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { takesModrm } from "../src/hardware/isa/decoder.js";
import type { Row } from "../src/hardware/isa/instruction.js";
import { rows } from "../src/hardware/isa/table/index.js";
import { rowsOfGuest } from "./support/coverage.js";
import { guests } from "./support/guests.js";
import { nativeForms } from "./support/native-cases.js";
import { forms64 } from "./support/native64-cases.js";
import { packageRoot } from "./support/virtlab.js";
import { comparedX87Rows } from "./support/x87-cases.js";

const source = path.join(packageRoot, "src");
/** Lower ones never import higher ones. */
const levels = ["state", "hardware", "hypervisor", "kernel", "systems", "gdb", "view", "notebook", "cli"];
/** These run in a browser, too. */
const browserLevels = ["state", "hardware", "hypervisor", "kernel", "systems", "gdb", "view"];

/** Files of those levels that only Node runs, and why. */
const nodeOnly: Readonly<Record<string, string>> = {
  "systems/built-state.ts": "reads the machines that were made on this computer",
  "gdb/server.ts": "listens on a socket; the protocol itself is bytes in, bytes out",
  "systems/packaged-guest.ts": "reads the guests of the installed package",
  "view/plot/plotly-svg.ts": "draws in a page of its own for a terminal's notebook; a browser has Plotly itself",
};

/** Source files of more than 400 lines, and why they are one file. */
const longFiles: Readonly<Record<string, string>> = {
  "hardware/cpu/msr-table.ts": "a pure table",
  "hardware/cpu/rules.ts": "a pure table",
  "hardware/engine/blocks.ts": "records, jump caches and stops must agree on what is forgotten when",
  "hardware/engine/engine.ts": "the open machine, and what comes first at an instruction boundary: one class",
  "hardware/engine/processor.ts": "the processor port: a method of a line or two for each thing it may be asked",
  "hardware/isa/table/arithmetic.ts": "a pure table",
  "hardware/isa/table/data-transfer.ts": "a pure table",
  "kernel/syscalls/numbers.ts": "a pure table",
  "hardware/isa/table/logic.ts": "a pure table",
  "hardware/isa/table/packed-integer.ts": "a pure table",
};

/** Rows that neither a guest nor a program of the host executes: tests/privilege.test.ts crosses each with modes and privileges. */
const testedAlone = [
  ...["IN ED eAX DX", "OUT E7 Ib eAX", "OUT EF DX eAX", "INS 6D Yz DX", "OUTS 6F DX Xz"],
  ...["JMP FF /5 Mp", "CALL FF /3 Mp", "RETF CA Iw"],
  ...["LES C4 /r Gv Mp", "LDS C5 /r Gv Mp", "LSS 0F B2 /r Gv Mp", "LFS 0F B4 /r Gv Mp", "LGS 0F B5 /r Gv Mp"],
  ...["MOV 0F 23 /r Dd Rd", "RDTSC 0F 31", "RDMSR 0F 32"],
  ...["INT1 F1", "RDPMC 0F 33"],
  // In tests/long/svm.test.ts; SKINIT in instructions.test.ts of AMD-V.
  ...["VMRUN 0F 01 D8", "VMMCALL 0F 01 D9", "VMLOAD 0F 01 DA", "VMSAVE 0F 01 DB", "STGI 0F 01 DC"],
  ...["CLGI 0F 01 DD", "SKINIT 0F 01 DE", "INVLPGA 0F 01 DF"],
  // In the cells of long mode.
  ...["MOV 0F 20 /r Rq Cq", "MOV 0F 21 /r Rq Dq", "MOV 0F 22 /r Cq Rq", "MOV 0F 23 /r Dq Rq"],
  ...[
    "RDFSBASE F3 0F AE C0+i Ry",
    "RDGSBASE F3 0F AE C8+i Ry",
    "WRFSBASE F3 0F AE D0+i Ry",
    "WRGSBASE F3 0F AE D8+i Ry",
  ],
  ...["RDPID F3 0F C7 F8+i Rd", "RDPID F3 0F C7 F8+i Rq", "RDTSCP 0F 01 F9", "SWAPGS 0F 01 F8", "SYSCALL 0F 05"],
  ...["SYSRET 0F 07", "CLAC NP 0F 01 CA", "STAC NP 0F 01 CB"],
  ...["RDRAND NFx 0F C7 F0+i Rv", "RDSEED NFx 0F C7 F8+i Rv"],
  // Passes the turn: several-processors.test.ts.
  "PAUSE F3 90",
  // In src/hardware/vmx/instructions.test.ts.
  ...["VMXON F3 0F C7 /6 Mq", "VMXOFF NP 0F 01 C4", "VMCALL NP 0F 01 C1", "VMCLEAR 66 0F C7 /6 Mq"],
  ...["VMPTRLD NP 0F C7 /6 Mq", "VMPTRST NP 0F C7 /7 Mq", "VMREAD NP 0F 78 /r Ed Gd", "VMREAD NP 0F 78 /r Eq Gq"],
  ...["VMWRITE NP 0F 79 /r Gd Ed", "VMWRITE NP 0F 79 /r Gq Eq", "VMLAUNCH NP 0F 01 C2", "VMRESUME NP 0F 01 C3"],
  ...["INVEPT 66 0F 38 80 /r Gd Mdq", "INVEPT 66 0F 38 80 /r Gq Mdq", "VMFUNC NP 0F 01 D4"],
  ...["INVVPID 66 0F 38 81 /r Gd Mdq", "INVVPID 66 0F 38 81 /r Gq Mdq"],
];

const files = readdirSync(source, { recursive: true, encoding: "utf8" })
  .map((file) => file.split(path.sep).join("/"))
  .filter((file) => file.endsWith(".ts") && !/\.(test|test-helper)\.ts$/.test(file))
  .sort();
const textOf = (file: string): string => readFileSync(path.join(source, file), "utf8");

/** What a file imports, exports from or requires, as written. */
function importsOf(file: string): string[] {
  const text = textOf(file);
  const found = [
    ...text.matchAll(/^\s*(?:import|export)\b[^;"']*?\bfrom\s*["']([^"']+)["']/gms),
    ...text.matchAll(/^\s*import\s*["']([^"']+)["']/gm),
    ...text.matchAll(/\b(?:import|require)\(\s*["']([^"']+)["']\s*\)/g),
  ];
  return found.map(([, name]) => name!);
}

/** The notebook page: browser code that reaches the rest over HTTP alone. */
const page = "lab";

const levelOf = (file: string): string => file.split("/")[0]!;
const resolved = (file: string, name: string): string => path.posix.join(path.posix.dirname(file), name);

describe("the sources", () => {
  it("are in levels that exist", () => {
    const outside = files.filter((file) => !levels.includes(levelOf(file)) && levelOf(file) !== page);
    expect(outside).toEqual(["index.ts"]);
  });

  it("of the page know nothing of the package's other levels, and are known by none of them", () => {
    const crossing = files.flatMap((file) =>
      importsOf(file)
        .filter((name) => name.startsWith("."))
        .map((name) => resolved(file, name))
        .filter((target) => (levelOf(file) === page) !== (levelOf(target) === page))
        .map((target) => `${file} imports ${target}`),
    );
    expect(crossing).toEqual([]);
  });

  it("import from their own level and lower ones only; the command may import all", () => {
    const upward = files.flatMap((file) =>
      importsOf(file)
        .filter((name) => name.startsWith("."))
        .map((name) => resolved(file, name))
        .filter((target) => {
          const own = levels.indexOf(levelOf(file));
          if (levelOf(file) === page) return false;
          // The public surface stands above everything but the command and the notebook's launcher.
          if (levelOf(file) === "index.ts") return levelOf(target) === "cli";
          if (target === "index.js") return levelOf(file) !== "cli";
          return levels.indexOf(levelOf(target)) > own;
        })
        .map((target) => `${file} imports ${target}`),
    );
    expect(upward).toEqual([]);
  });

  it("import nothing of Node where a browser is to run them", () => {
    const used = files.filter(
      (file) =>
        [...browserLevels, page].includes(levelOf(file)) &&
        importsOf(file).some(
          (name) => name.startsWith("node:") || ["ws", "zeromq", "jsdom", "commander"].includes(name),
        ),
    );
    expect(used.filter((file) => !(file in nodeOnly))).toEqual([]);
    // Nothing that only Node runs may be reached from the machine itself.
    const lowest = files.filter((file) => ["state", "hardware"].includes(levelOf(file)));
    expect(lowest.filter((file) => file in nodeOnly)).toEqual([]);
  });

  it("do not wait at the top level, and ask for no time and no chance below the notebook", () => {
    const waiting = files.filter((file) => /^(?:(?:export )?(?:const|let)\b.*=\s*)?await\b/m.test(textOf(file)));
    expect(waiting).toEqual([]);
    const chance = files.filter(
      (file) =>
        browserLevels.includes(levelOf(file)) &&
        !(file in nodeOnly) &&
        /Math\.random|Date\.now|performance\.now|new Date\(/.test(textOf(file)),
    );
    expect(chance).toEqual([]);
  });

  it("are files of at most 400 lines, apart from those with a reason", () => {
    const long = files.filter((file) => textOf(file).split("\n").length > 401);
    expect(long.filter((file) => !(file in longFiles))).toEqual([]);
    expect(Object.keys(longFiles).filter((file) => !long.includes(file))).toEqual([]);
  });

  it("begin with a comment that says what they are", () => {
    expect(files.filter((file) => !textOf(file).startsWith("/**") && !textOf(file).startsWith("#!"))).toEqual([]);
  });
});

const nameOf = ({ mnemonic, opcode, operands }: Row): string =>
  [mnemonic, opcode, ...operands.map(({ method, type, name }) => name ?? method + type)].join(" ");

describe("every row of the instruction table", () => {
  it("says what it does, in one sentence, and where the manual says so", () => {
    const bad = rows.filter(
      ({ summary, spec }) =>
        !/^[A-Z].*\.$/.test(summary) || !/^(SDM Vol\. [1-4][A-D]?|AMD64 Vol\. [1-5]), \S/.test(spec),
    );
    expect(bad.map(nameOf)).toEqual([]);
  });

  it("has exactly one meaning: semantics for the generated code, or a function", () => {
    const bad = rows.filter(({ semantics, system }) => (semantics === undefined) === (system === undefined));
    expect(bad.map(nameOf)).toEqual([]);
    const repeating = rows.filter(
      ({ semantics, repeat, repeated }) => semantics && (repeat !== undefined) !== (repeated !== undefined),
    );
    expect(repeating.map(nameOf)).toEqual([]);
  });

  it("names flags by their letters, and leaves only flags undefined that it writes", () => {
    const letters = /^O?S?Z?A?P?C?$/;
    const bad = rows.filter(({ flags }) => {
      if (!flags) return false;
      const { written, undefined: open = "" } = flags;
      return !letters.test(written) || !letters.test(open) || [...open].some((letter) => !written.includes(letter));
    });
    expect(bad.map(nameOf)).toEqual([]);
  });

  it("is the only one for its encodings", () => {
    const clashes = new Set<string>();
    for (const map of [0, 1, 2, 3]) {
      for (let byte = 0; byte < 256; byte++) {
        const here = rows.filter(
          (row) => row.map === map && byte >= row.byte && byte < row.byte + (row.plusRegister ? 8 : 1),
        );
        for (let modrm = 0; modrm < 256; modrm++) {
          for (const prefix of [undefined, "NP", "66", "F3", "F2"]) {
            const matching = here.filter(
              (row) => row.where !== "only64" && takesModrm(row, modrm) && row.prefix === prefix,
            );
            if (matching.length > 1) clashes.add(matching.map(nameOf).join(" and "));
          }
        }
      }
    }
    expect([...clashes]).toEqual([]);
  });

  it("with a ModRM byte shares its opcode only with rows that have one", () => {
    const key = ({ map, byte }: Row): string => `${map} ${byte}`;
    const withModrm = new Set(rows.filter(({ modrm }) => modrm !== "none").map(key));
    expect(rows.filter((row) => row.modrm === "none" && withModrm.has(key(row))).map(nameOf)).toEqual([]);
  });

  it("is executed by a guest or compared with the host's processor, apart from those listed", () => {
    const executed = new Set<Row>([...[...nativeForms(), ...forms64].map(({ row }) => row), ...comparedX87Rows]);
    for (const { name, image, input } of guests) {
      if (name.startsWith("bench-")) continue;
      for (const row of rowsOfGuest(image, 120_000, input)) executed.add(row);
    }
    expect(
      rows
        .filter((row) => !executed.has(row))
        .map(nameOf)
        .sort(),
    ).toEqual([...testedAlone].sort());
  });
});
