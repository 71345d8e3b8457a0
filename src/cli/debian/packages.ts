/**
 * Debian packages on the user's machine: found in a folder, fetched into it by apt where the user wants that.
 *
 * Manual: apt-get(8), apt-cache(8), tar(1).
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { withFile } from "../../notebook/file-error.js";
import { VirtlabError } from "../../state/error.js";
import { dataOfPackage } from "../../systems/debian/deb.js";

/** A package that is needed; of several that match the newest is taken. */
export interface NeededPackage {
  /** What every name begins with, for apt to list. */
  readonly prefix: string;
  readonly name: RegExp;
  readonly architecture: "i386" | "amd64";
}

export interface FoundPackage {
  readonly file: string;
  /** Without version and architecture: linux-image-6.1.0-50-686-pae. */
  readonly name: string;
}

/** Numbers within names are compared as numbers: 6.1.0-9 is older than 6.1.0-50. */
const byVersion = new Intl.Collator("en", { numeric: true }).compare;

/** The package in a folder; undefined if it is not there. */
export function findPackage(folder: string, { name, architecture }: NeededPackage): FoundPackage | undefined {
  let files: string[];
  try {
    files = readdirSync(folder);
  } catch {
    return undefined;
  }
  const file = files
    .filter((one) => one.endsWith(`_${architecture}.deb`) && name.test(one.split("_")[0]!))
    .sort(byVersion)
    .at(-1);
  return file === undefined ? undefined : { file: path.join(folder, file), name: file.split("_")[0]! };
}

/**
 * The package in a folder, fetched there by apt if it is not there yet.
 *
 * @throws VirtlabError where apt does not know it or cannot fetch it.
 */
export function fetchPackage(folder: string, needed: NeededPackage): FoundPackage {
  const found = findPackage(folder, needed);
  if (found !== undefined) return found;
  withFile(folder, "cannot be made a folder", () => mkdirSync(folder, { recursive: true }));
  const name = newestKnown(needed);
  const what = `${name}:${needed.architecture}`;
  const { status, stderr } = run("apt-get", ["download", what], folder);
  const fetched = findPackage(folder, needed);
  if (status === 0 && fetched !== undefined) return fetched;
  throw new VirtlabError(`${what}: apt-get could not fetch it: ${lastLine(stderr)}`);
}

function newestKnown({ prefix, name, architecture }: NeededPackage): string {
  const { stdout, error } = run("apt-cache", ["pkgnames", prefix]);
  if (error !== undefined) throw new VirtlabError(`${prefix}: apt is not here; ${getByHand(prefix)}`);
  const known = stdout
    .split("\n")
    .filter((one) => name.test(one))
    .sort(byVersion)
    .findLast((one) => /Candidate: [^(]/.test(run("apt-cache", ["policy", `${one}:${architecture}`]).stdout));
  if (known !== undefined) return known;
  const hint = `as root: dpkg --add-architecture ${architecture} && apt-get update`;
  throw new VirtlabError(`${prefix}: apt knows no such package for ${architecture} (${hint}); ${getByHand(prefix)}`);
}

/** Where a package is found without apt. */
export const getByHand = (name: string): string => `it is on https://packages.debian.org/bookworm/${name}`;

/**
 * A file of a package.
 *
 * @throws VirtlabError if the package is damaged or has no such file.
 */
export function fileOfPackage({ file }: FoundPackage, name: string): Uint8Array {
  const data = dataOfPackage(
    withFile(file, "cannot be read", () => readFileSync(file)),
    file,
  );
  const how = ({ "data.tar.xz": "-J", "data.tar.gz": "-z", "data.tar.zst": "--zstd" } as const)[data.name];
  if (how === undefined) throw new VirtlabError(`${file}: compressed in an unknown way (${data.name})`);
  const { status, stdout, stderr, error } = spawnSync("tar", ["-x", how, "-O", "-f", "-", name], {
    input: data.bytes,
    maxBuffer: 2 ** 30,
  });
  // Once it has the file, tar may not read on to the end of what it is given.
  if (stdout !== null && stdout.length > 0 && (status === 0 || isPipe(error))) return stdout;
  throw new VirtlabError(`${file}: ${name} cannot be unpacked: ${error?.message ?? lastLine(String(stderr))}`);
}

const isPipe = (error: Error | undefined): boolean => (error as NodeJS.ErrnoException | undefined)?.code === "EPIPE";

/** What a compressed file held; `program` is one that unpacks from standard input to standard output with -dc. */
export function unpackWith(program: string, bytes: Uint8Array): Uint8Array {
  const { status, stdout, stderr, error } = spawnSync(program, ["-dc"], { input: bytes, maxBuffer: 2 ** 30 });
  if (status === 0) return stdout;
  throw new VirtlabError(`${program}: cannot unpack: ${error?.message ?? lastLine(String(stderr))}`);
}

function run(program: string, words: readonly string[], cwd?: string) {
  return spawnSync(program, words, { encoding: "utf8", maxBuffer: 2 ** 26, ...(cwd === undefined ? {} : { cwd }) });
}

const lastLine = (text: string): string => text.trim().split("\n").at(-1) ?? "";
