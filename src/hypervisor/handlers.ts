/** The places where the processor enters the hypervisor. */
import type { ProcessorPort } from "../hardware/cpu/processor.js";
import { defineSupervisor, type HostAccess, type HostHandler } from "../hardware/supervisors.js";
import { left, proceed } from "./control.js";
import { Host } from "./host.js";
import { GATE_STRIDE } from "./layout.js";
import { startVirtualization } from "./techniques/hardware.js";
import { techniqueOf } from "./techniques/index.js";

const handler =
  (work: (host: Host) => void): HostHandler =>
  (port: ProcessorPort, access: HostAccess) => {
    const host = new Host(port, access);
    work(host);
    host.commit();
  };

export const handlers: Readonly<Record<string, HostHandler>> = Object.freeze({
  /** The startup code is through. */
  start: handler((host) => {
    startVirtualization(host);
    if (host.processor === 0) host.startInterrupts();
    if (host.several) host.startLocalApic();
    proceed(host);
  }),

  /** An interrupt has ended the HLT of the idle loop, and its gate is through. */
  idle: handler(proceed),

  /** VT-x or AMD-V has left a guest. */
  exit: handler((host) => {
    const number = left(host);
    if (number !== undefined) techniqueOf(host.vm(number)).exited(host, number);
    proceed(host);
  }),

  /** A simulated guest goes on for a while. */
  quantum: handler((host) => {
    const number = host.own.current!;
    techniqueOf(host.vm(number)).exited(host, number);
    proceed(host);
  }),

  /** An interrupt or exception came through the host's table, while the host idled or a guest ran in an outer ring. */
  gate: handler((host) => {
    const vector = (host.port.eip - host.state.places.gates) / GATE_STRIDE;
    host.endOfInterrupt(vector);
    const number = left(host);
    if (number === undefined) return;
    techniqueOf(host.vm(number)).trapped?.(host, number, vector);
    proceed(host);
  }),
});

export const KIND = "hypervisor";
export const VERSION = 1;
defineSupervisor(KIND, { version: VERSION, handlers });
