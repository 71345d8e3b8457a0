/*
 * What a hypervisor is to the paravirtual build of this kernel (kernel-xen.elf), and what the kernel finds when it
 * starts. Numbers and structures are Xen's for 32-bit guests without PAE, as its public headers have them (xen.h,
 * arch-x86/xen.h and xen-x86_32.h, event_channel.h, sched.h, elfnote.h); two things are simpler here and marked "not
 * Xen's".
 *
 * HYPERCALLS. INT 0x82 from ring 1: the number in EAX, arguments in EBX, ECX, EDX, ESI, EDI; the result in EAX,
 * negative (-errno) when refused. Argument registers may come back changed. Pointers are linear addresses of the
 * guest's.
 *
 * MEMORY. The hypervisor has linear addresses from 0xFC000000 up, in every address space, and gives segments that end
 * below. The guest's own memory is nr_pages frames that need not be next to each other in the machine; the guest calls
 * them by their place ("pfn"), entries of page tables hold the machine's frames ("mfn"), and mfn_list leads from one to
 * the other. A page in use as a table is mapped read-only everywhere, and changes by hypercall alone. The hypervisor
 * refuses an entry for a frame that is not the guest's, or that would make a table writable.
 *
 * AT THE START. The image is an ELF file with Xen's notes; its segments go to their physical addresses, counted from
 * the start of the guest's memory. Then:
 *   - EIP is the entry (XEN_ELFNOTE_ENTRY), ESI the linear address of a struct start_info, ESP the end of a free page;
 *     CS, and SS, DS, ES are flat segments of ring 1 (FLAT_RING1_CS, FLAT_RING1_DS); IF is set in EFLAGS as the
 *     processor has it, and events are masked (evtchn_upcall_mask is 1);
 *   - paging is on; linear addresses 0 to 4 MiB are the guest's first 1024 pages at their own places (VIRT_BASE is 0),
 *     writable but for the tables, and not for ring 3. nr_pages is 1024 or more;
 *   - behind the image, below 2 MiB, come in this order, each from a page boundary: mfn_list (4 * nr_pages bytes),
 *     start_info, the page directory at pt_base (pinned), the one page table behind it (nr_pt_frames is 2), and the
 *     free page for the first stack;
 *   - memory from 2 MiB to 4 MiB is zeros or anything; .bss is zeros.
 *
 * EXCEPTIONS AND SYSTEM CALLS. set_trap_table says where each vector goes. The frame on the stack in ring 1 is the
 * processor's: SS and ESP where ring 3 was interrupted (the stack is that of stack_switch), EFLAGS, CS, EIP, and an
 * error code where the vector has one. IF in that EFLAGS is 1 when events were not masked. A bit of flags
 * (TI_EVENTS_OFF) masks them. The linear address of a page fault is in arch_cr2 of the vcpu_info.
 *
 * EVENTS. A port is a bit of evtchn_pending. When it is set and evtchn_mask has it not, the port's word gets its bit in
 * evtchn_pending_sel and evtchn_upcall_pending becomes 1; while that is so and evtchn_upcall_mask is 0, the guest is
 * called at the address of set_callbacks with the frame of an interrupt, and evtchn_upcall_mask becomes 1. The guest
 * clears the bits itself. Ring 3 is called out of only when the mask is 0, too.
 *
 * LEAVING. IRET works between rings 1 and 3, and does not change the mask. HYPERVISOR_iret takes EAX and then EIP, CS,
 * EFLAGS (and ESP, SS when CS is of ring 3) from the stack, and sets the mask to the opposite of IF.
 */
#ifndef XEN_INTERFACE_H
#define XEN_INTERFACE_H

#include "../lib/guest.h"

/* --- hypercalls --- */
#define HYPERVISOR_set_trap_table 0u     /* struct trap_info *, ended by one with address 0 */
#define HYPERVISOR_mmu_update 1u         /* struct mmu_update *, count, u32 *done or 0, domain */
#define HYPERVISOR_set_gdt 2u            /* u32 *mfns, how many descriptors; the frames are read-only by then */
#define HYPERVISOR_stack_switch 3u       /* SS, ESP of ring 1 */
#define HYPERVISOR_set_callbacks 4u      /* selector and address for events, the same for failures */
#define HYPERVISOR_update_va_mapping 14u /* linear address, entry, 0, UVMF_ flags */
#define HYPERVISOR_set_timer_op 15u      /* nanoseconds of system_time, low and high word; then VIRQ_TIMER comes once */
#define HYPERVISOR_console_io 18u        /* CONSOLEIO_write, length, text */
#define HYPERVISOR_iret 23u
#define HYPERVISOR_mmuext_op 26u         /* struct mmuext_op *, count, u32 *done or 0, domain */
#define HYPERVISOR_sched_op 29u          /* SCHEDOP_, argument */
#define HYPERVISOR_event_channel_op 32u  /* EVTCHNOP_, argument */

#define DOMID_SELF 0x7ff0u

/* --- descriptors --- */
#define FLAT_RING1_CS 0xe019u
#define FLAT_RING1_DS 0xe021u

struct trap_info {
  u8 vector;
  u8 flags; /* bits 0 and 1: the least privileged ring that may use it by INT; TI_EVENTS_OFF */
  u16 selector;
  u32 address;
};
#define TI_EVENTS_OFF 4u

/* --- page tables --- */
struct mmu_update {
  u32 address, address_high; /* machine address of the entry; the two lowest bits are what to do, here always 0 */
  u32 value, value_high;     /* the entry */
};

struct mmuext_op {
  u32 command;
  u32 frame_or_linear; /* mfn, or for the last a linear address */
  u32 unused;
};
#define MMUEXT_PIN_L1_TABLE 0u
#define MMUEXT_PIN_L2_TABLE 1u
#define MMUEXT_UNPIN_TABLE 4u
#define MMUEXT_NEW_BASEPTR 5u /* MOV CR3; it may be one that is not pinned */
#define MMUEXT_INVLPG_LOCAL 7u

#define UVMF_INVLPG 2u

/* --- scheduling, console --- */
#define SCHEDOP_block 1u    /* clears the mask and waits for an event; returns at once if one is pending */
#define SCHEDOP_shutdown 2u /* u32 *reason */
#define SHUTDOWN_poweroff 0u
#define SHUTDOWN_crash 3u
#define CONSOLEIO_write 0u

/* --- events --- */
#define EVTCHNOP_bind_virq 1u /* struct bind_virq * */
#define EVTCHNOP_send 4u      /* u32 *port */
#define VIRQ_TIMER 0u
struct bind_virq {
  u32 virq, vcpu;
  u32 port; /* out */
};

struct vcpu_info { /* 64 bytes */
  u8 evtchn_upcall_pending, evtchn_upcall_mask, unused[2];
  u32 evtchn_pending_sel;
  u32 arch_cr2, arch_unused[5];
  u32 time_version, time_unused;             /* odd while the time is being written */
  u32 tsc_timestamp[2];                      /* not looked at: this kernel has no RDTSC */
  u32 system_time_low, system_time_high;     /* nanoseconds since the start; true when the guest last began to run */
  u32 tsc_to_system_mul, tsc_shift;
};

struct shared_info {
  struct vcpu_info vcpu_info[32];
  u32 evtchn_pending[32], evtchn_mask[32];
  u32 wall_clock[3];
  u32 arch[3];
  u32 rest_of_page[442];
};

/* --- the start --- */
#define XEN_MAGIC "xen-3.0-x86_32"
struct start_info {
  char magic[32];
  u32 nr_pages;
  u32 shared_info;                /* machine address; the guest maps it where it likes */
  u32 flags;                      /* 0: not privileged */
  u32 store_mfn, store_evtchn;    /* not Xen's use: the block device's request page, and its port; 0 without a disk */
  u32 console_mfn, console_evtchn; /* 0: the console is console_io */
  u32 pt_base;                    /* linear address of the page directory */
  u32 nr_pt_frames;
  u32 mfn_list;                   /* linear address of u32[nr_pages] */
  u32 mod_start, mod_len;
  char cmd_line[1024];
};

/*
 * --- the block device: not Xen's, whose blkfront finds rings and grants by the store ---
 *
 * One page that guest and hypervisor both have mapped. The guest fills request[asked % BLOCK_REQUESTS], adds 1 to
 * asked, and sends on the port. The hypervisor does all up to asked in order: moves count sectors between disk and the
 * start of the guest's frame mfn, sets status, adds 1 to done; then it sets the port pending. A frame that is not the
 * guest's, or sectors that are not the disk's, are refused by status.
 */
#define BLOCK_REQUESTS 16u
#define BLOCK_READ 0u
#define BLOCK_WRITE 1u
#define BLOCK_DONE 0u
#define BLOCK_REFUSED 1u
struct block_page {
  u32 sectors; /* of 512 bytes, how many the disk has; set at the start */
  u32 asked;   /* the guest's */
  u32 done;    /* the hypervisor's */
  u32 unused;
  struct block_request {
    u32 operation, sector, count, mfn; /* count: 1 to 8 */
    u32 status, unused[3];
  } request[BLOCK_REQUESTS];
  u32 rest_of_page[892];
};

#endif
