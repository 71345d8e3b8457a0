import { writeFileSync } from "node:fs";
import { it } from "vitest";
import { compiled, kernelWith, ranOn, busyboxRoot } from "../support/kernel-programs.js";
it("cmp", () => {
  for (const name of (process.env.P ?? "").split(",")) for (const bits of (process.env.B ?? "64").split(",").map(Number)) {
    const kernel = kernelWith([...busyboxRoot("amd64"), { path: "t", mode: 0o100755, data: compiled(`tests/linux/${name}.c`, bits as 32) }], "128M");
    const ran = ranOn(kernel, ["/t"], { directory: "/tmp" });
    writeFileSync(`/tmp/vfs-out-${name}-${bits}`, ran.output + ran.errors);
    console.log(name, bits, "status", ran.status);
    if (ran.status !== 0) console.log(ran.errors, ran.kernel.stop);
    const un = new Map<string, number>();
    if (process.env.U) { const e = kernel.spawn(["/t"], { directory: "/tmp" }).run({ maxInstructions: 200000000, observe: ["syscall"] }).events; for (const x of e) if ((x as any).served === false) un.set((x as any).name, 1); console.log([...un.keys()]); }
  }
});
