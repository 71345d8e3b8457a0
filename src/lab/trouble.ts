/** What can go wrong with an open notebook, each said in one sentence with what to do about it. */

import { reasonOf } from "./notebook-file.js";
import type { Notices } from "./notices.js";
import type { OpenNotebook } from "./open-notebook.js";

const LOOK_AT_DISK_MILLISECONDS = 15_000;

/** Shows notices while this notebook is the one that is shown; the result ends that. */
export function watchTrouble(open: OpenNotebook, notices: Notices): () => void {
  const ends = [
    watchKernel(open, notices),
    watchDeaths(open, notices),
    watchFile(open, notices),
    lookAtDisk(open, notices),
  ];
  return () => {
    for (const end of ends) end();
    notices.clear();
  };
}

function watchKernel(open: OpenNotebook, notices: Notices): () => void {
  return open.kernel.observe(({ status, reason }) => {
    if (status === "dead") {
      notices.show({
        id: "kernel",
        tone: "warning",
        text: `${sentence(reason ?? "the kernel has ended")} Its variables are lost; the notebook is not.`,
        actions: [{ label: "Start a new one", primary: true, run: () => void tryIt(open.restart(), notices) }],
      });
    } else if (status === "disconnected") {
      notices.show({
        id: "kernel",
        tone: "warning",
        text: "The server does not answer. Is virtlab lab still running? Your changes are kept in this page meanwhile.",
        actions: [{ label: "Try again", run: () => void open.reconnect() }],
      });
    } else notices.hide("kernel");
  });
}

function watchDeaths(open: OpenNotebook, notices: Notices): () => void {
  let known = open.deaths.value;
  return open.deaths.observe((deaths) => {
    if (deaths === known) return;
    known = deaths;
    notices.show({
      id: "death",
      tone: "warning",
      text: "The kernel ended and was started anew. Its variables are lost; the notebook is not.",
      actions: [{ label: "Run all cells above", run: () => void open.runAbove().then(() => notices.hide("death")) }],
      closable: true,
    });
  });
}

function watchFile({ file }: OpenNotebook, notices: Notices): () => void {
  return file.state.observe((state) => {
    if (state.kind === "conflict") {
      notices.show({
        id: "file",
        tone: "warning",
        text: "Somebody else has changed this file on disk, and you have changed it here.",
        actions: [
          { label: "Overwrite it with mine", run: () => void file.save({ overwrite: true }) },
          { label: "Reload, dropping mine", run: () => void tryIt(file.reload(), notices) },
          { label: "Keep both for now", run: () => notices.hide("file") },
        ],
      });
    } else if (state.kind === "failed") {
      const actions = [{ label: "Try again", run: () => void file.save() }];
      notices.show({ id: "file", tone: "warning", text: `Not saved: ${state.reason}.`, actions });
    } else if (state.kind === "saved") notices.hide("file");
  });
}

/** A file that has changed while one was away is noticed on coming back, not only at the next save. */
function lookAtDisk({ file }: OpenNotebook, notices: Notices): () => void {
  const look = async () => {
    if (document.hidden) return;
    const found = await file.lookAtDisk().catch(() => "same");
    if (found !== "reloaded") return;
    notices.show({
      id: "reloaded",
      tone: "information",
      text: "The file had changed on disk and was loaded anew.",
      closable: true,
    });
  };
  const timer = setInterval(look, LOOK_AT_DISK_MILLISECONDS);
  addEventListener("focus", look);
  return () => {
    clearInterval(timer);
    removeEventListener("focus", look);
  };
}

const sentence = (text: string): string => `${text[0]!.toUpperCase()}${text.slice(1)}.`;

async function tryIt(work: Promise<unknown>, notices: Notices): Promise<void> {
  try {
    await work;
    notices.hide("tried");
  } catch (error) {
    notices.show({ id: "tried", tone: "warning", text: `That failed: ${reasonOf(error)}.`, closable: true });
  }
}
