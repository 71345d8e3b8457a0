/** Which section of a notebook is being read: the last whose heading has come to the upper part of the window. */
import type { Notebook } from "@jupyterlab/notebook";
import type { Course } from "./course.js";

const UPPER_PART = 0.3;

/** Tells the section's index (-1 above the first) as one scrolls; the result ends that. */
export function watchReading(
  notebook: Notebook,
  course: Course,
  path: string,
  tell: (section: number) => void,
): () => void {
  let asked = 0;
  const look = () => {
    asked = 0;
    const summary = course.folder.value.entries.find((entry) => entry.path === path)?.summary;
    if (summary === undefined) return;
    const { top, height } = notebook.node.getBoundingClientRect();
    const line = top + height * UPPER_PART;
    const reached = ({ cell }: { cell: number }) => {
      const node = notebook.widgets[cell]?.node;
      return node?.isConnected === true && node.getBoundingClientRect().top <= line;
    };
    tell(summary.sections.findLastIndex(reached));
  };
  const ask = () => {
    asked ||= requestAnimationFrame(look);
  };
  // Scrolling does not bubble, but can be caught on the way down.
  notebook.node.addEventListener("scroll", ask, true);
  const endCourse = course.folder.observe(ask);
  return () => {
    cancelAnimationFrame(asked);
    notebook.node.removeEventListener("scroll", ask, true);
    endCourse();
  };
}
