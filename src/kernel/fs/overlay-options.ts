/** What an overlay is made of, from the options of mount(2). Spec: Linux, Documentation/filesystems/overlayfs.rst. */
import { E } from "../errno.js";
import type { InodeName, Location } from "../state.js";
import type { Work } from "../work.js";
import { typeOf } from "./file-systems.js";
import { isBelow } from "./mounts.js";
import { attributesAt, fileSystemOf, inodeAt, locate, mountOf } from "./path.js";
import { MS } from "./permissions.js";
import { isDirectory } from "./types.js";

export interface Layers {
  /** The top one first. */
  readonly lowers: readonly InodeName[];
  readonly upper: InodeName | undefined;
  readonly work: InodeName | undefined;
  /** What names of attributes that are the overlay's own begin with. */
  readonly prefix: string;
}

/** Features that are left off: what they are set to otherwise is refused. */
const OFF: Readonly<Record<string, readonly string[]>> = {
  ...{
    redirect_dir: ["off", "nofollow"],
    index: ["off"],
    nfs_export: ["off"],
    metacopy: ["off"],
    xino: ["off", "auto"],
  },
};
const FLAGS: ReadonlySet<string> = new Set(["userxattr", "volatile"]);
const MOST_LAYERS = 500;

/** Parts of a text between separators that no backslash stands before. */
function partsOf(text: string, separator: string): readonly string[] {
  const parts = [""];
  for (let at = 0; at < text.length; at++) {
    const letter = text[at]!;
    if (letter === "\\" && at + 1 < text.length) parts[parts.length - 1] += letter + text[++at]!;
    else if (letter === separator) parts.push("");
    else parts[parts.length - 1] += letter;
  }
  return parts;
}

const unescaped = (text: string): string => text.replace(/\\(.)/gs, "$1");

function directoryAt(k: Work, path: string): Location {
  if (path === "") throw E.EINVAL;
  const location = locate(k, path);
  if (!isDirectory(attributesAt(k, location))) throw E.EINVAL;
  return location;
}

/** Throws EINVAL for what makes no overlay, and what finding the directories throws. */
export function layersFrom(k: Work, options: string): Layers {
  const values = new Map<string, string>();
  for (const option of partsOf(options, ",").filter((one) => one !== "")) {
    const at = option.indexOf("=");
    const [name, value] = at < 0 ? [option, ""] : [option.slice(0, at), option.slice(at + 1)];
    const isPath = ["lowerdir", "upperdir", "workdir"].includes(name);
    if (!isPath && !FLAGS.has(name) && OFF[name]?.includes(value) !== true) throw E.EINVAL;
    values.set(name, value);
  }
  const [lowerdir, upperdir, workdir] = ["lowerdir", "upperdir", "workdir"].map((name) => values.get(name));
  if (lowerdir === undefined) throw E.EINVAL;
  const paths = partsOf(lowerdir, ":").map(unescaped);
  if (paths.length > MOST_LAYERS || (upperdir === undefined && paths.length < 2)) throw E.EINVAL;
  if (upperdir !== undefined && workdir === undefined) throw E.EINVAL;
  const above = upperdir === undefined ? undefined : writable(k, unescaped(upperdir), unescaped(workdir!));
  return {
    upper: above?.upper,
    work: above?.work,
    lowers: paths.map((path) => inodeAt(k, directoryAt(k, path))),
    prefix: values.has("userxattr") ? "user.overlay." : "trusted.overlay.",
  };
}

/** The directories that are written to, on one mount and neither in the other. */
function writable(k: Work, upperdir: string, workdir: string): { readonly upper: InodeName; readonly work: InodeName } {
  const upper = directoryAt(k, upperdir);
  const mount = mountOf(k, upper);
  const fs = fileSystemOf(k, upper);
  if ((mount.flags & MS.RDONLY) !== 0 || fs.readOnly) throw E.EINVAL;
  const work = directoryAt(k, workdir);
  if (work.mount !== upper.mount) throw E.EINVAL;
  const around = (location: Location): Location => ({ ...location, parent: typeOf(fs).parent(k, fs, location.ino) });
  if (isBelow(k, fs, around(upper), work.ino) || isBelow(k, fs, around(work), upper.ino)) throw E.EINVAL;
  if (typeOf(fs).create === undefined) throw E.EINVAL;
  return { upper: inodeAt(k, upper), work: inodeAt(k, work) };
}

/** The options as /proc/mounts shows them. */
export function shownOptions(options: string): string {
  const all = partsOf(options, ",");
  const named = (name: string): readonly string[] => all.filter((one) => one.startsWith(`${name}=`)).slice(-1);
  return [...named("lowerdir"), ...named("upperdir"), ...named("workdir"), ...all.filter((one) => FLAGS.has(one))].join(
    ",",
  );
}
