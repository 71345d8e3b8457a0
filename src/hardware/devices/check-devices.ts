/** Whether devices that come from outside are those of some machine. */
import { VirtlabError } from "../../state/error.js";
import { firstMisfit } from "../machine-content.js";
import { createDevices, type DeviceSet } from "./bus.js";

/** @throws VirtlabError for an unknown machine, a port that cannot be, and a device that is missing or of the wrong shape. */
export function checkDevices(devices: DeviceSet): void {
  const { config: _config, ...model } = createDevices(devices.config);
  const misfit = firstMisfit(model, devices, "devices");
  if (misfit !== undefined) throw new VirtlabError(`${misfit} is missing or of the wrong type`);
}
