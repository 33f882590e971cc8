/* stable.c - see stable.h. SPDX-License-Identifier: MIT */
#include "recog/stable.h"

#include "base/mem.h"

void mni_stable_init(mni_stable *s, size_t item_bytes)
{
    *s = (mni_stable){ .item_bytes = item_bytes };
}

void mni_stable_fini(mni_stable *s)
{
    for (int c = 0; c < MNI_STABLE_CHUNKS; c++) mni_free(s->chunks[c]);
    *s = (mni_stable){ .item_bytes = s->item_bytes };
}

/* Chunk c begins at item FIRST * (2^c - 1). */
static int chunk_of(uint32_t i, uint32_t *within)
{
    uint64_t unit = (uint64_t)i / MNI_STABLE_FIRST + 1;
    int c = 0;
    while (unit >> (c + 1)) c++;
    *within = (uint32_t)(i - (uint64_t)MNI_STABLE_FIRST * ((1ull << c) - 1));
    return c;
}

void *mni_stable_make(mni_stable *s, uint32_t i)
{
    uint32_t within;
    int c = chunk_of(i, &within);
    if (!s->chunks[c]) {
        s->chunks[c] = mni_alloc_aligned((size_t)MNI_STABLE_FIRST << c, s->item_bytes, 0);
        if (!s->chunks[c]) return NULL;
    }
    return (char *)s->chunks[c] + (size_t)within * s->item_bytes;
}

void *mni_stable_at(const mni_stable *s, uint32_t i)
{
    uint32_t within;
    int c = chunk_of(i, &within);
    return (char *)s->chunks[c] + (size_t)within * s->item_bytes;
}

const void *mni_stable_run(const mni_stable *s, uint32_t i, uint32_t n, uint32_t *run)
{
    uint32_t within;
    int c = chunk_of(i, &within);
    uint64_t left = ((uint64_t)MNI_STABLE_FIRST << c) - within;
    *run = left < n - i ? (uint32_t)left : n - i;
    return (char *)s->chunks[c] + (size_t)within * s->item_bytes;
}
