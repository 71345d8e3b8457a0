/* What the parts of this hypervisor have from each other. */
#ifndef HYPERVISOR_H
#define HYPERVISOR_H

#include "vmx.h"

struct msr {
  u32 low, high;
};
static inline struct msr read_msr(u32 number) {
  struct msr value;
  __asm__ volatile("rdmsr" : "=a"(value.low), "=d"(value.high) : "c"(number));
  return value;
}
static inline void write_msr(u32 number, u32 low, u32 high) {
  __asm__ volatile("wrmsr" : : "c"(number), "a"(low), "d"(high));
}

/* exits.c */
/* A line with how an instruction ended. */
void say_status(const char *what, u32 status);
/* Says what the exit was and does it; 0 at the end of the guest. */
int handle_exit(struct registers *registers);

/* vmcs.c */
int has_unrestricted_guest(void);
void write_controls(int with_ept);
void write_host(void);
void write_guest(int with_ept);

/* guest-memory.c */
#define GUEST_PAGES 16u
#define GUEST_CODE 0x1000u
#define GUEST_STACK 0x3000u
#define GUEST_TABLES 0x4000u /* in protected mode: GDT, and IDT half a page up */
#define GUEST_HANDLER (GUEST_CODE + 0x100u)
#define GUEST_VECTOR 0x21u
#define ABSENT_PAGE 0xf000u
/* The guest's program and tables; all pages are mapped but one. */
void prepare_memory(int with_ept);
/* Maps the page that was left out. */
void map_absent_page(void);
u32 shadow_directory(void);
u32 ept_pointer(void);

#endif
