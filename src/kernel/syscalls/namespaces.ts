/** System calls on namespaces. Spec: unshare(2), setns(2). */
import { fileAt } from "../fs/descriptors.js";
import { unshare } from "../namespaces/change.js";
import { setns } from "../namespaces/enter.js";
import { call, type SystemCall } from "./call.js";

export const namespaceCalls: readonly SystemCall[] = [
  call("unshare", "flags:flags", unshare),
  call("setns", "fd:fd nstype:int", (k, fd, kind) => setns(k, fileAt(k, fd), kind)),
];
