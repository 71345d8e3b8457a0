/** Cgroup namespaces: whose root is the group that their maker was in. Spec: cgroup_namespaces(7). */
import { addNamespace } from "../namespaces/records.js";
import type { Work } from "../work.js";
import type { CgroupNamespace } from "./records.js";

export const newCgroupNamespace = (k: Work, home: number): number =>
  addNamespace<CgroupNamespace>(k, { kind: "cgroup", home, root: k.task.cgroup });
