/** What /proc/PID shows of namespaces and cgroups, and what is set through it. Spec: namespaces(7), user_namespaces(7), time_namespaces(7), cgroups(7). */
import { cgroupText } from "../../cgroups/records.js";
import { E } from "../../errno.js";
import { namespaceLabel } from "../../namespaces/records.js";
import { timeOffsetsText, writeTimeOffsets } from "../../namespaces/time.js";
import { type IdMap, idMapText, setgroupsText, writeIdMap, writeSetgroups } from "../../namespaces/user.js";
import { may } from "../../tasks/capabilities.js";
import type { Work } from "../../work.js";
import { namespaceLinks, namespaceLocation } from "../nsfs.js";
import { S } from "../types.js";
import { defineProcessEntries, type ProcessEntry } from "./entries.js";
import { mayInspect, type Subject } from "./subjects.js";

/** The namespace of a link; undefined where there is none such. Throws EACCES for those who may not look. */
function linked(k: Work, subject: Subject, index: number): number | undefined {
  const link = namespaceLinks(subject.task)[index];
  if (link === undefined) return undefined;
  if (!mayInspect(k, subject)) throw E.EACCES;
  return k.state.objects.get(link.id) === undefined ? undefined : link.id;
}

const idMap = (name: string, which: IdMap): ProcessEntry => ({
  name,
  mode: 0o644,
  read: (k, { task }) => idMapText(k, task.namespaces.user, which, k.task.namespaces.user),
  write(k, { task }, text) {
    const opener = { credentials: k.task.credentials, user: k.task.namespaces.user };
    writeIdMap(k, task.namespaces.user, which, text, opener);
  },
});

defineProcessEntries(
  {
    name: "ns",
    mode: 0o511,
    list: (_k, { task }) => namespaceLinks(task).map(({ name }, number) => ({ name, number })),
    item: {
      mode: () => S.IFLNK | 0o777,
      has: (_k, { task }, number) => namespaceLinks(task)[number] !== undefined,
      link(k, subject, number) {
        const id = linked(k, subject, number);
        if (id === undefined) throw E.ENOENT;
        const { name } = namespaceLinks(subject.task)[number]!;
        const kind = name.replace("_for_children", "");
        return namespaceLabel(k, id).replace(/^[a-z]+/, kind);
      },
      follow(k, subject, number) {
        const id = linked(k, subject, number);
        return id === undefined ? undefined : namespaceLocation(k, id);
      },
    },
  },
  idMap("uid_map", "uidMap"),
  idMap("gid_map", "gidMap"),
  {
    name: "setgroups",
    mode: 0o644,
    read: (k, { task }) => setgroupsText(k, task.namespaces.user),
    write(k, { task }, text) {
      if (!may(k, "CAP_SYS_ADMIN", task.namespaces.user)) throw E.EACCES;
      writeSetgroups(k, task.namespaces.user, text);
    },
  },
  {
    name: "timens_offsets",
    only: "process",
    mode: 0o644,
    read: (k, { task }) => timeOffsetsText(k, task),
    write: (k, { task }, text) => writeTimeOffsets(k, task, text),
  },
  { name: "cgroup", read: (k, { task }) => cgroupText(k, task.cgroup) },
);
