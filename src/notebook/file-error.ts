/** What the system says about a file it cannot open, write or remove, in words. Source: errno(3). */
import { VirtlabError } from "../state/error.js";

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EBUSY: "it is in use",
  EDQUOT: "the disk quota is used up",
  EEXIST: "it exists already",
  EFBIG: "too large for the disk",
  EISDIR: "it is a folder",
  ELOOP: "its links lead in a circle",
  ENAMETOOLONG: "its name is too long",
  ENOENT: "no such file or folder",
  ENOSPC: "the disk is full",
  ENOTDIR: "a part of its path is not a folder",
  ENOTEMPTY: "the folder is not empty",
  EPERM: "permission denied",
  EROFS: "the disk is read-only",
};

/** The reason behind an error code of the system. */
export const fileReason = (code: string): string => REASONS[code] ?? `the system says ${code}`;

/**
 * Does something with a file and gives the result.
 * @throws VirtlabError "FILE: WHAT: reason" when the system refuses.
 */
export function withFile<T>(file: string, what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new VirtlabError(`${file}: ${what}: ${fileReason(code)}`);
  }
}
