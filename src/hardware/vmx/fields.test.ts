/** The field table against the rules of Appendix B, and a VMCS in memory. */
import { describe, expect, it } from "vitest";
import { componentAt, fieldNames, fields, HIGHEST_INDEX, LAYOUT, USED_BYTES } from "./fields.js";
import { quadOf, REVISION, readField, readImage, readVmcs, writeField } from "./vmcs.js";
import { AT, fillVmcs, testPort, width } from "./vmx.test-helper.js";

describe("the fields of a VMCS", () => {
  it("have encodings of their own, of the class that their names say", () => {
    expect(new Set(fieldNames.map((name) => fields[name].encoding)).size).toBe(fieldNames.length);
    for (const name of fieldNames) {
      const { encoding, type } = fields[name];
      expect([name, encoding & ~0x6ffe]).toEqual([name, 0]);
      if (name.startsWith("Guest ") && !/^Guest-/.test(name)) expect([name, type]).toEqual([name, "guest"]);
      else if (name.startsWith("Host ")) expect([name, type]).toEqual([name, "host"]);
      else expect([name, type === "host"]).toEqual([name, false]);
      if (/^(Exit|VM-exit inst|VM-exit interr|IDT-v|I\/O R|Guest-|VM-instruction)/.test(name))
        expect([name, type]).toEqual([name, "read-only"]);
    }
  });

  it("have widths as Appendix B groups them", () => {
    const widthOf = (name: (typeof fieldNames)[number]): unknown => fields[name].width;
    expect(fieldNames.filter((name) => / selector$|VPID/.test(name)).every((name) => widthOf(name) === 16)).toBe(true);
    expect(fieldNames.filter((name) => / (limit|rights|count)$/.test(name)).every((name) => widthOf(name) === 32)).toBe(
      true,
    );
    expect(fieldNames.filter((name) => / base$|CR[034]$/.test(name)).every((name) => widthOf(name) === "natural")).toBe(
      true,
    );
    expect(
      fieldNames.filter((name) => /PDPTE|EFER|PAT$|ddress of/.test(name)).every((name) => widthOf(name) === 64),
    ).toBe(true);
  });

  it("lie in the region without touching each other, behind what the manual puts there", () => {
    const used = new Set<number>();
    for (const name of fieldNames) {
      const { offset, width: own } = fields[name];
      for (let byte = offset; byte < offset + (own === 16 || own === 32 ? 4 : 8); byte++) {
        expect([name, used.has(byte)]).toEqual([name, false]);
        used.add(byte);
      }
      expect(offset).toBeGreaterThanOrEqual(LAYOUT.FIELDS);
    }
    expect(USED_BYTES).toBeLessThanOrEqual(LAYOUT.BYTES);
  });

  it("are found by their encodings; a high half is one of 64-bit fields alone", () => {
    for (const name of fieldNames) {
      const { encoding, width: own } = fields[name];
      expect(componentAt(BigInt(encoding))).toEqual({ field: fields[name], high: false });
      expect(componentAt(BigInt(encoding | 1))?.high).toBe(own === 64 ? true : undefined);
      expect(componentAt(BigInt(encoding) | (1n << 32n))).toBeUndefined();
    }
    for (const unknown of [0x0002n, 0x2028n, 0x7ffen, 0x8000n]) expect(componentAt(unknown)).toBeUndefined();
    expect(HIGHEST_INDEX).toBe(0x2e >> 1);
  });

  it("keep as many bits as they have, read alone and out of an image", () => {
    const port = testPort();
    const value = 0xfedc_ba98_7654_3210n;
    for (const name of fieldNames) writeField(port, AT.vmcs, name, value);
    const image = readImage(port, AT.vmcs);
    for (const name of fieldNames) {
      const kept = BigInt.asUintN(width(name), value);
      expect([name, readField(port, AT.vmcs, name)]).toEqual([name, kept]);
      if (width(name) === 64) expect([name, quadOf(image, name)]).toEqual([name, kept]);
    }
  });

  it("are shown as a record, with the launch state", () => {
    const port = testPort();
    fillVmcs(port);
    const record = readVmcs(port, AT.vmcs);
    expect([record.revision, record.launchState, record.abort]).toEqual([REVISION, "clear", 0]);
    expect(record.fields["Guest CS access rights"]).toBe(0xa09bn);
    expect(Object.keys(record.fields)).toEqual([...fieldNames]);
    expect(Object.isFrozen(record.fields)).toBe(true);
  });
});
