/*
 * A hypervisor for VT-x, as small as can be: enters VMX operation, makes a VMCS from what the capability registers
 * allow, runs a guest of a few instructions, and says for each exit what it was. Then, where the processor has EPT and
 * unrestricted guests, once more with these: a guest in real mode whose physical memory is another than ours. Without
 * them the guest is in protected mode and its linear addresses are mapped by a table that is not its own.
 *
 * Everything printed is what the manual defines; fields that an exit leaves undefined are not. Before the guests stand
 * the errors an instruction can end with.
 * Manual: Intel SDM volume 3, "Introduction to Virtual-Machine Extensions" to "VM Exits".
 */
#include "hypervisor.h"

#define CACHE_DISABLE (1u << 30)
#define NOT_WRITE_THROUGH (1u << 29)

static u32 vmxon_region[1024] __attribute__((aligned(4096)));
static u32 vmcs_region[1024] __attribute__((aligned(4096)));
static const u32 vmxon_address[2] = {(u32)vmxon_region, 0};
static const u32 vmcs_address[2] = {(u32)vmcs_region, 0};

static void cpuid(u32 leaf, u32 *out) {
  __asm__ volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "a"(leaf), "c"(0));
}

static void must(const char *what, u32 status) {
  if (status == VM_SUCCEED) return;
  say_status(what, status);
  serial_end();
  debug_exit(EXIT_BAD);
}

/* Whether the processor has VT-x and lets us have it. */
static int may_use_vmx(void) {
  u32 leaf[4];
  cpuid(1, leaf);
  if ((leaf[2] & 1u << 5) == 0) {
    put_text("the processor has no VMX\n");
    return 0;
  }
  u32 control = read_msr(IA32_FEATURE_CONTROL).low;
  if ((control & 1) == 0) {
    write_msr(IA32_FEATURE_CONTROL, 5, 0); /* locked, VMX outside SMX */
    control = read_msr(IA32_FEATURE_CONTROL).low;
  }
  if ((control & 5) == 5) return 1;
  put_text("the firmware has locked VMX off\n");
  return 0;
}

static void set_fixed_bits(void) {
  u32 cr0, cr4;
  __asm__ volatile("movl %%cr0, %0\n\tmovl %%cr4, %1" : "=r"(cr0), "=r"(cr4));
  cr0 &= ~(CACHE_DISABLE | NOT_WRITE_THROUGH); /* firmware differs in these, and the guest sees them */
  cr0 = (cr0 | read_msr(IA32_VMX_CR0_FIXED0).low) & read_msr(IA32_VMX_CR0_FIXED0 + 1).low;
  cr4 = (cr4 | read_msr(IA32_VMX_CR4_FIXED0).low) & read_msr(IA32_VMX_CR4_FIXED0 + 1).low;
  __asm__ volatile("movl %0, %%cr0\n\tmovl %1, %%cr4" : : "r"(cr0), "r"(cr4) : "memory");
}

/* The instructions' errors, in an order in which each can be had. */
static void try_errors(u32 revision) {
  static u32 other_region[1024] __attribute__((aligned(4096)));
  static const u32 misaligned[2] = {(u32)other_region + 4, 0};
  static const u32 other_address[2] = {(u32)other_region, 0};
  struct registers registers = {0, 0, 0, 0, 0, 0, 0};
  u32 value, pointer[2];

  say_status("VMXON of a misaligned region", vmxon(misaligned));
  vmxon_region[0] = revision ^ 1;
  say_status("VMXON of a region with another revision", vmxon(vmxon_address));
  vmxon_region[0] = revision;
  say_status("VMXON", vmxon(vmxon_address));
  say_status("VMXON once more, without a VMCS", vmxon(vmxon_address));
  say_status("VMREAD without a VMCS", vmread(GUEST_CR0, &value));
  say_status("VMCLEAR without a VMCS, of a misaligned region", vmclear(misaligned));
  vmptrst(pointer);
  put_text("VMPTRST: ");
  put_hex(pointer[1], 8);
  put_hex(pointer[0], 8);
  put_char('\n');

  vmcs_region[0] = revision;
  say_status("VMCLEAR", vmclear(vmcs_address));
  say_status("VMPTRLD", vmptrld(vmcs_address));
  vmptrst(pointer);
  int is_it = pointer[0] == vmcs_address[0] && pointer[1] == 0;
  say_status(is_it ? "VMPTRST gives it" : "VMPTRST GIVES ANOTHER", VM_SUCCEED);
  say_status("VMXON once more", vmxon(vmxon_address));
  say_status("VMCLEAR of a misaligned region", vmclear(misaligned));
  say_status("VMCLEAR of the VMXON region", vmclear(vmxon_address));
  say_status("VMPTRLD of a misaligned region", vmptrld(misaligned));
  say_status("VMPTRLD of the VMXON region", vmptrld(vmxon_address));
  other_region[0] = revision ^ 1;
  say_status("VMPTRLD of a region with another revision", vmptrld(other_address));
  say_status("VMREAD of a field that is not there", vmread(0x6fff, &value));
  say_status("VMWRITE of a field that is not there", vmwrite(0x6fff, 0));
  say_status("VMRESUME of what was not launched", enter_guest(&registers, 1));

  /* The checks before a guest is entered, from the first on. */
  say_status("VMLAUNCH with controls of zeros", enter_guest(&registers, 0));
}

static void run_with(const char *how, int with_ept) {
  put_text("== ");
  put_text(how);
  put_char('\n');
  must("VMCLEAR", vmclear(vmcs_address));
  must("VMPTRLD", vmptrld(vmcs_address));
  prepare_memory(with_ept);
  write_controls(with_ept);
  write_host();
  write_guest(with_ept);

  struct registers registers = {0, 0, 0, 0, 0, 0, 0};
  u32 value;
  vmread(HOST_CR0, &value);
  vmwrite(HOST_CR0, value & ~1u);
  say_status("VMLAUNCH with a host without protection", enter_guest(&registers, 0));
  vmwrite(HOST_CR0, value);
  vmwrite(GUEST_RFLAGS, 0);
  say_status("VMLAUNCH with flags that cannot be", enter_guest(&registers, 0));
  vmread(EXIT_REASON, &value);
  put_line_hex("exit reason", value);
  vmwrite(GUEST_RFLAGS, 2);

  must("VMLAUNCH", enter_guest(&registers, 0));
  while (handle_exit(&registers)) must("VMRESUME", enter_guest(&registers, 1));
  say_status("VMLAUNCH of what was launched", enter_guest(&registers, 0));
  must("VMCLEAR", vmclear(vmcs_address));
}

static u32 hypervisor(void) {
  if (!may_use_vmx()) return EXIT_BAD;
  load_task_register(0); /* nothing goes to ring 3; an exit needs a task register */
  paging_start();
  set_fixed_bits();
  try_errors(read_msr(IA32_VMX_BASIC).low & 0x7fffffff);
  run_with("guest in protected mode, its pages mapped by us", 0);
  if (has_unrestricted_guest()) run_with("guest in real mode, extended page tables", 1);
  else put_text("== no unrestricted guest\n");
  say_status("VMXOFF", vmxoff());
  put_text("vmx-hypervisor: done\n");
  return EXIT_GOOD;
}

u32 guest_main(u32 magic, const struct multiboot_info *info) {
  (void)magic;
  (void)info;
  serial_start();
  pic_start(0); /* no interrupt but ours reaches the guest */
  u32 result = hypervisor();
  serial_end();
  return result;
}
