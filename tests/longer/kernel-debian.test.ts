import { describe, expect, it } from "vitest";
import type { Kernel } from "../../src/kernel/kernel.js";
import { debianRoot } from "../support/debian-root.js";
import { kernelWith, ranOn } from "../support/kernel-programs.js";
import { peer } from "../support/peers.js";

/** What Debian's dynamically linked programs say to a line of a shell. */
const lines: readonly (readonly [shell: string, line: string, output: string])[] = [
  ["dash", "echo hello; echo $((6 * 7))", "hello\n42\n"],
  ["bash", "for i in 3 1 2; do echo $i; done | sort", "1\n2\n3\n"],
  ["bash", "seq 1 5 | tac | paste -sd+", "5+4+3+2+1\n"],
  ["bash", 'printf "%s\\n" {a..e} | wc -l', "5\n"],
  ["bash", "type ls; id -u; uname -s", "ls is /bin/ls\n0\nLinux\n"],
  [
    "bash",
    "sha256sum < /bin/ls | cut -c1-64 > /tmp/a; sha256sum /bin/ls | cut -c1-64 | comm -12 - /tmp/a | wc -l",
    "1\n",
  ],
  ["bash", "trap 'echo got' USR1; kill -USR1 $$", "got\n"],
  ["bash", "(sleep 0.1; echo behind) & wait; echo done", "behind\ndone\n"],
  ["bash", "mkdir -p /tmp/x/y; touch /tmp/x/y/z; ls -R /tmp/x; rm -r /tmp/x; ls /tmp", "/tmp/x:\ny\n\n/tmp/x/y:\nz\n"],
  [
    "bash",
    "head -c 100000 /dev/zero | cksum; dd if=/dev/zero bs=1k count=3 status=none | wc -c",
    "1260869142 100000\n3072\n",
  ],
  ["bash", "/sbin/capsh --drop=cap_chown -- -c 'chown 1 /tmp' 2> /dev/null; echo $?", "1\n"],
  ["bash", "cd /tmp; ln -s a b; readlink b; stat -c %F b; nice -n 5 nice", "a\nsymbolic link\n5\n"],
];
describe("Debian's dynamically linked programs", () => {
  let kernel: Kernel | undefined;

  for (const [shell, line, output] of lines)
    it(`${shell}: ${line}`, (context) => {
      kernel ??= kernelWith(debianRoot(peer(context, "dpkg-deb")), "256M");
      const ran = ranOn(kernel, [`/bin/${shell}`, "-c", line]);
      expect([ran.output, ran.errors, ran.status]).toEqual([output, "", 0]);
    });
});
