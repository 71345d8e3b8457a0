/* What the kernel and the programs in ring 3 agree on: addresses and system calls. */
#ifndef LAYOUT_H
#define LAYOUT_H

/* One page table's worth of memory is for ring 3. */
#define USER_START 0x40000000u
#define USER_END 0x40400000u
#define STACK_TOP 0x40100000u
#define STACK_PAGES 2u
/* Pages that come when they are touched. */
#define DEMAND_START 0x40200000u
#define DEMAND_END 0x40210000u
/* Pages where CALL_MAP may put one of the frames all processes share. */
#define WINDOW_START 0x40300000u
#define WINDOW_END 0x40310000u
#define SHARED_FRAMES 8u

/* Number in EAX, arguments in EBX and ECX, result in EAX, by INT 0x80. */
#define CALL_EXIT 0u
#define CALL_WRITE 1u /* EBX: text, ECX: its length, at most a page */
#define CALL_YIELD 2u
#define CALL_SLEEP 3u /* EBX: ticks; the result is which tick it is */
#define CALL_MAP 4u   /* EBX: a page of the window, ECX: which shared frame; what was there goes */
#define CALL_UNMAP 5u /* EBX: a page of the window or of the demand area */
#define REFUSED 0xffffffffu

#endif
