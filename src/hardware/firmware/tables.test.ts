import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { peer } from "../../../tests/support/peers.js";
import { MEMORY } from "../devices/layout.js";
import { Machine } from "../machine.js";
import * as aml from "./aml.js";
import { firmwareTables } from "./tables.js";

const PROCESSORS = 2;
const placed = firmwareTables({ machine: "pc", processors: PROCESSORS }, "max");
const ascii = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
const withSignature = (signature: string): { readonly address: number; readonly bytes: Uint8Array } =>
  placed.find(({ bytes }) => ascii(bytes.subarray(0, signature.length)) === signature)!;
const sum = (bytes: Uint8Array): number => bytes.reduce((total, byte) => total + byte, 0) & 0xff;
const long = (bytes: Uint8Array, at: number): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);

describe("the tables firmware leaves", () => {
  it("lie in firmware's place, without overlap, in the machine's memory; an isapc has none", () => {
    const { base, length } = MEMORY.firmware;
    const memory = Machine.create({ machine: "pc", processors: PROCESSORS }).memory;
    let end = base;
    for (const { address, bytes } of [...placed].sort((a, b) => a.address - b.address)) {
      expect(address).toBeGreaterThanOrEqual(end);
      end = address + bytes.length;
      expect(memory.read(address, bytes.length)).toEqual(bytes);
    }
    expect(end).toBeLessThanOrEqual(base + length);
    expect(firmwareTables({}, "pentium2")).toEqual([]);
  });

  it("have the checksums of ACPI and of the MultiProcessor Specification", () => {
    const root = withSignature("RSD PTR ");
    expect([root.address % 16, sum(root.bytes.subarray(0, 20)), sum(root.bytes)]).toEqual([0, 0, 0]);
    for (const name of ["DSDT", "FACP", "APIC", "RSDT", "XSDT", "_MP_", "PCMP"])
      expect(sum(withSignature(name).bytes), name).toBe(0);
  });

  it("lead from the root to every table", () => {
    const root = withSignature("RSD PTR ").bytes;
    const rsdt = withSignature("RSDT");
    const xsdt = withSignature("XSDT");
    expect([long(root, 16), long(root, 24)]).toEqual([rsdt.address, xsdt.address]);
    const tables = ["FACP", "APIC"].map((name) => withSignature(name).address);
    expect(tables).toEqual([long(rsdt.bytes, 36), long(rsdt.bytes, 40)]);
    expect(tables).toEqual([long(xsdt.bytes, 36), long(xsdt.bytes, 44)]);
    const fadt = withSignature("FACP").bytes;
    const facs = withSignature("FACS");
    expect([long(fadt, 36), long(fadt, 40)]).toEqual([facs.address, withSignature("DSDT").address]);
    expect(facs.address % 64).toBe(0);
  });

  it("name every processor and the I/O APIC", () => {
    const madt = withSignature("APIC").bytes;
    const kinds: number[] = [];
    for (let at = 44; at < madt.length; at += madt[at + 1]!) kinds.push(madt[at]!);
    expect(kinds.filter((kind) => kind === 0).length).toBe(PROCESSORS);
    expect(kinds.filter((kind) => kind === 1).length).toBe(1);
    const mp = withSignature("PCMP").bytes;
    const count = new DataView(mp.buffer).getUint16(34, true);
    let entries = 0;
    const processors: number[] = [];
    for (let at = 44; at < mp.length; entries++) {
      if (mp[at] === 0) processors.push(mp[at + 1]!);
      at += mp[at] === 0 ? 20 : 8;
    }
    expect([entries, processors]).toEqual([count, [0, 1]]);
  });
});

describe("AML", () => {
  it("has integers, names, packages and lengths as the specification encodes them", () => {
    expect(aml.integer(0x1234)).toEqual([0x0b, 0x34, 0x12]);
    expect(aml.eisaId("PNP0A03")).toEqual([0x0c, 0x41, 0xd0, 0x0a, 0x03]);
    expect(aml.named("_UID", aml.integer(1))).toEqual([0x08, 0x5f, 0x55, 0x49, 0x44, 0x01]);
    expect(aml.packageOf(aml.integer(0), aml.integer(5))).toEqual([0x12, 0x05, 0x02, 0x00, 0x0a, 0x05]);
    expect(aml.buffer(new Array<number>(100).fill(7)).slice(0, 5)).toEqual([0x11, 0x48, 0x06, 0x0a, 100]);
    expect(() => aml.named("a", [])).toThrow(RangeError);
  });

  it("is read and compiled again by ACPICA to a table of the same objects", (context) => {
    const iasl = peer(context, "iasl");
    const folder = mkdtempSync(path.join(tmpdir(), "virtlab-acpi-"));
    try {
      for (const name of ["DSDT", "FACP", "APIC"]) {
        writeFileSync(path.join(folder, `${name}.dat`), withSignature(name).bytes);
        const read = spawnSync(iasl, ["-d", `${name}.dat`], { cwd: folder, encoding: "utf8" });
        expect([read.status, /error|warning|invalid/i.exec(read.stderr)?.[0]], read.stderr).toEqual([0, undefined]);
      }
      const compiled = spawnSync(iasl, ["-oa", "-p", "again", "DSDT.dsl"], { cwd: folder, encoding: "utf8" });
      expect(compiled.stdout).toContain("0 Errors, 0 Warnings, 0 Remarks");
      const source = readFileSync(path.join(folder, "DSDT.dsl"), "latin1");
      for (const object of ["PCI0", "_PRT", "KBD_", "COM1", "_S5"]) expect(source).toContain(object.replace(/_$/, ""));
      // Tables are the same but for the header, where the compiler puts its own name.
      const again = new Uint8Array(readFileSync(path.join(folder, "again.aml")));
      expect(again.subarray(36)).toEqual(withSignature("DSDT").bytes.subarray(36));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
