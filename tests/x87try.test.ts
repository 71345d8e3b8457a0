import { it } from "vitest";
import { Random } from "./support/random.js";
import { x87Case, x87Rows } from "./support/x87-cases.js";
import { openX87Judge, X87Machine } from "./support/x87-judge.js";

const COUNT = Number(process.env["N"] ?? 200);
const ONLY = process.env["ONLY"];
it("tries", () => {
  const judge = openX87Judge();
  if (typeof judge === "string") throw new Error(judge);
  const random = new Random(Number(process.env["SEED"] ?? 1));
  const rows = x87Rows.filter(
    (r) => !/ENV|SAVE|RSTOR|WAIT/.test(r.mnemonic) && (!ONLY || new RegExp(ONLY).test(r.mnemonic)),
  );
  const cases = rows.flatMap((row) => Array.from({ length: COUNT }, () => x87Case(row, random)));
  const theirs = judge.run(cases);
  const machine = new X87Machine();
  const counts: Record<string, number> = {};
  const shown: Record<string, number> = {};
  const h = (v: unknown) =>
    typeof v === "bigint" ? v.toString(16) : typeof v === "number" ? v.toString(16) : String(v);
  cases.forEach((test, i) => {
    const t = theirs[i]!,
      o = machine.run(test);
    const what: string[] = [];
    const cmp = /^FU?COM|^FICOM|^FTST/.test(test.row.mnemonic);
    let mask = 0xffff;
    if (/I$|IP$/.test(test.row.mnemonic) && cmp) mask = 0xfdff;
    if (/F2XM1|FYL|FPATAN|FPTAN|FSIN|FCOS/.test(test.row.mnemonic)) mask = 0xfdff;
    if (cmp && t.status & 0x80) {
      mask = 0xb8ff;
    }
    if ((t.status ^ o.status) & mask) what.push(`status ${h(t.status)}!=${h(o.status)}`);
    for (const k of ["vector", "control", "tags", "operand", "eflags", "eax"] as const)
      if (t[k] !== o[k] && !(k === "eflags" && cmp && t.status & 0x80)) what.push(`${k} ${h(t[k])}!=${h(o[k])}`);
    const trans = /F2XM1|FYL|FPATAN|FPTAN|FSIN|FCOS/.test(test.row.mnemonic);
    const close = (a: bigint, b: bigint) => a === b || (trans && (a - b === 1n || b - a === 1n));
    t.stack.forEach((s, n) => {
      if (!close(s, o.stack[n]!)) what.push(`st${n} ${h(s)}!=${h(o.stack[n])}`);
    });
    if (process.env["PTR"])
      for (const k of ["instructionPointer", "dataPointer", "opcode"] as const)
        if (t[k] !== o[k]) what.push(`${k} ${h(t[k])}!=${h(o[k])}`);
    if (what.length) {
      const key = `${test.row.mnemonic} ${test.row.opcode}`;
      counts[key] = (counts[key] ?? 0) + 1;
      shown[key] = (shown[key] ?? 0) + 1;
      if (shown[key]! <= Number(process.env["SHOW"] ?? 2))
        console.log(
          key,
          "cw",
          h(test.control),
          "sw",
          h(test.status),
          "tags",
          h(test.tags),
          "st0",
          h(test.stack[0]),
          "st1",
          h(test.stack[1]),
          "code",
          test.code.map(h).join(" "),
          "mem",
          h(test.operand),
          "=>",
          what.join("; "),
          "theirs",
          h(t.status),
        );
    }
  });
  console.log(cases.length, counts);
  judge.close();
}, 600000);
