/* scratch.c - see scratch.h. SPDX-License-Identifier: MIT */
#include "nn/scratch.h"

#include <stdint.h>

#include "base/mem.h"

int mni_scratch_init(mni_scratch *s, size_t n, size_t piece_floats)
{
    *s = (mni_scratch){ .n = n };
    if (piece_floats > SIZE_MAX / 2) return 0;
    s->piece = (piece_floats + 15) / 16 * 16;
    if (s->piece && n > SIZE_MAX / s->piece) return 0;
    s->floats = mni_alloc_aligned(n * s->piece, sizeof *s->floats, 0);
    s->taken = mni_alloc(n, sizeof *s->taken);
    if (s->floats && s->taken) return 1;
    mni_scratch_fini(s);
    return 0;
}

void mni_scratch_fini(mni_scratch *s)
{
    mni_free(s->floats);
    mni_free(s->taken);
    *s = (mni_scratch){ .n = 0 };
}

float *mni_scratch_take(mni_scratch *s)
{
    for (size_t i = 0;; i = (i + 1) % s->n)
        if (!atomic_exchange_explicit(&s->taken[i], 1, memory_order_acquire))
            return s->floats + i * s->piece;
}

void mni_scratch_give(mni_scratch *s, float *piece)
{
    size_t i = s->piece ? (size_t)(piece - s->floats) / s->piece : 0;
    atomic_store_explicit(&s->taken[i], 0, memory_order_release);
}
