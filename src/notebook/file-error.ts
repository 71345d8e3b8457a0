/** What the system says about a file it cannot open, write or remove, in words. Source: errno(3). */
import { VirtlabError } from "../state/error.js";

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or folder",
  EISDIR: "it is a folder",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  ENOSPC: "no space is left",
  ENOTDIR: "a part of its path is not a folder",
  EEXIST: "a file of that name exists",
};

/**
 * Does something with a file and gives the result.
 * @throws VirtlabError "FILE: WHAT: reason" when the system refuses.
 */
export function withFile<T>(file: string, what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new VirtlabError(`${file}: ${what}: ${REASONS[code] ?? message}`);
  }
}
