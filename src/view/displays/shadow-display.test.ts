import { describe, expect, it } from "vitest";
import { assemble, Hypervisor, Machine, shadowTables, type TechniqueName } from "../../index.js";
import { DISPLAY, type Displayable } from "../display.js";

/** A directory with one table, of which three pages are touched: read, written, and read where it is a large page. */
const source = `
        org 0x100000
        mov dword [0x200000], 0x201003
        mov dword [0x200004], 0x000083
        mov dword [0x201000 + 4 * 0x100], 0x100003
        mov dword [0x201000 + 4 * 0x180], 0x180003
        mov dword [0x201000 + 4 * 0x181], 0x181003
        mov eax, cr4
        or eax, 0x10
        mov cr4, eax
        mov eax, 0x200000
        mov cr3, eax
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        mov eax, [0x180000]
        mov [0x181000], eax
        mov eax, [0x400000]
        cli
        hlt`;

function ended(technique: TechniqueName, bits: 32 | 64): Hypervisor {
  const guest = Machine.boot({ image: assemble(source, { bits: 32 }).bytes, model: "nehalem", memory: "4M" });
  return Hypervisor.create({ model: "nehalem", bits, memory: "16M" })
    .addVm({ name: "a", guest, technique })
    .run({ until: { vm: "a" } });
}

describe.each([
  ["vmx-shadow", 64],
  ["trap", 32],
] as const)("shadow tables under %s", (technique, bits) => {
  const host = ended(technique, bits);
  const { tables, traced, counts } = shadowTables(host, "a");

  it("have each entry beside the guest's, which has the flags of what was done", () => {
    expect(tables.map(({ level, kind, guestAddress }) => [level, kind, guestAddress])).toEqual([
      [2, "table", 0x200000],
      [1, "split", 0x200004],
      [1, "table", 0x201000],
    ]);
    const entry = (page: number) => tables[2]!.entries.find(({ index }) => index === page)!;
    expect([entry(0x180).guest, entry(0x181).guest]).toEqual([0x180023n, 0x181063n]);
    const [read, written] = [entry(0x180).shadow, entry(0x181).shadow];
    // Not writable before the guest's entry is dirty.
    expect([read & 2n, written & 2n]).toEqual([0n, 2n]);
    expect(written - read).toBe(0x1000n + 2n);
    expect(tables[1]!.entries.map(({ index, guest }) => [index, guest])).toEqual([[0, undefined]]);
  });

  it("tell what is traced and how many faults there were", () => {
    expect(traced).toEqual([0x200000, 0x201000]);
    expect(counts.faults).toBe(host.vm("a").shadow.faults);
    expect([counts.reflected, counts.traced]).toEqual([0, 0]);
  });

  it("are shown table by table, what is not built as such", async () => {
    const bundle = await (shadowTables(host, "a") as unknown as Displayable)[DISPLAY]();
    const text = String(bundle["text/plain"]);
    expect(text).toMatch(/\npage directory of the guest's, guest-physical 00200000, shadow at host-physical \w{8}\n/);
    expect(text).toMatch(/\n +384 {2}00180023 writable, accessed {2}→ {2}\w{8} accessed, dirty\n/);
    expect(text).toMatch(/\npage table in place of a large page, guest-physical 00200004, /);
    expect(String(bundle["text/html"])).toContain("00181063");
  });
});

it("there are none where a technique keeps none, or the VM has not run", () => {
  expect(() => shadowTables(ended("vmx-ept", 64), "a")).toThrow(
    "a: there are no shadow tables: VT-x with EPT keeps none",
  );
  const guest = Machine.boot({ image: Uint8Array.of(0xf4), model: "nehalem", memory: "4M" });
  const host = Hypervisor.create({ memory: "16M" }).addVm({ name: "a", guest, technique: "vmx-shadow" });
  expect(() => shadowTables(host, "a")).toThrow("a: there are no shadow tables: it has not run yet");
  expect(() => shadowTables(host, "b")).toThrow('there is no VM "b"');
});
