/* All sixteen conditions as SETcc and Jcc against all flags; the loop instructions; LAHF, SAHF, PUSHF and POPF. */
#include "checksum.h"


/* The flags are loaded anew before each one. */
#define JUMP_WITH(cc) "pushl %2\n\tpopfl\n\tj" cc " 1f\n\torl $1, %0\n1:\n\troll $1, %0\n\t"
#define SET_WITH(cc) "pushl %2\n\tpopfl\n\tset" cc " %%al\n\tshrb $1, %%al\n\trcll $1, %0\n\t"
#define ALL(WITH)                                                                                     \
  WITH("o") WITH("no") WITH("b") WITH("ae") WITH("e") WITH("ne") WITH("be") WITH("a") WITH("s") WITH("ns") WITH("p") \
  WITH("np") WITH("l") WITH("ge") WITH("le") WITH("g")

static void test_codes(void) {
  for (u32 bits = 0; bits < 64; bits++) {
    u32 flags = 2 | (bits & 1) | (bits & 2) << 1 | (bits & 4) << 2 | (bits & 8) << 3 | (bits & 16) << 3 | (bits & 32) << 6;
    u32 set = 0, jump = 0, out;
    __asm__ volatile(ALL(SET_WITH) "nop" : "+r"(set), "=&a"(out) : "r"(flags) : "cc");
    fold(set);
    __asm__ volatile(ALL(JUMP_WITH) "nop" : "+r"(jump), "=&a"(out) : "r"(flags) : "cc");
    fold(jump);
    __asm__ volatile("pushl %2\n\tpopfl\n\tlahf\n\txorl $0xffffffff, %0\n\tsahf\n\tpushfl\n\tpopl %1"
                     : "+r"(jump), "=&r"(out) : "r"(flags) : "cc", "eax");
    fold(out & ARITHMETIC);
    __asm__ volatile("pushl %1\n\tpopfl\n\tcmc\n\tsetcb %b0\n\tstc\n\tadcb $0, %b0\n\tclc\n\tadcb $0, %b0"
                     : "=&q"(out) : "r"(flags) : "cc");
    fold(out & 0xff);
  }
  finish("conditions");
}

static void test_loops(void) {
  for (u32 count = 1; count < 40; count += 3) {
    u32 c = count, turns = 0;
    __asm__ volatile("1: incl %1\n\tloop 1b" : "+c"(c), "+r"(turns) : : "cc");
    fold(turns);
    c = count, turns = 0;
    __asm__ volatile("1: incl %1\n\tcmpl $7, %1\n\tloopne 1b" : "+c"(c), "+r"(turns) : : "cc");
    fold(turns * 100 + c);
    c = count, turns = 0;
    __asm__ volatile("1: incl %1\n\ttestl $8, %1\n\tloope 1b" : "+c"(c), "+r"(turns) : : "cc");
    fold(turns * 100 + c);
    c = count & 4, turns = 0;
    __asm__ volatile("jecxz 1f\n\tincl %1\n1:" : "+c"(c), "+r"(turns) : : "cc");
    fold(turns);
  }
  finish("loops");
}

/* Which bits POPF can set in ring 0. TF and IF would have effects here, so they stay clear. */
static void test_flags_register(void) {
  u32 set, cleared;
  __asm__ volatile(
      "pushfl\n\t"
      "pushl $0x003efcd7\n\tpopfl\n\tpushfl\n\tpopl %0\n\t"
      "pushl $0x00000000\n\tpopfl\n\tpushfl\n\tpopl %1\n\t"
      "popfl"
      : "=&r"(set), "=&r"(cleared) : : "cc");
  fold(set & 0xffff);
  fold(cleared);
  u32 word;
  __asm__ volatile("pushl $0x8d7\n\tpopfl\n\tpushfw\n\tpopw %w0\n\tpushw $0x46\n\tpopfw\n\tpushfl\n\tpopl %1"
                   : "=&r"(word), "=&r"(set) : : "cc");
  fold((word & 0xffff) << 16 | (set & 0xffff));
  __asm__ volatile("cld\n\tpushfl\n\tstd\n\tpopl %0\n\tpushfl\n\tcld\n\tpopl %1" : "=&r"(cleared), "=&r"(set) : : "cc");
  fold((cleared & 0x400) | (set & 0x400) << 1);
  finish("flags register");
}

void test_conditions(void) {
  test_codes();
  test_loops();
  test_flags_register();
}
