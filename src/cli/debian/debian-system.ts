/** A Debian kernel with our initramfs, unpacked from packages into files that any emulator can be given. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { withFile } from "../../notebook/file-error.js";
import { VirtlabError } from "../../state/error.js";
import { cacheFolder } from "../../systems/built-state.js";
import { debianInitramfs } from "../../systems/debian/initramfs.js";
import { kernelPayload } from "../../systems/debian/kernel-payload.js";
import { writeFile } from "../files.js";

import {
  type FoundPackage,
  fetchPackage,
  fileOfPackage,
  findPackage,
  getByHand,
  type NeededPackage,
  unpackWith,
} from "./packages.js";

interface Flavour {
  readonly kernel: NeededPackage;
  readonly busybox: NeededPackage;
}

const busybox = { prefix: "busybox-static", name: /^busybox-static$/ } as const;

/** Kernels of Debian 12. */
export const flavours = {
  "686-pae": {
    kernel: { prefix: "linux-image-6.1.0-", name: /^linux-image-6\.1\.0-\d+-686-pae$/, architecture: "i386" },
    busybox: { ...busybox, architecture: "i386" },
  },
  "cloud-amd64": {
    kernel: { prefix: "linux-image-6.1.0-", name: /^linux-image-6\.1\.0-\d+-cloud-amd64$/, architecture: "amd64" },
    busybox: { ...busybox, architecture: "amd64" },
  },
} as const satisfies Readonly<Record<string, Flavour>>;
export type DebianFlavour = keyof typeof flavours;

/** Files of one kernel. */
export interface DebianSystem {
  /** Such as 6.1.0-50-686-pae. */
  readonly version: string;
  /** The kernel as the package has it. */
  readonly bzImage: string;
  /** The kernel within. */
  readonly vmlinux: string;
  readonly initrd: string;
}

export interface DebianOptions {
  /** Where the packages are; the command's cache unless given. */
  readonly packages?: string | undefined;
  /** Packages that are missing are fetched by apt. */
  readonly download?: boolean | undefined;
}

/** Where packages are kept unless said otherwise. */
export const packageFolder = (): string => path.join(cacheFolder(), "packages");

/** The two packages of a kernel. @throws VirtlabError saying how to get what is missing. */
export function debianPackages(
  flavour: DebianFlavour,
  { packages = packageFolder(), download = false }: DebianOptions = {},
): { readonly kernel: FoundPackage; readonly busybox: FoundPackage } {
  const get = (needed: NeededPackage): FoundPackage => {
    if (download) return fetchPackage(packages, needed);
    const found = findPackage(packages, needed);
    if (found !== undefined) return found;
    const name = needed.prefix.endsWith("-") ? `${needed.prefix}N-${flavour}` : needed.prefix;
    const what = `${name} (${needed.architecture}) of Debian 12 is not in ${packages}`;
    throw new VirtlabError(
      `${what}: "virtlab state fetch" gets it by apt, or ${getByHand(name.replace("6.1.0-N-", ""))}`,
    );
  };
  return { kernel: get(flavours[flavour].kernel), busybox: get(flavours[flavour].busybox) };
}

/**
 * The files of a kernel, made from the packages unless they are there already.
 *
 * @throws VirtlabError for packages that are missing or damaged.
 */
export function debianSystem(flavour: DebianFlavour, options: DebianOptions = {}): DebianSystem {
  const { kernel, busybox: shell } = debianPackages(flavour, options);
  const version = kernel.name.replace("linux-image-", "");
  const digest = createHash("sha256");
  for (const { file } of [kernel, shell]) digest.update(withFile(file, "cannot be read", () => readFileSync(file)));
  const folder = path.join(cacheFolder(), "debian", `${version}-${digest.digest("hex").slice(0, 16)}`);
  const files = {
    version,
    bzImage: path.join(folder, "vmlinuz"),
    vmlinux: path.join(folder, "vmlinux"),
    initrd: path.join(folder, "initrd"),
  };
  withFile(folder, "cannot be made a folder", () => mkdirSync(folder, { recursive: true }));
  if (!existsSync(files.bzImage)) writeFile(files.bzImage, fileOfPackage(kernel, `./boot/vmlinuz-${version}`));
  if (!existsSync(files.vmlinux))
    writeFile(files.vmlinux, kernelPayload(readFileSync(files.bzImage), files.bzImage, unpackWith));
  const busyboxFile = path.join(folder, "busybox");
  if (!existsSync(busyboxFile)) writeFile(busyboxFile, fileOfPackage(shell, "./bin/busybox"));
  // The script in it is part of the program and may have changed.
  const initrd = debianInitramfs(readFileSync(busyboxFile));
  if (!existsSync(files.initrd) || !readFileSync(files.initrd).equals(initrd)) writeFile(files.initrd, initrd);
  return files;
}
