/** Where the command keeps what it can make or fetch again. Manual: XDG Base Directory Specification. */
import { homedir } from "node:os";
import path from "node:path";

/** The folder, whether it exists or not. */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env, home = homedir()): string {
  return path.join(environment["XDG_CACHE_HOME"] || path.join(home, ".cache"), "virtlab");
}
