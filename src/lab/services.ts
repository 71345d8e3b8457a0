/**
 * The server's parts that the page uses. JupyterLab's own ServiceManager also asks for terminals, settings and
 * workspaces, which the hub does not have.
 */
import type { ServerConnection, ServiceManager } from "@jupyterlab/services";
import { type Contents, ContentsManager, KernelManager, KernelSpecManager } from "@jupyterlab/services";
import { gatheringSettings } from "./gathering-socket.js";
import { EarlySessions } from "./sessions.js";

/** A document that has a checkpoint asks for no other, and a folder of notebooks stays free of copies. */
class ContentsWithoutCheckpoints extends ContentsManager {
  override listCheckpoints(): Promise<Contents.ICheckpointModel[]> {
    return Promise.resolve([{ id: "none", last_modified: "" }]);
  }
}

export interface Services {
  readonly settings: ServerConnection.ISettings;
  readonly contents: ContentsManager;
  readonly kernels: KernelManager;
  readonly sessions: EarlySessions;
  readonly kernelspecs: KernelSpecManager;
  /** The same for those who ask for JupyterLab's whole manager. */
  readonly manager: ServiceManager.IManager;
}

/** Connects to the server the page came from; address and token stand in the page's configuration. */
export function connectServices(): Services {
  const serverSettings = gatheringSettings({ appendToken: true });
  const contents = new ContentsWithoutCheckpoints({ serverSettings });
  const kernels = new KernelManager({ serverSettings, standby: "when-hidden" });
  const sessions = new EarlySessions({ kernelManager: kernels, serverSettings, standby: "when-hidden" });
  const kernelspecs = new KernelSpecManager({ serverSettings, standby: "when-hidden" });
  const ready = Promise.all([sessions.ready, kernelspecs.ready]).then(() => {});
  const parts = { contents, kernels, sessions, kernelspecs, serverSettings, ready, isReady: true, isDisposed: false };
  return {
    settings: serverSettings,
    contents,
    kernels,
    sessions,
    kernelspecs,
    manager: parts as unknown as ServiceManager.IManager,
  };
}
