/* arena.c - see arena.h. Blocks double in size, so a call that needs n bytes costs O(log
 * n) allocations the first time and none after a reset. SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"

enum { ALIGN = 64, FIRST_BYTES = 16384 };

struct mni_arena_block {
    mni_arena_block *older;
    size_t size_bytes, used_bytes;
    char *bytes;                /* 64-byte aligned, its own allocation */
};

void mni_arena_init(mni_arena *a, size_t limit_bytes)
{
    *a = (mni_arena){ .limit_bytes = limit_bytes };
}

static mni_arena_block *add_block(mni_arena *a, size_t need)
{
    size_t size = a->blocks ? a->blocks->size_bytes * 2 : FIRST_BYTES;
    if (size < need) size = need;
    mni_arena_block *b = mni_alloc(1, sizeof *b);
    if (!b) return NULL;
    b->bytes = mni_alloc_aligned(size, 1, 0);
    if (!b->bytes) { mni_free(b); return NULL; }
    b->size_bytes = size;
    b->older = a->blocks;
    a->blocks = b;
    return b;
}

void *mni_arena_get(mni_arena *a, size_t count, size_t size)
{
    if (size && count > (SIZE_MAX / 4) / size) return NULL;
    size_t need = (count * size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (need == 0) need = ALIGN;
    if (a->limit_bytes &&
        (need > a->limit_bytes || a->used_bytes > a->limit_bytes - need))
        return NULL;
    mni_arena_block *b = a->blocks;
    if (!b || b->size_bytes - b->used_bytes < need) b = add_block(a, need);
    if (!b) return NULL;
    char *at = b->bytes + b->used_bytes;
    b->used_bytes += need;
    a->used_bytes += need;
    memset(at, 0, need);
    return at;
}

static void drop_from(mni_arena_block *b)
{
    while (b) {
        mni_arena_block *older = b->older;
        mni_free(b->bytes);
        mni_free(b);
        b = older;
    }
}

void mni_arena_reset(mni_arena *a)
{
    if (a->blocks) {
        drop_from(a->blocks->older);
        a->blocks->older = NULL;
        a->blocks->used_bytes = 0;
    }
    a->used_bytes = 0;
}

void mni_arena_fini(mni_arena *a)
{
    drop_from(a->blocks);
    *a = (mni_arena){ 0 };
}
