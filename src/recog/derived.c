/* derived.c - see derived.h. SPDX-License-Identifier: MIT */
#include "recog/derived.h"

#include <stdlib.h>
#include <string.h>

static int by_id(const void *a, const void *b)
{
    const mni_id_key *x = a, *y = b;
    if (x->id != y->id) return x->id < y->id ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* Ids are given in ascending order: mostly there is nothing to do. */
void mni_sort_ids(mni_id_key *keys, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++)
        if (by_id(&keys[i - 1], &keys[i]) > 0) {
            qsort(keys, n, sizeof *keys, by_id);
            return;
        }
}

static int by_name(const void *a, const void *b)
{
    const mni_name_key *x = a, *y = b;
    const uint32_t n = x->n_chars < y->n_chars ? x->n_chars : y->n_chars;
    const int c = n ? memcmp(x->chars, y->chars, n) : 0;
    return c ? c : x->n_chars < y->n_chars ? -1 : x->n_chars > y->n_chars;
}

void mni_sort_names(mni_name_key *keys, uint32_t n)
{
    if (n) qsort(keys, n, sizeof *keys, by_name);
}

/* A counting sort: how many, where each begins, then every row to its place. */
uint32_t mni_sort_classes(uint32_t *at, uint32_t *rows, uint32_t n, uint32_t n_classes,
                          uint32_t (*klass_of)(const void *ctx, uint32_t row),
                          const void *ctx)
{
    const uint32_t c = n_classes;
    uint32_t n_live = 0;
    memset(at, 0, ((size_t)c + 2) * sizeof *at);
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t k = klass_of(ctx, i);
        at[(k < c ? k : c) + 1]++;
    }
    for (uint32_t k = 0; k < c; k++) n_live += at[k + 1] > 0;
    for (uint32_t k = 0; k <= c; k++) at[k + 1] += at[k];
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t k = klass_of(ctx, i);
        rows[at[k < c ? k : c]++] = i;
    }
    for (uint32_t k = c + 1; k > 0; k--) at[k] = at[k - 1];     /* ends to starts */
    at[0] = 0;
    return n_live;
}
