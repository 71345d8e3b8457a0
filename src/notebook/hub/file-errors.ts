/** What the operating system says of files, as one sentence and an HTTP status. Manual: errno(3), RFC 9110, "Status Codes". */
import { HubError } from "./rest.js";

const MEANINGS: Readonly<Record<string, readonly [status: number, words: string]>> = {
  EACCES: [403, "permission denied"],
  EBUSY: [409, "it is in use"],
  EDQUOT: [507, "the disk quota is used up"],
  EEXIST: [409, "it exists already"],
  EFBIG: [507, "too large for the disk"],
  EISDIR: [400, "it is a folder"],
  ELOOP: [404, "its links lead in a circle"],
  ENAMETOOLONG: [400, "its name is too long"],
  ENOENT: [404, "no such file or folder"],
  ENOSPC: [507, "the disk is full"],
  ENOTDIR: [404, "a part of its path is not a folder"],
  ENOTEMPTY: [400, "the folder is not empty"],
  EPERM: [403, "permission denied"],
  EROFS: [403, "the disk is read-only"],
};

/** Does something to a file; errors name the file as the client does, and never where it is on this machine. */
export function withFileErrors<T>(relative: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined || error instanceof HubError) throw error;
    const [status, words] = MEANINGS[code] ?? [500, `the system says ${code}`];
    throw new HubError(status, `${relative === "" ? "/" : relative}: ${words}`);
  }
}
