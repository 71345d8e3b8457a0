import { describe, expect, it } from "vitest";
import { Machine } from "../../hardware/machine.js";
import { Hypervisor } from "../../hypervisor/hypervisor.js";
import { figureOfSchedule } from "./schedule-figure.js";

describe("the figure of a schedule", () => {
  it("has a lane for each VM, ticks and VMs at its axes, and the host's hash in its stamp", () => {
    const guest = Machine.boot({ image: Uint8Array.of(0x40, 0xeb, 0xfd), memory: "2M" });
    const host = Hypervisor.create({ memory: "16M", slice: 100_000 })
      .addVm({ name: "a", guest, technique: "sim" })
      .addVm({ name: "b <i>", guest, technique: "sim", cap: 10 })
      .run({ maxInstructions: 500, observe: ["schedule"] });
    const figure = figureOfSchedule(host);
    expect(figure.provenance.states).toEqual([host.hash]);
    expect(figure.layout["xaxis"]).toMatchObject({ title: { text: "host time (ticks)" } });
    expect(figure.layout["yaxis"]).toMatchObject({ title: { text: "VM" }, categoryarray: ["a", "b &lt;i&gt;"] });
    expect(figure.text).toContain("processor 0");
  });
});
