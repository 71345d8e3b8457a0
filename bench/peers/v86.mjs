/**
 * The peer: v86 from npm, headless in this process, a multiboot kernel started through SeaBIOS.
 *
 * v86 starts a multiboot kernel when its own option ROM, run by the firmware, reads port 0xf4, and a write to that port
 * ends the machine. The two handlers are wrapped, so the time taken is from the hand-over to the guest to the guest's
 * debug exit, without the firmware; on demand from the first line the guest puts out, for guests that warm up before it.
 *
 * v86 normally runs slices of about a millisecond (`cpu.main_loop()`) from setImmediate. Here the same slices are called
 * by a loop of ours which returns to the event loop after each one, as v86's own does (its translator finishes modules
 * in promises), and only the time INSIDE the slices is counted: the event loop costs v86 nothing.
 *
 * Leaves out disks, screen, network: the guests print on COM1 and do nothing else.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

const firmwareDirectories = ["/usr/share/seabios", "/usr/share/vgabios", "/usr/share/qemu"];
const videoBiosNames = ["vgabios-stdvga.bin", "vgabios-bochs-display.bin", "vgabios.bin"];
const mebibyte = 1 << 20;
const debugExitPort = 0xf4;

function findFile(names) {
  for (const directory of firmwareDirectories) {
    if (!existsSync(directory)) continue;
    const present = new Set(readdirSync(directory));
    const name = names.find((candidate) => present.has(candidate));
    if (name !== undefined) return join(directory, name);
  }
  return undefined;
}

function fileBuffer(path) {
  return arrayBuffer(readFileSync(path));
}

function arrayBuffer(bytes) {
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
}

/**
 * Finds v86 and the firmware.
 * @returns `{ name, version, measure }`, or `{ missing }` with the reason in one line
 */
export async function openV86() {
  let entry;
  try {
    entry = createRequire(import.meta.url).resolve("v86");
  } catch {
    return { missing: "the npm package v86 is not installed (npm ci)" };
  }
  const bios = findFile(["bios.bin"]);
  const videoBios = findFile(videoBiosNames);
  if (bios === undefined || videoBios === undefined) {
    return { missing: `no bios.bin or vgabios in ${firmwareDirectories.join(", ")} (Debian package seabios)` };
  }
  const { V86 } = await import(pathToFileURL(entry).href);
  const build = dirname(entry);
  const version = JSON.parse(readFileSync(join(build, "..", "package.json"), "utf8")).version;
  const base = { wasm_path: join(build, "v86.wasm"), bios: fileBuffer(bios), videoBios: fileBuffer(videoBios) };
  return { name: "v86", version, measure: (options) => measure(V86, base, options) };
}

/**
 * Runs one image to its debug exit.
 * @param options image (Uint8Array), append (command line), jit (boolean: with its translator, which is v86's default),
 *   fromFirstLine (take the time and the count from the end of the first line the guest puts out, not from the
 *   hand-over), limit (seconds of wall time after which it fails)
 * @returns seconds inside v86 from the start to the debug exit, instructions v86 counted between them (a 32-bit counter,
 *   right up to 4 G), the serial output from the hand-over on and the byte written to the debug-exit port
 */
async function measure(V86, firmware, { image, append, jit, fromFirstLine = false, limit = 120 }) {
  const emulator = new V86({
    wasm_path: firmware.wasm_path,
    bios: { buffer: firmware.bios },
    vga_bios: { buffer: firmware.videoBios },
    multiboot: { buffer: arrayBuffer(image) },
    cmdline: append,
    memory_size: 64 * mebibyte,
    vga_memory_size: 2 * mebibyte,
    disable_jit: !jit,
    disable_keyboard: true,
    disable_mouse: true,
    disable_speaker: true,
    autostart: false,
    log_level: 0,
  });
  await new Promise((resolve) => emulator.add_listener("emulator-loaded", resolve));

  let output = "";
  emulator.add_listener("serial0-output-byte", (byte) => {
    output += String.fromCharCode(byte);
    if (fromFirstLine && output.indexOf("\n") === output.length - 1) startHere();
  });
  const cpu = emulator.v86.cpu;
  const port = cpu.io.ports[debugExitPort];
  const handOver = port.read32.bind(port.device);
  let finishedSlices = 0; // nanoseconds since the start
  let sliceStart = 0n;
  let startCount = 0;
  let result;
  function startHere() {
    startCount = emulator.get_instruction_counter();
    finishedSlices = 0;
    sliceStart = process.hrtime.bigint();
  }
  port.read32 = () => {
    const answer = handOver();
    output = "";
    startHere();
    return answer;
  };
  // Thrown through the WebAssembly frames, as v86's own handler does, to leave the slice at once.
  const exit = Symbol("debug exit");
  port.write8 = (code) => {
    const nanoseconds = finishedSlices + Number(process.hrtime.bigint() - sliceStart);
    const instructions = (emulator.get_instruction_counter() - startCount) >>> 0;
    result = { seconds: nanoseconds / 1e9, instructions, output, code };
    throw exit;
  };

  const deadline = performance.now() + limit * 1000;
  try {
    while (result === undefined) {
      sliceStart = process.hrtime.bigint();
      const wait = cpu.main_loop();
      finishedSlices += Number(process.hrtime.bigint() - sliceStart);
      if (performance.now() > deadline)
        throw new Error(`v86: no debug exit within ${limit} s; serial output: ${output}`);
      await new Promise((resolve) => (wait >= 1 ? setTimeout(resolve, wait) : setImmediate(resolve)));
    }
  } catch (error) {
    if (error !== exit) throw error;
  } finally {
    await emulator.destroy();
  }
  return result;
}
