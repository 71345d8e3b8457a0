/* The two functions a freestanding compiler may call by itself. */
#include "guest.h"

void *memcpy(void *to, const void *from, u32 length) {
  void *start = to;
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(length) : : "memory");
  return start;
}

void *memset(void *to, int value, u32 length) {
  void *start = to;
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(length) : "a"(value) : "memory");
  return start;
}
