/* Bit tests and bit scans. A bit offset in a register reaches beyond the operand, in both directions, when it is memory. */
#include "checksum.h"

#define BIT_MEMORY(op)                                                                                \
  do {                                                                                                \
    u32 *middle = (u32 *)(WINDOW + 0x1000);                                                           \
    for (u32 i = 0; i < 16; i++) middle[(s32)i - 8] = values[i % VALUES] * 0x9e3779b9u + i;           \
    for (s32 offset = -255; offset < 255; offset += 13) {                                             \
      u32 out;                                                                                        \
      __asm__ volatile("xorl %%eax, %%eax\n\t" op "l %2, (%1)\n\tpushfl\n\tpopl %0"                    \
                       : "=&r"(out) : "r"(middle), "r"(offset) : "cc", "memory", "eax");              \
      fold(out & (CF | ZF));                                                                          \
      __asm__ volatile(op "w %w2, (%1)\n\tpushfl\n\tpopl %0"                                           \
                       : "=&r"(out) : "r"(middle), "r"(offset / 2) : "cc", "memory");                 \
      fold(out & CF);                                                                                 \
    }                                                                                                 \
    for (u32 i = 0; i < 16; i++) fold(middle[(s32)i - 8]);                                            \
    u32 out;                                                                                          \
    __asm__ volatile("lock " op "l $37, (%1)\n\tpushfl\n\tpopl %0" : "=&r"(out) : "r"(middle) : "cc", "memory"); \
    fold(out & CF);                                                                                   \
    fold(middle[0]);                                                                                  \
    fold(middle[1]);                                                                                  \
    finish(op " memory");                                                                             \
  } while (0)

#define BIT_REGISTER(op)                                                                              \
  do {                                                                                                \
    for (u32 i = 0; i < VALUES; i++)                                                                  \
      for (u32 offset = 0; offset < 70; offset += 3) {                                                \
        u32 a = values[i], out;                                                                       \
        __asm__ volatile(op "l %2, %0\n\tpushfl\n\tpopl %1" : "+r"(a), "=&r"(out) : "r"(offset) : "cc"); \
        fold(a);                                                                                      \
        fold(out & CF);                                                                               \
        __asm__ volatile(op "w %w2, %w0\n\tpushfl\n\tpopl %1" : "+r"(a), "=&r"(out) : "r"(offset) : "cc"); \
        fold(a);                                                                                      \
        fold(out & CF);                                                                               \
        __asm__ volatile(op "l $19, %0\n\tpushfl\n\tpopl %1" : "+r"(a), "=&r"(out) : : "cc");          \
        fold(a);                                                                                      \
        fold(out & CF);                                                                               \
      }                                                                                               \
    finish(op " register");                                                                           \
  } while (0)

/* The result for a source of zero is undefined; only ZF is folded then. */
static void scan(void) {
  for (u32 i = 0; i < VALUES; i++)
    for (u32 shift = 0; shift < 32; shift += 5) {
      u32 source = values[i] << shift, result = 0, out;
      __asm__ volatile("bsfl %2, %0\n\tpushfl\n\tpopl %1" : "+r"(result), "=&r"(out) : "r"(source) : "cc");
      fold(out & ZF);
      if (source != 0) fold(result);
      __asm__ volatile("bsrl %2, %0\n\tpushfl\n\tpopl %1" : "+r"(result), "=&r"(out) : "m"(source) : "cc");
      fold(out & ZF);
      if (source != 0) fold(result);
      result = 0x77777777;
      __asm__ volatile("bsfw %w2, %w0\n\tpushfl\n\tpopl %1" : "+r"(result), "=&r"(out) : "r"(source) : "cc");
      fold(out & ZF);
      if ((source & 0xffff) != 0) fold(result);
      __asm__ volatile("bsrw %w2, %w0\n\tpushfl\n\tpopl %1" : "+r"(result), "=&r"(out) : "r"(source) : "cc");
      fold(out & ZF);
      if ((source & 0xffff) != 0) fold(result);
    }
  finish("bsf bsr");
}

void test_bits(void) {
  BIT_REGISTER("bt");
  BIT_REGISTER("bts");
  BIT_REGISTER("btr");
  BIT_REGISTER("btc");
  BIT_MEMORY("bts");
  BIT_MEMORY("btr");
  BIT_MEMORY("btc");
  scan();
}
