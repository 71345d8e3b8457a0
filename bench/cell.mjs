/**
 * Child process of the start-up measurement: runs one cell as the first of a fresh kernel, and prints the milliseconds
 * from its request to its reply as JSON.
 */
import { fileURLToPath } from "node:url";
import { KernelAPI, KernelConnection } from "@jupyterlab/services";
import { Hub } from "../dist/notebook/hub/hub.js";
import { inProcessSettings } from "../dist/notebook/hub/in-process-transport.js";

const [code = ""] = process.argv.slice(2);
// @jupyterlab/services tells about its connections on console.debug, which in Node is standard output.
console.debug = () => {};
const hub = new Hub(fileURLToPath(new URL("../notebooks", import.meta.url)));
const serverSettings = inProcessSettings(hub);
const connection = new KernelConnection({ model: await KernelAPI.startNew({}, serverSettings), serverSettings });
await connection.info;
const start = performance.now();
const { content } = await connection.requestExecute({ code }).done;
const milliseconds = performance.now() - start;
connection.dispose();
await hub.dispose();
if (content.status !== "ok") throw new Error(`the cell failed: ${JSON.stringify(content)}`);
// @jupyterlab/services keeps timers that would hold the process for ever.
process.stdout.write(JSON.stringify({ milliseconds }), () => process.exit(0));
