/** Classes of instructions on other processors and in other modes than the Pentium II of 2000. */
import { describe, expect, it } from "vitest";
import { type SensitivityReport, sensitivity } from "../../src/hypervisor/sensitivity/report.js";
import {
  notOnTheList,
  robinIrvine,
  umipMnemonics,
  violations,
} from "../../src/hypervisor/sensitivity/robin-irvine.test-helper.js";

const classOf = (report: SensitivityReport, mnemonic: string) =>
  report.mnemonics.find((one) => one.mnemonic === mnemonic)?.class;

describe("other processors and modes", () => {
  it("UMIP takes SGDT, SIDT, SLDT, SMSW and STR off the list, and nothing else", () => {
    const [off, on] = [false, true].map((umip) => sensitivity({ model: "max", umip }));
    expect(violations(off!)).toEqual([...robinIrvine, ...notOnTheList, "RDPID", "RDTSCP"].sort());
    expect(violations(on!)).toEqual(violations(off!).filter((name) => !umipMnemonics.includes(name)));
    for (const name of umipMnemonics) expect(classOf(on!, name)).toBe("privileged");
    expect(on!.theorem1.holds).toBe(false);
  });

  it("64-bit code lacks INTO, LDS and LES, and has SYSCALL and the bases of FS and GS", () => {
    const long = violations(sensitivity({ model: "max", bits: 64 }));
    const added = ["RDPID", "RDTSCP", "SYSCALL", "WRFSBASE", "WRGSBASE"];
    const gone = ["INTO", "LDS", "LES"];
    const expected = [...robinIrvine, ...notOnTheList, ...added].filter((name) => !gone.includes(name));
    expect(long).toEqual(expected.sort());
  });

  it("with IOPL 3 a guest's CLI, STI, IN and OUT are no longer privileged", () => {
    const [strict, trusting] = ([0, 3] as const).map((iopl) => violations(sensitivity({ iopl })));
    expect(trusting!.filter((name) => !strict!.includes(name))).toEqual(["CLI", "IN", "INS", "OUT", "OUTS", "STI"]);
  });
});
