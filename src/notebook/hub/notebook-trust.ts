/**
 * Which notebooks' outputs were made by this user, so that a page may show them with their scripts; those of a notebook
 * from elsewhere may not, until it is run or trusted. Digests of trusted notebooks are kept, not the notebooks.
 * Manual: Jupyter Server, "Security in notebook documents".
 */
import { createHmac, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import { writeAtomically } from "../atomic-file.js";
import { isRecord } from "./rest.js";

type Fields = Readonly<Record<string, unknown>>;

/** So many notebooks are remembered; the ones trusted longest ago go first. */
const REMEMBERED = 10_000;

/** Where digests are kept between runs: in the user's own data. Manual: XDG Base Directory Specification. */
export function trustFile(): string {
  const data = process.env["XDG_DATA_HOME"];
  return path.join(
    data === undefined || data === "" ? path.join(homedir(), ".local/share") : data,
    "virtlab/trust.json",
  );
}

interface Store {
  /** Only who can read this user's files can make a digest that counts. */
  readonly key: string;
  readonly digests: readonly string[];
}

export class NotebookTrust {
  readonly #file: string | undefined;
  #store: Store = { key: randomBytes(32).toString("hex"), digests: [] };

  /** @param file Where digests are kept; without it they are for this run only. */
  constructor(file?: string) {
    this.#file = file;
    this.#read();
  }

  /** The notebook with each code cell marked as trusted or not, as clients expect it. */
  marked(notebook: Fields): Fields {
    const trusted = this.#store.digests.includes(this.#digest(notebook));
    const cells = (notebook["cells"] as readonly unknown[]).map((cell) => {
      if (!isRecord(cell) || cell["cell_type"] !== "code") return cell;
      const metadata = isRecord(cell["metadata"]) ? cell["metadata"] : {};
      return { ...cell, metadata: { ...metadata, trusted: trusted || !hasOutputs(cell) } };
    });
    return { ...notebook, cells };
  }

  /** Remembers a notebook when its client says of every cell that its outputs are the user's. */
  rememberIfTrusted(said: unknown, notebook: Fields): void {
    const cells = isRecord(said) && Array.isArray(said["cells"]) ? said["cells"].filter(isRecord) : [];
    const own = (cell: Fields): boolean =>
      !hasOutputs(cell) || (isRecord(cell["metadata"]) && cell["metadata"]["trusted"] === true);
    if (cells.some(hasOutputs) && cells.every(own)) this.remember(notebook);
  }

  remember(notebook: Fields): void {
    // Other servers of this user may have written meanwhile.
    this.#read();
    const digest = this.#digest(notebook);
    const { key, digests } = this.#store;
    if (digests.at(-1) === digest) return;
    this.#store = { key, digests: [...digests.filter((other) => other !== digest), digest].slice(-REMEMBERED) };
    this.#write();
  }

  /** Of what is shown with its scripts: the outputs. Editing text or code takes no trust away. */
  #digest(notebook: Fields): string {
    const outputs = (notebook["cells"] as readonly unknown[])
      .filter(isRecord)
      .flatMap(({ outputs, attachments }) => [outputs, attachments]);
    return createHmac("sha256", this.#store.key).update(JSON.stringify(outputs)).digest("hex");
  }

  #read(): void {
    if (this.#file === undefined) return;
    try {
      const { key, digests } = JSON.parse(readFileSync(this.#file, "utf8")) as Partial<Store>;
      if (typeof key === "string" && key.length >= 64 && Array.isArray(digests)) this.#store = { key, digests };
    } catch {
      // There is none yet, or it cannot be read: what this run knows is all there is.
    }
  }

  /** What cannot be written holds for this run. */
  #write(): void {
    if (this.#file === undefined) return;
    try {
      mkdirSync(path.dirname(this.#file), { recursive: true, mode: 0o700 });
      writeAtomically(this.#file, JSON.stringify(this.#store));
    } catch {
      // Without a home folder, for example.
    }
  }
}

function hasOutputs(cell: Fields): boolean {
  return Array.isArray(cell["outputs"]) && cell["outputs"].length > 0;
}
