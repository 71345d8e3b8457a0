/* String instructions with and without REP, in both directions, with odd sizes, overlapping, and over page boundaries. */
#include "checksum.h"

static void fill(void) {
  u8 *bytes = (u8 *)WINDOW;
  for (u32 i = 0; i < 4 * 4096; i++) bytes[i] = (u8)(i * 7 + (i >> 8) * 13);
}

static void fold_window(void) {
  const u32 *words = (const u32 *)WINDOW;
  for (u32 i = 0; i < 4096; i += 1) checksum = (((checksum << 5) | (checksum >> 27)) ^ words[i]) * 0x01000193u;
}

static void fold_state(u32 c, u32 s, u32 d, u32 flags) {
  fold(c);
  fold(s - WINDOW);
  fold(d - WINDOW);
  fold(flags & ARITHMETIC);
}

/* `before` is CLD or STD. Flags start with all bits clear, because a count of 0 keeps them. */
#define STRING(before, text, count, from, to)                                                         \
  do {                                                                                                \
    u32 c = (count), s = (from), d = (to), a = 0x35a6c7e8, out;                                       \
    __asm__ volatile("pushl $0x2\n\tpopfl\n\t" before "\n\t" text "\n\tpushfl\n\tpopl %4\n\tcld"       \
                     : "+c"(c), "+S"(s), "+D"(d), "+a"(a), "=&b"(out)                                 \
                     :                                                                                \
                     : "cc", "memory");                                                               \
    fold_state(c, s, d, out);                                                                         \
    fold(a);                                                                                          \
  } while (0)

static void test_moves(void) {
  fill();
  STRING("cld", "rep movsb", 37, WINDOW + 3, WINDOW + 0x0ff1);
  STRING("cld", "rep movsw", 513, WINDOW + 0x0ffd, WINDOW + 0x1fff);
  STRING("cld", "rep movsl", 301, WINDOW + 0x1001, WINDOW + 0x0003);
  STRING("std", "rep movsb", 41, WINDOW + 0x1010, WINDOW + 0x2010);
  STRING("std", "rep movsw", 77, WINDOW + 0x2003, WINDOW + 0x1007);
  STRING("std", "rep movsl", 1025, WINDOW + 0x3000, WINDOW + 0x2ffd);
  /* Overlapping: forward by one repeats a byte, backward it does not. */
  STRING("cld", "rep movsb", 100, WINDOW + 0x0fd0, WINDOW + 0x0fd1);
  STRING("std", "rep movsb", 100, WINDOW + 0x1fd0, WINDOW + 0x1fd1);
  STRING("cld", "rep movsl", 50, WINDOW + 0x2fa0, WINDOW + 0x2fa2);
  STRING("cld", "movsb\n\tmovsw\n\tmovsl", 9, WINDOW + 0x0ffe, WINDOW + 0x1ffe);
  STRING("cld", "rep movsb", 0, WINDOW, WINDOW + 1);
  fold_window();
  finish("movs");
}

static void test_stores(void) {
  fill();
  STRING("cld", "rep stosb", 15, WINDOW, WINDOW + 0x0ff9);
  STRING("cld", "rep stosw", 35, WINDOW, WINDOW + 0x1fdf);
  STRING("cld", "rep stosl", 1027, WINDOW, WINDOW + 0x0123);
  STRING("std", "rep stosb", 21, WINDOW, WINDOW + 0x2008);
  STRING("std", "rep stosw", 19, WINDOW, WINDOW + 0x300b);
  STRING("std", "rep stosl", 23, WINDOW, WINDOW + 0x2ffe);
  STRING("cld", "stosb\n\tstosw\n\tstosl", 1, WINDOW, WINDOW + 0x1ffd);
  fold_window();
  finish("stos");
}

static void test_loads(void) {
  fill();
  STRING("cld", "lodsb\n\trol $8, %%eax\n\tlodsb", 1, WINDOW + 0x0fff, WINDOW);
  STRING("cld", "lodsw", 1, WINDOW + 0x0fff, WINDOW);
  STRING("cld", "lodsl", 1, WINDOW + 0x1ffd, WINDOW);
  STRING("std", "lodsl\n\tlodsw\n\tlodsb", 1, WINDOW + 0x2ffe, WINDOW);
  STRING("cld", "rep lodsw", 7, WINDOW + 0x1ff9, WINDOW);
  u32 result;
  __asm__("xlatb" : "=a"(result) : "a"(0x1234fe), "b"(WINDOW + 0x0f80));
  fold(result);
  finish("lods xlat");
}

static void test_scans(void) {
  fill();
  u8 *bytes = (u8 *)WINDOW;
  memset(bytes + 0x0f00, 0xe8, 0x300);
  bytes[0x1123] = 0x77;
  bytes[0x2ff0] = 0xe8;
  STRING("cld", "repe scasb", 0x400, WINDOW, WINDOW + 0x0f00);
  STRING("cld", "repe scasb", 0x10, WINDOW, WINDOW + 0x0f00);
  STRING("std", "repe scasb", 0x100, WINDOW, WINDOW + 0x1150);
  STRING("cld", "repne scasb", 0x1000, WINDOW, WINDOW + 0x2200);
  STRING("cld", "repe scasw", 200, WINDOW, WINDOW + 0x0f01);
  STRING("cld", "repne scasl", 333, WINDOW, WINDOW + 0x0f01);
  STRING("std", "repne scasw", 100, WINDOW, WINDOW + 0x2fff);
  STRING("cld", "repne scasb", 0, WINDOW, WINDOW + 0x2200);
  STRING("cld", "scasb\n\tscasw\n\tscasl", 3, WINDOW, WINDOW + 0x0ffd);
  finish("scas");
}

static void test_comparisons(void) {
  fill();
  u8 *bytes = (u8 *)WINDOW;
  for (u32 i = 0; i < 0x500; i++) bytes[0x2c01 + i] = bytes[0x0d80 + i];
  bytes[0x2c01 + 0x456] ^= 0x80;
  STRING("cld", "repe cmpsb", 0x500, WINDOW + 0x0d80, WINDOW + 0x2c01);
  STRING("cld", "repe cmpsb", 0x100, WINDOW + 0x0d80, WINDOW + 0x2c01);
  STRING("cld", "repe cmpsw", 0x280, WINDOW + 0x0d80, WINDOW + 0x2c01);
  STRING("cld", "repe cmpsl", 0x140, WINDOW + 0x0d80, WINDOW + 0x2c01);
  STRING("std", "repe cmpsb", 0x500, WINDOW + 0x0d80 + 0x4ff, WINDOW + 0x2c01 + 0x4ff);
  STRING("std", "repne cmpsl", 0x100, WINDOW + 0x1a00, WINDOW + 0x2a01);
  STRING("cld", "repne cmpsb", 0x200, WINDOW + 0x0020, WINDOW + 0x2011);
  STRING("cld", "repe cmpsb", 0, WINDOW, WINDOW);
  STRING("cld", "cmpsb\n\tcmpsw\n\tcmpsl", 5, WINDOW + 0x0ffd, WINDOW + 0x1ffe);
  finish("cmps");
}

void test_strings(void) {
  test_moves();
  test_stores();
  test_loads();
  test_scans();
  test_comparisons();
}
