/*
 * Seven operations that cost very different amounts natively and under each kind of hypervisor, one at a time in a loop,
 * and an empty loop. A name on the command line chooses one (all of them by default), "rounds=N" how often.
 *
 * No interrupt is ever taken, and nothing in ring 0 depends on the ring or on the processor's model but what traps.
 * After Adams & Agesen 2006, "Nanobenchmarks". Manual: Intel SDM volume 3, "Task Priority" of the local APIC.
 */
#include "../lib/guest.h"

#define TPR 0xfee00080u
#define TPR_VALUE 0x20u
#define CACHE_DISABLED 0x10u
#define MASK 0xa5u

/* workload.asm. What each returns is what it read, where it reads something. */
u32 run_empty(u32 rounds, u32 address, u32 value);
u32 run_in(u32 rounds, u32 address, u32 value);
u32 run_tpr(u32 rounds, u32 address, u32 value);
u32 run_call(u32 rounds, u32 address, u32 value);
u32 run_page_fault(u32 rounds, u32 address, u32 value);
u32 run_divide_error(u32 rounds, u32 address, u32 value);
u32 run_entry(u32 rounds, u32 address, u32 value);
/* user.asm */
void user_fast_calls(void);
void user_interrupts(void);
extern volatile u32 user_rounds;
extern char user_stack_top[];
/* start.asm */
extern u32 has_sysenter;

/* A page each: two that one linear address has in turn, that address, and one where nothing is. */
static volatile u32 frames[2][1024] __attribute__((aligned(4096)));
static volatile u32 window[1024] __attribute__((aligned(4096)));
static u32 absent[1024] __attribute__((aligned(4096)));
static u32 apic_table[1024] __attribute__((aligned(4096)));
static u32 *page_table;

static void start_pages(void) {
  u32 *directory;
  paging_start();
  __asm__ volatile("movl %%cr3, %0" : "=r"(directory));
  page_table = (u32 *)(directory[0] & ~0xfffu);
  apic_table[TPR >> 12 & 1023] = (TPR & ~0xfffu) | PAGE_PRESENT | PAGE_WRITE | CACHE_DISABLED;
  directory[TPR >> 22] = (u32)apic_table | PAGE_PRESENT | PAGE_WRITE;
  map_page((u32)absent, 0, 0);
  frames[0][0] = 7;
  frames[1][0] = 1000;
}

/* Each answers whether what it did can be seen where it should be; without a branch, so that no repetition adds one. */

static int empty(u32 rounds) { return run_empty(rounds, 0, 0) == 0; }

static int syscall(u32 rounds) {
  user_rounds = rounds;
  enter_ring3((u32)(has_sysenter ? user_fast_calls : user_interrupts), (u32)user_stack_top);
  return 1;
}

/* A mask that an empty bus does not answer with. */
static int in(u32 rounds) {
  out8(0x21, MASK);
  u32 value = run_in(rounds, 0, 0);
  out8(0x21, 0xff);
  return (value ^ MASK) * rounds == 0;
}

static int cr8wr(u32 rounds) {
  volatile u32 *tpr = (volatile u32 *)TPR;
  run_tpr(rounds, TPR, TPR_VALUE);
  u32 value = *tpr;
  *tpr = 0;
  return (value ^ TPR_VALUE) * rounds == 0;
}

static int callret(u32 rounds) { return run_call(rounds, 0, 0) == 0; }

static int pgfault(u32 rounds) { return run_page_fault(rounds, (u32)absent, 0) == 0; }

static int divzero(u32 rounds) { return run_divide_error(rounds, 0, 0) == 0; }

/* The loop leaves out INVLPG, so nothing may be told about the window before it. */
static int ptemod(u32 rounds) {
  map_page((u32)window, (u32)frames[0], PAGE_PRESENT | PAGE_WRITE);
  run_entry(rounds, (u32)(page_table + ((u32)window >> 12)), (u32)frames[0] ^ (u32)frames[1]);
  __asm__ volatile("invlpg (%0)" : : "r"(window) : "memory");
  return window[0] == frames[rounds & 1][0];
}

static const struct {
  const char *name;
  int (*run)(u32 rounds);
} benchmarks[] = {
    {"empty", empty},       {"syscall", syscall}, {"in", in},           {"cr8wr", cr8wr},
    {"callret", callret}, {"pgfault", pgfault}, {"divzero", divzero}, {"ptemod", ptemod},
};
#define BENCHMARKS (sizeof benchmarks / sizeof benchmarks[0])

/* Whether `name` is one of the words of `text`. */
static int names(const char *text, const char *name) {
  for (const char *word = text; *word != 0;) {
    u32 length = 0;
    while (name[length] != 0 && word[length] == name[length]) length++;
    if (name[length] == 0 && (word[length] == 0 || word[length] == ' ')) return 1;
    while (*word != 0 && *word != ' ') word++;
    while (*word == ' ') word++;
  }
  return 0;
}

u32 guest_main(u32 magic, const struct multiboot_info *info) {
  (void)magic;
  const char *options = command_line(info);
  u32 rounds = number_option(options, "rounds", 1000);
  u32 chosen = BENCHMARKS;
  u32 result = EXIT_GOOD;
  for (u32 i = 0; i < BENCHMARKS; i++)
    if (names(options, benchmarks[i].name)) chosen = i;
  serial_start();
  pic_start(0);
  start_pages();
  for (u32 i = 0; i < BENCHMARKS; i++) {
    if (chosen != BENCHMARKS && chosen != i) continue;
    put_text(benchmarks[i].name);
    put_char(' ');
    put_decimal(rounds);
    put_char('\n');
    serial_end();
    int seen = benchmarks[i].run(rounds);
    put_text(seen ? "done\n" : "failed\n");
    if (!seen) result = EXIT_BAD;
  }
  serial_end();
  return result;
}
