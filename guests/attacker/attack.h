/* What the attacks share. */
#ifndef ATTACK_H
#define ATTACK_H
#include "../lib/guest.h"

/* --- main.c --- */
/* The same numbers for the same "seed=N". */
u32 random(void);
/* Whether a physical address lies in what this program needs itself. */
int is_own(u32 address);
/* Where RAM ends, as the loader says. */
extern u32 memory_end;
extern volatile u32 faults, ticks, nmis;
/* No more ticks than these come: then the controllers are silent. */
extern u32 most_ticks;
/* Of the timer's clock: 2 is the fastest there is. */
extern u32 divisor;

/* --- sites.asm --- */
/* What registers have when a site begins, and a place in memory for its operand. */
extern u32 wild_eax, wild_ebx, wild_ecx, wild_edx, wild_esi, wild_edi;
extern u32 wild_operand[4];
/* Runs a site; 1 if it ended in an exception. `attempt` adds to `faults` then, `try` does not. */
u32 try_site(void (*site)(void));
void abandon_site(void);
static inline void attempt(void (*site)(void)) { faults += try_site(site); }
/* A list of sites ends with a null pointer. */
extern void (*const virtualization_sites[])(void);
extern void (*const hypercall_sites[])(void);
extern void (*const control_register_sites[])(void);
void site_write(void);     /* [EBX] := EAX */
void site_write_fs(void);  /* FS:[EBX] := EAX */
void site_read_fs(void);   /* EAX := FS:[EBX] */
void site_load_fs(void);   /* FS := AX */
void site_read_msr(void);  /* EDX:EAX := MSR ECX */
void site_write_msr(void); /* MSR ECX := EDX:EAX */
void site_in(void);         /* AL := port DX */
void site_out(void);        /* port DX := AL */
void site_set_cr0(void);   /* CR0 := EAX, and back */
void site_set_cr2(void);
void site_set_cr3(void);
void site_set_cr4(void);
void site_enable_vmx(void); /* CR4.VMXE := 1, VMXON, VMXOFF, CR4.VMXE := 0 */
void site_enable_svm(void); /* EFER.SVME := 1, VMRUN, EFER.SVME := 0 */
void site_int(void);        /* INT of the vector in AL, by code that changes itself */

/* --- the attacks --- */
void attack_memory(void);
void attack_page_tables(void);
void attack_ports_in(void);
void attack_ports_out(void);
void attack_ports_user(void);
void attack_mmio(void);
void attack_dma(void);
void attack_storm(void);
void attack_nmi(void);
void attack_hypercalls(void);
void attack_virtualization(void);
void attack_virtualization_on(void);
void attack_msr(void);
void attack_memory_types(void);
void attack_control_registers(void);
void attack_cr4(void);
void attack_control_register_pairs(void);
void attack_segments(void);
void attack_segment_limits(void);
/* These do not come back. */
void attack_triple_fault(void);
void attack_reset_keyboard(void);
void attack_reset_port_92(void);
void attack_reset_port_cf9(void);
void attack_hog(void);

#endif
