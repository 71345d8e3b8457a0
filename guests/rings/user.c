/*
 * The task of the tour kernel: everything in this file runs in ring 3.
 *
 * It shares no function with the kernel, because the kernel's pages are not for it.
 */
#include "rings.h"

typedef unsigned int u32;
typedef unsigned char u8;

/* Written by the kernel's timer handler. */
volatile u32 ticks_in_ring3;
char user_stack[8192] __attribute__((aligned(16)));
__asm__(".globl user_stack_top\n.set user_stack_top, user_stack + 8192");

static u8 composite[4096];
static char line[80];
static u32 line_length;

static u32 system_call(u32 number, u32 first, u32 second) {
  u32 result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(first), "c"(second) : "memory");
  return result;
}

static void add_text(const char *text) {
  while (*text != 0) line[line_length++] = *text++;
}

static void add_number(u32 value) {
  char digits[10];
  int count = 0;
  do {
    digits[count++] = (char)('0' + value % 10);
    value /= 10;
  } while (value != 0);
  while (count > 0) line[line_length++] = digits[--count];
}

static void print_line(void) {
  line[line_length++] = '\n';
  system_call(CALL_WRITE, (u32)line, line_length);
  line_length = 0;
}

static void say(const char *text) {
  add_text("task: ");
  add_text(text);
  print_line();
}

static void say_number(const char *text, u32 value) {
  add_text("task: ");
  add_text(text);
  add_number(value);
  print_line();
}

static u32 primes_below(u32 limit) {
  u32 count = 0;
  for (u32 number = 2; number < limit; number++) {
    if (composite[number]) continue;
    count++;
    for (u32 multiple = number * number; multiple < limit; multiple += number) composite[multiple] = 1;
  }
  return count;
}

static u32 __attribute__((noinline)) fibonacci(u32 n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

static u32 longest_collatz_below(u32 limit) {
  u32 best = 0, best_steps = 0;
  for (u32 start = 1; start < limit; start++) {
    u32 steps = 0;
    for (u32 n = start; n != 1; steps++) n = n & 1 ? 3 * n + 1 : n >> 1;
    if (steps > best_steps) {
      best_steps = steps;
      best = start;
    }
  }
  return best;
}

static u32 code_selector(void) {
  u32 value;
  __asm__ volatile("movl %%cs, %0" : "=r"(value));
  return value;
}

/* POPF below IOPL changes neither IF nor IOPL, and does not fault. */
static u32 interrupt_flag_after_popf(void) {
  u32 flags;
  __asm__ volatile("pushl $0x2\n\tpopfl\n\tpushfl\n\tpopl %0" : "=r"(flags) : : "cc");
  return (flags >> 9) & 1;
}

static u32 probe_read(u32 address) {
  u32 value = 0x5a5a;
  __asm__ volatile(".byte 0x8b, 0x01" /* mov (%ecx), %eax */ : "+a"(value) : "c"(address) : "memory");
  return value;
}

static void probe_write(u32 address, u32 value) {
  __asm__ volatile(".byte 0x89, 0x01" /* mov %eax, (%ecx) */ : : "a"(value), "c"(address) : "memory");
}

static void task(void) {
  say_number("hello from CPL ", code_selector() & 3);
  say_number("primes below 4096: ", primes_below(4096));
  say_number("fibonacci(19): ", fibonacci(19));
  say_number("longest Collatz sequence below 500 starts at ", longest_collatz_below(500));
  while (ticks_in_ring3 < 3) {
  }
  say("the timer has interrupted me");
  system_call(CALL_SLEEP, 5, 0);
  say("slept for five ticks");

  say_number("IF after POPF tried to clear it: ", interrupt_flag_after_popf());
  say("trying CLI, HLT and IN");
  __asm__ volatile("cli");
  __asm__ volatile("hlt");
  __asm__ volatile("inb %%dx, %%al" : : "d"(0x21) : "eax");

  say("reading and writing a page of the kernel");
  say_number("read gave ", probe_read(KERNEL_ADDRESS));
  probe_write(KERNEL_ADDRESS, 1);
  system_call(CALL_WRITE, KERNEL_ADDRESS, 16);

  say("touching pages that are not there yet");
  say_number("read gave ", probe_read(DEMAND_START));
  probe_write(DEMAND_START + 4, 41);
  probe_write(DEMAND_START + 0x2ffe, 0x10001); /* lies in two pages: faults twice, then happens once */
  say_number("sum of what was written: ",
             probe_read(DEMAND_START + 4) + (probe_read(DEMAND_START + 0x2ffe) == 0x10001) +
                 (probe_read(DEMAND_START + 0x3000) == 1));
  system_call(CALL_EXIT, 42, 0);
}

void user_start_task(void) {
  task();
  for (;;) {
  }
}
