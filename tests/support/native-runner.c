/*
 * Runs snippets of user-mode code on the processor this program runs on, for tests/native.test.ts. No C library: the
 * system calls are its own, so that it links wherever gcc -m32 does.
 *
 * Every case ends in a signal, at the latest at the HLT behind it. The handler writes down what the processor left, sets
 * up the next case in its own signal frame, and returns into it: so each case starts with all registers and segments.
 *
 * Input, little-endian words: LDT entries (a count, then 16 bytes each), the data pages' background, then cases up to the
 * end: EAX ECX EDX EBX ESP EBP ESI EDI, EIP, EFLAGS, ES CS SS DS FS GS, offset in the code pages, code (64 bytes),
 * window (128 bytes), FXSAVE image (512 bytes). Output: 1 if there is an LDT, else 0; then for each case: vector, error
 * code, EIP, CR2, EFLAGS, the eight registers, the number of words of the data pages that changed, and for each its number
 * and its value; and the same of the FXSAVE image.
 */
enum { EXIT = 1, READ = 3, WRITE = 4, MODIFY_LDT = 123, MPROTECT = 125, RT_SIGACTION = 174, SIGALTSTACK = 186, MMAP2 = 192, FTRUNCATE = 93, MEMFD_CREATE = 356 };

#include "native-runner.h"

#define CODE ((u8 *)0x00800000)
#define DATA ((u8 *)0x00810000)
#define USER_CODE 0x23

static long system_call(long number, word a, word b, word c, word d, word e, word f)
{
  struct { word number, a, b, c, d, e, f; } args = { number, a, b, c, d, e, f };
  long result;
  __asm__ volatile(
    "push %%ebp\n push %%ebx\n mov 4(%%eax), %%ebx\n mov 8(%%eax), %%ecx\n mov 12(%%eax), %%edx\n"
    "mov 16(%%eax), %%esi\n mov 20(%%eax), %%edi\n mov 24(%%eax), %%ebp\n mov (%%eax), %%eax\n int $0x80\n"
    "pop %%ebx\n pop %%ebp\n"
    : "=a"(result) : "a"(&args) : "ecx", "edx", "esi", "edi", "memory");
  return result;
}

__asm__(
  ".text\n"
  ".globl _start\n"
  "_start:\n and $-16, %esp\n call run\n"
  "first:\n hlt\n"
  /* A case begins here, with its segments: only CS is known to reach anything. */
  "trampoline:\n fxrstor %cs:floats\n departure:\n ljmp *%cs:destination\n"
  /* NT, AC and ID would outlive the case: the system call gives the program's own flags to the next one. */
  "restorer:\n push $0x202\n popf\n mov $173, %eax\n int $0x80\n");
void first(void);
void restorer(void);
void trampoline(void);
void departure(void);

struct context {
  u32 flags, link, stack[3];
  u32 gs, fs, es, ds, edi, esi, ebp, esp, ebx, edx, ecx, eax, vector, error, eip, cs, eflags, esp_at_signal, ss;
  u8 *fpu;
  u32 mask, cr2;
};

/* In a signal frame the FXSAVE image lies behind an FSAVE header. */
#define FSAVE_HEADER 112
#define FLOAT_WORDS 72

struct given {
  u32 registers[8], eip, eflags, segments[6], start;
  u8 code[CODE_BYTES], window[WINDOW_BYTES], floats[IMAGE_BYTES];
};

struct { u32 eip; unsigned short cs; } destination;

static struct given now;

static void report(const struct context *context)
{
  put(context->vector);
  put(context->error);
  /* Beyond the limit of CS the jump faults instead of what it leads to. */
  put(context->eip == (u32)departure ? now.eip : context->eip);
  put(context->cr2);
  put(context->eflags);
  const u32 registers[8] = { context->eax, context->ecx, context->edx, context->ebx, context->esp, context->ebp, context->esi, context->edi };
  for (u32 index = 0; index < 8; index++) put(registers[index]);
  put_memory((u32 *)DATA, now.window);
  put_changes((const u32 *)(context->fpu + FSAVE_HEADER), (const u32 *)now.floats, FLOAT_WORDS);
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
  copy(DATA + WINDOW_OFFSET, now.window, WINDOW_BYTES);
  context->eax = now.registers[0];
  context->ecx = now.registers[1];
  context->edx = now.registers[2];
  context->ebx = now.registers[3];
  context->esp = now.registers[4];
  context->ebp = now.registers[5];
  context->esi = now.registers[6];
  context->edi = now.registers[7];
  copy(floats, now.floats, IMAGE_BYTES);
  destination.eip = now.eip;
  destination.cs = now.segments[1];
  context->eip = (u32)trampoline;
  context->eflags = now.eflags;
  context->es = now.segments[0];
  context->cs = USER_CODE;
  context->ss = now.segments[2];
  context->ds = now.segments[3];
  context->fs = now.segments[4];
  context->gs = now.segments[5];
}

void run(void)
{
  /* The code pages are written through a second mapping of the same memory. */
  int file = system_call(MEMFD_CREATE, (u32)"code", 0, 0, 0, 0, 0);
  system_call(FTRUNCATE, file, 2 * CODE_SIZE, 0, 0, 0, 0);
  if (system_call(MMAP2, (u32)CODE, CODE_SIZE, 5, 0x11, file, 0) != (int)CODE) finish(9);
  code_alias = (u8 *)system_call(MMAP2, 0, 2 * CODE_SIZE, 3, 1, file, 0);
  for (u32 index = 0; index < CODE_SIZE; index++) code_alias[index] = FILLER;
  if (system_call(MMAP2, (u32)DATA, DATA_SIZE, 3, 0x32, -1, 0) != (int)DATA) finish(9);
  u32 count, entry[4], has_ldt = 1;
  if (!get(&count, 4)) finish(8);
  while (count--) {
    get(entry, sizeof entry);
    if (system_call(MODIFY_LDT, 0x11, (u32)entry, sizeof entry, 0, 0, 0) != 0) has_ldt = 0;
  }
  if (!get(background, sizeof background)) finish(8);
  copy(DATA, background, DATA_SIZE);
  system_call(MPROTECT, (u32)DATA + WRITABLE_SIZE, DATA_SIZE - WRITABLE_SIZE, 1, 0, 0, 0);
  put(has_ldt);
  set_handler(RT_SIGACTION, SIGALTSTACK, handler, restorer);
  first();
}
