/** Control registers of the models: which bits stay, which loads are #GP, and what a load makes of translations. */
import { describe, expect, it } from "vitest";
import { Machine } from "../machine.js";
import type { ModelName } from "./model.js";
import { CR0, CR4 } from "./state.js";

const CODE = 0x10000;
const word = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
const movEax = (value: number): number[] => [0xb8, ...word(value)];
/** MOV CRn, EAX and MOV EAX, CRn. */
const load = (number: number): number[] => [0x0f, 0x22, 0xc0 | (number << 3)];
const store = (number: number): number[] => [0x0f, 0x20, 0xc0 | (number << 3)];
const loaded = (number: number, value: number): number[] => [...movEax(value), ...load(number)];
/** MOV EAX, [address], with an address of the segment. */
const read = (address: number): number[] => [0xa1, ...word(address)];

/** Runs code at CPL 0 in a flat machine until HLT or until something stops it; memory comes as words by address. */
function run(
  code: readonly number[],
  model: ModelName = "pentium2",
  memory: Readonly<Record<number, readonly number[]>> = {},
): Machine {
  let machine = Machine.create({ memory: "4M", model }).write(CODE, Uint8Array.from([...code, 0xf4]));
  for (const [address, words] of Object.entries(memory))
    machine = machine.write(Number(address), Uint8Array.from(words.flatMap(word)));
  return machine
    .edit((draft) => {
      draft.registers.eip = CODE;
      draft.registers.esp = 0x9000;
    })
    .run({ maxInstructions: 60, observe: ["exception"] });
}

/** Name and error code of the first exception. */
function faultOf({ events: [first] }: Machine): string | undefined {
  if (first?.kind !== "exception") return undefined;
  return first.errorCode === undefined ? first.name : `${first.name}(${first.errorCode})`;
}

const resultOf = (machine: Machine): number => {
  expect(faultOf(machine)).toBeUndefined();
  return machine.registers.eax >>> 0;
};

describe("CR0", () => {
  it("keeps the bits it has; ET stays set and the others stay clear", () => {
    const all = (CR0.PE | CR0.MP | CR0.EM | CR0.TS | CR0.NE | CR0.WP | CR0.AM) >>> 0;
    for (const model of ["486", "pentium", "pentium2"] as const) {
      expect(resultOf(run([...loaded(0, 0x1005ffef), ...store(0)], model))).toBe((all | CR0.ET) >>> 0);
      expect(resultOf(run([...loaded(0, CR0.PE), ...store(0)], model))).toBe(CR0.PE | CR0.ET);
    }
  });

  it("is not loaded with PG and without PE, or with NW and without CD: #GP(0)", () => {
    expect(faultOf(run(loaded(0, CR0.PG | CR0.ET)))).toBe("#GP(0)");
    expect(faultOf(run(loaded(0, CR0.NW | CR0.PE)))).toBe("#GP(0)");
    expect(run(loaded(0, CR0.NW | CR0.PE)).registers.cr0).toBe(CR0.PE | CR0.ET);
    expect(resultOf(run([...loaded(0, CR0.NW | CR0.CD | CR0.PE), ...store(0)]))).toBe(0x60000011);
  });

  it("leaves protected mode with PE, and the segments stay as they were loaded", () => {
    const end = run([...loaded(0, CR0.ET), ...read(0x200000)], "pentium2", { 2097152: [0x600dcafe] });
    expect(resultOf(end)).toBe(0x600dcafe);
    expect(end.registers).toMatchObject({ cr0: CR0.ET, cs: 8, ds: 0x10 });
  });

  it("gives its low half to SMSW, and takes its low four bits from LMSW, which cannot clear PE", () => {
    expect(resultOf(run([0x0f, 0x01, 0xe0]))).toBe(0x11);
    const set = [...movEax(0xfffe), 0x0f, 0x01, 0xf0, ...store(0)];
    expect(resultOf(run(set))).toBe(CR0.PE | CR0.MP | CR0.EM | CR0.TS | CR0.ET);
    expect(resultOf(run([...set, 0x0f, 0x06, ...store(0)]))).toBe(CR0.PE | CR0.MP | CR0.EM | CR0.ET);
    expect(resultOf(run([...set, ...movEax(0), 0x0f, 0x01, 0xf0, ...store(0)]))).toBe(CR0.PE | CR0.ET);
  });
});

describe("CR2 and CR3", () => {
  it("are read back; what CR3 does not have stays clear", () => {
    expect(resultOf(run([...loaded(2, 0x87654321), ...store(2)]))).toBe(0x87654321);
    expect(resultOf(run([...loaded(3, 0xffffffff), ...store(3)], "pentium"))).toBe(0xfffff018);
    expect(resultOf(run([...loaded(3, 0xffffffff), ...store(3)]))).toBe(0xfffffff8);
  });
});

describe("a control register that is not there", () => {
  it("is #UD, and CR4 is not there on a 486", () => {
    for (const number of [1, 5, 6, 7]) {
      expect(faultOf(run(load(number)))).toBe("#UD");
      expect(faultOf(run(store(number)))).toBe("#UD");
    }
    expect(faultOf(run(store(4), "486"))).toBe("#UD");
    expect(faultOf(run(load(4), "486"))).toBe("#UD");
  });
});

describe("CR4", () => {
  it("takes the bits of the model and refuses each other one with #GP(0)", () => {
    const bits = { pentium: CR4.VME | CR4.PVI | CR4.TSD | CR4.DE | CR4.PSE | CR4.MCE, pentium2: 0 };
    bits.pentium2 = bits.pentium | CR4.PAE | CR4.PGE | CR4.PCE | CR4.OSFXSR;
    for (const model of ["pentium", "pentium2"] as const) {
      for (let number = 0; number < 32; number++) {
        const end = run([...loaded(4, 1 << number), ...store(4)], model);
        if ((bits[model] & (1 << number)) === 0) expect([number, faultOf(end)]).toEqual([number, "#GP(0)"]);
        else expect(resultOf(end)).toBe(1 << number);
      }
    }
  });
});

// PAE tables: pointers at 0x100020, a directory at 0x101000 with large pages at 0 and 2 MiB, a table behind it.
const POINTERS = 0x100020;
const pae = {
  1048608: [0x101001, 0, 0, 0, 0, 0, 0x101001, 0],
  1052672: [0x83, 0, 0x200083, 0, 0x102007, 0],
  1056768: [0x200007, 0, 0x200007, 1, 0x200007, 0x10],
  2097152: [0x600dcafe],
};
const paging = (CR0.PG | CR0.PE | CR0.ET) >>> 0;
const paeOn = [...loaded(3, POINTERS), ...loaded(4, CR4.PAE), ...loaded(0, paging)];
/** MOV dword [address], value. */
const write = (address: number, value: number): number[] => [0xc7, 0x05, ...word(address), ...word(value)];

describe("PAE paging", () => {
  it("translates through three tables, and sets the accessed and dirty flags", () => {
    const end = run([...paeOn, ...write(0x400004, 7), ...read(0x400000)], "pentium2", pae);
    expect(resultOf(end)).toBe(0x600dcafe);
    expect([...end.memory.read(0x200004, 1), ...end.memory.read(0x102000, 1), ...end.memory.read(0x101010, 1)]).toEqual(
      [7, 0x67, 0x27],
    );
    expect(end.walk(0x400123)).toMatchObject({ physical: 0x200123, pageBytes: 4096 });
    expect(resultOf(run([...paeOn, ...read(0xc0200000)], "pentium2", pae))).toBe(0x600dcafe);
  });

  it("reads ones where a page is above 4 GiB, and faults where bits are reserved or entries missing", () => {
    expect(resultOf(run([...paeOn, ...read(0x401000)], "pentium2", pae))).toBe(0xffffffff);
    expect(run([...paeOn, ...read(0x401000)], "pentium2", pae).walk(0x401234).physical).toBe(0x1_0020_0234);
    expect(faultOf(run([...paeOn, ...read(0x402000)], "pentium2", pae))).toBe("#PF(9)");
    expect(faultOf(run([...paeOn, ...read(0x403000)], "pentium2", pae))).toBe("#PF(0)");
    expect(faultOf(run([...paeOn, ...write(0x40000000, 1)], "pentium2", pae))).toBe("#PF(2)");
  });

  it("goes by the pointers as MOV to CR3, CR0 or CR4 found them", () => {
    const changed = [...paeOn, ...write(POINTERS + 24, 0)];
    const seen = read(0xc0200000);
    expect(resultOf(run([...changed, ...seen], "pentium2", pae))).toBe(0x600dcafe);
    const reloads = {
      "MOV to CR3": loaded(3, POINTERS),
      "MOV to CR4 that changes PGE": loaded(4, CR4.PAE | CR4.PGE),
      "MOV to CR4 that changes PSE": loaded(4, CR4.PAE | CR4.PSE),
      "MOV to CR0 that changes CD": loaded(0, paging | CR0.CD),
    };
    for (const [name, code] of Object.entries(reloads))
      expect([name, faultOf(run([...changed, ...code, ...seen], "pentium2", pae))]).toEqual([name, "#PF(0)"]);
    const keeps = {
      "MOV to CR0 that changes TS": loaded(0, paging | CR0.TS),
      "MOV to CR4 that changes TSD": loaded(4, CR4.PAE | CR4.TSD),
    };
    for (const [name, code] of Object.entries(keeps))
      expect([name, resultOf(run([...changed, ...code, ...seen], "pentium2", pae))]).toEqual([name, 0x600dcafe]);
  });

  it("is not begun with reserved bits in a present pointer: #GP(0), and nothing has changed", () => {
    for (const pointer of [
      [0x101003, 0],
      [0x101001, 0x10],
      [0x101101, 0],
    ]) {
      const bad = { ...pae, 1048608: [0x101001, 0, ...pointer] };
      const end = run(paeOn, "pentium2", bad);
      expect(faultOf(end)).toBe("#GP(0)");
      expect(end.registers).toMatchObject({ cr0: CR0.PE | CR0.ET, cr3: POINTERS, cr4: CR4.PAE });
      const later = run(
        [
          ...paeOn,
          ...write(POINTERS + 8, pointer[0]!),
          ...write(POINTERS + 12, pointer[1]!),
          ...loaded(3, POINTERS + 8),
        ],
        "pentium2",
        pae,
      );
      expect(later.registers.cr3).toBe(POINTERS);
    }
    // Not present, they may have any bits.
    const missing = { ...pae, 1048608: [0x101001, 0, 0x1e6, 0xffffffff] };
    expect(resultOf(run([...paeOn, ...read(0x200000)], "pentium2", missing))).toBe(0x600dcafe);
  });

  it("ends with PG or PAE, and 32-bit paging reads its own tables", () => {
    expect(resultOf(run([...paeOn, ...loaded(0, CR0.PE), ...read(0x200000)], "pentium2", pae))).toBe(0x600dcafe);
    // A directory of 4-byte entries.
    const toPse = [...loaded(0, CR0.PE), ...loaded(3, 0x104000), ...loaded(4, CR4.PSE), ...loaded(0, paging)];
    const tables = { ...pae, 1064960: [0x83] };
    const end = run([...paeOn, ...toPse, ...read(0x200000)], "pentium2", tables);
    expect(resultOf(end)).toBe(0x600dcafe);
    expect(end.walk(0x200000).pageBytes).toBe(2 ** 22);
    // Straight from one to the other.
    const direct = [...paeOn, ...loaded(4, CR4.PSE), ...loaded(3, 0x104000), ...read(0x200000)];
    expect(resultOf(run(direct, "pentium2", { ...tables, 1048576: [0x83] }))).toBe(0x600dcafe);
  });
});
