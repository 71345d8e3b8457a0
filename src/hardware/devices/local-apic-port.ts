/** What instructions reach of the local APIC of their processor otherwise than through memory: MSRs and CR8. */
import type { LocalApicPort } from "../cpu/processor.js";
import * as ownApic from "./apic-bus.js";
import type { DeviceSet } from "./bus.js";

/** A processor, as far as its local APIC sees it, and the devices of its machine as they are now. */
export interface ApicOwner {
  readonly devices: DeviceSet;
  readonly apicId: number;
  /** The present tick. */
  readonly now: number;
}

/** The local APIC of a processor; `accessed` is told of the devices behind each access. */
export const localApicPort = (processor: ApicOwner, accessed: (devices: DeviceSet) => void): LocalApicPort => ({
  get base() {
    return ownApic.readBase(processor.devices, processor.apicId);
  },
  set base(value) {
    accessed(ownApic.writeBase(processor.devices, processor.apicId, value, processor.now));
  },
  get on() {
    return ownApic.isOn(processor.devices, processor.apicId);
  },
  get taskPriority() {
    return ownApic.readTaskPriority(processor.devices, processor.apicId);
  },
  set taskPriority(value) {
    accessed(ownApic.writeTaskPriority(processor.devices, processor.apicId, value, processor.now));
  },
  get deadline() {
    const due = ownApic.readDeadline(processor.devices, processor.apicId, processor.now);
    return due === Number.POSITIVE_INFINITY ? undefined : BigInt(due);
  },
  set deadline(value) {
    const due = value === undefined ? Number.POSITIVE_INFINITY : Number(value);
    accessed(ownApic.armDeadline(processor.devices, processor.apicId, due, processor.now));
  },
  read: (address) => ownApic.readX2(processor.devices, processor.apicId, address, processor.now),
  write(address, value) {
    const after = ownApic.writeX2(processor.devices, processor.apicId, address, value, processor.now);
    if (after !== undefined) accessed(after);
    return after !== undefined;
  },
});
