/* Shifts and rotates: every count from 0 to 33 in CL, by one, by an immediate, and between two registers. */
#include "checksum.h"

/*
 * Flags defined after a shift by `count` (already masked to 5 bits) of `width` bits.
 * A count of 0 changes no flag, so all of them are as they were before.
 */
static u32 shift_flags(u32 count, u32 width, int arithmetic) {
  if (count == 0) return ARITHMETIC;
  u32 mask = PF | ZF | SF;
  if (count < width || arithmetic) mask |= CF;
  if (count == 1) mask |= OF;
  return mask;
}

/* A rotate leaves PF, AF, ZF and SF as they were. */
static u32 rotate_flags(u32 count) { return count <= 1 ? ARITHMETIC : ARITHMETIC & ~OF; }

#define SHIFT(op, s, type, width, mask)                                                               \
  do {                                                                                                \
    for (u32 i = 0; i < VALUES; i++)                                                                  \
      for (u32 count = 0; count <= 33; count++)                                                       \
        for (u32 in = 2; in <= 0x8d7; in += 0x8d5) {                                                  \
          type a = (type)values[i];                                                                   \
          u32 out;                                                                                    \
          __asm__ volatile("pushl %3\n\tpopfl\n\t" op s " %%cl, %0\n\tpushfl\n\tpopl %1"              \
                           : "+q"(a), "=&r"(out)                                                      \
                           : "c"(count), "r"(in)                                                      \
                           : "cc");                                                                   \
          fold(a);                                                                                    \
          fold(out & (mask));                                                                         \
        }                                                                                             \
    for (u32 i = 0; i < VALUES; i++) {                                                                \
      type *cell = (type *)(WINDOW + 0x0fff);                                                         \
      u32 out;                                                                                        \
      *cell = (type)values[i];                                                                        \
      __asm__ volatile("cmpl $0, %1\n\t" op s " (%2)\n\tpushfl\n\tpopl %0"                             \
                       : "=&r"(out) : "r"(values[i]), "r"(cell) : "cc", "memory");                    \
      fold(*cell);                                                                                    \
      fold(out & (CF | OF));                                                                          \
      __asm__ volatile("clc\n\t" op s " $5, (%1)\n\tpushfl\n\tpopl %0" : "=&r"(out) : "r"(cell) : "cc", "memory"); \
      fold(*cell);                                                                                    \
      fold(out & CF);                                                                                 \
    }                                                                                                 \
    finish(op s);                                                                                     \
  } while (0)
#define SHIFT_ALL(op, arithmetic)                                            \
  SHIFT(op, "b", u8, 8, shift_flags(count & 31, 8, arithmetic));              \
  SHIFT(op, "w", u16, 16, shift_flags(count & 31, 16, arithmetic));           \
  SHIFT(op, "l", u32, 32, shift_flags(count & 31, 32, arithmetic))
#define ROTATE_ALL(op)                              \
  SHIFT(op, "b", u8, 8, rotate_flags(count & 31));   \
  SHIFT(op, "w", u16, 16, rotate_flags(count & 31)); \
  SHIFT(op, "l", u32, 32, rotate_flags(count & 31))

/* A count above the width gives an undefined result, so 16-bit operands stop at 15. */
#define DOUBLE(op, s, type, limit)                                                                    \
  do {                                                                                                \
    for (u32 i = 0; i < VALUES; i++)                                                                  \
      for (u32 j = 0; j < VALUES; j++)                                                                \
        for (u32 count = 0; count < limit; count++) {                                                 \
          type a = (type)values[i], b = (type)values[j];                                              \
          u32 out;                                                                                    \
          __asm__ volatile("pushl $0x2\n\tpopfl\n\t" op s " %%cl, %2, %0\n\tpushfl\n\tpopl %1"         \
                           : "+r"(a), "=&r"(out)                                                      \
                           : "r"(b), "c"(count)                                                       \
                           : "cc");                                                                   \
          fold(a);                                                                                    \
          fold(out & (count == 0 ? ARITHMETIC : count == 1 ? LOGICAL : LOGICAL & ~OF));               \
        }                                                                                             \
    for (u32 i = 0; i < VALUES; i++) {                                                                \
      type *cell = (type *)(WINDOW + 0x1ffd);                                                         \
      *cell = (type)values[i];                                                                        \
      __asm__ volatile(op s " $9, %0, (%1)" : : "r"((type)0xc3a5f00f), "r"(cell) : "cc", "memory");   \
      fold(*cell);                                                                                    \
    }                                                                                                 \
    finish(op s);                                                                                     \
  } while (0)

void test_shifts(void) {
  SHIFT_ALL("shl", 0);
  SHIFT_ALL("shr", 0);
  SHIFT_ALL("sar", 1);
  ROTATE_ALL("rol");
  ROTATE_ALL("ror");
  ROTATE_ALL("rcl");
  ROTATE_ALL("rcr");
  DOUBLE("shld", "w", u16, 16);
  DOUBLE("shld", "l", u32, 32);
  DOUBLE("shrd", "w", u16, 16);
  DOUBLE("shrd", "l", u32, 32);
}
