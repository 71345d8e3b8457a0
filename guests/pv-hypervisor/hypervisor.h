/* What the parts of this hypervisor have from each other. Machine memory lies at HIGH of every address space. */
#ifndef HYPERVISOR_H
#define HYPERVISOR_H

#include "../kernel/xen-interface.h"

#define HIGH 0xfc000000u
#define MACHINE_FRAMES 8192u /* 32 MiB; the memory there must be */
#define FIRST_ENTRY (HIGH >> 22)
/* Xen's selectors of what is not the guest's. */
#define HYPERVISOR_CODE 0xe008u
#define HYPERVISOR_DATA 0xe010u
#define HYPERVISOR_TASK 0xe038u
#define GUEST_GDT_ENTRIES (14 * 512u)

#define CALL_REFUSED ((u32)-22) /* -EINVAL */
#define CALL_UNKNOWN ((u32)-38) /* -ENOSYS */

/* The machine's memory as we see it. */
static inline void *at_machine(u32 address) { return (void *)(HIGH + address); }
static inline u32 frame_of(const void *ours) { return ((u32)ours - HIGH) >> 12; }

/* start.asm */
struct trap_entry {
  u32 vector, code;
};
extern const struct trap_entry trap_entries[];
extern u32 boot_directory[];
void enter_guest(struct frame *frame) __attribute__((noreturn));

/* tables.c */
void tables_start(void);
/* Takes the guest's descriptors; 0 when one of them is too much. */
int take_descriptors(const u32 *descriptors, u32 count);

/* domain.c */
#define DOMAIN_PAGES 1024u
#define DOMAIN_FIRST 2048u /* its frames are the 1024 from here, the last first */
extern volatile struct shared_info shared_info;
extern volatile struct block_page block_page;
static inline u32 domain_frame(u32 page) { return DOMAIN_FIRST + DOMAIN_PAGES - 1 - page; }
/* Builds the domain from an ELF image and gives what the guest starts with. */
struct frame domain_create(const u8 *elf, int with_disk);

/* page-types.c; all return whether it may be */
int pin(u32 frame, u32 level);
int unpin(u32 frame);
int change_entry(u32 machine_address, u32 value);
int change_mapping(u32 linear, u32 value);
int change_directory(u32 frame);

/* events.c */
#define TIMER_PORT 1u
#define BLOCK_PORT 2u
struct callback {
  u32 selector, address;
};
extern struct callback event_callback;
extern struct trap_info guest_traps[256];
extern u32 kernel_ss, kernel_esp;
void raise_event(u32 port);
void tick(void);
void set_timer(u32 low, u32 high);
void block(void);
/* Makes the guest enter its handler of the vector. */
void deliver_trap(struct frame *frame);
/* The same for events, if one may come now. */
void offer_event(struct frame *frame);

/* hypercalls.c */
void hypercall(struct frame *frame);
void give_up(const char *why) __attribute__((noreturn));

#endif
