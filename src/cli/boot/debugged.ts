/** A machine under gdb with its serial port on standard input and output, and its own run when the debugger has left it. */
import { serveGdb } from "../../gdb/server.js";
import type { Machine } from "../../hardware/machine.js";
import { courseOf } from "./course.js";
import type { BootFlags } from "./flags.js";
import type { Recording } from "./recording.js";
import { type End, runSession, type Session } from "./session.js";

/** As `runSession`, which it hands over to when gdb detaches. */
export async function runUnderGdb(
  start: Machine,
  port: number,
  flags: BootFlags,
  recording: Recording | undefined,
  caught: { interrupted: boolean; wake?: () => void },
): Promise<Session> {
  let printed = start.devices.uart.output.length;
  let output = "";
  const show = (machine: Machine): void => {
    // What was shown before it went back is not shown again.
    const news = machine.devices.uart.output.slice(printed);
    printed += news.length;
    output += news;
    if (news !== "" && !flags.json) process.stdout.write(Buffer.from(news, "latin1"));
  };
  const server = await serveGdb(start, { port, onMachine: show, ...(recording ? { script: recording.inputs } : {}) });
  process.stderr.write(`virtlab: waiting for gdb: target remote 127.0.0.1:${server.port}\n`);
  const type = (bytes: Buffer): void => server.type(bytes);
  if (recording === undefined) process.stdin.on("data", type);
  caught.wake = () => server.close();
  const { machine, how } = await server.left;
  process.stdin.removeListener("data", type);
  process.stdin.pause();
  if (how === "detached") {
    const rest = recording && { ...recording, inputs: recording.inputs.filter(({ steps }) => steps > machine.steps) };
    const session = await runSession(courseOf(machine), flags, rest, caught);
    return { ...session, output: output + session.output };
  }
  process.stdin.destroy();
  const end: End = how === "exited" && machine.stop !== undefined ? machine.stop : { reason: "interrupted" };
  return { end, machine, course: courseOf(machine), earlier: machine, inputs: [], exceptions: [], output };
}
