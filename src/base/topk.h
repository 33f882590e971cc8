/* topk.h - the k nearest of a stream: a bounded binary max-heap.
 *
 * The root is the worst of the kept ones, so that one compare decides whether a newcomer
 * matters. Order is (distance, row): equal distances are ordered by row, which makes
 * every search give the same answer whatever the order in which rows are met. NaN
 * distances must not be offered. SPDX-License-Identifier: MIT */
#ifndef MNI_BASE_TOPK_H
#define MNI_BASE_TOPK_H

#include <stddef.h>
#include <stdint.h>

typedef struct mni_near { float distance; uint32_t row; } mni_near;

typedef struct mni_topk {
    mni_near *items;       /* borrowed storage for `k` items */
    size_t k, n;
} mni_topk;

/* Is a strictly nearer than b? */
static inline int mni_nearer(mni_near a, mni_near b)
{
    return a.distance < b.distance || (a.distance == b.distance && a.row < b.row);
}

/* k may be 0: keeps nothing */
void mni_topk_init(mni_topk *t, mni_near *items, size_t k);
void mni_topk_push(mni_topk *t, float distance, uint32_t row);

/* Would an item at `distance` be kept? Cheap test before computing more. */
static inline int mni_topk_wants(const mni_topk *t, float distance)
{
    return t->n < t->k || (t->k && distance <= t->items[0].distance);
}

/* Sorts the kept items, nearest first; the heap is used up. Returns how many. */
size_t mni_topk_sort(mni_topk *t);

#endif
