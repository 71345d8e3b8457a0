/*
 * hardware.h on a hypervisor with Xen's calls (xen-interface.h): what is privileged is asked for.
 *
 * Changes of page tables are collected and go down together.
 */
#include "kernel.h"
#include "xen-interface.h"

#define CODE (KERNEL_CODE | 1u) /* ring 1 */
#define STACK (KERNEL_DATA | 1u)
#define TICK_NANOSECONDS 1000000u
#define BATCH 64u
/* In pages, up to where the hypervisor begins: 0xfbfff. */
#define GDT_LIMIT 0xbfffu

static struct start_info *start;
static volatile struct shared_info shared __attribute__((aligned(4096)));
static volatile struct block_page block __attribute__((aligned(4096)));
static u32 gdt[1024] __attribute__((aligned(4096))) = {
    0,          0,          GDT_LIMIT, 0x00cfbb00, GDT_LIMIT, 0x00cfb300,
    GDT_LIMIT, 0x00cffb00, GDT_LIMIT, 0x00cff300,
};
static struct mmu_update updates[BATCH];
static u32 update_count, timer_port, tick_came;

static s32 hypercall(u32 number, u32 first, u32 second, u32 third, u32 fourth) {
  s32 result;
  __asm__ volatile("int $0x82"
                   : "=a"(result), "+b"(first), "+c"(second), "+d"(third), "+S"(fourth)
                   : "a"(number)
                   : "memory", "cc");
  return result;
}

/* For what only fails when one of the two sides is wrong. */
static void must(s32 result) {
  static const char text[] = "kernel: a hypercall was refused\n";
  if (result >= 0) return;
  hypercall(HYPERVISOR_console_io, CONSOLEIO_write, sizeof text - 1, (u32)text, 0);
  power_off(EXIT_BAD);
}

static u32 machine_frame(u32 frame) { return ((const u32 *)start->mfn_list)[frame >> 12]; }

static u32 entry_of(u32 frame, u32 flags) { return flags == 0 ? 0 : machine_frame(frame) << 12 | flags; }

static void map_at(volatile void *linear, u32 entry) {
  must(hypercall(HYPERVISOR_update_va_mapping, (u32)linear, entry, 0, UVMF_INVLPG));
}

static void extended(u32 command, u32 frame_or_linear) {
  struct mmuext_op operation = {command, frame_or_linear, 0};
  must(hypercall(HYPERVISOR_mmuext_op, (u32)&operation, 1, 0, DOMID_SELF));
}

static void start_segments(void) {
  u32 frame = machine_frame((u32)gdt);
  map_at(gdt, frame << 12 | PAGE_PRESENT);
  must(hypercall(HYPERVISOR_set_gdt, (u32)&frame, 5, 0, 0));
  __asm__ volatile(
      "movl %0, %%ds\n\t"
      "movl %0, %%es\n\t"
      "movl %0, %%ss\n\t"
      "pushl $2\n\t"
      "pushl %1\n\t"
      "pushl $1f\n\t"
      "iret\n"
      "1:"
      :
      : "r"(STACK), "i"(CODE)
      : "memory", "cc");
}

static void start_gates(void) {
  static struct trap_info table[24];
  u32 count = 0;
  for (const struct trap_entry *entry = trap_entries; entry->code != 0; entry++) {
    if (entry->vector == TICK_VECTOR) {
      must(hypercall(HYPERVISOR_set_callbacks, CODE, entry->code, CODE, entry->code));
      continue;
    }
    u8 flags = TI_EVENTS_OFF | (entry->vector == CALL_VECTOR ? 3 : 0);
    table[count++] = (struct trap_info){(u8)entry->vector, flags, CODE, entry->code};
  }
  must(hypercall(HYPERVISOR_set_trap_table, (u32)table, 0, 0, 0));
}

static void start_events(void) {
  struct bind_virq timer = {VIRQ_TIMER, 0, 0};
  for (u32 i = 0; i < 32; i++) shared.evtchn_mask[i] = ~0u;
  must(hypercall(HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, (u32)&timer, 0, 0));
  timer_port = timer.port;
  shared.evtchn_mask[timer_port / 32] &= ~(1u << timer_port % 32);
  if (start->store_mfn != 0) shared.evtchn_mask[start->store_evtchn / 32] &= ~(1u << start->store_evtchn % 32);
}

void hardware_start(void *handed_over) {
  start = handed_over;
  map_at(&shared, start->shared_info | PAGE_PRESENT | PAGE_WRITE);
  if (start->store_mfn != 0) map_at(&block, start->store_mfn << 12 | PAGE_PRESENT | PAGE_WRITE);
  start_segments();
  start_gates();
  start_events();
}

void power_off(u32 value) {
  u32 reason = value == EXIT_GOOD ? SHUTDOWN_poweroff : SHUTDOWN_crash;
  for (;;) hypercall(HYPERVISOR_sched_op, SCHEDOP_shutdown, (u32)&reason, 0, 0);
}

void console_write(const char *text, u32 length) {
  must(hypercall(HYPERVISOR_console_io, CONSOLEIO_write, length, (u32)text, 0));
}

void set_kernel_stack(u32 top) { must(hypercall(HYPERVISOR_stack_switch, STACK, top, 0, 0)); }

u32 fault_address(void) { return shared.vcpu_info[0].arch_cr2; }

/* Returns with events masked, whether one came or not. */
static void wait_for_event(void) {
  hypercall(HYPERVISOR_sched_op, SCHEDOP_block, 0, 0, 0);
  shared.vcpu_info[0].evtchn_upcall_mask = 1;
}

void wait_for_tick(void) {
  volatile struct vcpu_info *info = &shared.vcpu_info[0];
  u32 version, low, high;
  do {
    version = info->time_version;
    low = info->system_time_low;
    high = info->system_time_high;
  } while ((version & 1) != 0 || version != info->time_version);
  u32 until = low + TICK_NANOSECONDS;
  must(hypercall(HYPERVISOR_set_timer_op, until, high + (until < low), 0, 0));
  tick_came = 0;
  while (!*(volatile u32 *)&tick_came) wait_for_event();
}

int acknowledge_tick(void) {
  volatile struct vcpu_info *info = &shared.vcpu_info[0];
  u32 bit = 1u << timer_port % 32;
  info->evtchn_upcall_pending = 0;
  info->evtchn_pending_sel = 0;
  tick_came = (shared.evtchn_pending[timer_port / 32] & bit) != 0;
  /* The disk's event says no more than the request page does. */
  for (u32 i = 0; i < 32; i++) shared.evtchn_pending[i] = 0;
  return (int)tick_came;
}

u32 kernel_directory(void) { return start->pt_base; }

void set_directory(u32 frame) { extended(MMUEXT_NEW_BASEPTR, machine_frame(frame)); }

void prepare_entry(u32 frame, u32 index, u32 target, u32 flags) { ((u32 *)frame)[index] = entry_of(target, flags); }

void pin_table(u32 frame, u32 level) {
  map_at((void *)frame, entry_of(frame, PAGE_PRESENT));
  extended(level == 1 ? MMUEXT_PIN_L1_TABLE : MMUEXT_PIN_L2_TABLE, machine_frame(frame));
}

void unpin_table(u32 frame) {
  extended(MMUEXT_UNPIN_TABLE, machine_frame(frame));
  map_at((void *)frame, entry_of(frame, PAGE_PRESENT | PAGE_WRITE));
}

void set_entry(u32 frame, u32 index, u32 target, u32 flags) {
  if (update_count == BATCH) flush_entries();
  updates[update_count++] = (struct mmu_update){machine_frame(frame) << 12 | index << 2, 0, entry_of(target, flags), 0};
}

void flush_entries(void) {
  if (update_count > 0) must(hypercall(HYPERVISOR_mmu_update, (u32)updates, update_count, 0, DOMID_SELF));
  update_count = 0;
}

void forget_page(u32 linear) { extended(MMUEXT_INVLPG_LOCAL, linear); }

u32 disk_size(void) { return start->store_mfn == 0 ? 0 : block.sectors; }

int disk_transfer(int is_write, u32 sector, u32 count, void *page) {
  volatile struct block_request *request = &block.request[block.asked % BLOCK_REQUESTS];
  request->operation = is_write ? BLOCK_WRITE : BLOCK_READ;
  request->sector = sector;
  request->count = count;
  request->mfn = machine_frame((u32)page);
  block.asked++;
  must(hypercall(HYPERVISOR_event_channel_op, EVTCHNOP_send, (u32)&start->store_evtchn, 0, 0));
  while (block.done != block.asked) wait_for_event();
  return request->status == BLOCK_DONE;
}
