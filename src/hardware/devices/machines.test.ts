import { describe, expect, it } from "vitest";
import { Machine } from "../machine.js";
import { createDevices, portRead } from "./bus.js";
import { IRQ, MEMORY, PORT, type Region } from "./layout.js";
import { devicesOf, MACHINES, type MachineName } from "./machines.js";
import { INTERRUPT_LINES, PORT_MAP } from "./port-map.js";

const names = Object.keys(MACHINES) as MachineName[];

describe("kinds of machines", () => {
  it.each(names)("%s has the devices its row names, and no other", (machine) => {
    const devices = createDevices({ machine });
    const present = Object.entries(devices).filter(([name, state]) => name !== "config" && state !== undefined);
    expect(new Set(present.map(([name]) => name))).toEqual(devicesOf({ machine }));
  });

  it("is an isapc unless something else is asked for", () => {
    expect(Machine.create().kind).toBe("isapc");
    expect(Machine.create({ machine: "isapc" }).hash).toBe(Machine.create().hash);
    expect(Machine.create({ machine: "pc" }).kind).toBe("pc");
    expect(Machine.create({ machine: "pc" }).hash).not.toBe(Machine.create().hash);
  });

  it("is said in a save", () => {
    const machine = Machine.create({ machine: "pc", memory: "1M" });
    expect(Machine.load(machine.save()).kind).toBe("pc");
  });

  it("refuses a name that is no machine's", () => {
    expect(() => Machine.create({ machine: "toString" as MachineName })).toThrow(
      'machine "toString" is unknown (known: isapc, pc, microvm)',
    );
  });

  it("answers at the ports of its devices only", () => {
    for (const machine of names) {
      const devices = createDevices({ machine });
      const present = devicesOf({ machine });
      for (const { base, device } of PORT_MAP.filter(({ device }) => !present.has(device)))
        expect(portRead(devices, base, 1, 0), `${machine}: ${device}`).toEqual({ devices, value: 0xff });
    }
  });
});

describe("the layout", () => {
  it("has a reason for every place", () => {
    for (const { reason } of [...Object.values<Region>(MEMORY), ...Object.values<Region>(PORT)])
      expect(reason).not.toBe("");
    expect(INTERRUPT_LINES.every(({ line }) => Object.values<number>(IRQ).includes(line))).toBe(true);
  });

  it("has ports that do not overlap, but for reset control inside of PCI's address", () => {
    const regions = Object.values<Region>(PORT);
    const overlaps = regions.flatMap((a, index) =>
      regions.slice(index + 1).filter((b) => a.base < b.base + b.length && b.base < a.base + a.length),
    );
    expect(overlaps).toEqual([PORT.resetControl]);
  });
});
