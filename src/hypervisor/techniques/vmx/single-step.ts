/**
 * One instruction of a guest, and the processor comes back: by the monitor trap flag, or where there is none by TF, which is then
 * not the guest's own.
 * Spec: SDM Vol. 3C, "Monitor Trap Flag"; Vol. 3B, "Single-Step Exception Condition".
 */
import { DR6 } from "../../../hardware/cpu/debug.js";
import { VECTOR } from "../../../hardware/cpu/processor.js";
import { FLAG } from "../../../hardware/cpu/state.js";
import { PRIMARY } from "../../../hardware/vmx/controls.js";
import type { Host } from "../../host.js";
import { inject } from "./exits.js";
import { settings } from "./setup.js";
import { ownOf } from "./state-access.js";
import { readWord, write } from "./vmcs.js";

const CONTROLS = "Primary processor-based VM-execution controls";
const MONITOR_TRAP = PRIMARY["monitor trap flag"];

const hasMonitorTrap = (host: Host): boolean => (settings(host, "primary", MONITOR_TRAP) & MONITOR_TRAP) !== 0;

function monitorTrap({ port }: Host, on: boolean): void {
  const before = readWord(port, CONTROLS);
  const wanted = (on ? before | MONITOR_TRAP : before & ~MONITOR_TRAP) >>> 0;
  if (wanted !== before) write(port, CONTROLS, wanted);
}

/** The next entry is for one instruction. */
export function stepOne(host: Host, number: number): void {
  const { port } = host;
  if (hasMonitorTrap(host)) {
    monitorTrap(host, true);
    return;
  }
  const flags = readWord(port, "Guest RFLAGS");
  host.change(number, { own: { ...ownOf(host, number), trapFlag: flags & FLAG.TF } });
  write(port, "Guest RFLAGS", (flags | FLAG.TF) >>> 0);
  write(port, "Exception bitmap", (readWord(port, "Exception bitmap") | (1 << VECTOR.DB)) >>> 0);
  // Where TF is set and events are blocked, its trap has to wait already; what blocks them here is nothing that the guest could notice.
  write(port, "Guest interruptibility state", 0);
}

/** The guest was left: its TF is its own again. */
export function endStep(host: Host, number: number): void {
  const { port } = host;
  const { trapFlag, ...own } = ownOf(host, number);
  if (trapFlag === undefined) {
    if (hasMonitorTrap(host)) monitorTrap(host, false);
    return;
  }
  host.change(number, { own });
  write(port, "Guest RFLAGS", ((readWord(port, "Guest RFLAGS") & ~FLAG.TF) | trapFlag) >>> 0);
  write(port, "Exception bitmap", (readWord(port, "Exception bitmap") & ~(1 << VECTOR.DB)) >>> 0);
}

/** The single-step trap was the guest's, too. */
export function trapOfGuest(host: Host, number: number): void {
  const { debug } = host.port.system;
  const [dr0, dr1, dr2, dr3, dr6, dr7] = debug;
  host.port.setSystem({ debug: Object.freeze([dr0, dr1, dr2, dr3, dr6 | DR6.BS, dr7] as const) });
  inject(host, number, VECTOR.DB, undefined);
}
