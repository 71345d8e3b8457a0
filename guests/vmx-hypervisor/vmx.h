/*
 * The VMX instructions, and the names of what they work on.
 *
 * Manual: Intel SDM volume 3, "Field Encoding in VMCS", "VMX Basic Exit Reasons", "VMX Capability Reporting Facility".
 */
#ifndef VMX_H
#define VMX_H

#include "../lib/guest.h"

/* --- vmx.asm; what VMX instructions end with --- */
#define VM_SUCCEED 0u
#define VM_FAIL_INVALID 1u /* CF */
#define VM_FAIL_VALID 2u   /* ZF; the VM-instruction error field has a number */
u32 vmxon(const u32 *region_address);
u32 vmclear(const u32 *region_address);
u32 vmptrld(const u32 *region_address);
u32 vmptrst(u32 *region_address);
u32 vmread(u32 field, u32 *value);
u32 vmwrite(u32 field, u32 value);
u32 vmxoff(void);
u32 invept(u32 type, const u32 *descriptor);

/* What the VMCS does not hold. */
struct registers {
  u32 eax, ecx, edx, ebx, ebp, esi, edi;
};
/* VMLAUNCH, or VMRESUME; back at the next exit (VM_SUCCEED) or when it failed. */
u32 enter_guest(struct registers *registers, u32 resume);

/* --- model-specific registers --- */
#define IA32_FEATURE_CONTROL 0x3au
#define IA32_VMX_BASIC 0x480u
#define IA32_VMX_PINBASED_CTLS 0x481u /* and three more; the true ones from 0x48D */
#define IA32_VMX_TRUE_PINBASED_CTLS 0x48du
#define IA32_VMX_CR0_FIXED0 0x486u
#define IA32_VMX_CR4_FIXED0 0x488u
#define IA32_VMX_PROCBASED_CTLS2 0x48bu

/* --- fields --- */
#define EPT_POINTER 0x201au
#define GUEST_PHYSICAL_ADDRESS 0x2400u
#define VMCS_LINK_POINTER 0x2800u
#define PIN_CONTROLS 0x4000u
#define PRIMARY_CONTROLS 0x4002u
#define EXCEPTION_BITMAP 0x4004u
#define EXIT_CONTROLS 0x400cu
#define ENTRY_CONTROLS 0x4012u
#define ENTRY_INTERRUPTION 0x4016u
#define ENTRY_INSTRUCTION_LENGTH 0x401au
#define SECONDARY_CONTROLS 0x401eu
#define INSTRUCTION_ERROR 0x4400u
#define EXIT_REASON 0x4402u
#define EXIT_INTERRUPTION 0x4404u
#define EXIT_INTERRUPTION_ERROR 0x4406u
#define EXIT_INSTRUCTION_LENGTH 0x440cu
#define GUEST_LIMIT 0x4800u /* ES, CS, SS, DS, FS, GS, LDTR, TR, GDTR, IDTR */
#define GUEST_ACCESS 0x4814u
#define GUEST_INTERRUPTIBILITY 0x4824u
#define GUEST_ACTIVITY 0x4826u
#define CR0_MASK 0x6000u
#define CR4_MASK 0x6002u
#define CR0_SHADOW 0x6004u
#define CR4_SHADOW 0x6006u
#define EXIT_QUALIFICATION 0x6400u
#define GUEST_CR0 0x6800u
#define GUEST_CR3 0x6802u
#define GUEST_CR4 0x6804u
#define GUEST_BASE 0x6806u
#define GUEST_DR7 0x681au
#define GUEST_RSP 0x681cu
#define GUEST_RIP 0x681eu
#define GUEST_RFLAGS 0x6820u
#define GUEST_SELECTOR 0x0800u
#define HOST_SELECTOR 0x0c00u
#define HOST_CR0 0x6c00u
#define HOST_CR3 0x6c02u
#define HOST_CR4 0x6c04u
#define HOST_TR_BASE 0x6c0au
#define HOST_GDTR_BASE 0x6c0cu
#define HOST_IDTR_BASE 0x6c0eu
/* HOST_RSP 0x6c14 and HOST_RIP 0x6c16 are written by enter_guest. */

/* --- controls --- */
#define HLT_EXITING (1u << 7)
#define UNCONDITIONAL_IO_EXITING (1u << 24)
#define SECONDARY (1u << 31)
#define ENABLE_EPT (1u << 1)
#define UNRESTRICTED_GUEST (1u << 7)

/* --- exit reasons --- */
#define EXIT_EXCEPTION 0u
#define EXIT_CPUID 10u
#define EXIT_HLT 12u
#define EXIT_VMCALL 18u
#define EXIT_CONTROL_REGISTER 28u
#define EXIT_IO 30u
#define EXIT_RDMSR 31u
#define EXIT_WRMSR 32u
#define EXIT_EPT_VIOLATION 48u

/* --- events --- */
#define EXTERNAL_INTERRUPT 0x80000000u
#define SOFTWARE_EXCEPTION 0x80000600u

/* --- guest.asm: the program of the guest, for 16 and for 32 bits --- */
extern const u8 guest16_start[], guest16_end[], guest32_start[], guest32_end[];

#endif
