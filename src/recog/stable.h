/* stable.h - a growing array whose items never move.
 *
 * Readers look at items while the writer appends: a realloc would pull the floor from
 * under them. Chunk c holds FIRST << c items, so 32 chunk pointers are enough for ever
 * and no item is copied.
 *
 *   chunk 0: 64 items   chunk 1: 128   chunk 2: 256   ...
 *
 * The writer publishes how many items exist (through the gallery's state, under its
 * mutex); readers touch nothing beyond that number. SPDX-License-Identifier: MIT */
#ifndef MNI_RECOG_STABLE_H
#define MNI_RECOG_STABLE_H

#include <stddef.h>
#include <stdint.h>

enum { MNI_STABLE_FIRST = 64, MNI_STABLE_CHUNKS = 27 }; /* 64 * (2^27 - 1) > 2^32 items */

typedef struct mni_stable {
    void *chunks[MNI_STABLE_CHUNKS];
    size_t item_bytes;
} mni_stable;

void  mni_stable_init(mni_stable *s, size_t item_bytes);
void  mni_stable_fini(mni_stable *s);
/* The place of item `i`, whose chunk is made if need be; NULL when memory ends. Writer
 * only. */
void *mni_stable_make(mni_stable *s, uint32_t i);
/* The place of an item that exists. */
void *mni_stable_at(const mni_stable *s, uint32_t i);
/* Items from i on that lie side by side: *run = how many (at most `n - i`). For scans. */
const void *mni_stable_run(const mni_stable *s, uint32_t i, uint32_t n, uint32_t *run);

#endif
