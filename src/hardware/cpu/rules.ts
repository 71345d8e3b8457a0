/**
 * The checks that end in an exception, by name: what was checked, in one sentence, and where the manual says so. Every
 * `Fault` names the one that failed, so that "why?" has an answer that is not a guess.
 */

export interface Rule {
  /** The check that failed, as a sentence: "CPL is above IOPL". */
  readonly check: string;
  /** Section of the manual, by its title. */
  readonly spec: string;
}

export const rules = {
  "cpl-not-0": {
    check: "The instruction is privileged and CPL is not 0.",
    spec: 'SDM Vol. 3A, "Privileged Instructions"',
  },
  // AMD-V.
  "svm-off": {
    check: "An instruction of AMD-V is used while EFER.SVME is clear.",
    spec: 'AMD64 Vol. 2, "Enabling SVM"',
  },
  "vmcb-address": {
    check: "rAX is no physical address of a virtual machine control block: not on 4 KiB, or beyond those of the model.",
    spec: 'AMD64 Vol. 3, "VMRUN—Run Virtual Machine"',
  },
  "vmmcall-not-intercepted": {
    check: "VMMCALL is used where no hypervisor intercepts it.",
    spec: 'AMD64 Vol. 3, "VMMCALL—Call VMM"',
  },
  "svm-disabled": {
    check: "EFER.SVME would be set while VM_CR.SVMDIS is set.",
    spec: 'AMD64 Vol. 2, "VM_CR MSR (C001_0114h)"',
  },
  "svm-in-use": {
    check: "VM_CR.SVMDIS would be set while EFER.SVME is set.",
    spec: 'AMD64 Vol. 2, "VM_CR MSR (C001_0114h)"',
  },
  // Control, debug and model-specific registers, paging, SYSENTER.
  "no-control-register": {
    check: "The model has no control register of that number.",
    spec: 'SDM Vol. 2B, "MOV—Move to/from Control Registers"',
  },
  "cr0-pg-without-pe": {
    check: "CR0.PG would be set while CR0.PE is clear.",
    spec: 'SDM Vol. 3A, "Control Registers"',
  },
  "cr0-nw-without-cd": {
    check: "CR0.NW would be set while CR0.CD is clear.",
    spec: 'SDM Vol. 3A, "Control Registers"',
  },
  "cr4-reserved": {
    check: "A bit of CR4 would be set that the model does not have.",
    spec: 'SDM Vol. 3A, "Control Registers"',
  },
  "high-bits-reserved": {
    check: "A bit above 31 would be set in CR0, CR4, DR6 or DR7.",
    spec: 'SDM Vol. 2B, "MOV—Move to/from Control Registers", "MOV—Move to/from Debug Registers"',
  },
  "cr3-reserved": {
    check: "A bit of CR3 would be set beyond the physical addresses of the model.",
    spec: 'SDM Vol. 3A, "Control Registers"',
  },
  "cr4-pae-in-long-mode": {
    check: "CR4.PAE would be cleared in IA-32e mode.",
    spec: 'SDM Vol. 3A, "Control Registers"',
  },
  "cr8-reserved": {
    check: "A bit of CR8 above 3 would be set.",
    spec: 'SDM Vol. 3A, "Control Registers"',
  },
  "paging-off-in-64-bit-code": {
    check: "CR0.PG would be cleared by 64-bit code.",
    spec: 'SDM Vol. 3A, "Initializing IA-32e Mode"',
  },
  "long-mode-without-pae": {
    check: "CR0.PG would be set with IA32_EFER.LME set and CR4.PAE clear.",
    spec: 'SDM Vol. 3A, "Initializing IA-32e Mode"',
  },
  "long-mode-from-long-code": {
    check: "CR0.PG would be set with IA32_EFER.LME set by code with the L flag.",
    spec: 'SDM Vol. 3A, "Initializing IA-32e Mode"',
  },
  "long-mode-with-16-bit-task": {
    check: "CR0.PG would be set with IA32_EFER.LME set while TR holds a 16-bit TSS.",
    spec: 'SDM Vol. 3A, "Initializing IA-32e Mode"',
  },
  umip: {
    check: "CR4.UMIP is set and CPL is not 0.",
    spec: 'SDM Vol. 3A, "Control Registers"',
  },
  "system-calls-off": {
    check: "IA32_EFER.SCE is clear.",
    spec: 'SDM Vol. 2B, "SYSCALL—Fast System Call"',
  },
  "only-in-64-bit-code": {
    check: "The instruction is recognized in 64-bit mode only.",
    spec: 'SDM Vol. 2B, "SYSCALL—Fast System Call"',
  },
  "not-in-long-mode": {
    check: "Parts of AMD do not recognize the instruction in long mode.",
    spec: "AMD64 Architecture Programmer's Manual Vol. 3, SYSENTER",
  },
  "fsgsbase-off": {
    check: "CR4.FSGSBASE is clear.",
    spec: 'SDM Vol. 2B, "RDFSBASE/RDGSBASE—Read FS/GS Segment Base"',
  },
  "only-at-cpl-0": {
    check: "The instruction is recognized at CPL 0 only.",
    spec: 'SDM Vol. 2A, "CLAC—Clear AC Flag in EFLAGS Register"',
  },
  "pdpte-reserved": {
    check: "A present page-directory-pointer-table entry has a reserved bit set.",
    spec: 'SDM Vol. 3A, "PDPTE Registers"',
  },
  "no-debug-register": {
    check: "DR4 and DR5 are no registers while CR4.DE is set.",
    spec: 'SDM Vol. 3B, "Debug Registers DR4 and DR5"',
  },
  "debug-registers-guarded": {
    check: "A debug register is accessed while DR7.GD is set.",
    spec: 'SDM Vol. 3B, "Debug Control Register (DR7)"',
  },
  "msr-unknown": {
    check: "ECX is the address of no model-specific register of the model.",
    spec: 'SDM Vol. 2B, "RDMSR—Read From Model Specific Register"',
  },
  "msr-read-only": {
    check: "The model-specific register cannot be written.",
    spec: 'SDM Vol. 2B, "WRMSR—Write to Model Specific Register"',
  },
  "msr-reserved": {
    check: "A reserved bit of the model-specific register would be set.",
    spec: 'SDM Vol. 2B, "WRMSR—Write to Model Specific Register"',
  },
  "msr-write-only": {
    check: "The model-specific register cannot be read.",
    spec: 'SDM Vol. 2B, "RDMSR—Read From Model Specific Register"',
  },
  "msr-memory-type": {
    check: "A byte of the model-specific register would be no memory type.",
    spec: 'SDM Vol. 3A, "Memory Type Range Registers"',
  },
  "feature-control-locked": {
    check: "IA32_FEATURE_CONTROL is locked, or was not locked with VMX switched on.",
    spec: 'SDM Vol. 3C, "Enabling and Entering VMX Operation"',
  },
  "vmx-fixed-bits": {
    check: "A bit of CR0 or CR4 has a value that VMX operation does not support.",
    spec: 'SDM Vol. 3C, "Restrictions on VMX Operation"',
  },
  "vmx-off": {
    check: "CR4.VMXE is clear.",
    spec: 'SDM Vol. 3C, "Enabling and Entering VMX Operation"',
  },
  "not-in-vmx-operation": {
    check: "The processor is not in VMX operation.",
    spec: 'SDM Vol. 3C, "VMX Instruction Reference"',
  },
  "not-a-guest": {
    check: "The instruction is recognized in VMX non-root operation only, and where its control enables it.",
    spec: 'SDM Vol. 3C, "VMFUNC—Invoke VM function"',
  },
  "no-vm-function": {
    check: "EAX is 64 or above, which no VM function has.",
    spec: 'SDM Vol. 3C, "General Operation of the VMFUNC Instruction"',
  },
  "in-compatibility-mode": {
    check: "The instruction is not recognized in compatibility mode.",
    spec: 'SDM Vol. 3C, "VMX Instruction Reference"',
  },
  "no-nested-paging": {
    check: "The model has no EPT, or no VPIDs.",
    spec: 'SDM Vol. 3C, "INVEPT—Invalidate Translations Derived from EPT"',
  },
  "disabled-for-guest": {
    check: "A control of the guest that enables the instruction is 0.",
    spec: 'SDM Vol. 3C, "Changes to Instruction Behavior in VMX Non-Root Operation"',
  },
  "apic-mode": {
    check: "The local APIC does not go from its present mode to that one.",
    spec: 'SDM Vol. 3A, "x2APIC State Transitions"',
  },
  "efer-lme-with-paging": {
    check: "IA32_EFER.LME would change while CR0.PG is set.",
    spec: 'SDM Vol. 3A, "Initializing IA-32e Mode"',
  },
  "rdtsc-forbidden": {
    check: "CR4.TSD is set and CPL is not 0.",
    spec: 'SDM Vol. 2B, "RDTSC—Read Time-Stamp Counter"',
  },
  "rdpmc-forbidden": {
    check: "CR4.PCE is clear and CPL is not 0.",
    spec: 'SDM Vol. 2B, "RDPMC—Read Performance-Monitoring Counters"',
  },
  "no-performance-counter": {
    check: "ECX is the number of no performance-monitoring counter of the model.",
    spec: 'SDM Vol. 2B, "RDPMC—Read Performance-Monitoring Counters"',
  },
  "fast-call-in-real-mode": {
    check: "CR0.PE is clear.",
    spec: 'SDM Vol. 2B, "SYSENTER—Fast System Call"',
  },
  "fast-call-without-selector": {
    check: "IA32_SYSENTER_CS is null.",
    spec: 'SDM Vol. 2B, "SYSENTER—Fast System Call"',
  },
  // x87, MMX and SSE.
  "x87-wait-task-switched": {
    check: "CR0.MP and CR0.TS are set.",
    spec: 'SDM Vol. 2D, "WAIT/FWAIT—Wait"',
  },
  "x87-emulated": {
    check: "CR0.EM is set: x87 instructions are for software to emulate.",
    spec: 'SDM Vol. 3A, "Control Registers"',
  },
  "task-switched": {
    check: "CR0.TS is set: the registers of x87, MMX and SSE may be another task's.",
    spec: 'SDM Vol. 3A, "Control Registers"',
  },
  "x87-error-pending": {
    check: "An earlier x87 instruction met an exception that is not masked.",
    spec: 'SDM Vol. 3A, "Interrupt 16—x87 FPU Floating-Point Error (#MF)"',
  },
  "vector-emulated": {
    check: "CR0.EM is set, and MMX and SSE cannot be emulated.",
    spec: 'SDM Vol. 3A, "Control Registers"',
  },
  "no-osfxsr": {
    check: "CR4.OSFXSR is clear: the operating system does not save XMM registers.",
    spec: 'SDM Vol. 3A, "Control Registers"',
  },
  "no-osxmmexcpt": {
    check: "An SSE exception is not masked, and CR4.OSXMMEXCPT is clear: the operating system does not know of #XM.",
    spec: 'SDM Vol. 3A, "Control Registers"',
  },
  "simd-exception": {
    check: "The operation met a floating-point exception that MXCSR does not mask.",
    spec: 'SDM Vol. 1, "SIMD Floating-Point Exceptions (#XM)"',
  },
  "mxcsr-reserved": {
    check: "A reserved bit of MXCSR would be set.",
    spec: 'SDM Vol. 1, "MXCSR Control and Status Register"',
  },
  "operand-not-aligned": {
    check: "The operand in memory does not begin at a multiple of 16.",
    spec: 'SDM Vol. 1, "Memory Alignment Requirements"',
  },
  "page-not-present": {
    check: "An entry on the way to the page is not present.",
    spec: 'SDM Vol. 3A, "Page-Fault Exceptions"',
  },
  "page-rights": {
    check: "The rights of the page do not allow the access.",
    spec: 'SDM Vol. 3A, "Access Rights"',
  },
  "page-execute-disable": {
    check: "Code is fetched from a page that is marked with XD.",
    spec: 'SDM Vol. 3A, "Access Rights"',
  },
  "page-user-code": {
    check: "CR4.SMEP is set, and the supervisor fetches code from a page for the user.",
    spec: 'SDM Vol. 3A, "Access Rights"',
  },
  "page-user-data": {
    check:
      "CR4.SMAP is set, and the supervisor accesses data on a page for the user while EFLAGS.AC is clear, or by itself.",
    spec: 'SDM Vol. 3A, "Access Rights"',
  },
  "page-reserved-bits": {
    check: "A present entry on the way to the page has a reserved bit set.",
    spec: 'SDM Vol. 3A, "Page-Fault Exceptions"',
  },

  // Accesses to memory.
  "address-not-canonical": {
    check: "The address is not canonical: bits 48 to 63 must repeat bit 47.",
    spec: 'SDM Vol. 1, "Canonical Addressing"',
  },
  "segment-null": {
    check: "The segment register of the access holds a null selector.",
    spec: 'SDM Vol. 3A, "Null Segment Selector Checking"',
  },
  "segment-not-writable": {
    check: "The access writes to a segment that may not be written.",
    spec: 'SDM Vol. 3A, "Type Checking"',
  },
  "offset-beyond-limit": {
    check: "The access lies outside of the segment's limit.",
    spec: 'SDM Vol. 3A, "Limit Checking"',
  },
  "data-not-aligned-to-16": {
    check: "The address of 16 bytes must be a multiple of 16.",
    spec: 'SDM Vol. 2A, "CMPXCHG8B/CMPXCHG16B—Compare and Exchange Bytes"',
  },
  "no-cmpxchg16b": {
    check: "The model has no CMPXCHG16B.",
    spec: 'SDM Vol. 2A, "CMPXCHG8B/CMPXCHG16B—Compare and Exchange Bytes"',
  },
  "data-not-aligned": {
    check: "CR0.AM and EFLAGS.AC ask for aligned data at CPL 3, and the address is no multiple of the operand's size.",
    spec: 'SDM Vol. 3A, "Interrupt 17—Alignment Check Exception (#AC)"',
  },

  // Protection, gates, tasks and ports.
  "upper-half-type": {
    check: "The type field in the second half of a 16-byte descriptor must be 0.",
    spec: 'SDM Vol. 3A, "64-Bit Call-Gate Descriptor"',
  },
  "code-long-and-big": {
    check: "In IA-32e mode a code segment cannot have both its L and its D flag set.",
    spec: 'SDM Vol. 3A, "Code Segment Descriptor in 64-bit Mode"',
  },
  "gate-not-to-64-bit-code": {
    check: "In IA-32e mode a gate leads to 64-bit code: L set and D clear.",
    spec: 'SDM Vol. 3A, "64-Bit Mode IDT"',
  },
  "target-not-canonical": {
    check: "The instruction pointer is not canonical: bits 48 to 63 must repeat bit 47.",
    spec: 'SDM Vol. 1, "Instruction Pointer in 64-Bit Mode"',
  },
  "no-tasks-in-long-mode": {
    check: "There are no task switches in IA-32e mode.",
    spec: 'SDM Vol. 3A, "Task Management in 64-bit Mode"',
  },
  "selector-outside-table": {
    check: "The selector lies beyond the limit of its descriptor table, or the LDT is null.",
    spec: 'SDM Vol. 3A, "Segment Descriptor Tables"',
  },
  "not-in-gdt": {
    check: "The selector of an LDT or a TSS must be one of the GDT.",
    spec: 'SDM Vol. 3A, "System Segment Descriptors"',
  },
  "segment-not-present": {
    check: "The P flag of the segment descriptor is clear.",
    spec: 'SDM Vol. 3A, "Segment Descriptors"',
  },
  "segment-not-readable": {
    check: "A data segment register takes data or readable code.",
    spec: 'SDM Vol. 3A, "Type Checking"',
  },
  "data-too-privileged": {
    check: "CPL or the RPL is above the DPL of the data segment.",
    spec: 'SDM Vol. 3A, "Privilege Level Checking When Accessing Data Segments"',
  },
  "no-such-segment-register": {
    check: "The segment register does not exist, or is CS, which MOV does not load.",
    spec: 'SDM Vol. 3A, "Type Checking"',
  },
  "stack-selector-null": {
    check: "A stack selector must not be null.",
    spec: 'SDM Vol. 3A, "Privilege Level Checking When Loading the SS Register"',
  },
  "stack-rpl": {
    check: "The RPL of a stack selector must be the privilege it is to serve.",
    spec: 'SDM Vol. 3A, "Privilege Level Checking When Loading the SS Register"',
  },
  "stack-dpl": {
    check: "The DPL of a stack segment must be the privilege it is to serve.",
    spec: 'SDM Vol. 3A, "Privilege Level Checking When Loading the SS Register"',
  },
  "stack-not-writable": {
    check: "A stack segment must be writable data.",
    spec: 'SDM Vol. 3A, "Type Checking"',
  },
  "stack-not-present": {
    check: "The P flag of the stack segment descriptor is clear.",
    spec: 'SDM Vol. 3A, "Interrupt 12—Stack Fault Exception (#SS)"',
  },
  "no-room-on-stack": {
    check: "What is to be pushed does not fit into the stack segment.",
    spec: 'SDM Vol. 3A, "Limit Checking"',
  },
  "code-selector-null": {
    check: "A code selector must not be null.",
    spec: 'SDM Vol. 3A, "Null Segment Selector Checking"',
  },
  "not-code": {
    check: "The descriptor is not that of a code segment.",
    spec: 'SDM Vol. 3A, "Type Checking"',
  },
  "code-privilege": {
    check: "A jump or call goes to code of the same privilege, or to conforming code of a higher one.",
    spec: 'SDM Vol. 3A, "Direct Calls or Jumps to Code Segments"',
  },
  "code-rpl": {
    check: "The DPL of code must be the RPL of its selector, or not above it for conforming code.",
    spec: 'SDM Vol. 3A, "Privilege Level Checking When Transferring Program Control Between Code Segments"',
  },
  "return-to-inner-level": {
    check: "A return goes to the same or an outer level: the RPL of the code selector is below CPL.",
    spec: 'SDM Vol. 3A, "Returning from a Called Procedure"',
  },
  "eip-beyond-limit": {
    check: "The instruction pointer lies beyond the limit of the code segment.",
    spec: 'SDM Vol. 3A, "Limit Checking"',
  },
  "no-code-gate-or-task": {
    check: "A far jump or call leads to code, a call gate, a task gate or a TSS.",
    spec: 'SDM Vol. 3A, "Type Checking"',
  },
  "gate-too-privileged": {
    check: "CPL or the RPL is above the DPL of the gate or TSS.",
    spec: 'SDM Vol. 3A, "Accessing a Code Segment Through a Call Gate"',
  },
  "gate-not-present": {
    check: "The P flag of the gate is clear.",
    spec: 'SDM Vol. 3A, "Call Gates"',
  },
  "gate-to-outer-level": {
    check: "A gate leads to code of the same or a higher privilege: the DPL of its code segment is above CPL.",
    spec: 'SDM Vol. 3A, "Accessing a Code Segment Through a Call Gate"',
  },
  "vector-outside-table": {
    check: "The vector lies beyond the limit of the interrupt descriptor table.",
    spec: 'SDM Vol. 3A, "Interrupt Descriptor Table (IDT)"',
  },
  "not-an-idt-gate": {
    check: "The entry of the IDT is no interrupt, trap or task gate.",
    spec: 'SDM Vol. 3A, "IDT Descriptors"',
  },
  "8086-handler-level": {
    check: "An interrupt out of virtual-8086 mode goes to nonconforming code of DPL 0.",
    spec: 'SDM Vol. 3B, "Class 1—Hardware Interrupt and Exception Handling in Virtual-8086 Mode"',
  },
  "not-an-ldt": {
    check: "LDTR takes the descriptor of an LDT.",
    spec: 'SDM Vol. 3A, "System Descriptor Types"',
  },
  "task-selector-null": {
    check: "The selector of a TSS must not be null.",
    spec: 'SDM Vol. 3A, "Task Register"',
  },
  "tss-not-available": {
    check: "The descriptor is not that of an available TSS: it is something else, or the task is busy.",
    spec: 'SDM Vol. 3A, "TSS Descriptor"',
  },
  "linked-tss-not-busy": {
    check: "A nested task returns to a task that is busy.",
    spec: 'SDM Vol. 3A, "Task Linking"',
  },
  "tss-too-short": {
    check: "The limit of the TSS ends before what is needed of it.",
    spec: 'SDM Vol. 3A, "Exception Conditions Checked During a Task Switch"',
  },
  "cpl-above-iopl": {
    check: "CPL is above IOPL, or in virtual-8086 mode IOPL is below 3.",
    spec: 'SDM Vol. 3A, "System Flags and Fields in the EFLAGS Register"',
  },
  "virtual-interrupt-pending": {
    check: "VIF is to be set while VIP says that an interrupt is pending.",
    spec: 'SDM Vol. 3B, "Class 2—Maskable Hardware Interrupt Handling in Virtual-8086 Mode Using the Virtual Interrupt Mechanism"',
  },
  "virtual-trap-flag": {
    check: "TF is to be set through a virtual image of the flags.",
    spec: 'SDM Vol. 3B, "Class 2—Maskable Hardware Interrupt Handling in Virtual-8086 Mode Using the Virtual Interrupt Mechanism"',
  },
  "redirection-map-outside-tss": {
    check: "The interrupt redirection bitmap lies beyond the limit of the TSS.",
    spec: 'SDM Vol. 3B, "Class 3—Software Interrupt Handling in Virtual-8086 Mode"',
  },
  "no-port-map": {
    check: "CPL is above IOPL, and the TSS has no I/O permission bitmap.",
    spec: 'SDM Vol. 1, "I/O Permission Bit Map"',
  },
  "port-outside-map": {
    check: "CPL is above IOPL, and the port lies beyond the I/O permission bitmap.",
    spec: 'SDM Vol. 1, "I/O Permission Bit Map"',
  },
  "port-denied": {
    check: "CPL is above IOPL, and the I/O permission bitmap denies the port.",
    spec: 'SDM Vol. 1, "I/O Permission Bit Map"',
  },
  "not-in-protected-mode": {
    check: "The instruction is recognized in protected mode only.",
    spec: 'SDM Vol. 3B, "Instruction Set"',
  },
} as const satisfies Record<string, Rule>;

export type RuleName = keyof typeof rules;
