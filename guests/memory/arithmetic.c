/* Addition, subtraction and logic in three widths, to registers and to memory; exchanges; widening. */
#include "checksum.h"

/* One instruction `text` on a register; flags start as `in`. */
#define REGISTER(text, type)                                                                          \
  __asm__ volatile("pushl %[in]\n\tpopfl\n\t" text "\n\tpushfl\n\tpopl %[out]"                        \
                   : "+q"(a), [out] "=&r"(out)                                                        \
                   : "q"((type)b), [in] "r"(in)                                                       \
                   : "cc", "memory")
#define MEMORY(text, type)                                                                            \
  __asm__ volatile("pushl %[in]\n\tpopfl\n\t" text "\n\tpushfl\n\tpopl %[out]"                        \
                   : [out] "=&r"(out)                                                                 \
                   : "q"((type)b), "r"(cell), [in] "r"(in)                                            \
                   : "cc", "memory")

/* Every pair of values, carry clear and set: register with register, then memory with register. */
#define BINARY(name, op, s, type, mask)                                                               \
  do {                                                                                                \
    for (u32 i = 0; i < VALUES; i++)                                                                  \
      for (u32 j = 0; j < VALUES; j++)                                                                \
        for (u32 in = 2; in <= 3; in++) {                                                             \
          type a = (type)values[i], b = (type)values[j];                                              \
          u32 out;                                                                                    \
          REGISTER(op s " %2, %0", type);                                                             \
          fold(a);                                                                                    \
          fold(out & (mask));                                                                         \
          type *cell = (type *)(WINDOW + 0x100);                                                      \
          *cell = (type)values[i];                                                                    \
          MEMORY(op s " %1, (%2)", type);                                                             \
          fold(*cell);                                                                                \
          fold(out & (mask));                                                                         \
        }                                                                                             \
    finish(name);                                                                                     \
  } while (0)
#define BINARY_ALL(op, mask)          \
  BINARY(op " 8", op, "b", u8, mask);  \
  BINARY(op " 16", op, "w", u16, mask); \
  BINARY(op " 32", op, "l", u32, mask)

#define UNARY(name, op, s, type, mask)                                                                \
  do {                                                                                                \
    for (u32 i = 0; i < VALUES; i++)                                                                  \
      for (u32 in = 2; in <= 3; in++) {                                                               \
        type a = (type)values[i], b = 0;                                                              \
        u32 out;                                                                                      \
        REGISTER(op s " %0", type);                                                                   \
        fold(a);                                                                                      \
        fold(out & (mask));                                                                           \
        type *cell = (type *)(WINDOW + 0x100);                                                        \
        *cell = (type)values[i];                                                                      \
        MEMORY(op s " (%2)", type);                                                                   \
        fold(*cell);                                                                                  \
        fold(out & (mask));                                                                           \
      }                                                                                               \
    finish(name);                                                                                     \
  } while (0)
#define UNARY_ALL(op, mask)          \
  UNARY(op " 8", op, "b", u8, mask);  \
  UNARY(op " 16", op, "w", u16, mask); \
  UNARY(op " 32", op, "l", u32, mask)

/* CMPXCHG compares with the accumulator and loads it when the comparison fails. */
#define COMPARE_EXCHANGE(s, type)                                                                     \
  do {                                                                                                \
    for (u32 i = 0; i < VALUES; i++)                                                                  \
      for (u32 j = 0; j < VALUES; j++) {                                                              \
        type *cell = (type *)(WINDOW + 0x1ffe);                                                       \
        u32 accumulator = values[i], out;                                                             \
        *cell = (type)values[j];                                                                      \
        __asm__ volatile("lock cmpxchg" s " %2, (%3)\n\tpushfl\n\tpopl %1"                            \
                         : "+a"(accumulator), "=&d"(out)                                              \
                         : "q"((type)0x5a6b7c8d), "r"(cell)                                           \
                         : "cc", "memory");                                                           \
        fold(accumulator);                                                                            \
        fold(*cell);                                                                                  \
        fold(out & ARITHMETIC);                                                                       \
      }                                                                                               \
    finish("cmpxchg" s);                                                                              \
  } while (0)

#define EXCHANGE(op, s, type, mask)                                                                   \
  do {                                                                                                \
    for (u32 i = 0; i < VALUES; i++)                                                                  \
      for (u32 j = 0; j < VALUES; j++) {                                                              \
        type *cell = (type *)(WINDOW + 0x0fff);                                                       \
        type a = (type)values[i];                                                                     \
        u32 out;                                                                                      \
        *cell = (type)values[j];                                                                      \
        __asm__ volatile(op s " %0, (%2)\n\tpushfl\n\tpopl %1"                                        \
                         : "+q"(a), "=&r"(out)                                                        \
                         : "r"(cell)                                                                  \
                         : "cc", "memory");                                                           \
        fold(a);                                                                                      \
        fold(*cell);                                                                                  \
        fold(out & (mask));                                                                           \
      }                                                                                               \
    finish(op s);                                                                                     \
  } while (0)

static void test_widening(void) {
  for (u32 i = 0; i < VALUES; i++) {
    u32 result, high;
    __asm__("movzbl %b1, %0" : "=r"(result) : "q"(values[i]));
    fold(result);
    __asm__("movsbl %b1, %0" : "=r"(result) : "q"(values[i]));
    fold(result);
    __asm__("movzwl %w1, %0" : "=r"(result) : "r"(values[i]));
    fold(result);
    __asm__("movswl %w1, %0" : "=r"(result) : "r"(values[i]));
    fold(result);
    result = 0xaaaaaaaa;
    __asm__("movsbw %b1, %w0" : "+r"(result) : "q"(values[i]));
    fold(result);
    __asm__("movl %1, %%eax\n\tcbtw\n\tmovl %%eax, %0" : "=r"(result) : "r"(values[i]) : "eax");
    fold(result);
    __asm__("movl %1, %%eax\n\tcwtl\n\tmovl %%eax, %0" : "=r"(result) : "r"(values[i]) : "eax");
    fold(result);
    high = 0x55555555;
    __asm__("cwtd" : "+d"(high) : "a"(values[i]));
    fold(high);
    __asm__("cltd" : "=d"(high) : "a"(values[i]));
    fold(high);
    result = values[i];
    __asm__("bswap %0" : "+r"(result));
    fold(result);
    result = values[i];
    __asm__("xchgb %b0, %h0\n\tnotb %h0" : "+q"(result));
    fold(result);
    __asm__("leal 5(%1,%1,8), %0" : "=r"(result) : "r"(values[i]));
    fold(result);
    result = 0x11112222;
    __asm__("leaw -1(%1), %w0" : "+r"(result) : "r"(values[i]));
    fold(result);
  }
  finish("widening");
}

/* Immediate forms: sign-extended bytes, the accumulator's short forms. */
static void test_immediates(void) {
  for (u32 i = 0; i < VALUES; i++) {
    u32 a = values[i], out;
    __asm__ volatile("addl $-1, %0\n\tadcl $0x7f, %0\n\tsbbl $-128, %0\n\tpushfl\n\tpopl %1" : "+r"(a), "=&r"(out) : : "cc");
    fold(a);
    fold(out & ARITHMETIC);
    __asm__ volatile("addw $-3, %w0\n\txorw $0x1234, %w0\n\tsubw $0x7f, %w0\n\tpushfl\n\tpopl %1"
                     : "+r"(a), "=&r"(out) : : "cc");
    fold(a);
    fold(out & ARITHMETIC);
    __asm__ volatile("addl $0x12345678, %%eax\n\torb $0x41, %%al\n\tsubw $0x8001, %%ax\n\tadcb $0x80, %%al\n\tpushfl\n\tpopl %1"
                     : "+a"(a), "=&r"(out) : : "cc");
    fold(a);
    fold(out & ARITHMETIC);
    __asm__ volatile("testb $0x80, %%al\n\tpushfl\n\tpopl %1" : "+a"(a), "=&r"(out) : : "cc");
    fold(out & LOGICAL);
    __asm__ volatile("cmpl $-0x80, %0\n\tpushfl\n\tpopl %1" : "+r"(a), "=&r"(out) : : "cc");
    fold(out & ARITHMETIC);
  }
  finish("immediates");
}

static u32 has_cmpxchg8b(void) {
  u32 before, after, features;
  __asm__ volatile(
      "pushfl\n\tpopl %0\n\tmovl %0, %1\n\txorl $0x200000, %1\n\tpushl %1\n\tpopfl\n\tpushfl\n\tpopl %1\n\tpushl %0\n\tpopfl"
      : "=&r"(before), "=&r"(after) : : "cc");
  if (((before ^ after) & 0x200000) == 0) return 0;
  __asm__ volatile("cpuid" : "=d"(features) : "a"(1) : "ebx", "ecx");
  return (features >> 8) & 1;
}

static void test_compare_exchange_8(void) {
  if (!has_cmpxchg8b()) {
    put_text("cmpxchg8b: not there\n");
    return;
  }
  u32 *cell = (u32 *)(WINDOW + 0x2ffc);
  for (u32 i = 0; i < VALUES; i++)
    for (u32 j = 0; j < 4; j++) {
      u32 low = values[i], high = values[(i + j) % VALUES], out;
      cell[0] = values[i];
      cell[1] = values[(i + 1) % VALUES];
      __asm__ volatile("lock cmpxchg8b (%3)\n\tpushfl\n\tpopl %2"
                       : "+a"(low), "+d"(high), "=&S"(out)
                       : "D"(cell), "b"(0x01020304), "c"(0x05060708)
                       : "cc", "memory");
      fold(low);
      fold(high);
      fold(cell[0]);
      fold(cell[1]);
      fold(out & ZF);
    }
  finish("cmpxchg8b");
}

void test_arithmetic(void) {
  BINARY_ALL("add", ARITHMETIC);
  BINARY_ALL("adc", ARITHMETIC);
  BINARY_ALL("sub", ARITHMETIC);
  BINARY_ALL("sbb", ARITHMETIC);
  BINARY_ALL("cmp", ARITHMETIC);
  BINARY_ALL("and", LOGICAL);
  BINARY_ALL("or", LOGICAL);
  BINARY_ALL("xor", LOGICAL);
  BINARY_ALL("test", LOGICAL);
  UNARY_ALL("inc", ARITHMETIC);
  UNARY_ALL("dec", ARITHMETIC);
  UNARY_ALL("neg", ARITHMETIC);
  UNARY_ALL("not", 0xff);
  COMPARE_EXCHANGE("b", u8);
  COMPARE_EXCHANGE("w", u16);
  COMPARE_EXCHANGE("l", u32);
  EXCHANGE("lock xadd", "b", u8, ARITHMETIC);
  EXCHANGE("lock xadd", "w", u16, ARITHMETIC);
  EXCHANGE("lock xadd", "l", u32, ARITHMETIC);
  EXCHANGE("xchg", "b", u8, 0);
  EXCHANGE("xchg", "w", u16, 0);
  EXCHANGE("xchg", "l", u32, 0);
  test_compare_exchange_8();
  test_widening();
  test_immediates();
}
