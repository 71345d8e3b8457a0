import { it } from "vitest";
import { generateInterpreter } from "../src/hardware/engine/interpreter.js";
import { x86 } from "../src/hardware/isa/x86.js";

it("size", () => {
  for (let i = 0; i < 2; i++) {
    let t = performance.now();
    const b = generateInterpreter(x86);
    console.log(
      "bytes",
      b.length,
      "forms",
      x86.forms.forms.length,
      "gen ms",
      performance.now() - t,
      x86.forms.forms.filter((f) => f.row.unit).length,
    );
    t = performance.now();
    new WebAssembly.Module(b as BufferSource);
    console.log("compile ms", performance.now() - t);
  }
}, 60000);
