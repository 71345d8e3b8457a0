/* Runs the routines of stack.asm. */
#include "checksum.h"

extern u32 stack_push_esp(void), stack_pop_esp(void), stack_pop_memory(void), stack_push_memory(void), stack_words(void),
    stack_pushad(void), stack_pusha(void), stack_enter(void), stack_enter_nested(void), stack_calls(void),
    stack_segments(void);

static const struct {
  const char *name;
  u32 (*run)(void);
} routines[] = {
    {"push esp", stack_push_esp},       {"pop esp", stack_pop_esp}, {"pop memory", stack_pop_memory},
    {"push memory", stack_push_memory}, {"words", stack_words},     {"pushad", stack_pushad},
    {"pusha", stack_pusha},             {"enter", stack_enter},     {"enter nested", stack_enter_nested},
    {"calls", stack_calls},             {"segments", stack_segments},
};

void test_stack(void) {
  for (u32 i = 0; i < sizeof routines / sizeof routines[0]; i++) put_line_hex(routines[i].name, routines[i].run());
}
