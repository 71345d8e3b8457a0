/**
 * What VMX adds to the processor's state. Everything else of a guest is in its VMCS, in memory.
 * Spec: SDM Vol. 3C, "Introduction to VMX Operation", "Virtual Machine Control Structures".
 */

/** VMX operation. */
export interface VmxState {
  readonly kind: "vmx";
  /** The VMXON pointer. */
  readonly region: number;
  /** The current-VMCS pointer; undefined is FFFFFFFF_FFFFFFFFH. */
  readonly current: number | undefined;
  /** VMX non-root operation: what VM entry read of the VMCS and the guest is held to. Undefined is VMX root operation. */
  readonly guest: VmxGuest | undefined;
}

/**
 * The controls of the guest that runs, as VM entry read them: software must not change a VMCS while it is in use, and a
 * processor may keep it inside. Addresses are physical; bit masks unsigned.
 */
export interface VmxGuest {
  readonly pin: number;
  readonly primary: number;
  /** 0 unless the primary controls activate them. */
  readonly secondary: number;
  readonly exceptionBitmap: number;
  readonly pageFaultMask: number;
  readonly pageFaultMatch: number;
  readonly ioBitmapA: number;
  readonly ioBitmapB: number;
  readonly msrBitmap: number;
  readonly cr0Mask: number;
  readonly cr0Shadow: number;
  readonly cr4Mask: number;
  readonly cr4Shadow: number;
  readonly cr3Targets: readonly bigint[];
  readonly timestampOffset: bigint;
  readonly virtualApic: number;
  readonly tprThreshold: number;
  /** The EPT pointer; undefined without EPT. */
  readonly eptp: bigint | undefined;
  readonly vpid: number;
  /** The tick at which the preemption timer has counted down; undefined unless it is active. */
  readonly preemption: number | undefined;
  /** Monitor trap flag: an instruction has been executed since VM entry. */
  readonly trapPending: boolean;
  readonly functions: bigint;
  readonly eptpList: number;
}
