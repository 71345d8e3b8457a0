/**
 * What AMD's secure virtual machine adds to the processor's state. Everything else of a guest is in its VMCB, in memory.
 * Spec: AMD64 Architecture Programmer's Manual Vol. 2, "Secure Virtual Machine".
 */

export interface SvmState {
  readonly kind: "svm";
  /** The global interrupt flag. */
  readonly gif: boolean;
  /** What VMRUN read of the VMCB and the guest is held to; undefined while the host runs. */
  readonly guest: SvmGuest | undefined;
}

/** The controls of the guest that runs, as VMRUN read them. Addresses are physical; bit masks unsigned. */
export interface SvmGuest {
  /** Of the VMCB. */
  readonly vmcb: number;
  /** Intercept vectors in the order of the VMCB's control area, six words from offset 0. */
  readonly intercepts: readonly number[];
  readonly ioPermissions: number;
  readonly msrPermissions: number;
  readonly timestampOffset: bigint;
  readonly asid: number;
  /** Virtual interrupts: the task priority, and the one that waits. */
  readonly virtualTaskPriority: number;
  readonly virtualInterrupt:
    | { readonly vector: number; readonly priority: number; readonly ignoresPriority: boolean }
    | undefined;
  /** V_INTR_MASKING: what the host's IF was, which physical interrupts are held back by; undefined without it. */
  readonly hostInterrupts: boolean | undefined;
  /** Root of the nested page tables, and the PAT and paging controls of the host that they are read by; undefined without nested paging. */
  readonly nested:
    | { readonly cr3: number; readonly cr0: number; readonly cr4: number; readonly efer: number }
    | undefined;
}
