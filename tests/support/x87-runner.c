/*
 * Executes single x87 instructions on the processor this program runs on, for tests/x87.test.ts.
 *
 * Input, little-endian, cases of 192 bytes up to the end: code (16 bytes, an instruction and RETs), image of FSAVE (108),
 * its 4 spare bytes are EFLAGS (4), operand in memory at CX (16), spare (48). Output for each: vector (4), EFLAGS (4), EAX
 * (4), image (108), operand (16), spare (8): 144 bytes.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define CODE ((uint8_t *)0x00800000)
#define DATA ((uint8_t *)0x00810000)
#define EAX 0x12345678

struct given { uint8_t code[16], image[108]; uint32_t eflags; uint8_t operand[16], spare[48]; };
struct found { uint32_t vector, eflags, eax; uint8_t image[108], operand[16], spare[8]; };
_Static_assert(sizeof(struct given) == 192 && sizeof(struct found) == 144, "records");

static sigjmp_buf behind;
static void caught(int signal) { siglongjmp(behind, signal); }

static void execute(const struct given *given, struct found *found)
{
  uint64_t flags = given->eflags | 0x202, rax = EAX;
  __asm__ volatile("fninit\n frstor (%[image])\n push %[flags]\n popfq\n call *%[code]\n pushfq\n pop %[flags]\n fnsave (%[out])\n cld"
                   : [flags] "+r"(flags), "+a"(rax)
                   : [image] "r"(given->image), [out] "r"(found->image), [code] "r"(CODE), "c"(DATA)
                   : "memory", "cc");
  found->eflags = flags;
  found->eax = rax;
}

int main(void)
{
  static uint8_t stack[65536];
  stack_t alternate = { .ss_sp = stack, .ss_size = sizeof stack };
  struct sigaction action = { .sa_handler = caught, .sa_flags = SA_ONSTACK };
  sigaltstack(&alternate, 0);
  sigaction(SIGFPE, &action, 0);
  sigaction(SIGILL, &action, 0);
  int rights = PROT_READ | PROT_WRITE | PROT_EXEC, flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
  if (mmap(CODE, 4096, rights, flags, -1, 0) != CODE || mmap(DATA, 4096, rights, flags, -1, 0) != DATA) return 1;
  static struct given given;
  static struct found found;
  while (fread(&given, sizeof given, 1, stdin) == 1) {
    memset(&found, 0, sizeof found);
    memcpy(CODE, given.code, sizeof given.code);
    memcpy(DATA, given.operand, sizeof given.operand);
    int signal = sigsetjmp(behind, 1);
    if (signal == 0) execute(&given, &found);
    else found.vector = signal == SIGILL ? 6 : 16;
    memcpy(found.operand, DATA, sizeof found.operand);
    if (fwrite(&found, sizeof found, 1, stdout) != 1) return 1;
  }
  return 0;
}
