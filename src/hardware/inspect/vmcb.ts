/**
 * A VMCB as people read it.
 * Spec: AMD64 Architecture Programmer's Manual Vol. 2, Appendix B "Layout of VMCB".
 */
import { VirtlabError } from "../../state/error.js";
import type { Machine } from "../machine.js";
import { readField, viewVmcb } from "../svm/vmcb.js";
import { checkRegion, physicalWords } from "./physical-words.js";

/** A VMCB of a machine. */
export interface Vmcb {
  /** Physical. */
  readonly address: number;
  /** Its guest runs. */
  readonly running: boolean;
  /** Values by the names the manual gives the fields, unsigned. */
  readonly fields: Readonly<Record<string, bigint>>;
}

const writing = { writePhysical: (): void => {} };

/** A field of the VMCB, or of the host save area, at a physical address. */
export const vmcbValue = (machine: Machine, address: number, name: string): bigint =>
  readField({ ...physicalWords(machine), ...writing }, address, name);

/**
 * The VMCB of the guest that runs, or the one at a physical address, by the names of its fields.
 *
 * @throws VirtlabError where no guest of AMD-V runs and no address is given, and for an address that is no page of memory.
 */
export function vmcb(machine: Machine, address?: number): Vmcb {
  const { virtualization } = machine.cpu.system;
  const guest = virtualization?.kind === "svm" ? virtualization.guest : undefined;
  const at = address ?? guest?.vmcb;
  if (at === undefined) throw new VirtlabError("vmcb: no guest of AMD-V runs, so the address is needed (rAX at VMRUN)");
  checkRegion(machine, at, "vmcb");
  const fields = viewVmcb({ ...physicalWords(machine), ...writing }, at);
  return Object.freeze({ address: at, running: guest?.vmcb === at, fields });
}
