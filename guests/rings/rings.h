/* What the kernel (main.c) and the ring-3 task (user.c) of this guest agree on. */
#ifndef RINGS_H
#define RINGS_H

/* System calls: number in EAX, arguments in EBX and ECX, result in EAX, entered by INT 0x80. */
#define CALL_EXIT 0u  /* EBX: value handed to the kernel */
#define CALL_WRITE 1u /* EBX: text, ECX: its length */
#define CALL_SLEEP 2u /* EBX: timer ticks to wait for, in HLT */

/* Pages here are absent until the task touches them. */
#define DEMAND_START 0x300000u
#define DEMAND_END 0x310000u
/* An address of the kernel, the same in every build. */
#define KERNEL_ADDRESS 0x100000u

#endif
