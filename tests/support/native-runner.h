/*
 * What native-runner.c and native64-runner.c share: where code and data lie, buffered input and output, and the report of
 * words that changed. Whoever includes it has `system_call` and its numbers EXIT, READ and WRITE.
 */
typedef unsigned int u32;
typedef unsigned char u8;
/* As wide as an address. */
typedef unsigned long word;

#define CODE_SIZE 0x2000
#define CODE_BYTES 64
#define FILLER 0xf4
#define DATA_SIZE 0x3000
#define WRITABLE_SIZE 0x2000
#define WINDOW_OFFSET 0xfc0
#define WINDOW_BYTES 128
#define IMAGE_BYTES 512

static long system_call(long number, word a, word b, word c, word d, word e, word f);

u8 floats[IMAGE_BYTES] __attribute__((aligned(16)));
static u8 alternate_stack[65536];
static u8 background[DATA_SIZE];
static u8 input[1 << 20], output[1 << 20];
static word input_at, input_end, output_end;
static u8 *code_alias;
static int started;

static void finish(int status)
{
  system_call(EXIT, status, 0, 0, 0, 0, 0);
}

static void copy(void *to, const void *from, word count)
{
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

static void flush(void)
{
  for (word done = 0; done < output_end;) {
    long count = system_call(WRITE, 1, (word)(output + done), output_end - done, 0, 0, 0);
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
static int get(void *to, word count)
{
  for (u8 *at = to; count > 0;) {
    if (input_at == input_end) {
      long size = system_call(READ, 0, (word)input, sizeof input, 0, 0, 0);
      if (size <= 0) return 0;
      input_at = 0;
      input_end = size;
    }
    word part = input_end - input_at < count ? input_end - input_at : count;
    copy(at, input + input_at, part);
    input_at += part;
    at += part;
    count -= part;
  }
  return 1;
}

/* Puts the number of words that changed, and for each its index and its value. */
static void put_changes(const u32 *now, const u32 *before, u32 count)
{
  u32 changed = 0;
  for (u32 index = 0; index < count; index++) changed += now[index] != before[index];
  put(changed);
  for (u32 index = 0; changed != 0 && index < count; index++) {
    if (now[index] == before[index]) continue;
    put(index);
    put(now[index]);
  }
}

/* The same of the data pages, whose window is the case's; they are what they were before then. */
static void put_memory(u32 *memory, const u8 *window)
{
  copy(background + WINDOW_OFFSET, window, WINDOW_BYTES);
  put_changes(memory, (const u32 *)background, WRITABLE_SIZE / 4);
  copy(memory, background, WRITABLE_SIZE);
}

/* Takes the code of the case before away. */
static void clear_code(word start)
{
  for (word index = start; index < start + CODE_BYTES && index < CODE_SIZE; index++) code_alias[index] = FILLER;
}

static void put_code(word start, const u8 *code)
{
  copy(code_alias + start, code, CODE_SIZE - start < CODE_BYTES ? CODE_SIZE - start : CODE_BYTES);
}

static void set_handler(int number, int signal_stack, void *handler, void (*restorer)(void))
{
  struct { void *stack; int flags; word size; } stack = { alternate_stack, 0, sizeof alternate_stack };
  system_call(signal_stack, (word)&stack, 0, 0, 0, 0, 0);
  /* SA_SIGINFO, SA_RESTORER, on the alternate stack, and not blocked while it is handled. */
  struct { void *handler; word flags; void *restorer; u32 mask[2]; } action = { handler, 0x4c000004, restorer, { 0, 0 } };
  static const int signals[] = { 4, 5, 7, 8, 11 };
  for (u32 index = 0; index < 5; index++) system_call(number, signals[index], (word)&action, 0, 8, 0, 0);
}
