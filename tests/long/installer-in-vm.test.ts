/** The guest `installer` in a VM: from one disk onto another, which another VM then starts from; the disk map shows each write. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  bootDisk,
  diskMap,
  diskTransfers,
  guest,
  Hypervisor,
  Machine,
  type ModelName,
  type TechniqueName,
} from "../../src/index.js";
import { packageRoot } from "../support/virtlab.js";
import { NOTHING, visible } from "../support/visible.js";

const expected = (name: string): string => readFileSync(join(packageRoot, "guests", "expected", `${name}.txt`), "utf8");

const SIZE = 2016 * 512;
const kernel = guest("kernel");
const first = bootDisk(guest("installer"), { kernel });
const empty = new Uint8Array(SIZE);

const cases: readonly (readonly [TechniqueName, ModelName])[] = [
  ["vmx-ept", "max"],
  ["svm-npt", "phenom"],
  ["sim", "max"],
];

const endsAs = (bare: Machine, machine: Machine): void => {
  expect(visible(bare, machine)).toEqual(NOTHING);
};

describe.each(cases)("under %s on a %s", (technique, model) => {
  const options = { model, memory: "16M" } as const;
  const host = Hypervisor.create({ model, memory: "64M" });

  it("an OS is installed from one disk onto another, which then starts a VM alone, and is shut down", () => {
    const start = Machine.boot({ ...options, disks: [first, empty] });
    const bare = start.run();
    const installing = host.addVm({ name: "install", guest: start, technique });
    const installed = installing.run({ until: { vm: "install" } });
    const { machine, serial, status } = installed.vm("install");
    expect(serial).toBe(expected("installer"));
    expect(status).toEqual({ kind: "stopped", stop: bare.stop });
    endsAs(bare, machine);
    const disk = machine.disks[1]!.read(0, SIZE);

    const alone = Machine.boot({ ...options, disks: [disk] });
    const booted = installed.remove("install").addVm({ name: "os", guest: alone, technique });
    const done = booted.run({ until: { vm: "os" } }).vm("os");
    expect(done.serial).toBe(expected("kernel-disk"));
    endsAs(alone.run(), done.machine);

    const off = booted.run({ maxInstructions: 40 }).shutDown("os").vm("os");
    expect(off.status).toEqual({ kind: "stopped", stop: { reason: "power-off" } });
    expect(installing.vm("install").machine.disks[1]!.read(0, 512)).toEqual(empty.slice(0, 512));
  });

  it("the disk map shows each write", () => {
    const start = Machine.boot({ ...options, disks: [first, empty] });
    const vm = host.addVm({ name: "a", guest: start, technique });
    const done = vm.run({ until: { vm: "a" }, observe: ["port"] });
    const end = done.vm("a").machine;
    const transfers = diskTransfers(done.eventsOf("a"));
    const map = diskMap(start.disks[1]!, end.disks[1]!, { source: end.disks[0]!, transfers, drive: 1 });
    const count = Math.ceil(kernel.length / 512);
    const from = 2 + Math.ceil(guest("installer").length / 512);
    expect(map.ranges.filter(({ state }) => state !== "never written")).toEqual([
      { first: 0, count: 1, state: "boot sector", order: count + 1 },
      { first: 1, count, state: "kernel", order: 1, from },
    ]);
  });
});
