/*
 * Runs snippets of 16-bit code in Unicorn's real mode, for tests/unicorn.test.ts. Input and output are those of
 * native-runner.c, without LDT entries; selectors have bit 16 set, and the output's first word is 2: behind the changed
 * words of each case come ES CS SS DS FS GS. Vector 255 is HLT.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unicorn/unicorn.h>

enum {
  CODE = 0x10000, CODE_SIZE = 0x2000, CODE_BYTES = 64, FILLER = 0xf4,
  DATA = 0x20000, DATA_SIZE = 0x3000, WINDOW = 0xfc0, WINDOW_BYTES = 128,
  MEMORY = 0x110000, PAGE = 0x1000, HALTED = 255,
};

struct given {
  uint32_t registers[8], eip, eflags, segments[6], start;
  uint8_t code[CODE_BYTES], window[WINDOW_BYTES], floats[512];
};

static const int registers[] = {
  UC_X86_REG_EAX, UC_X86_REG_ECX, UC_X86_REG_EDX, UC_X86_REG_EBX,
  UC_X86_REG_ESP, UC_X86_REG_EBP, UC_X86_REG_ESI, UC_X86_REG_EDI,
};
static const int segments[] = {
  UC_X86_REG_ES, UC_X86_REG_CS, UC_X86_REG_SS, UC_X86_REG_DS, UC_X86_REG_FS, UC_X86_REG_GS,
};

static uint8_t memory[MEMORY], before[MEMORY];
static uint32_t vector;
static uc_context *fresh;

static void put(uint32_t value)
{
  fwrite(&value, 4, 1, stdout);
}

static void need(uc_err error)
{
  if (error == UC_ERR_OK) return;
  fprintf(stderr, "unicorn: %s\n", uc_strerror(error));
  exit(5);
}

static void interrupted(uc_engine *uc, uint32_t number, void *unused)
{
  vector = number;
  uc_emu_stop(uc);
}

/* The number of words of the data pages that changed; puts them out if asked. */
static uint32_t changes(int write)
{
  uint32_t count = 0;
  for (uint32_t at = DATA; at < DATA + DATA_SIZE; at += 4) {
    if (memcmp(memory + at, before + at, 4) == 0) continue;
    count++;
    if (!write) continue;
    uint32_t word;
    memcpy(&word, memory + at, 4);
    put((at - DATA) / 4);
    put(word);
  }
  return count;
}

static void run(uc_engine *uc, const struct given *now)
{
  uint32_t length = CODE_SIZE - now->start < CODE_BYTES ? CODE_SIZE - now->start : CODE_BYTES;
  memcpy(before + CODE + now->start, now->code, length);
  memcpy(before + DATA + WINDOW, now->window, WINDOW_BYTES);
  memcpy(memory + CODE + now->start, now->code, length);
  memcpy(memory + DATA + WINDOW, now->window, WINDOW_BYTES);
  need(uc_ctl_remove_cache(uc, CODE + now->start, CODE + now->start + length));
  /* It remembers an exception, and makes a double fault of the next. */
  need(uc_context_restore(uc, fresh));
  for (int index = 0; index < 6; index++) {
    uint32_t selector = now->segments[index] & 0xffff;
    need(uc_reg_write(uc, segments[index], &selector));
  }
  for (int index = 0; index < 8; index++) need(uc_reg_write(uc, registers[index], &now->registers[index]));
  need(uc_reg_write(uc, UC_X86_REG_EFLAGS, &now->eflags));
  vector = HALTED;
  uc_err error = uc_emu_start(uc, ((now->segments[1] & 0xffff) << 4) + now->eip, MEMORY, 0, 0);
  if (error == UC_ERR_INSN_INVALID) vector = 6;
  else if (error != UC_ERR_OK && vector == HALTED) vector = 1000 + error;
  uint32_t value;
  put(vector);
  put(0);
  uc_reg_read(uc, UC_X86_REG_EIP, &value);
  put(value);
  put(0);
  uc_reg_read(uc, UC_X86_REG_EFLAGS, &value);
  put(value);
  for (int index = 0; index < 8; index++) {
    uc_reg_read(uc, registers[index], &value);
    put(value);
  }
  put(changes(0));
  changes(1);
  for (int index = 0; index < 6; index++) {
    uint16_t selector;
    uc_reg_read(uc, segments[index], &selector);
    put(selector);
  }
  memset(before + CODE + now->start, FILLER, length);
  /* Hooks on writes, and on the count of instructions, make Unicorn lose flags; so what was written is looked for. */
  for (uint32_t page = 0; page < MEMORY; page += PAGE) {
    if (memcmp(memory + page, before + page, PAGE) == 0) continue;
    memcpy(memory + page, before + page, PAGE);
    need(uc_ctl_remove_cache(uc, page, page + PAGE));
  }
}

int main(void)
{
  uint32_t count;
  if (fread(&count, 4, 1, stdin) != 1 || count != 0) return 8;
  if (fread(before + DATA, DATA_SIZE, 1, stdin) != 1) return 8;
  memset(before + CODE, FILLER, CODE_SIZE);
  memcpy(memory, before, MEMORY);
  uc_engine *uc;
  need(uc_open(UC_ARCH_X86, UC_MODE_16, &uc));
  need(uc_mem_map_ptr(uc, 0, MEMORY, UC_PROT_ALL, memory));
  uc_hook hook;
  need(uc_hook_add(uc, &hook, UC_HOOK_INTR, interrupted, NULL, 1, 0));
  need(uc_context_alloc(uc, &fresh));
  need(uc_context_save(uc, fresh));
  put(2);
  struct given now;
  while (fread(&now, sizeof now, 1, stdin) == 1) run(uc, &now);
  return 0;
}
