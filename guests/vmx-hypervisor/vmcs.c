/*
 * What goes into the VMCS.
 *
 * Manual: Intel SDM volume 3, "VMCS Control Fields"; appendix "VMX Capability Reporting Facility"; "Checks on VMX
 * Controls and Host-State Area", "Checking and Loading Guest State".
 */
#include "hypervisor.h"

#define SEGMENTS 8u
enum { ES, CS, SS, DS, FS, GS, LDTR, TR, GDTR, IDTR };

#define ACCESS_CODE 0xc09bu
#define ACCESS_DATA 0xc093u
#define ACCESS_CODE_REAL 0x009bu
#define ACCESS_DATA_REAL 0x0093u
#define ACCESS_BUSY_TASK 0x008bu
#define ACCESS_UNUSABLE 0x10000u
#define PROTECTION 1u
#define TASK_SWITCHED 8u
#define PAGING 0x80000000u

/* The wanted bits, those that must be 1, and none that must be 0. `which` counts the registers from the pin-based. */
static u32 allowed(u32 which, u32 wanted) {
  int has_true_registers = (read_msr(IA32_VMX_BASIC).high & 1u << (55 - 32)) != 0;
  struct msr setting = read_msr((has_true_registers ? IA32_VMX_TRUE_PINBASED_CTLS : IA32_VMX_PINBASED_CTLS) + which);
  return (wanted | setting.low) & setting.high;
}

static int secondary_allows(u32 bits) { return (read_msr(IA32_VMX_PROCBASED_CTLS2).high & bits) == bits; }

int has_unrestricted_guest(void) {
  return (allowed(1, SECONDARY) & SECONDARY) != 0 && secondary_allows(ENABLE_EPT | UNRESTRICTED_GUEST);
}

void write_controls(int with_ept) {
  vmwrite(PIN_CONTROLS, allowed(0, 0));
  vmwrite(PRIMARY_CONTROLS, allowed(1, HLT_EXITING | UNCONDITIONAL_IO_EXITING | (with_ept ? SECONDARY : 0)));
  vmwrite(EXIT_CONTROLS, allowed(2, 0));
  vmwrite(ENTRY_CONTROLS, allowed(3, 0));
  if (with_ept) {
    vmwrite(SECONDARY_CONTROLS, ENABLE_EPT | UNRESTRICTED_GUEST);
    vmwrite(EPT_POINTER, ept_pointer());
    vmwrite(EPT_POINTER + 1, 0);
  }
  /* #BP, #UD, and #PF where the pages are ours. */
  vmwrite(EXCEPTION_BITMAP, 1u << 3 | 1u << 6 | (with_ept ? 0 : 1u << 14));
  vmwrite(VMCS_LINK_POINTER, ~0u);
  vmwrite(VMCS_LINK_POINTER + 1, ~0u);
  vmwrite(ENTRY_INTERRUPTION, 0);
  /* TS is ours; the guest sees it clear. */
  vmwrite(CR0_MASK, TASK_SWITCHED);
  vmwrite(CR0_SHADOW, 0);
  vmwrite(CR4_MASK, 0);
  vmwrite(CR4_SHADOW, 0);
}

struct table_pointer {
  u16 limit;
  u32 base;
} __attribute__((packed));

void write_host(void) {
  u32 cr0, cr3, cr4;
  struct table_pointer gdt, idt;
  __asm__ volatile("movl %%cr0, %0\n\tmovl %%cr3, %1\n\tmovl %%cr4, %2" : "=r"(cr0), "=r"(cr3), "=r"(cr4));
  __asm__ volatile("sgdt %0\n\tsidt %1" : "=m"(gdt), "=m"(idt));
  vmwrite(HOST_CR0, cr0);
  vmwrite(HOST_CR3, cr3);
  vmwrite(HOST_CR4, cr4);
  for (u32 segment = ES; segment <= GS; segment++)
    vmwrite(HOST_SELECTOR + 2 * segment, segment == CS ? KERNEL_CODE : KERNEL_DATA);
  vmwrite(HOST_SELECTOR + 2 * 6, TASK_STATE); /* there is no LDTR among the host's */
  for (u32 base = 0x6c06; base <= 0x6c12; base += 2) vmwrite(base, 0);
  vmwrite(0x4c00, 0); /* SYSENTER_CS */
  const u32 *task = (const u32 *)(gdt.base + TASK_STATE);
  vmwrite(HOST_TR_BASE, task[0] >> 16 | (task[1] & 0xff) << 16 | (task[1] & 0xff000000));
  vmwrite(HOST_GDTR_BASE, gdt.base);
  vmwrite(HOST_IDTR_BASE, idt.base);
}

static void write_segment(u32 segment, u32 selector, u32 limit, u32 access) {
  vmwrite(GUEST_SELECTOR + 2 * segment, selector);
  vmwrite(GUEST_BASE + 2 * segment, 0);
  vmwrite(GUEST_LIMIT + 2 * segment, limit);
  vmwrite(GUEST_ACCESS + 2 * segment, access);
}

static void write_table(u32 which, u32 base, u32 limit) {
  vmwrite(GUEST_BASE + 2 * which, base);
  vmwrite(GUEST_LIMIT + 2 * which, limit);
}

static void write_real_mode(void) {
  for (u32 segment = ES; segment <= GS; segment++)
    write_segment(segment, 0, 0xffff, segment == CS ? ACCESS_CODE_REAL : ACCESS_DATA_REAL);
  write_table(GDTR, 0, 0xffff);
  write_table(IDTR, 0, 0x3ff);
}

static void write_protected_mode(void) {
  for (u32 segment = ES; segment <= GS; segment++)
    write_segment(segment, segment == CS ? KERNEL_CODE : KERNEL_DATA, ~0u, segment == CS ? ACCESS_CODE : ACCESS_DATA);
  write_table(GDTR, GUEST_TABLES, 0x17);
  write_table(IDTR, GUEST_TABLES + 2048, 8 * GUEST_VECTOR + 7);
}

void write_guest(int with_ept) {
  u32 cr0 = read_msr(IA32_VMX_CR0_FIXED0).low | PROTECTION | PAGING;
  if (with_ept) write_real_mode();
  else write_protected_mode();
  write_segment(LDTR, 0, 0, ACCESS_UNUSABLE);
  write_segment(TR, 0, 0x67, ACCESS_BUSY_TASK);
  /* Unrestricted: neither protection nor paging. */
  vmwrite(GUEST_CR0, with_ept ? cr0 & ~(PROTECTION | PAGING) : cr0);
  vmwrite(GUEST_CR3, with_ept ? 0 : shadow_directory());
  vmwrite(GUEST_CR4, read_msr(IA32_VMX_CR4_FIXED0).low);
  vmwrite(GUEST_DR7, 0x400);
  vmwrite(GUEST_RSP, GUEST_STACK);
  vmwrite(GUEST_RIP, GUEST_CODE);
  vmwrite(GUEST_RFLAGS, 2);
  vmwrite(GUEST_INTERRUPTIBILITY, 0);
  vmwrite(GUEST_ACTIVITY, 0);
  for (u32 field = 0x6822; field <= 0x6826; field += 2) vmwrite(field, 0); /* pending debug exceptions, SYSENTER */
  vmwrite(0x482a, 0);
  vmwrite(0x2802, 0); /* IA32_DEBUGCTL */
  vmwrite(0x2803, 0);
}
