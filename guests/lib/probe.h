/* What runs probes: see probe.inc. */
#ifndef PROBE_H
#define PROBE_H
#include "guest.h"

/* Runs a probe in ring 0; run_probe_user is where ring 3 begins, with INT 0x80 at its end and its result in EAX. */
u32 run_probe(u32 code);
void run_probe_user(void);
/* Where an exception of a probe's goes on. */
void abandon_probe(void);
extern u32 probe_to_run;
extern char probe_stack_top[];

#endif
