/* Loads, stores, read-modify-writes, pushes and calls that lie in two pages whose frames are far apart. */
#include "checksum.h"

static u32 fold_around(u32 boundary) {
  for (u32 i = 0; i < 16; i++) fold(((u8 *)boundary)[(s32)i - 8]);
  return 0;
}

static void test_accesses(void) {
  for (u32 page = 1; page < 4; page++)
    for (u32 back = 1; back < 8; back++) {
      u32 boundary = WINDOW + page * 4096, at = boundary - back, value = 0x01020304u * back + page, out;
      __asm__ volatile("movl %0, (%1)" : : "r"(value), "r"(at) : "memory");
      fold_around(boundary);
      __asm__ volatile("movl (%1), %0" : "=r"(out) : "r"(at) : "memory");
      fold(out);
      __asm__ volatile("movw (%1), %w0" : "=r"(out) : "r"(at), "0"(0) : "memory");
      fold(out);
      __asm__ volatile("addl %0, (%1)" : : "r"(0x89abcdef), "r"(at) : "cc", "memory");
      __asm__ volatile("rolw $3, (%0)" : : "r"(at) : "cc", "memory");
      __asm__ volatile("notl (%0)" : : "r"(at) : "cc", "memory");
      __asm__ volatile("incw (%0)" : : "r"(at + 2) : "cc", "memory");
      __asm__ volatile("lock xaddl %0, (%1)" : "+r"(value) : "r"(at) : "cc", "memory");
      fold(value);
      __asm__ volatile("xchgl %0, (%1)" : "+r"(value) : "r"(at) : "memory");
      fold(value);
      __asm__ volatile("shldl $7, %0, (%1)" : : "r"(value), "r"(at) : "cc", "memory");
      __asm__ volatile("movzwl (%1), %0" : "=r"(out) : "r"(at) : "memory");
      fold(out);
      __asm__ volatile("imull (%1), %0" : "+r"(out) : "r"(at) : "cc", "memory");
      fold(out);
      fold_around(boundary);
    }
  finish("crossing accesses");
}

/* The stack pointer itself is not a multiple of four here, so pushes, calls and PUSHA cross. */
static void test_crossing_stack(void) {
  for (u32 back = 1; back < 40; back += 3) {
    u32 stack = WINDOW + 0x2000 + 40 - back, result;
    __asm__ volatile(
        "movl %%esp, %%edx\n\tmovl %1, %%esp\n\t"
        "pushl $0x01234567\n\tpushw $0x89ab\n\tpushl %1\n\tcall 1f\n\tjmp 2f\n"
        "1:\tmovl $0xcdef, %%eax\n\tpushal\n\tmovl $0, %%eax\n\tpopal\n\tret\n"
        "2:\tpopl %%ecx\n\tpopw %%cx\n\tpopl %%esi\n\tlea (%%ecx,%%esi,2), %0\n\tadd %%eax, %0\n\tmovl %%edx, %%esp"
        : "=&D"(result) : "b"(stack) : "eax", "ecx", "edx", "esi", "cc", "memory");
    fold(result - stack);
  }
  finish("crossing stack");
}

/* Two linear addresses of one frame. */
static void test_alias(void) {
  volatile u32 *first = (volatile u32 *)(WINDOW + 0x40), *second = (volatile u32 *)(WINDOW_ALIAS + 0x40);
  for (u32 i = 0; i < 64; i++) {
    first[i] = i * 0x01010101u;
    fold(second[i]);
    second[i] ^= 0x80000001;
    fold(first[i]);
  }
  finish("alias");
}

/* A page that changes its frame under the same linear address, with INVLPG and with a reload of CR3. */
static void test_remap(void) {
  volatile u32 *word = (volatile u32 *)(WINDOW + 0x5010);
  for (u32 round = 0; round < 8; round++) {
    map_page(WINDOW + 0x5000, round & 1 ? 0x210000 : 0x211000, PAGE_PRESENT | PAGE_WRITE);
    if (round & 2) __asm__ volatile("movl %%cr3, %%eax\n\tmovl %%eax, %%cr3" : : : "eax", "memory");
    fold(round < 2 ? 0 : *word);
    *word = round * 0x111;
  }
  finish("remap");
}

void test_crossing(void) {
  test_accesses();
  test_crossing_stack();
  test_alias();
  test_remap();
}
