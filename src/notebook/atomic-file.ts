/** Writing a file so that readers see the old content or the new, never a part. Manual: rename(2). */
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";

/** Replaces the content of a file through a temporary file beside it. Links are followed; permissions stay. */
export function writeAtomically(file: string, content: string | Uint8Array): void {
  const target = existsSync(file) ? realpathSync(file) : file;
  const temporary = `${target}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    writeFileSync(temporary, content, { flag: "wx" });
    if (existsSync(target)) chmodSync(temporary, statSync(target).mode & 0o7777);
    renameSync(temporary, target);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
