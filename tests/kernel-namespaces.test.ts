import { describe, expect, it } from "vitest";
import { busyboxRoot, kernelWith, ranOn } from "./support/kernel-programs.js";

const kernel = kernelWith(busyboxRoot("amd64"));
const printed = (script: string): string => {
  const { output, errors } = ranOn(kernel, ["sh", "-c", `mount -t proc proc /proc; ${script}`]);
  return output + errors;
};

describe("namespaces", () => {
  it("have the numbers of Linux at the start", () => {
    expect(printed("for n in cgroup ipc pid time user uts; do readlink /proc/self/ns/$n; done")).toBe(
      "cgroup:[4026531835]\nipc:[4026531839]\npid:[4026531836]\ntime:[4026531834]\nuser:[4026531837]\nuts:[4026531838]\n",
    );
  });

  it("of mounts keep what is mounted in them from others", () => {
    expect(printed("unshare -m sh -c 'mount -t tmpfs t /tmp; touch /tmp/x; ls /tmp'; ls /tmp; echo end")).toBe(
      "x\nend\n",
    );
  });

  it("of processes begin with number 1, and end with it", () => {
    expect(printed("unshare -p -f sh -c 'sleep 100 & echo $$ $!'; pidof sleep || echo none")).toBe("1 2\nnone\n");
  });

  it("of users make root of anybody, but not outside", () => {
    expect(printed("unshare -U -r sh -c 'id -u; cat /proc/self/uid_map; mount -t tmpfs t /tmp 2>&1 | wc -l'")).toBe(
      "0\n         0          0          1\n1\n",
    );
  });

  it("stay as long as a file of theirs is open", () => {
    const output = printed(
      "exec 9</proc/self/ns/uts; unshare -u sh -c 'readlink /proc/self/ns/uts; exec nsenter --uts=/proc/self/fd/9 readlink /proc/self/ns/uts'",
    );
    const [own, entered] = output.trim().split("\n");
    expect(own).not.toBe(entered);
    expect(entered).toBe("uts:[4026531838]");
  });
});
