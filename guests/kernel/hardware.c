/* What is below the kernel: one of two. */
#ifdef XEN
#include "xen.h"
#else
#include "bare.h"
#endif
