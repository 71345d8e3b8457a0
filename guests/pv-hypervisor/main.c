/*
 * A hypervisor for one guest that knows of it: what kernel/xen-interface.h promises, and no more. It runs
 * kernel-xen.elf, its first module, where there is no other that could; "disk" on the command line gives it a disk, in
 * memory.
 *
 * The guest's kernel is in ring 1, its programs in ring 3, we are in ring 0. Its frames are in an order of their own,
 * so that a mistaken address shows, and the arguments of hypercalls come back spoilt.
 */
#include "hypervisor.h"

void handle_trap(struct frame *frame) {
  if (frame->vector == 0x20) {
    tick();
  } else if ((frame->cs & 3) == 0) {
    put_line_hex("vector", frame->vector);
    put_line_hex("error", frame->error);
    give_up("an exception of our own");
  } else if (frame->vector == 0x82) {
    hypercall(frame);
  } else {
    deliver_trap(frame);
  }
  if ((frame->cs & 3) != 0) offer_event(frame);
}

void hypervisor_main(const struct multiboot_info *info) {
  serial_start();
  if ((info->flags & 8) == 0 || info->mods_count == 0) give_up("no module");
  const struct multiboot_module *module = (const struct multiboot_module *)info->mods_addr;
  int with_disk = number_option(command_line(info), "disk", 0) != 0;
  block_page.sectors = 2016;
  tables_start();
  pic_start(1);
  pit_start(1193);
  struct frame frame = domain_create(at_machine(module->start), with_disk);
  enter_guest(&frame);
}
