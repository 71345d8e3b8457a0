/** A root of Debian's own packages, as dpkg-deb unpacks them. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { packageFolder } from "../../src/cli/debian/debian-system.js";
import { fetchPackage } from "../../src/cli/debian/packages.js";

/** Programs, and all they are linked with. */
const PACKAGES = [
  ...["bash", "dash", "coreutils", "libcap2-bin", "libc6", "libtinfo6", "libselinux1", "libpcre2-8-0", "libacl1"],
  ...["libattr1", "libgmp10", "libssl3", "libcap2"],
];

/** The root as the bytes of a tar; `dpkg` is the path of dpkg-deb. */
export function debianRoot(dpkg: string): Uint8Array {
  const folder = mkdtempSync(path.join(tmpdir(), "virtlab-root-"));
  try {
    for (const name of PACKAGES) {
      const { file } = fetchPackage(packageFolder(), {
        prefix: name,
        name: new RegExp(`^${name}$`),
        architecture: "amd64",
      });
      execFileSync(dpkg, ["-x", file, folder]);
    }
    for (const name of ["dev", "proc", "tmp"]) mkdirSync(path.join(folder, name), { recursive: true });
    return execFileSync("tar", ["-C", folder, "-cf", "-", "."], { maxBuffer: 2 ** 30 });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
