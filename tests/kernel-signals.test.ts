import { describe, expect, it } from "vitest";
import { busyboxRoot, kernelWith, ranOn } from "./support/kernel-programs.js";

describe.each(["amd64", "i386"] as const)("Debian's shell for %s", (architecture) => {
  const kernel = kernelWith(busyboxRoot(architecture));

  it("counts lines of a loop through a pipe, and ends with the status it is told", () => {
    expect(ranOn(kernel, ["sh", "-c", "for i in 1 2 3; do echo $i; done | wc -l; exit 7"])).toMatchObject({
      output: "3\n",
      status: 7 << 8,
    });
  });

  it("runs its trap, and hears of jobs that signals have ended", () => {
    const line =
      "trap 'echo got' USR1; kill -USR1 $$; sleep 9 & kill $!; wait $!; echo $?; sh -c 'kill -SEGV $$'; echo $?";
    expect(ranOn(kernel, ["sh", "-c", line]).output).toBe("got\n143\n139\n");
  });
});
