/** Each way of each instruction of AMD-V. */
import { describe, expect, it } from "vitest";
import { Unsupported } from "../cpu/processor.js";
import { ACCESS, CR0, EFER, FLAG, flatProtectedMode, type Segment, type SystemState } from "../cpu/state.js";
import { clgi, invlpga, skinit, stgi, vmload, vmmcall, vmrun, vmsave } from "./instructions.js";
import { gif } from "./interrupts.js";
import { setIntercept, type TestPort, testPort, thrownBy, VMCB, writeGuest } from "./port.test-helper.js";
import { readField, writeField } from "./vmcb.js";

const { segments } = flatProtectedMode.system;
const ring3: Partial<SystemState> = { segments: { ...segments, cs: { ...segments.cs, selector: 0x1b } } };
const hostOnly: readonly (readonly [name: string, execute: (port: TestPort) => void])[] = [
  ["VMRUN", (port) => vmrun(port, VMCB)],
  ["VMLOAD", (port) => vmload(port, VMCB)],
  ["VMSAVE", (port) => vmsave(port, VMCB)],
  ["STGI", stgi],
  ["CLGI", clgi],
  ["INVLPGA", (port) => invlpga(port, 0x1234)],
  ["SKINIT", skinit],
];

/** A port whose guest runs with these intercepts. */
function inGuest(...intercepts: readonly string[]): TestPort {
  const port = testPort();
  writeGuest(port);
  for (const name of intercepts) setIntercept(port, name);
  vmrun(port, VMCB);
  return port;
}

describe.each(hostOnly)("%s", (name, execute) => {
  it("is #UD while EFER.SVME is clear, before privilege is looked at", () => {
    expect(thrownBy(() => execute(testPort({ efer: 0 })))).toBe("#UD");
    expect(thrownBy(() => execute(testPort({ efer: 0, ...ring3 })))).toBe("#UD");
  });

  it("is #UD in real and in virtual-8086 mode", () => {
    expect(thrownBy(() => execute(testPort({ cr0: CR0.ET })))).toBe("#UD");
    expect(thrownBy(() => execute(testPort({}, FLAG.RESERVED | FLAG.VM)))).toBe("#UD");
  });

  it("is #GP(0) above ring 0", () => {
    expect(thrownBy(() => execute(testPort(ring3)))).toBe("#GP(0)");
  });

  it("leaves a guest whose host intercepts it, behind these checks", () => {
    const port = inGuest(name);
    expect(thrownBy(() => execute(port))).toMatchObject({ kind: "instruction", name });
    port.setSystem({ efer: 0 });
    expect(thrownBy(() => execute(port))).toBe("#UD");
    port.setSystem({ efer: EFER.SVME, ...ring3 });
    expect(thrownBy(() => execute(port))).toBe("#GP(0)");
  });
});

describe.each([
  ["VMRUN", vmrun],
  ["VMLOAD", vmload],
  ["VMSAVE", vmsave],
] as const)("the address %s takes", (name, execute) => {
  it.each([VMCB + 1, VMCB + 0x800, 2 ** 48, 2 ** 48 + VMCB, 2 ** 63, -0x1000])("is #GP(0) as %i", (address) => {
    expect(thrownBy(() => execute(testPort(), address))).toBe("#GP(0)");
    expect(thrownBy(() => execute(inGuest(name), address))).toBe("#GP(0)");
  });

  it("is the last page of physical memory at the most", () => {
    const port = inGuest(name);
    expect(thrownBy(() => execute(port, 2 ** 48 - 0x1000))).toMatchObject({ name });
  });
});

describe("VMMCALL", () => {
  it("is #UD where no guest runs, and where its host does not intercept it", () => {
    expect(thrownBy(() => vmmcall(testPort()))).toBe("#UD");
    expect(thrownBy(() => vmmcall(inGuest()))).toBe("#UD");
  });

  it("leaves the guest at any privilege where its host intercepts it", () => {
    const port = inGuest("VMMCALL");
    expect(thrownBy(() => vmmcall(port))).toMatchObject({ name: "VMMCALL" });
    port.setSystem(ring3);
    expect(thrownBy(() => vmmcall(port))).toMatchObject({ name: "VMMCALL" });
  });
});

describe("SKINIT", () => {
  it("is nothing this library has", () => {
    expect(() => skinit(testPort())).toThrow(Unsupported);
  });
});

describe("the global interrupt flag", () => {
  it("is set on a processor that does nothing of AMD-V, and leaves no state", () => {
    const port = testPort();
    expect([gif(port.system), port.system.virtualization]).toEqual([true, undefined]);
    clgi(port);
    expect(gif(port.system)).toBe(false);
    stgi(port);
    expect([gif(port.system), port.system.virtualization]).toEqual([true, undefined]);
  });
});

const fsBase = { selector: 0x33, base: -0x7000_0000_1000, limit: 0xffff, access: 0x4093 };

describe("VMSAVE and VMLOAD", () => {
  const full: Partial<SystemState> = {
    segments: { ...segments, fs: fsBase, gs: { ...fsBase, base: 0x1234 } },
    ldtr: { selector: 0x40, base: 0x9000, limit: 0x17, access: 0x82 },
    tr: { selector: 0x48, base: 0xa000, limit: 0x67, access: 0x8b },
    msrs: {
      IA32_STAR: 0x1234_5678_9abc_def0n,
      IA32_LSTAR: 0xffff_ffff_8100_0000n,
      IA32_CSTAR: 0x1000n,
      IA32_FMASK: 0x47700n,
      IA32_KERNEL_GS_BASE: 0xffff_8880_0000_0000n,
      IA32_SYSENTER_CS: 0x10n,
      IA32_SYSENTER_ESP: 0x2000n,
      IA32_SYSENTER_EIP: 0x3000n,
    },
  };

  it("move what VMRUN leaves alone, there and back", () => {
    const port = testPort(full);
    vmsave(port, VMCB);
    expect(readField(port, VMCB, "KernelGsBase")).toBe(0xffff_8880_0000_0000n);
    expect(readField(port, VMCB, "FS.base")).toBe(0xffff_8fff_ffff_f000n);
    const other = testPort();
    for (const [at, value] of port.memory) other.writePhysical(at, value);
    vmload(other, VMCB);
    const { segments: loaded, ldtr, tr, msrs } = other.system;
    expect([loaded.fs, loaded.gs, ldtr, tr]).toEqual([full.segments!.fs, full.segments!.gs, full.ldtr, full.tr]);
    expect(msrs).toMatchObject(full.msrs!);
  });

  it("extend bases by bit 47, and take a segment without P for a null one", () => {
    const port = testPort();
    writeField(port, VMCB, "FS.base", 0x0000_8000_0000_0000n);
    writeField(port, VMCB, "FS.attrib", 0x13);
    writeField(port, VMCB, "KernelGsBase", 0x1234_8000_0000_0000n);
    vmload(port, VMCB);
    expect(port.system.segments.fs).toMatchObject({ base: -(2 ** 47), access: 0 });
    expect(port.system.msrs["IA32_KERNEL_GS_BASE"]).toBe(0xffff_8000_0000_0000n);
  });

  it("take a TSS for present and busy", () => {
    const port = testPort();
    writeField(port, VMCB, "TR.attrib", 0x09);
    vmload(port, VMCB);
    const tr: Segment = port.system.tr;
    expect(tr.access).toBe(ACCESS.PRESENT | 11);
  });
});
