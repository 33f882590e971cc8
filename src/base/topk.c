/* topk.c - see topk.h. SPDX-License-Identifier: MIT */
#include "base/topk.h"

void mni_topk_init(mni_topk *t, mni_near *items, size_t k)
{
    *t = (mni_topk){ items, k, 0 };
}

/* Move the item at `i` down until no child is farther than it. */
static void sink(mni_near *h, size_t n, size_t i)
{
    mni_near x = h[i];
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= n) break;
        if (child + 1 < n && mni_nearer(h[child], h[child + 1])) child++;
        if (!mni_nearer(x, h[child])) break;
        h[i] = h[child];
        i = child;
    }
    h[i] = x;
}

static void rise(mni_near *h, size_t i)
{
    mni_near x = h[i];
    while (i > 0) {
        size_t parent = (i - 1) / 2;
        if (!mni_nearer(h[parent], x)) break;
        h[i] = h[parent];
        i = parent;
    }
    h[i] = x;
}

void mni_topk_push(mni_topk *t, float distance, uint32_t row)
{
    mni_near x = { distance, row };
    if (t->n < t->k) {
        t->items[t->n] = x;
        rise(t->items, t->n++);
    } else if (t->k && mni_nearer(x, t->items[0])) {
        t->items[0] = x;
        sink(t->items, t->n, 0);
    }
}

/* Heapsort's second half: the farthest goes to the end, again and again. */
size_t mni_topk_sort(mni_topk *t)
{
    for (size_t n = t->n; n > 1; n--) {
        mni_near far = t->items[0];
        t->items[0] = t->items[n - 1];
        t->items[n - 1] = far;
        sink(t->items, n - 1, 0);
    }
    return t->n;
}
