/* The two drives of the first IDE channel, a sector at a time. */
#ifndef DISK_H
#define DISK_H
#include "../lib/guest.h"

#define SECTOR 512u

/* How many sectors drive 0 or 1 has; 0 where there is none. To be called before anything else is done with a drive. */
u32 disk_size(u32 drive);
/* Each gives 0 when the drive reports an error. */
int disk_read(u32 drive, u32 sector, void *to);
int disk_write(u32 drive, u32 sector, const void *from);
/* Until all that was written is on the medium. */
int disk_flush(u32 drive);

#endif
