/**
 * Sessions, begun as early as possible: a kernel takes longer to start than the page to load, so index.html asks for it
 * in its first lines. JupyterLab would ask when the notebook is there, and looks before whether there is a session.
 */
import { type ServerConnection, type Session, SessionAPI, SessionManager } from "@jupyterlab/services";
import { nameOf } from "./address.js";

declare global {
  interface Window {
    /** What index.html has asked for: the answer to the POST that begins the session of a notebook. */
    virtlabSession?: { readonly path: string; readonly answer: Promise<Session.IModel | undefined> } | undefined;
  }
}

export const KERNEL_NAME = "virtlab";

export class EarlySessions extends SessionManager {
  readonly #beginning = new Set<Promise<unknown>>();

  /** Begins the session of a notebook; what looks for sessions from now on waits for it. */
  begin(path: string): void {
    const asked = window.virtlabSession?.path === path ? window.virtlabSession.answer : undefined;
    window.virtlabSession = undefined;
    const beginning = begin(path, asked, this.serverSettings).catch(() => {});
    this.#beginning.add(beginning);
    void beginning.then(() => this.#beginning.delete(beginning));
  }

  override async refreshRunning(): Promise<void> {
    await Promise.all(this.#beginning);
    await super.refreshRunning();
  }
}

async function begin(
  path: string,
  asked: Promise<Session.IModel | undefined> | undefined,
  settings: ServerConnection.ISettings,
): Promise<void> {
  const start = () => {
    const options = { path, name: nameOf(path), type: "notebook", kernel: { name: KERNEL_NAME } };
    return SessionAPI.startSession(options, settings);
  };
  const session = (await asked) ?? (await start());
  if (session.kernel?.execution_state !== "dead") return;
  // A kernel that has ended while nobody looked is not waited for; the notebook gets a new one.
  await SessionAPI.shutdownSession(session.id, settings);
  await start();
}
