/*
 * A checksum a line: each test folds its results and the flags that are defined for it, and prints one number.
 *
 * Masks name the flags the manual defines after an instruction; the others may differ between processors.
 */
#ifndef CHECKSUM_H
#define CHECKSUM_H
#include "../lib/guest.h"

#define CF 0x001u
#define PF 0x004u
#define AF 0x010u
#define ZF 0x040u
#define SF 0x080u
#define OF 0x800u
#define ARITHMETIC (CF | PF | AF | ZF | SF | OF)
#define LOGICAL (CF | PF | ZF | SF | OF)

extern u32 checksum;
static inline void fold(u32 value) { checksum = (((checksum << 5) | (checksum >> 27)) ^ value) * 0x01000193u; }
/* Prints the checksum under this name and starts the next one. */
void finish(const char *name);

/* Operand values at and around the edges of 8, 16 and 32 bits. */
#define VALUES 20
extern const u32 values[VALUES];

/* Four pages whose neighbours in linear memory are not neighbours in physical memory; WINDOW_ALIAS is the first one again. */
#define WINDOW 0x300000u
#define WINDOW_ALIAS 0x308000u

void test_arithmetic(void);
void test_shifts(void);
void test_multiply(void);
void test_bits(void);
void test_decimal(void);
void test_conditions(void);
void test_strings(void);
void test_stack(void);
void test_crossing(void);
void test_self_modification(void);
#endif
