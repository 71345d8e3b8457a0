/*
 * As native-runner.c, in 64-bit code: there are no segments but FS and GS, code and data are mapped twice, below 4 GiB and
 * at HIGH, and everything is 64 bits wide.
 *
 * Input: the data pages' background, then cases up to the end: RAX RCX RDX RBX RSP RBP RSI RDI R8 to R15, RIP, RFLAGS, offset
 * in the code pages (8 bytes each), code (64 bytes), window (128 bytes), FXSAVE image (512 bytes). Output, words of 32
 * bits: 0, then for each case: vector, error code, RIP (2), CR2 (2), RFLAGS, the sixteen registers (2 each), the number of
 * words of the data pages that changed, and for each its number and its value; and the same of the FXSAVE image.
 */
enum { READ = 0, WRITE = 1, MMAP = 9, MPROTECT = 10, RT_SIGACTION = 13, EXIT = 60, FTRUNCATE = 77, SIGALTSTACK = 131, ARCH_PRCTL = 158, MEMFD_CREATE = 319 };

#include "native-runner.h"

typedef word u64;
#define HIGH 0x123400000000
#define CODE 0x00800000
#define DATA 0x00810000
#define FLOAT_WORDS 104
#define FS_BASE (DATA + 0x123)
#define GS_BASE (HIGH + DATA + 0x800)

static long system_call(long number, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
  long result;
  register u64 r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
  return result;
}

__asm__(
  ".text\n"
  ".globl _start\n"
  "_start:\n and $-16, %rsp\n call run\n"
  "first:\n hlt\n"
  "trampoline:\n fxrstor64 floats(%rip)\n jmp *destination(%rip)\n"
  "restorer:\n push $0x202\n popfq\n mov $15, %eax\n syscall\n");
void first(void);
void restorer(void);
void trampoline(void);

struct context {
  u64 flags, link, stack[3];
  u64 r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags, segments, error, vector, mask, cr2;
  u8 *fpu;
};

struct given { u64 registers[16], rip, rflags, start; u8 code[CODE_BYTES], window[WINDOW_BYTES], floats[IMAGE_BYTES]; };

u64 destination;

static u8 *data_alias;
static struct given now;

static void put_wide(u64 value)
{
  put(value);
  put(value >> 32);
}

static void report(const struct context *context)
{
  put(context->vector);
  put(context->error);
  put_wide(context->rip);
  put_wide(context->cr2);
  put(context->eflags);
  const u64 registers[16] = {
    context->rax, context->rcx, context->rdx, context->rbx, context->rsp, context->rbp, context->rsi, context->rdi,
    context->r8, context->r9, context->r10, context->r11, context->r12, context->r13, context->r14, context->r15,
  };
  for (u32 index = 0; index < 16; index++) put_wide(registers[index]);
  put_memory((u32 *)data_alias, now.window);
  put_changes((const u32 *)context->fpu, (const u32 *)now.floats, FLOAT_WORDS);
}

static void handler(int signal, void *information, struct context *context)
{
  if (started) {
    report(context);
    clear_code(now.start);
  }
  started = 1;
  if (!get(&now, sizeof now)) {
    flush();
    finish(0);
  }
  put_code(now.start, now.code);
  copy(data_alias + WINDOW_OFFSET, now.window, WINDOW_BYTES);
  copy(floats, now.floats, IMAGE_BYTES);
  destination = now.rip;
  context->rax = now.registers[0];
  context->rcx = now.registers[1];
  context->rdx = now.registers[2];
  context->rbx = now.registers[3];
  context->rsp = now.registers[4];
  context->rbp = now.registers[5];
  context->rsi = now.registers[6];
  context->rdi = now.registers[7];
  context->r8 = now.registers[8];
  context->r9 = now.registers[9];
  context->r10 = now.registers[10];
  context->r11 = now.registers[11];
  context->r12 = now.registers[12];
  context->r13 = now.registers[13];
  context->r14 = now.registers[14];
  context->r15 = now.registers[15];
  context->rip = (u64)trampoline;
  context->eflags = now.rflags;
}

static u8 *map(u64 address, u64 size, int protection, int file)
{
  return (u8 *)system_call(MMAP, address, size, protection, address == 0 ? 1 : 0x11, file, 0);
}

void run(void)
{
  int code = system_call(MEMFD_CREATE, (u64)"code", 0, 0, 0, 0, 0);
  int data = system_call(MEMFD_CREATE, (u64)"data", 0, 0, 0, 0, 0);
  system_call(FTRUNCATE, code, 2 * CODE_SIZE, 0, 0, 0, 0);
  system_call(FTRUNCATE, data, DATA_SIZE, 0, 0, 0, 0);
  for (u64 base = 0; base <= HIGH; base += HIGH) {
    if (map(base + CODE, CODE_SIZE, 5, code) != (u8 *)(base + CODE)) finish(9);
    if (map(base + DATA, DATA_SIZE, 3, data) != (u8 *)(base + DATA)) finish(9);
  }
  code_alias = map(0, 2 * CODE_SIZE, 3, code);
  data_alias = map(0, DATA_SIZE, 3, data);
  for (u32 index = 0; index < CODE_SIZE; index++) code_alias[index] = FILLER;
  if (!get(background, sizeof background)) finish(8);
  copy(data_alias, background, DATA_SIZE);
  for (u64 base = 0; base <= HIGH; base += HIGH) {
    system_call(MPROTECT, base + DATA + WRITABLE_SIZE, DATA_SIZE - WRITABLE_SIZE, 1, 0, 0, 0);
    /* Present, so that a write there finds it read-only. */
    for (u64 at = 0; at < DATA_SIZE; at += 4096) *(volatile u8 *)(base + DATA + at);
  }
  system_call(ARCH_PRCTL, 0x1002, FS_BASE, 0, 0, 0, 0);
  system_call(ARCH_PRCTL, 0x1001, GS_BASE, 0, 0, 0, 0);
  put(0);
  set_handler(RT_SIGACTION, SIGALTSTACK, handler, restorer);
  first();
}
