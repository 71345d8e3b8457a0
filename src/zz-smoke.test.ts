import { test } from "vitest";
import { readFileSync } from "node:fs";
import { Machine } from "/work/main/src/index.js";
test("smoke", () => {
  const t0 = performance.now();
  const m = Machine.boot({ image: readFileSync("/work/main/guests/images/hello.elf"), memory: "64M", append: "x=1" });
  let r = m;
  for (let i=0;i<5;i++){ r = r.step(); console.log(r.registers.eip.toString(16), r.registers.eax.toString(16), r.steps, r.stop); }
  r = m.run({ maxInstructions: 5_000_000, observe: ["exception"] });
  console.log(r.stop, r.steps, r.counters, r.registers, r.events.slice(0,5));
  console.log(r.serial, performance.now()-t0);
});
