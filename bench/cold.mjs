/**
 * Child process of the start-up measurement: loads the package, boots a tiny image, executes one instruction, and prints
 * the milliseconds of each part as JSON. Times count from the start of the process.
 */
const processStart = 0; // performance.now() counts from it
const beforeImport = performance.now();
const { Machine } = await import("../dist/index.js");
const { kernel, registerLoop } = await import("./programs.mjs");
const imported = performance.now();
const machine = Machine.boot({ image: kernel(registerLoop), memory: "64M" }).step();
const stepped = performance.now();
if (machine.steps !== 1) throw new Error(`one step() made ${machine.steps} steps`);
process.stdout.write(
  JSON.stringify({ node: beforeImport - processStart, load: imported - beforeImport, boot: stepped - imported }),
);
