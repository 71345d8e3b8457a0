/*
 * Code that is written and then run: once, again and again, through another linear address, over a page boundary, and the
 * very next instruction.
 *
 * A jump or a call lies between the write and the run wherever the manual asks for it; the last test shows that a store
 * to the instruction behind it is seen too, as every processor since the Pentium Pro does.
 */
#include "checksum.h"

typedef u32 (*function)(void);

/* mov eax, value; ret */
static void write_function(u32 at, u32 value) {
  u8 *code = (u8 *)at;
  code[0] = 0xb8;
  code[1] = (u8)value;
  code[2] = (u8)(value >> 8);
  code[3] = (u8)(value >> 16);
  code[4] = (u8)(value >> 24);
  code[5] = 0xc3;
}

static void test_rewrite(void) {
  for (u32 i = 0; i < 200; i++) {
    write_function(WINDOW + 0x100, i * 0x01020305u);
    fold(((function)(WINDOW + 0x100))());
    ((u8 *)WINDOW)[0x102] ^= 0x3c;
    fold(((function)(WINDOW + 0x100))());
  }
  finish("rewritten code");
}

static void test_through_alias(void) {
  for (u32 i = 0; i < 50; i++) {
    write_function(WINDOW + 0x200, i);
    fold(((function)(WINDOW + 0x200))());
    write_function(WINDOW_ALIAS + 0x200, i * 3);
    fold(((function)(WINDOW + 0x200))());
    fold(((function)(WINDOW_ALIAS + 0x200))());
  }
  finish("code under two addresses");
}

/* The instruction lies in two pages; either half is changed. */
static void test_crossing_code(void) {
  for (u32 back = 1; back < 6; back++)
    for (u32 i = 0; i < 20; i++) {
      u32 at = WINDOW + 0x1000 - back;
      write_function(at, i * 0x11111111u);
      fold(((function)at)());
      ((u8 *)at)[4] += 5;
      fold(((function)at)());
      ((u8 *)at)[1] += 5;
      fold(((function)at)());
    }
  finish("code in two pages");
}

/* Data beside code: the page is written all the time, the code in it is not. */
static void test_data_beside_code(void) {
  write_function(WINDOW + 0x2300, 7);
  volatile u32 *data = (volatile u32 *)(WINDOW + 0x2400);
  *data = 0;
  for (u32 i = 0; i < 2000; i++) *data += ((function)(WINDOW + 0x2300))();
  fold(*data);
  finish("data beside code");
}

/* A loop that rewrites the immediate operand of an instruction in its own body. */
static void test_own_loop(void) {
  u32 result;
  __asm__ volatile(
      "movl $100, %%ecx\n\txorl %%eax, %%eax\n\tmovl $1f, %%edx\n\tmovl $1, 1(%%edx)\n"
      "0:\tjmp 1f\n"
      "1:\t.byte 0x05, 1, 0, 0, 0\n" /* addl $1, %eax */
      "addl $3, 1(%%edx)\n\t"
      "loop 0b"
      : "=&a"(result) : : "ecx", "edx", "cc", "memory");
  fold(result);
  finish("own loop");
}

static void test_next_instruction(void) {
  for (u32 i = 0; i < 50; i++) {
    u32 result;
    __asm__ volatile(
        "movl $1f, %%edx\n\t"
        "movl %1, 1(%%edx)\n"
        "1:\t.byte 0xb8, 0, 0, 0, 0" /* movl $0, %eax */
        : "=&a"(result) : "r"(i * 77) : "edx", "memory");
    fold(result);
  }
  finish("next instruction");
}

/* REP MOVSB that copies a function over another one, which is then called. */
static void test_copied_code(void) {
  for (u32 i = 0; i < 30; i++) {
    write_function(WINDOW + 0x2800, i * 13);
    memcpy((void *)(WINDOW + 0x2ffe), (void *)(WINDOW + 0x2800), 6);
    fold(((function)(WINDOW + 0x2ffe))());
  }
  finish("copied code");
}

void test_self_modification(void) {
  test_rewrite();
  test_through_alias();
  test_crossing_code();
  test_data_beside_code();
  test_own_loop();
  test_next_instruction();
  test_copied_code();
}
