/** VT-x is entered once by each processor, when the host starts; AMD-V needs no more than the startup code has done. */
import { models } from "../../hardware/cpu/model.js";
import { LAYOUT } from "../../hardware/vmx/fields.js";
import { vmxon } from "../../hardware/vmx/instructions.js";
import { REVISION } from "../../hardware/vmx/vmcs.js";
import type { Host } from "../host.js";
import { placesOf } from "../layout.js";

export function startVirtualization(host: Host): void {
  const { port, state } = host;
  const { features } = models[port.system.model];
  if (state.bits !== 64 || !features.has("VMX")) return;
  const region = placesOf(host.processor, host.several).vmxon;
  port.writePhysical(region + LAYOUT.REVISION, REVISION);
  vmxon(port, region);
}
