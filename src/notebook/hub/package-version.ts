/** The version of this package. */
import { readFileSync } from "node:fs";
import path from "node:path";

/** Sources and built files lie equally deep below the package. */
const FILE = path.resolve(__dirname, "../../../package.json");

export function packageVersion(): string {
  return (JSON.parse(readFileSync(FILE, "utf8")) as { version: string }).version;
}
