/* Decimal adjustment: every AL, with AF and CF clear and set. */
#include "checksum.h"

#define ADJUST(text, mask)                                                                            \
  do {                                                                                                \
    for (u32 al = 0; al < 256; al++)                                                                  \
      for (u32 bits = 0; bits < 4; bits++) {                                                          \
        u32 a = 0xabcd3500u | al, out, in = 2 | (bits & 1) | (bits & 2) << 3;                         \
        __asm__ volatile("pushl %2\n\tpopfl\n\t" text "\n\tpushfl\n\tpopl %1" : "+a"(a), "=&r"(out) : "r"(in) : "cc"); \
        fold(a);                                                                                      \
        fold(out & (mask));                                                                           \
      }                                                                                               \
    finish(text);                                                                                     \
  } while (0)

void test_decimal(void) {
  ADJUST("daa", CF | PF | AF | ZF | SF);
  ADJUST("das", CF | PF | AF | ZF | SF);
  ADJUST("aaa", CF | AF);
  ADJUST("aas", CF | AF);
  ADJUST("aam", PF | ZF | SF);
  ADJUST("aam $7", PF | ZF | SF);
  ADJUST("aad", PF | ZF | SF);
  ADJUST("aad $16", PF | ZF | SF);
}
