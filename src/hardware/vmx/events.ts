/**
 * Events as VM entries and exits tell them: the interruption-information format.
 * Spec: SDM Vol. 3C, "VM-Entry Controls for Event Injection", "Information for VM Exits Due to Vectored Events", "Information
 * for VM Exits That Occur During Event Delivery".
 */
import type { DeliveredEvent } from "../cpu/guest-operation.js";

export const INTERRUPTION = {
  VALID: 0x8000_0000 | 0,
  ERROR_CODE: 1 << 11,
  /** Of VM exits: NMIs were let in by an IRET that the event interrupted. */
  NMI_UNBLOCKING: 1 << 12,
  TYPE_SHIFT: 8,
  TYPE: {
    EXTERNAL: 0,
    NMI: 2,
    HARDWARE_EXCEPTION: 3,
    SOFTWARE_INTERRUPT: 4,
    PRIVILEGED_EXCEPTION: 5,
    SOFTWARE_EXCEPTION: 6,
    /** Vector 0: a pending MTF VM exit. */
    OTHER: 7,
  },
} as const;

const { EXTERNAL, NMI, HARDWARE_EXCEPTION, SOFTWARE_INTERRUPT, PRIVILEGED_EXCEPTION, SOFTWARE_EXCEPTION } =
  INTERRUPTION.TYPE;

const numbers: Readonly<Record<DeliveredEvent["type"], number>> = {
  interrupt: EXTERNAL,
  nmi: NMI,
  exception: HARDWARE_EXCEPTION,
  software: SOFTWARE_INTERRUPT,
  privileged: PRIVILEGED_EXCEPTION,
  "software exception": SOFTWARE_EXCEPTION,
};
const typesByNumber = new Map(
  Object.entries(numbers).map(([type, number]) => [number, type as DeliveredEvent["type"]]),
);

/** An event in interruption-information format, unsigned. */
export const informationOf = ({ vector, type, errorCode }: DeliveredEvent): number =>
  (INTERRUPTION.VALID |
    (numbers[type] << INTERRUPTION.TYPE_SHIFT) |
    (errorCode === undefined ? 0 : INTERRUPTION.ERROR_CODE) |
    vector) >>>
  0;

/** The event that VM entry is to inject; "mtf" is a pending MTF VM exit. Undefined: none. */
export function eventOf(information: number, errorCode: number, length: number): DeliveredEvent | "mtf" | undefined {
  if ((information & INTERRUPTION.VALID) === 0) return undefined;
  const type = typesByNumber.get((information >>> INTERRUPTION.TYPE_SHIFT) & 7);
  if (type === undefined) return "mtf";
  const software = type === "software" || type === "privileged" || type === "software exception";
  return Object.freeze({
    vector: information & 0xff,
    type,
    ...((information & INTERRUPTION.ERROR_CODE) === 0 ? {} : { errorCode }),
    ...(software ? { length } : {}),
  });
}
