/** How AMD-V is announced and switched on: CPUID, EFER.SVME, VM_CR and VM_HSAVE_PA. */
import { describe, expect, it } from "vitest";
import { identify } from "../cpu/cpuid.js";
import { modelNames } from "../cpu/model.js";
import { readMsr, writeMsr } from "../cpu/msr.js";
import { Fault, Unsupported } from "../cpu/processor.js";
import { EFER } from "../cpu/state.js";
import { type TestPort, testPort } from "./port.test-helper.js";

const [EFER_MSR, VM_CR, VM_HSAVE_PA] = [0xc000_0080, 0xc001_0114, 0xc001_0117] as const;
const [LOCK, SVMDIS] = [8n, 16n] as const;

function refused(port: TestPort, address: number, value: bigint): string | undefined {
  try {
    writeMsr(port, address, value);
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown.rule;
    throw thrown;
  }
  return undefined;
}

describe("AMD-V", () => {
  it("is announced by `phenom` alone, with nested paging and next addresses", () => {
    const announced = modelNames.filter((name) => (identify(name, 0x8000_0001)[2] & 4) !== 0);
    expect(announced).toEqual(["phenom"]);
    expect(identify("phenom", 0x8000_000a)).toEqual([1, 64, 0, 0b1001]);
    expect(identify("max", 0x8000_000a)).not.toEqual([1, 64, 0, 0b1001]);
  });

  it("is switched on by EFER.SVME, unless VM_CR.SVMDIS forbids it", () => {
    const port = testPort({ efer: 0 });
    expect(refused(port, EFER_MSR, BigInt(EFER.SVME))).toBeUndefined();
    expect(refused(port, VM_CR, SVMDIS)).toBe("svm-in-use");
    expect(refused(port, EFER_MSR, 0n)).toBeUndefined();
    expect(refused(port, VM_CR, SVMDIS)).toBeUndefined();
    expect(refused(port, EFER_MSR, BigInt(EFER.SVME))).toBe("svm-disabled");
    expect(refused(testPort({ model: "max", efer: 0 }), EFER_MSR, BigInt(EFER.SVME))).toBe("msr-reserved");
  });

  it("keeps VM_CR as it was locked, without a word", () => {
    const port = testPort({ efer: 0 });
    writeMsr(port, VM_CR, LOCK | SVMDIS);
    expect(refused(port, VM_CR, 0n)).toBeUndefined();
    expect(readMsr(port, VM_CR)).toBe(LOCK | SVMDIS);
  });

  it("refuses what VM_CR has not, and stops visibly at what this library has not", () => {
    expect(refused(testPort(), VM_CR, 0x20n)).toBe("msr-reserved");
    expect(() => writeMsr(testPort(), VM_CR, 2n)).toThrow(Unsupported);
  });

  it("takes a page of physical memory for the host's state", () => {
    const port = testPort();
    expect(refused(port, VM_HSAVE_PA, 0xffff_ffff_f000n)).toBeUndefined();
    expect(readMsr(port, VM_HSAVE_PA)).toBe(0xffff_ffff_f000n);
    expect(refused(port, VM_HSAVE_PA, 0x1800n)).toBe("msr-reserved");
    expect(refused(port, VM_HSAVE_PA, 1n << 48n)).toBe("msr-reserved");
  });
});
