// The kernel of this package, over the transports of the hub.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { KernelAPI } from "@jupyterlab/services";
import { Hub } from "../src/notebook/hub/hub.js";
import { inProcessSettings } from "../src/notebook/hub/in-process-transport.js";
import { startHubServer } from "./support/hub-server.js";
import { kernelPromises } from "./support/kernel-promises.js";

kernelPromises("the hub in this process", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "virtlab-kernel-"));
  const hub = new Hub(folder);
  const settings = inProcessSettings(hub);
  const model = await KernelAPI.startNew({}, settings);
  return {
    model,
    settings,
    folder,
    close: async () => {
      await hub.dispose();
      rmSync(folder, { recursive: true });
    },
  };
});

kernelPromises("http and WebSockets", async () => {
  const { root, settings, end } = await startHubServer();
  const model = await KernelAPI.startNew({}, settings());
  return { model, settings: settings(), folder: root, close: end };
});
