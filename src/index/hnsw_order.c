/* hnsw_order.c - neighbours in the graph become neighbours in memory.
 *
 * Rows come in any order, so the 32 links of a node lead to 32 far places, each of them
 * its own page. Numbered breadth-first from the entry, nodes that are visited together
 * stand together: fewer pages, and marks of visited nodes that share cache lines. (That
 * reordering helps graph search was measured by Coleman and others, 2022, "Graph
 * reordering for cache-efficient near neighbor search".)
 * SPDX-License-Identifier: MIT */
#include "index/hnsw.h"

#include "base/mem.h"

mann_status mni_hnsw_order(const mni_hnsw *h, uint32_t *order, mann_error *err)
{
    uint8_t *placed = mni_alloc(h->n, 1);
    uint32_t head = 0, tail = 0;
    if (!placed) return mni_fail(err, MANN_E_NOMEM, "hnsw: marks of all rows");
    for (uint32_t from = 0; from <= h->n && tail < h->n; from++) {
        /* the entry first; then, were there nodes that it does not lead to, those */
        const uint32_t root = from == 0 ? mni_hnsw_entry_node(h) : from - 1;
        if (placed[root]) continue;
        placed[root] = 1;
        order[tail++] = root;
        while (head < tail) {
            const uint32_t *links = h->links + (size_t)order[head++] * h->m0;
            for (uint32_t i = 0; i < h->m0 && links[i] < h->n; i++) {
                if (placed[links[i]]) continue;
                placed[links[i]] = 1;
                order[tail++] = links[i];
            }
        }
    }
    mni_free(placed);
    return MANN_OK;
}
