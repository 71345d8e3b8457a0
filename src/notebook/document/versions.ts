/** What ran a notebook: said in its metadata, and believed only while its source is the one that was run. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { sourceHash, type Versions } from "./fingerprint.js";
import type { NotebookDocument } from "./notebook-document.js";

/** The entry of a notebook's metadata. */
const ENTRY = "virtlab";

let version: string | undefined;

/** The versions of this package and of what it runs on. */
export function currentVersions(): Versions {
  if (version === undefined) {
    const file = path.join(__dirname, "../../../package.json");
    ({ version } = JSON.parse(readFileSync(file, "utf8")) as { version: string });
  }
  return { virtlab: version, node: process.version };
}

/** The metadata of a notebook that is run now. */
export function stampedMetadata(notebook: NotebookDocument): Readonly<Record<string, unknown>> {
  return { ...notebook.metadata, [ENTRY]: { ...currentVersions(), source: sourceHash(notebook) } };
}

/** What ran the notebook; undefined where that is not known, or its source was changed since. */
export function versionsOf(notebook: NotebookDocument): Versions | undefined {
  const entry = notebook.metadata[ENTRY] as Readonly<Record<string, unknown>> | null | undefined;
  const { virtlab, node, source } = entry ?? {};
  if (typeof virtlab !== "string" || typeof node !== "string" || source !== sourceHash(notebook)) return undefined;
  return { virtlab, node };
}

/** "virtlab 0.1.0, Node.js v20.19.0". */
export const versionsText = (versions: Versions | undefined): string =>
  versions === undefined ? "versions not known" : `virtlab ${versions.virtlab}, Node.js ${versions.node}`;
