// Displays and diagrams of guests: walks in two dimensions, the states of a VMCS, and what entries and exits move.
import { describe, expect, it } from "vitest";
import { AT, hostOf } from "../../hardware/inspect/virtual-machine.test-helper.js";
import { entryChecks, exitReasons, explainExit, findVmTransition, vmcb, vmcs, whyEntryFails } from "../inspections.js";
import { installDisplays } from "../install.js";
import { show } from "../show.js";
import { nestedWalkDiagram } from "./nested-walk.js";
import { vmcsStatesDiagram } from "./vmcs-states.js";

installDisplays();
const GUEST = "mov ecx, 5\ncpuid\nhlt";

describe.each(["vmx", "svm"] as const)("a guest of %s", (technology) => {
  const host = hostOf(technology, GUEST);
  const { after: guest, transition: entry } = findVmTransition(host)!;

  it("has walks of 24 references, which end where its memory is in the host's", () => {
    const walk = guest.walk(0x9123);
    expect(walk).toMatchObject({ paging: true, mode: "4-level", physical: AT.memory + 0x9123, pageBytes: 4096 });
    expect(walk.entries.map(({ address }) => address)).toEqual([0x1000, 0x2000, 0x3000, 0x4000 + 9 * 8]);
    expect(walk.nested?.count).toBe(24);
    expect(host.walk(0x9123).nested).toBeUndefined();
    expect(guest.readLinear(AT.guest, 5)).toEqual(host.memory.read(AT.memory + AT.guest, 5));
  });

  it("has walks that are drawn as a grid of numbered references, and shown as a list", () => {
    const walk = guest.walk(0x9123);
    const { text, svg } = nestedWalkDiagram(walk.nested!, { from: guest });
    expect(text).toContain(
      "guest's table entry 0x00004048: 16 PML4, 17 PDPT, 18 directory, 19 table, then 20, the guest's table",
    );
    expect(text).toContain("the address itself 0x00009123: 21 PML4, 22 PDPT, 23 directory, 24 table");
    for (let number = 1; number <= 24; number++) expect(svg).toContain(`>${number}</text>`);
    const lines = show(walk).text.split("\n");
    expect(lines).toHaveLength(26);
    expect(lines[0]).toMatch(/in two dimensions: 24 references to memory$/);
    expect(lines.at(-1)).toContain("host-physical 0x00409123");
  });

  it("has walks that nested tables refuse, with a cross at the last entry", () => {
    const without = guest.write(AT.nested + 0x3000 + 8 * 9, new Uint8Array(8));
    const walk = without.walk(0x9123);
    expect([walk.physical, walk.fault, walk.nested?.exit?.guestPhysical]).toEqual([undefined, undefined, 0x9123]);
    expect(nestedWalkDiagram(walk.nested!).text).toMatch(/guest-physical 0x00009123 is refused by the nested tables/);
    expect(show(walk).text).toMatch(/24 .*not present/);
    expect(() => without.readLinear(0x9123, 1)).toThrow(
      "nested paging maps nothing at guest-physical 0x9123, which linear 0x9123 leads to",
    );
  });

  it("is entered and left by what is shown field by field", () => {
    const { transition: exit } = findVmTransition(guest)!;
    expect(show(entry).text).toMatch(/VM entry at step [\s\S]*loaded +guest +(Guest )?RIP +rip/);
    expect(show(exit).text).toMatch(/VM exit at step [\d,]+; VMC[SB] at 0x00041000; (VMEXIT_)?CPUID/);
    expect(show(exit.exit!).text).toContain("CPUID");
  });

  it("has reasons to be left and checks to be entered, as tables", () => {
    expect(show(exitReasons(technology)).text.split("\n").length).toBeGreaterThan(40);
    expect(show(entryChecks(technology)).text.split("\n").length).toBeGreaterThan(15);
    expect(show(whyEntryFails(host, AT.control)).text).toContain("passes every check");
    expect(
      show(explainExit({ technology, reason: 1, qualification: 0n, info1: 0n, info2: 0n } as never)).text,
    ).toContain("1 ");
  });

  it("has a block of control that is shown by names", () => {
    const text = technology === "vmx" ? show(vmcs(guest)).text : show(vmcb(guest)).text;
    expect(text).toMatch(technology === "vmx" ? /Guest CR3 +0x6802 +guest +0x1000/ : /N_CR3 +0x0b0 +control +0x50000/);
  });
});

describe("the states of a VMCS", () => {
  it("are drawn with the one it is in", () => {
    const guest = hostOf("vmx", GUEST).step();
    const { text, svg } = vmcsStatesDiagram(vmcs(guest), { from: guest });
    expect(text).toContain("the VMCS at 0x00041000 is active, current, launched, its guest runs");
    expect(text).toContain("active, current, clear: VMLAUNCH → active, current, launched");
    expect(svg.match(/stroke-width="3"/g)).toHaveLength(1);
    expect(vmcsStatesDiagram().svg).not.toContain('stroke-width="3"');
    expect(vmcsStatesDiagram(vmcs(guest, 0x9_0000)).text).toContain("inactive, or active, not current, clear");
  });
});
