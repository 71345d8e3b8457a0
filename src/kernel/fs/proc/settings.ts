/** /proc/sys: what of the kernel can be asked, and set. Spec: proc(5), "/proc/sys"; Linux, Documentation/admin-guide/sysctl. */
import { E } from "../../errno.js";
import { nextRandom } from "../../random.js";
import { RELEASE, type UtsNamespace, VERSION_TEXT } from "../../syscalls/system.js";
import { capabilityNames, requireCapability } from "../../tasks/capabilities.js";
import type { Work } from "../../work.js";
import type { GeneratedFile } from "../generated.js";
import { defineProcFiles } from "./entries.js";
import { numberWritten } from "./status.js";

/** What was set, by path. */
interface Settings {
  readonly kind: "settings";
  readonly values: Readonly<Record<string, string>>;
}

const settingsOf = (k: Work): Settings | undefined =>
  k.state.initial.settings === undefined ? undefined : k.objectOf<Settings>(k.state.initial.settings);

/** The value of a setting: what was put there, or what it is at first. */
export const setting = (k: Work, path: string, first: string): string => settingsOf(k)?.values[path] ?? first;

function put(k: Work, path: string, value: string): void {
  const old = settingsOf(k);
  if (old !== undefined) {
    k.changeObject<Settings>(k.state.initial.settings!, { values: { ...old.values, [path]: value } });
    return;
  }
  const settings = k.addObject<Settings>({ kind: "settings", values: { [path]: value } });
  k.set({ initial: { ...k.state.initial, settings } });
}

const fixed = (path: string, value: string | number): GeneratedFile => ({
  path: `sys/${path}`,
  mode: 0o444,
  read: () => `${value}\n`,
});

/** A number that can be set between two bounds, and is only told again. */
const number = (path: string, first: number, least = 0, most = 2 ** 31 - 1): GeneratedFile => ({
  path: `sys/${path}`,
  mode: 0o644,
  read: (k) => `${setting(k, path, `${first}`)}\n`,
  write(k, text) {
    requireCapability(k, "CAP_SYS_ADMIN", k.state.initial.user!);
    const value = numberWritten(text);
    if (value < least || value > most) throw E.EINVAL;
    put(k, path, `${value}`);
  },
});

const text = (path: string, first: string): GeneratedFile => ({
  path: `sys/${path}`,
  mode: 0o644,
  read: (k) => `${setting(k, path, first)}\n`,
  write(k, value) {
    requireCapability(k, "CAP_SYS_ADMIN", k.state.initial.user!);
    put(k, path, value.split("\n")[0]!.slice(0, 127));
  },
});

const MOST_NAME = 64;

/** A name of the UTS namespace of who looks. */
const ofUts = (path: string, field: "nodename" | "domainname"): GeneratedFile => ({
  path: `sys/kernel/${path}`,
  mode: 0o644,
  read: (k) => `${k.objectOf<UtsNamespace>(k.task.namespaces.uts)[field]}\n`,
  write(k, value) {
    k.changeObject<UtsNamespace>(k.task.namespaces.uts, { [field]: value.split("\n")[0]!.slice(0, MOST_NAME) });
  },
});

/** 16 random bytes as a UUID of version 4. */
function uuid(k: Work): string {
  const bytes = nextRandom(k, 16);
  bytes[6] = (bytes[6]! & 15) | 64;
  bytes[8] = (bytes[8]! & 63) | 128;
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [0, 8, 12, 16, 20].map((at, index, all) => digits.slice(at, all[index + 1] ?? 32)).join("-");
}

function bootId(k: Work): string {
  const path = "kernel/random/boot_id";
  if (settingsOf(k)?.values[path] === undefined) put(k, path, uuid(k));
  return setting(k, path, "");
}

const openFiles = (k: Work): number => {
  let count = 0;
  for (const _entry of k.state.files.entries()) count++;
  return count;
};
const MOST_FILES = "9223372036854775807";

defineProcFiles(
  ofUts("hostname", "nodename"),
  ofUts("domainname", "domainname"),
  ...[fixed("kernel/ostype", "Linux"), fixed("kernel/osrelease", RELEASE), fixed("kernel/version", VERSION_TEXT)],
  ...[number("kernel/pid_max", 32_768, 301, 4_194_304), number("kernel/threads-max", 32_768, 1)],
  ...[fixed("kernel/cap_last_cap", capabilityNames.length - 1), fixed("kernel/ngroups_max", 65_536)],
  ...[number("kernel/overflowuid", 65_534, 0, 65_535), number("kernel/overflowgid", 65_534, 0, 65_535)],
  ...[text("kernel/core_pattern", "core"), number("kernel/core_uses_pid", 0), fixed("kernel/tainted", 0)],
  ...[number("kernel/randomize_va_space", 0, 0, 0), number("kernel/panic", 0, -(2 ** 31))],
  ...[number("kernel/dmesg_restrict", 1, 0, 1), number("kernel/kptr_restrict", 0, 0, 2)],
  ...[text("kernel/printk", "4\t4\t1\t7"), number("kernel/unprivileged_userns_clone", 1, 0, 1)],
  { path: "sys/kernel/random/boot_id", mode: 0o444, read: (k) => `${bootId(k)}\n` },
  { path: "sys/kernel/random/uuid", mode: 0o444, read: (k) => `${uuid(k)}\n` },
  ...[fixed("kernel/random/entropy_avail", 256), fixed("kernel/random/poolsize", 256)],
  ...[number("vm/overcommit_memory", 0, 0, 2), number("vm/overcommit_ratio", 50), number("vm/swappiness", 60, 0, 200)],
  ...[number("vm/max_map_count", 65_530), number("vm/mmap_min_addr", 65_536), number("vm/min_free_kbytes", 0)],
  ...[number("vm/panic_on_oom", 0, 0, 2), number("vm/oom_kill_allocating_task", 0)],
  text("fs/file-max", MOST_FILES),
  {
    path: "sys/fs/file-nr",
    mode: 0o444,
    read: (k) => `${openFiles(k)}\t0\t${setting(k, "fs/file-max", MOST_FILES)}\n`,
  },
  ...[
    number("fs/nr_open", 1_048_576, 8),
    number("fs/mount-max", 100_000, 1),
    number("fs/pipe-max-size", 1_048_576, 4096),
  ],
  ...[number("fs/protected_hardlinks", 1, 0, 1), number("fs/protected_symlinks", 1, 0, 1)],
  ...[number("fs/suid_dumpable", 0, 0, 2), number("fs/overflowuid", 65_534, 0, 65_535)],
);
