/** System calls on namespaces. Spec: unshare(2), setns(2), sethostname(2). */
import { E } from "../errno.js";
import { fileAt } from "../fs/descriptors.js";
import { readUser, textOf } from "../mm/user-memory.js";
import { unshare } from "../namespaces/change.js";
import { setns } from "../namespaces/enter.js";
import { requireCapability } from "../tasks/capabilities.js";
import type { Work } from "../work.js";
import { call, type SystemCall } from "./call.js";
import type { UtsNamespace } from "./system.js";

const MOST_NAME = 64;

/** sethostname(2) and setdomainname(2). Throws EPERM, EINVAL, EFAULT. */
function setName(k: Work, which: "nodename" | "domainname", at: number, length: number): number {
  const { uts } = k.task.namespaces;
  requireCapability(k, "CAP_SYS_ADMIN", k.objectOf<UtsNamespace>(uts).home);
  if (length < 0 || length > MOST_NAME) throw E.EINVAL;
  const bytes = readUser(k, at, length);
  const end = bytes.indexOf(0);
  k.changeObject<UtsNamespace>(uts, { [which]: textOf(end < 0 ? bytes : bytes.subarray(0, end)) });
  return 0;
}

export const namespaceCalls: readonly SystemCall[] = [
  call("unshare", "flags:flags", unshare),
  call("sethostname", "name:pointer len:int", (k, at, length) => setName(k, "nodename", at, length)),
  call("setdomainname", "name:pointer len:int", (k, at, length) => setName(k, "domainname", at, length)),
  call("setns", "fd:fd nstype:int", (k, fd, kind) => setns(k, fileAt(k, fd), kind)),
];
