/* A site: one place that provokes an exception. The tables are in kernel.asm (ring 0) and user.asm (ring 3). */
#ifndef FAULTS_H
#define FAULTS_H
#include "../lib/guest.h"

struct site {
  u32 code;
  const char *name;
};
extern const struct site kernel_sites[], user_sites[];
extern char user_sites_stack_top[];
/* Three of the sites by name. */
extern char stack_null[], read_absent[], undefined[];

/* provoke.asm: calls `code` on the current stack; gives 0 if it returned, 1 if abandon_site was called meanwhile. */
u32 provoke(u32 code);
void abandon_site(void) __attribute__((noreturn));
#endif
