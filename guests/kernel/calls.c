/* What ring 3 can ask for, and what becomes of its page faults. */
#include "kernel.h"
#include "layout.h"

static u32 shared[SHARED_FRAMES];

static int in(u32 address, u32 start, u32 end) { return address >= start && address < end; }

static u32 write(u32 text, u32 length) {
  if (length > 4096 || !space_has(&current->space, text) || !space_has(&current->space, text + length)) return REFUSED;
  for (u32 i = 0; i < length; i++) put_char(((const char *)text)[i]);
  return length;
}

static u32 map(u32 page, u32 number) {
  if (!in(page, WINDOW_START, WINDOW_END) || (page & 0xfff) != 0 || number >= SHARED_FRAMES) return REFUSED;
  if (shared[number] == 0) shared[number] = take_frame();
  space_show(&current->space, page, shared[number], PAGE_WRITE);
  flush_entries();
  forget_page(page);
  return 0;
}

static u32 unmap(u32 page) {
  if (!in(page, WINDOW_START, WINDOW_END) && !in(page, DEMAND_START, DEMAND_END)) return REFUSED;
  if ((page & 0xfff) != 0 || !space_has(&current->space, page)) return REFUSED;
  space_unmap(&current->space, page);
  return 0;
}

void system_call(struct frame *frame) {
  switch (frame->eax) {
    case CALL_EXIT:
      end_process();
    case CALL_WRITE:
      frame->eax = write(frame->ebx, frame->ecx);
      return;
    case CALL_YIELD:
      yield();
      frame->eax = 0;
      return;
    case CALL_SLEEP:
      sleep_ticks(frame->ebx);
      frame->eax = ticks;
      return;
    case CALL_MAP:
      frame->eax = map(frame->ebx, frame->ecx);
      return;
    case CALL_UNMAP:
      frame->eax = unmap(frame->ebx);
      return;
    default:
      frame->eax = REFUSED;
  }
}

void page_fault(struct frame *frame) {
  u32 address = fault_address();
  if ((frame->error & 1) == 0 && in(address, DEMAND_START, DEMAND_END)) {
    current->faults++;
    space_give(&current->space, address & ~0xfffu, take_frame());
    flush_entries();
    return;
  }
  put_text("kernel: ");
  put_text(current->name);
  put_text(" has no page at ");
  put_hex(address, 8);
  put_text(", error code ");
  put_hex(frame->error & 7, 2);
  put_text("; it is ended\n");
  end_process();
}
