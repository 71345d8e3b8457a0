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
typedef unsigned int u32;
typedef unsigned char u8;

#define CODE ((u8 *)0x00800000)
#define CODE_SIZE 0x2000
#define CODE_BYTES 64
#define FILLER 0xf4
#define USER_CODE 0x23
#define DATA ((u8 *)0x00810000)
#define DATA_SIZE 0x3000
#define WRITABLE_SIZE 0x2000
#define WINDOW_OFFSET 0xfc0
#define WINDOW_BYTES 128

enum { EXIT = 1, READ = 3, WRITE = 4, MODIFY_LDT = 123, MPROTECT = 125, RT_SIGACTION = 174, SIGALTSTACK = 186, MMAP2 = 192, FTRUNCATE = 93, MEMFD_CREATE = 356 };

static int system_call(int number, u32 a, u32 b, u32 c, u32 d, u32 e, u32 f)
{
  struct { u32 number, a, b, c, d, e, f; } args = { number, a, b, c, d, e, f };
  int result;
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
#define IMAGE_BYTES 512

struct given {
  u32 registers[8], eip, eflags, segments[6], start;
  u8 code[CODE_BYTES], window[WINDOW_BYTES], floats[IMAGE_BYTES];
};

u8 floats[IMAGE_BYTES] __attribute__((aligned(16)));
struct { u32 eip; unsigned short cs; } destination;

static u8 alternate_stack[65536];
static u8 background[DATA_SIZE];
static u8 input[1 << 20], output[1 << 20];
static u32 input_at, input_end, output_end;
static u8 *code_alias;
static struct given now;
static int started;

static void finish(int status)
{
  system_call(EXIT, status, 0, 0, 0, 0, 0);
}

static void copy(void *to, const void *from, u32 count)
{
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

static void flush(void)
{
  for (u32 done = 0; done < output_end;) {
    int count = system_call(WRITE, 1, (u32)(output + done), output_end - done, 0, 0, 0);
    if (count <= 0) finish(6);
    done += count;
  }
  output_end = 0;
}

static void put(u32 value)
{
  if (output_end + 4 > sizeof output) flush();
  *(u32 *)(output + output_end) = value;
  output_end += 4;
}

/* Reads that many bytes; 0 at the end of the input. */
static int get(void *to, u32 count)
{
  for (u8 *at = to; count > 0;) {
    if (input_at == input_end) {
      int size = system_call(READ, 0, (u32)input, sizeof input, 0, 0, 0);
      if (size <= 0) return 0;
      input_at = 0;
      input_end = size;
    }
    u32 part = input_end - input_at < count ? input_end - input_at : count;
    copy(at, input + input_at, part);
    input_at += part;
    at += part;
    count -= part;
  }
  return 1;
}

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
  copy(background + WINDOW_OFFSET, now.window, WINDOW_BYTES);
  u32 *memory = (u32 *)DATA;
  const u32 *before = (const u32 *)background;
  u32 changed = 0;
  for (u32 index = 0; index < WRITABLE_SIZE / 4; index++) changed += memory[index] != before[index];
  put(changed);
  for (u32 index = 0; changed != 0 && index < WRITABLE_SIZE / 4; index++) {
    if (memory[index] == before[index]) continue;
    put(index);
    put(memory[index]);
    memory[index] = before[index];
  }
  const u32 *left = (const u32 *)(context->fpu + FSAVE_HEADER);
  const u32 *given = (const u32 *)now.floats;
  changed = 0;
  for (u32 index = 0; index < FLOAT_WORDS; index++) changed += left[index] != given[index];
  put(changed);
  for (u32 index = 0; index < FLOAT_WORDS; index++) {
    if (left[index] == given[index]) continue;
    put(index);
    put(left[index]);
  }
}

static void handler(int signal, void *information, struct context *context)
{
  if (started) {
    report(context);
    for (u32 index = 0; index < CODE_BYTES; index++) code_alias[now.start + index] = FILLER;
  }
  started = 1;
  if (!get(&now, sizeof now)) {
    flush();
    finish(0);
  }
  copy(code_alias + now.start, now.code, CODE_SIZE - now.start < CODE_BYTES ? CODE_SIZE - now.start : CODE_BYTES);
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
  struct { void *stack; int flags; u32 size; } stack = { alternate_stack, 0, sizeof alternate_stack };
  system_call(SIGALTSTACK, (u32)&stack, 0, 0, 0, 0, 0);
  /* SA_SIGINFO, SA_RESTORER, on the alternate stack, and not blocked while it is handled. */
  struct { void *handler; u32 flags; void *restorer; u32 mask[2]; } action = { handler, 0x4c000004, restorer, { 0, 0 } };
  static const int signals[] = { 4, 5, 7, 8, 11 };
  for (u32 index = 0; index < 5; index++) system_call(RT_SIGACTION, signals[index], (u32)&action, 0, 8, 0, 0);
  first();
}
