/*
 * The two 8259A interrupt controllers of a PC and channel 0 of its 8254 timer.
 *
 * Manuals: Intel 8259A data sheet, "Initialization Command Words"; Intel 8254 data sheet, "Mode 2: Rate Generator".
 */
#include "guest.h"

void pic_start(u16 enabled_lines) {
  out8(0x20, 0x11); /* ICW1: edge triggered, cascade, ICW4 follows */
  out8(0xa0, 0x11);
  out8(0x21, IRQ_BASE); /* ICW2 */
  out8(0xa1, IRQ_BASE + 8);
  out8(0x21, 0x04); /* ICW3: the second one is on line 2 */
  out8(0xa1, 0x02);
  out8(0x21, 0x01); /* ICW4: 8086 mode, normal end of interrupt */
  out8(0xa1, 0x01);
  out8(0x21, (u8)~enabled_lines);
  out8(0xa1, (u8)(~enabled_lines >> 8));
}

void pic_end(u32 line) {
  if (line >= 8) out8(0xa0, 0x20);
  out8(0x20, 0x20); /* non-specific end of interrupt */
}

void pit_start(u16 divisor) {
  out8(0x43, 0x34); /* channel 0, low byte then high byte, mode 2, binary */
  out8(0x40, (u8)divisor);
  out8(0x40, (u8)(divisor >> 8));
}
