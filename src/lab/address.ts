/** What the page shows, as its address says it. JupyterLab's form: /lab/tree/PATH, a folder or a notebook. */

const TREE = "/lab/tree/";

/** The path in an address: "" for the root folder. */
export function pathOfAddress(pathname: string): string {
  if (!pathname.startsWith(TREE)) return "";
  return pathname.slice(TREE.length).split("/").map(decoded).filter(Boolean).join("/");
}

/** The address of a folder or notebook. */
export function addressOf(path: string): string {
  return path === "" ? "/lab" : TREE + path.split("/").map(encodeURIComponent).join("/");
}

/** The folder a path lies in. */
export function folderOf(path: string): string {
  return path.split("/").slice(0, -1).join("/");
}

/** The last part of a path. */
export function nameOf(path: string): string {
  return path.split("/").at(-1) ?? "";
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
