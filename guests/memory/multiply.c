/* Multiplication and division. CF and OF are the only flags a multiplication defines; a division defines none. */
#include "checksum.h"

#define EACH_PAIR for (u32 i = 0; i < VALUES; i++) for (u32 j = 0; j < VALUES; j++)

#define MULTIPLY(op)                                                                                           \
  do {                                                                                                         \
    EACH_PAIR {                                                                                                \
      u32 a = values[i], d = 0x33333333, out;                                                                  \
      __asm__ volatile(op "b %b2\n\tpushfl\n\tpopl %1" : "+a"(a), "=&r"(out) : "q"(values[j]) : "cc");          \
      fold(a);                                                                                                 \
      fold(out & (CF | OF));                                                                                   \
      a = values[i];                                                                                           \
      __asm__ volatile(op "w %w3\n\tpushfl\n\tpopl %2" : "+a"(a), "+d"(d), "=&r"(out) : "r"(values[j]) : "cc"); \
      fold(a);                                                                                                 \
      fold(d);                                                                                                 \
      fold(out & (CF | OF));                                                                                   \
      a = values[i];                                                                                           \
      __asm__ volatile(op "l %3\n\tpushfl\n\tpopl %2" : "+a"(a), "+d"(d), "=&r"(out) : "m"(values[j]) : "cc");  \
      fold(a);                                                                                                 \
      fold(d);                                                                                                 \
      fold(out & (CF | OF));                                                                                   \
    }                                                                                                          \
    finish(op);                                                                                                \
  } while (0)

static void multiply_signed_forms(void) {
  EACH_PAIR {
    u32 a = values[i], out;
    __asm__ volatile("imull %2, %0\n\tpushfl\n\tpopl %1" : "+r"(a), "=&r"(out) : "r"(values[j]) : "cc");
    fold(a);
    fold(out & (CF | OF));
    __asm__ volatile("imulw %w2, %w0\n\tpushfl\n\tpopl %1" : "+r"(a), "=&r"(out) : "r"(values[j]) : "cc");
    fold(a);
    fold(out & (CF | OF));
    __asm__ volatile("imull $-77, %2, %0\n\tpushfl\n\tpopl %1" : "+r"(a), "=&r"(out) : "r"(values[j]) : "cc");
    fold(a);
    fold(out & (CF | OF));
    __asm__ volatile("imull $0x12345, %2, %0\n\tpushfl\n\tpopl %1" : "+r"(a), "=&r"(out) : "m"(values[j]) : "cc");
    fold(a);
    fold(out & (CF | OF));
  }
  finish("imul, two and three operands");
}

/* Only quotients that fit: the others are for the guest `faults`. */
static void divide(void) {
  EACH_PAIR {
    u32 divisor = values[j];
    if (divisor != 0) {
      u32 a = values[i], d = values[(i + j) % VALUES] % divisor;
      __asm__ volatile("divl %2" : "+a"(a), "+d"(d) : "r"(divisor) : "cc");
      fold(a);
      fold(d);
    }
    if ((divisor & 0xffff) != 0) {
      u32 a = values[i], d = (values[(i + j) % VALUES] & 0xffff) % (divisor & 0xffff);
      __asm__ volatile("divw %w2" : "+a"(a), "+d"(d) : "r"(divisor) : "cc");
      fold(a);
      fold(d);
    }
    if ((divisor & 0xff) != 0) {
      u32 a = ((values[(i + j) % VALUES] & 0xff) % (divisor & 0xff)) << 8 | (values[i] & 0xff);
      __asm__ volatile("divb %b1" : "+a"(a) : "q"(divisor) : "cc");
      fold(a);
    }
  }
  finish("div");
}

static void divide_signed(void) {
  EACH_PAIR {
    s32 divisor = (s32)values[j];
    if (divisor != 0 && !(values[i] == 0x80000000 && divisor == -1)) {
      u32 a = values[i], d;
      __asm__ volatile("cltd\n\tidivl %2" : "+a"(a), "=&d"(d) : "r"(divisor) : "cc");
      fold(a);
      fold(d);
    }
    short divisor16 = (short)values[j];
    if (divisor16 != 0 && !((values[i] & 0xffff) == 0x8000 && divisor16 == -1)) {
      u32 a = values[i], d = 0;
      __asm__ volatile("cwtd\n\tidivw %w2" : "+a"(a), "+d"(d) : "r"((u32)(u16)divisor16) : "cc");
      fold(a);
      fold(d);
    }
    signed char divisor8 = (signed char)values[j];
    if (divisor8 != 0 && !((values[i] & 0xff) == 0x80 && divisor8 == -1)) {
      u32 a = values[i];
      __asm__ volatile("cbtw\n\tidivb %b1" : "+a"(a) : "q"(divisor8) : "cc");
      fold(a);
    }
  }
  finish("idiv");
}

void test_multiply(void) {
  MULTIPLY("mul");
  MULTIPLY("imul");
  multiply_signed_forms();
  divide();
  divide_signed();
}
