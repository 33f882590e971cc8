/* arena.h - memory for the length of one call: many small pieces, released all at once.
 *
 * Second of the three lifetimes (object, call, mapped file). A decoder or a search takes
 * what it needs and never frees single pieces; the owner resets or ends the arena.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_BASE_ARENA_H
#define MNI_BASE_ARENA_H

#include <stddef.h>

typedef struct mni_arena_block mni_arena_block;
typedef struct mni_arena {
    mni_arena_block *blocks;     /* newest first */
    size_t used_bytes;           /* handed out since the last reset */
    size_t limit_bytes;        /* 0 = none; going over it is like running out of memory */
} mni_arena;

void  mni_arena_init(mni_arena *a, size_t limit_bytes);
/* count * size bytes, 64-byte aligned, zeroed; NULL on overflow, over the limit, or no
 * memory. */
void *mni_arena_get(mni_arena *a, size_t count, size_t size);
void  mni_arena_reset(mni_arena *a);    /* keeps the newest block for reuse */
void  mni_arena_fini(mni_arena *a);

#endif
