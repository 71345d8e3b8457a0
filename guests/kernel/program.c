/*
 * The four programs; everything in this file runs in ring 3, each program in an address space of its own.
 *
 * They have no function in common with the kernel, because the kernel's pages are not for them.
 */
#include "layout.h"

typedef unsigned int u32;
typedef unsigned char u8;

/* How much there is to compute: about a million and a half instructions, or fifty times as many. */
#ifdef LONG
#define ROUNDS 500u
#else
#define ROUNDS 10u
#endif

static u8 composite[4096];
static char line[80];
static u32 line_length;

/* The first instruction of the image; the kernel has put the program's number into EAX. */
__asm__(
    ".section .text.entry, \"ax\"\n\t"
    "pushl %eax\n\t"
    "call program_main\n\t"
    ".text");

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

static void end_line(void) {
  line[line_length++] = '\n';
  system_call(CALL_WRITE, (u32)line, line_length);
  line_length = 0;
}

static void say(const char *text, u32 value) {
  add_text(text);
  add_number(value);
  end_line();
}

static volatile u32 *word(u32 address) { return (volatile u32 *)address; }

/* --- primes: computes, and lets others compute --- */

static u32 primes_below(u32 limit) {
  u32 count = 0;
  for (u32 i = 0; i < limit; i++) composite[i] = 0;
  for (u32 number = 2; number < limit; number++) {
    if (composite[number]) continue;
    count++;
    for (u32 multiple = number * number; multiple < limit; multiple += number) composite[multiple] = 1;
  }
  return count;
}

static u32 collatz_steps_below(u32 limit) {
  u32 steps = 0;
  for (u32 start = 1; start < limit; start++)
    for (u32 n = start; n != 1; steps++) n = n & 1 ? 3 * n + 1 : n >> 1;
  return steps;
}

static void primes(void) {
  u32 sum = 0;
  for (u32 round = 0; round < ROUNDS; round++) {
    sum += primes_below(4096 - round % 256) + collatz_steps_below(300 + round % 8);
    system_call(CALL_YIELD, 0, 0);
  }
  say("primes: computed ", sum);
}

/* --- pages: touches, maps, exchanges and loses pages --- */

static void touch(void) {
  u32 sum = 0;
  for (u32 page = DEMAND_START; page < DEMAND_END; page += 4096) {
    sum += *word(page + 8);
    *word(page) = page >> 12;
  }
  /* Lies in two pages that are both there no more: faults twice, then happens once. */
  system_call(CALL_UNMAP, DEMAND_START + 0x3000, 0);
  system_call(CALL_UNMAP, DEMAND_START + 0x4000, 0);
  *word(DEMAND_START + 0x3ffe) = 0x00050007;
  for (u32 page = DEMAND_START; page < DEMAND_END; page += 4096) sum += *word(page) & 0xffff;
  say("pages: sum of what came on demand ", sum);
}

static void exchange(void) {
  u32 sum = 0;
  for (u32 frame = 0; frame < 4; frame++) {
    system_call(CALL_MAP, WINDOW_START, frame);
    *word(WINDOW_START) = 100 + frame;
  }
  /* The same page shows one frame after the other, and two pages show the same frame. */
  for (u32 i = 0; i < 64; i++) {
    system_call(CALL_MAP, WINDOW_START, i % 4);
    system_call(CALL_MAP, WINDOW_START + 0x1000, (i + 1) % 4);
    sum += *word(WINDOW_START) * (i + 1);
    *word(WINDOW_START + 0x1000) += i;
    if (i % 16 == 15) system_call(CALL_YIELD, 0, 0);
  }
  say("pages: sum of what the window showed ", sum);
}

static void pages(void) {
  touch();
  exchange();
  system_call(CALL_MAP, WINDOW_START, 7);
  while (*word(WINDOW_START) == 0) system_call(CALL_SLEEP, 1, 0);
  say("pages: the sleeper says ", *word(WINDOW_START));
  /* Not the kernel's memory, nothing outside the window, no frame that is not there. */
  add_text("pages: refused");
  if (system_call(CALL_WRITE, 0x100000, 16) == REFUSED) add_text(" write");
  if (system_call(CALL_MAP, USER_START, 0) == REFUSED) add_text(" map");
  if (system_call(CALL_MAP, WINDOW_START, SHARED_FRAMES) == REFUSED) add_text(" frame");
  if (system_call(CALL_UNMAP, WINDOW_START + 0x5000, 0) == REFUSED) add_text(" unmap");
  if (system_call(99, 0, 0) == REFUSED) add_text(" call");
  end_line();
  system_call(CALL_UNMAP, WINDOW_START, 0);
  *word(WINDOW_START) = 1;
  say("pages: wrote where nothing is ", 0);
}

/* --- sleeper: waits for ticks --- */

static void sleeper(void) {
  for (u32 count = 1; count <= 5; count++) say("sleeper: woke at tick ", system_call(CALL_SLEEP, count, 0));
  system_call(CALL_MAP, WINDOW_START + 0x2000, 7);
  *word(WINDOW_START + 0x2000) = 4711;
  system_call(CALL_SLEEP, 2, 0);
}

/* --- outlaw: does what only the kernel may --- */

static void outlaw(void) {
  /* At the same address as in every other program, and yet its own. */
  for (u32 i = 0; i < sizeof composite; i++) composite[i] = 0xcc;
  system_call(CALL_SLEEP, 3, 0);
  say("outlaw: tries CLI ", composite[17]);
  __asm__ volatile("cli");
  say("outlaw: got away with it ", 0);
}

void program_main(u32 number) {
  static void (*const programs[])(void) = {primes, pages, sleeper, outlaw};
  programs[number]();
  system_call(CALL_EXIT, 0, 0);
}
