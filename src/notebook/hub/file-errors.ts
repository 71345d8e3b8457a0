/** What the operating system says of files, with an HTTP status. Manual: errno(3), RFC 9110, "Status Codes". */
import { fileReason } from "../file-error.js";
import { HubError } from "./rest.js";

const STATUSES: Readonly<Record<string, number>> = {
  EACCES: 403,
  EBUSY: 409,
  EDQUOT: 507,
  EEXIST: 409,
  EFBIG: 507,
  EISDIR: 400,
  ELOOP: 404,
  ENAMETOOLONG: 400,
  ENOENT: 404,
  ENOSPC: 507,
  ENOTDIR: 404,
  ENOTEMPTY: 400,
  EPERM: 403,
  EROFS: 403,
};

/** Does something to a file; errors name the file as the client does, and never where it is on this machine. */
export function withFileErrors<T>(relative: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined || error instanceof HubError) throw error;
    throw new HubError(STATUSES[code] ?? 500, `${relative === "" ? "/" : relative}: ${fileReason(code)}`);
  }
}
