/*
 * Every exception a flat protected-mode program can reach, provoked on purpose in ring 0 and in ring 3.
 *
 * For each site: the vector, the error code, where EIP points (an offset from the start of the site, or an address when
 * the fault is elsewhere), and CR2, ECX, ESI and EDI for page faults. A fault points at the instruction, a trap behind it.
 * Left out on purpose: #DB, #NM, #MF, #AC, #TS and everything that needs segments with a base or a limit.
 */
#include "faults.h"

static const struct site *current;
static u32 in_ring3;
/* Bits of the error code that are printed. */
static u32 error_mask = 0xffff;

/* Sites that do not fault end here: INT 0x80 from ring 3. */
static void on_done(struct frame *frame) {
  (void)frame;
  leave_ring3(0);
}

static const char *const names[] = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "",
                                    "#TS", "#NP", "#SS", "#GP", "#PF", "",    "#MF", "#AC"};

static void report(struct frame *frame) {
  put_text("  ");
  put_text(names[frame->vector]);
  put_text(" error ");
  put_hex(frame->error & error_mask, 4);
  put_text(" cpl ");
  put_decimal(frame->cs & 3);
  /* The address pushed by an abort is not defined. */
  if (frame->vector != 8) {
    u32 offset = frame->eip - current->code;
    if (offset < 0x100) {
      put_text(" eip +");
      put_hex(offset, 2);
    } else {
      put_text(" eip ");
      put_hex(frame->eip, 8);
    }
  }
  if (frame->vector == 14) {
    u32 address;
    __asm__ volatile("movl %%cr2, %0" : "=r"(address));
    put_text(" cr2 ");
    put_hex(address, 8);
    put_text(" ecx ");
    put_hex(frame->ecx, 8);
    put_text(" esi ");
    put_hex(frame->esi, 8);
    put_text(" edi ");
    put_hex(frame->edi, 8);
  }
  put_char('\n');
  if (in_ring3) leave_ring3(1);
  abandon_site();
}

static void try_site(const struct site *site) {
  current = site;
  put_text(site->name);
  put_char('\n');
  u32 faulted = in_ring3 ? enter_ring3(site->code, (u32)user_sites_stack_top) : provoke(site->code);
  if (!faulted) put_text("  no exception\n");
}

static void try_named(u32 code, const char *name) {
  const struct site site = {code, name};
  try_site(&site);
}

static void map_pages(void) {
  for (u32 page = 0x300000; page < 0x310000; page += 4096) map_page(page, 0, 0);
  map_page(0x301000, 0x301000, PAGE_PRESENT | PAGE_USER);
  map_page(0x302000, 0x302000, PAGE_PRESENT | PAGE_WRITE);
  map_page(0x303000, 0x303000, PAGE_PRESENT | PAGE_WRITE | PAGE_USER);
  map_page(0x305000, 0x305000, PAGE_PRESENT);
  map_page(0x306000, 0x306000, PAGE_PRESENT | PAGE_WRITE);
  map_page(0x307000, 0x307000, PAGE_PRESENT);
}

static u8 trap_stack[8192] __attribute__((aligned(16)));

u32 guest_main(u32 magic, const struct multiboot_info *info) {
  (void)magic;
  (void)info;
  serial_start();
  interrupts_start();
  for (u32 vector = 0; vector < 18; vector++) set_handler(vector, report);
  set_handler(0x80, on_done);
  set_gate_type(0x80, 0xee);
  set_gate_type(0x40, 0x0e);
  paging_start();
  map_pages();
  load_task_register((u32)trap_stack + sizeof trap_stack);
  pic_start(0);

  put_text("== ring 0\n");
  for (const struct site *site = kernel_sites; site->code != 0; site++) try_site(site);

  put_text("== ring 3\n");
  in_ring3 = 1;
  for (const struct site *site = user_sites; site->code != 0; site++) try_site(site);

  put_text("== exceptions while an exception is delivered\n");
  in_ring3 = 0;
  error_mask = 0xfffe; /* without EXT: processors set it here, QEMU does not */
  set_gate_type(13, 0x0e);
  try_named((u32)stack_null, "#GP, whose gate is not present");
  set_gate_type(13, 0x8e);
  set_gate_type(14, 0x0e);
  try_named((u32)read_absent, "#PF, whose gate is not present");
  set_gate_type(14, 0x8e);
  set_gate_type(6, 0x0e);
  try_named((u32)undefined, "#UD, whose gate is not present");
  set_gate_type(6, 0x8e);
  put_text("faults: done\n");
  return EXIT_GOOD;
}
