/* The hypercalls, as a table. A pointer that leads nowhere ends everything: there is one guest. */
#include "hypervisor.h"

#define DISK_SECTORS 2016u
/* The disk has these sectors; all others are zeros and stay so. */
#define KEPT_FIRST 1024u
#define KEPT_COUNT 4u

static u8 disk[KEPT_COUNT][512];

void give_up(const char *why) {
  put_text("pv-hypervisor: ");
  put_text(why);
  put_char('\n');
  serial_end();
  debug_exit(EXIT_BAD);
}

static const void *from_guest(u32 linear) {
  if (linear >= HIGH) give_up("a pointer to what is not the guest's");
  return (const void *)linear;
}

static u32 in_ring(u32 selector) { return selector & 3; }

static u32 set_trap_table(struct frame *frame) {
  for (const struct trap_info *trap = from_guest(frame->ebx); trap->address != 0; trap++) {
    if (in_ring(trap->selector) == 0) return CALL_REFUSED;
    guest_traps[trap->vector] = *trap;
  }
  return 0;
}

static u32 mmu_update(struct frame *frame) {
  const struct mmu_update *update = from_guest(frame->ebx);
  for (u32 i = 0; i < frame->ecx; i++)
    if ((update[i].address & 3) != 0 || !change_entry(update[i].address, update[i].value)) return CALL_REFUSED;
  /* What the processor remembers goes. */
  __asm__ volatile("movl %%cr3, %%eax\n\tmovl %%eax, %%cr3" : : : "eax", "memory");
  return 0;
}

static u32 set_gdt(struct frame *frame) {
  const u32 *frames = from_guest(frame->ebx);
  if (frame->ecx > 512 || frames[0] >= MACHINE_FRAMES) return CALL_REFUSED;
  return take_descriptors(at_machine(frames[0] << 12), frame->ecx) ? 0 : CALL_REFUSED;
}

static u32 stack_switch(struct frame *frame) {
  if (in_ring(frame->ebx) != 1) return CALL_REFUSED;
  kernel_ss = frame->ebx;
  kernel_esp = frame->ecx;
  return 0;
}

static u32 set_callbacks(struct frame *frame) {
  if (in_ring(frame->ebx) != 1) return CALL_REFUSED;
  event_callback = (struct callback){frame->ebx, frame->ecx};
  return 0;
}

static u32 update_va_mapping(struct frame *frame) {
  return change_mapping(frame->ebx, frame->ecx) ? 0 : CALL_REFUSED;
}

static u32 set_timer_op(struct frame *frame) {
  set_timer(frame->ebx, frame->ecx);
  return 0;
}

static u32 console_io(struct frame *frame) {
  if (frame->ebx != CONSOLEIO_write) return CALL_UNKNOWN;
  const char *text = from_guest(frame->edx);
  for (u32 i = 0; i < frame->ecx; i++) put_char(text[i]);
  return frame->ecx;
}

/* What it leaves in EAX is what the guest had there. */
static u32 iret(struct frame *frame) {
  const u32 *stack = from_guest(frame->esp);
  u32 eax = stack[0];
  if (in_ring(stack[2]) == 0) give_up("a return to ring 0");
  frame->eip = stack[1];
  frame->cs = stack[2] & 0xffff;
  frame->eflags = (stack[3] & 0xcd5) | 0x202; /* neither IOPL nor what else is ours */
  frame->esp += 16;
  if (in_ring(frame->cs) == 3) {
    frame->esp = stack[4];
    frame->ss = stack[5];
  }
  shared_info.vcpu_info[0].evtchn_upcall_mask = (stack[3] & 0x200) == 0;
  return eax;
}

static u32 mmuext_op(struct frame *frame) {
  const struct mmuext_op *operation = from_guest(frame->ebx);
  for (u32 i = 0; i < frame->ecx; i++) {
    u32 argument = operation[i].frame_or_linear;
    int done = 1;
    switch (operation[i].command) {
      case MMUEXT_PIN_L1_TABLE:
      case MMUEXT_PIN_L2_TABLE:
        done = pin(argument, operation[i].command + 1);
        break;
      case MMUEXT_UNPIN_TABLE:
        done = unpin(argument);
        break;
      case MMUEXT_NEW_BASEPTR:
        done = change_directory(argument);
        break;
      case MMUEXT_INVLPG_LOCAL:
        __asm__ volatile("invlpg (%0)" : : "r"(argument) : "memory");
        break;
      default:
        return CALL_UNKNOWN;
    }
    if (!done) return CALL_REFUSED;
  }
  return 0;
}

static u32 sched_op(struct frame *frame) {
  if (frame->ebx == SCHEDOP_block) {
    block();
    return 0;
  }
  if (frame->ebx != SCHEDOP_shutdown) return CALL_UNKNOWN;
  serial_end();
  debug_exit(*(const u32 *)from_guest(frame->ecx) == SHUTDOWN_poweroff ? EXIT_GOOD : EXIT_BAD);
}

static u32 move_sectors(volatile struct block_request *request) {
  if (request->count == 0 || request->count > 8) return BLOCK_REFUSED;
  if (request->sector >= DISK_SECTORS || request->sector + request->count > DISK_SECTORS) return BLOCK_REFUSED;
  if (request->mfn < DOMAIN_FIRST || request->mfn >= DOMAIN_FIRST + DOMAIN_PAGES) return BLOCK_REFUSED;
  for (u32 i = 0; i < request->count; i++) {
    u8 *page = (u8 *)at_machine(request->mfn << 12) + 512 * i;
    u32 kept = request->sector + i - KEPT_FIRST;
    if (kept >= KEPT_COUNT) {
      if (request->operation == BLOCK_READ) memset(page, 0, 512);
    } else if (request->operation == BLOCK_READ) {
      memcpy(page, disk[kept], 512);
    } else {
      memcpy(disk[kept], page, 512);
    }
  }
  return BLOCK_DONE;
}

static u32 event_channel_op(struct frame *frame) {
  if (frame->ebx == EVTCHNOP_bind_virq) {
    struct bind_virq *bind = (struct bind_virq *)from_guest(frame->ecx);
    if (bind->virq != VIRQ_TIMER || bind->vcpu != 0) return CALL_REFUSED;
    bind->port = TIMER_PORT;
    return 0;
  }
  if (frame->ebx != EVTCHNOP_send || *(const u32 *)from_guest(frame->ecx) != BLOCK_PORT) return CALL_REFUSED;
  while (block_page.done != block_page.asked) {
    volatile struct block_request *request = &block_page.request[block_page.done % BLOCK_REQUESTS];
    request->status = move_sectors(request);
    block_page.done++;
  }
  raise_event(BLOCK_PORT);
  return 0;
}

static u32 (*const calls[])(struct frame *frame) = {
    [HYPERVISOR_set_trap_table] = set_trap_table,
    [HYPERVISOR_mmu_update] = mmu_update,
    [HYPERVISOR_set_gdt] = set_gdt,
    [HYPERVISOR_stack_switch] = stack_switch,
    [HYPERVISOR_set_callbacks] = set_callbacks,
    [HYPERVISOR_update_va_mapping] = update_va_mapping,
    [HYPERVISOR_set_timer_op] = set_timer_op,
    [HYPERVISOR_console_io] = console_io,
    [HYPERVISOR_iret] = iret,
    [HYPERVISOR_mmuext_op] = mmuext_op,
    [HYPERVISOR_sched_op] = sched_op,
    [HYPERVISOR_event_channel_op] = event_channel_op,
};

void hypercall(struct frame *frame) {
  u32 number = frame->eax;
  int known = number < sizeof calls / sizeof calls[0] && calls[number] != 0 && in_ring(frame->cs) == 1;
  frame->eax = known ? calls[number](frame) : CALL_UNKNOWN;
  if (!known || number == HYPERVISOR_iret) return;
  /* As Xen's debugging build: who still needs these has not read the interface. */
  frame->ebx = frame->ecx = frame->edx = 0xdeadf00d;
}
