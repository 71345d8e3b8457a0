/** What a notebook's kernel is doing, as one word for the reader, from what session, kernel, connection and cells report. */
import type { ISessionContext } from "@jupyterlab/apputils";
import { type Observable, Variable } from "./observable.js";
import type { Progress } from "./sections.js";

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

/** Follows the session and the cells; the state lives as long as they do. */
export function watchKernel(session: ISessionContext, cells: Observable<Progress>): Variable<KernelState> {
  const state = new Variable<KernelState>({ status: "starting" });
  let wasReady = false;
  // A connection forgets its kernel when it hears of its end.
  let ended = false;
  let resting: ReturnType<typeof setTimeout> | undefined;
  const look = () => {
    let status: KernelStatus = ended ? "dead" : (WORDS[session.kernelDisplayStatus] ?? "starting");
    wasReady ||= status === "idle" || status === "busy";
    // Connecting for the first time is a part of starting.
    if (status === "disconnected" && !wasReady) status = "starting";
    // The kernel calls itself idle after each cell, also when others wait.
    if (status === "idle" && cells.value.running > 0) status = "busy";
    clearTimeout(resting);
    if (status === state.value.status) return;
    if (status === "idle" && state.value.status === "busy") {
      resting = setTimeout(() => state.set({ status }), REST_MILLISECONDS);
    } else state.set({ status });
  };
  session.statusChanged.connect((_, status) => {
    ended ||= status === "dead";
    look();
  });
  session.connectionStatusChanged.connect(look);
  session.kernelChanged.connect((_, { newValue }) => {
    if (newValue !== null && newValue.status !== "dead") ended = false;
    look();
  });
  session.sessionChanged.connect(look);
  cells.observe(look);
  return state;
}
