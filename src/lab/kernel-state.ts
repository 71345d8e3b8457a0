/** What a notebook's kernel is doing, as one word for the reader, from what the session, kernel and connection report. */
import type { ISessionContext } from "@jupyterlab/apputils";
import { Variable } from "./observable.js";

export type KernelStatus = "starting" | "idle" | "busy" | "restarting" | "dead" | "disconnected";

export interface KernelState {
  readonly status: KernelStatus;
  /** How it ended, when it is dead. */
  readonly reason?: string;
}

const WORDS: Readonly<Record<string, KernelStatus>> = {
  idle: "idle",
  busy: "busy",
  dead: "dead",
  restarting: "restarting",
  autorestarting: "restarting",
  terminating: "restarting",
  connecting: "disconnected",
  disconnected: "disconnected",
};

const REST_MILLISECONDS = 150;

/** Follows the session; the state lives as long as it. */
export function watchKernel(session: ISessionContext): Variable<KernelState> {
  const state = new Variable<KernelState>({ status: "starting" });
  let wasReady = false;
  let resting: ReturnType<typeof setTimeout> | undefined;
  const look = () => {
    const shown = session.kernelDisplayStatus;
    const dead = session.session?.kernel?.status === "dead";
    let status: KernelStatus = dead ? "dead" : (WORDS[shown] ?? "starting");
    wasReady ||= status === "idle" || status === "busy";
    // Connecting for the first time is a part of starting.
    if (status === "disconnected" && !wasReady) status = "starting";
    clearTimeout(resting);
    if (status === state.value.status) return;
    // Between two cells of a run the kernel is idle for a moment.
    if (status === "idle" && state.value.status === "busy")
      resting = setTimeout(() => state.set({ status }), REST_MILLISECONDS);
    else state.set({ status });
  };
  session.statusChanged.connect(look);
  session.connectionStatusChanged.connect(look);
  session.kernelChanged.connect(look);
  session.sessionChanged.connect(look);
  look();
  return state;
}
