/*
 * Runs snippets of user-mode code on the processor this program runs on, for tests/native.test.ts. No C library: the two
 * system calls, the signal frame's size and the stack are its own, so that it links wherever gcc -m32 does.
 *
 * Input, little-endian: the number of cases (4 bytes), then for each its code (64 bytes), EAX ECX EDX EBX ESP EBP ESI
 * EDI EFLAGS (36 bytes) and the data window (128 bytes). Output for each: the signal that ended it or 0 (4 bytes), the
 * registers and EFLAGS (36) and the window (128). The code ends by running off its end.
 */
typedef unsigned int u32;
typedef unsigned char u8;

#define CODE ((u8 *)0x00800000)
#define WINDOW ((u8 *)0x00810fc0)
#define WINDOW_BYTES 128
#define CODE_BYTES 64

static int syscall6(int number, u32 a, u32 b, u32 c, u32 d, u32 e, u32 f)
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

struct state { u32 registers[8]; u32 flags; };
struct state given, found;
volatile u32 signal_number;
u32 own_stack;

/* Enters the code with the given registers; the code's end, or a signal, leads to `leave`. */
void enter(void);
void leave(void);
void caught(void);
__asm__(
  ".text\n"
  "enter:\n"
  " pusha\n pushf\n mov %esp, own_stack\n"
  " push given+32\n popf\n"
  " mov given, %eax\n mov given+4, %ecx\n mov given+8, %edx\n mov given+12, %ebx\n"
  " mov given+16, %esp\n mov given+20, %ebp\n mov given+24, %esi\n mov given+28, %edi\n"
  " jmp *entry\n"
  "leave:\n"
  " mov %eax, found\n mov %ecx, found+4\n mov %edx, found+8\n mov %ebx, found+12\n"
  " mov %esp, found+16\n mov %ebp, found+20\n mov %esi, found+24\n mov %edi, found+28\n"
  " mov own_stack, %esp\n"
  " pushf\n pop found+32\n"
  " popf\n popa\n cld\n ret\n"
  "caught:\n"
  " mov 4(%esp), %eax\n mov %eax, signal_number\n"
  " mov own_stack, %esp\n popf\n popa\n cld\n ret\n"
  ".data\n entry: .long 0x00800000\n.text\n"
  ".globl _start\n"
  "_start:\n and $-16, %esp\n call run\n");

static u8 alternate_stack[65536];
static u8 input[CODE_BYTES + 36 + WINDOW_BYTES];
static u8 output[4 + 36 + WINDOW_BYTES];

static void copy(u8 *to, const u8 *from, u32 count)
{
  while (count--) *to++ = *from++;
}

static int transfer(int number, int file, u8 *bytes, u32 count)
{
  for (u32 done = 0; done < count;) {
    int now = syscall6(number, file, (u32)(bytes + done), count - done, 0, 0, 0);
    if (now <= 0) return 0;
    done += now;
  }
  return 1;
}

static void end(int status)
{
  syscall6(1, status, 0, 0, 0, 0, 0);
}

enum { READ = 3, WRITE = 4, MMAP2 = 192, SIGALTSTACK = 186, RT_SIGACTION = 174 };

void run(void)
{
  /* Private, anonymous, at exactly this address; readable, writable, executable. */
  if (syscall6(MMAP2, (u32)CODE, 0x12000, 7, 0x32, -1, 0) != (int)CODE) end(9);
  struct { void *stack; int flags; u32 size; } stack = { alternate_stack, 0, sizeof alternate_stack };
  syscall6(SIGALTSTACK, (u32)&stack, 0, 0, 0, 0, 0);
  /* On the alternate stack, and not blocked while it is handled: `caught` never returns. */
  struct { void (*handler)(void); u32 flags; void *restorer; u32 mask[2]; } action = { caught, 0x08000000 | 0x40000000, 0, { 0, 0 } };
  static const int signals[] = { 4, 5, 7, 8, 11 };
  for (u32 index = 0; index < 5; index++) syscall6(RT_SIGACTION, signals[index], (u32)&action, 0, 8, 0, 0);
  u32 count;
  if (!transfer(READ, 0, (u8 *)&count, 4)) end(8);
  while (count--) {
    if (!transfer(READ, 0, input, sizeof input)) end(7);
    copy(CODE, input, CODE_BYTES);
    u32 distance = (u32)leave - (u32)(CODE + CODE_BYTES + 5);
    CODE[CODE_BYTES] = 0xe9;
    copy(CODE + CODE_BYTES + 1, (u8 *)&distance, 4);
    copy((u8 *)&given, input + CODE_BYTES, 36);
    copy(WINDOW, input + CODE_BYTES + 36, WINDOW_BYTES);
    signal_number = 0;
    found = given;
    enter();
    copy(output, (u8 *)&signal_number, 4);
    copy(output + 4, (u8 *)&found, 36);
    copy(output + 40, WINDOW, WINDOW_BYTES);
    if (!transfer(WRITE, 1, output, sizeof output)) end(6);
  }
  end(0);
}
