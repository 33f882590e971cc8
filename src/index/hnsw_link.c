/* hnsw_link.c - which neighbours are worth a link.
 *
 * Not simply the nearest: they all lie on one side, and a walk could not leave a cluster.
 * A candidate gets a link only if it is nearer to the new row than to every neighbour
 * chosen before it (Malkov and Yashunin 2018, Alg. 4): otherwise the way leads over that
 * neighbour.
 *
 *          c2 .  . c1                   x takes c1 (nearest), passes over c2 (nearer to
 *              x                        c1 than to x: reached by way of c1), and takes
 *                       . c3            c3
 *
 * Taken strictly that leaves 20 links of 32, and walks that need many steps. So a
 * candidate is passed over only if the chosen one is nearer by a fifth (of the squared
 * distance; Jayaram Subramanya and others, "DiskANN", 2019, Alg. 2): 30 links, as many
 * distances for the same recall, but a quarter fewer steps that wait for each other
 * (HNSW.md). Not for inner products, whose distances are no lengths.
 *
 * A candidate equal to a chosen one is passed over as well: ten thousand equal rows would
 * otherwise know only each other. SPDX-License-Identifier: MIT */
#include "index/hnsw.h"

#include <stdlib.h>

uint32_t mni_hnsw_degree(const uint32_t *links, uint32_t most, uint32_t n)
{
    uint32_t d = 0;
    while (d < most && links[d] < n) d++;
    return d;
}

static inline uint32_t node_at(const mni_hnsw_view *v, uint32_t slot)
{
    return v->node ? v->node[slot] : slot;
}

static int is_in(const uint32_t *list, size_t n, uint32_t value)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == value) return 1;
    return 0;
}

/* Is the candidate, so far from the row itself, clearly nearer to a chosen node? */
static int covered(const mni_hnsw_view *v, const uint8_t *query, uint32_t bias,
                   uint32_t distance, const uint32_t *nodes, size_t n)
{
    const uint32_t clear = v->grid->inner ? distance : distance - distance / 6;
    uint32_t near[4];
    for (size_t i = 0; i < n; i += 4) {
        const size_t m = n - i < 4 ? n - i : 4;
        v->measure(query, v->codes, v->bytes, nodes + i, m, near);
        for (size_t u = 0; u < m; u++)
            if (near[u] + bias < clear || near[u] + bias == 0) return 1;
    }
    return 0;
}

size_t mni_hnsw_choose(const mni_hnsw_view *v, mni_hnsw_walk *w, const uint64_t *keys,
                       size_t n, size_t most, const uint32_t *must, size_t n_must)
{
    const mni_hnsw_grid *g = v->grid;
    uint32_t *chosen = w->list, nodes[2 * MNI_MAX_LINKS];
    uint8_t *query = w->query + mni_hnsw_query_bytes(g);
    size_t n_chosen = 0, spare = most - n_must;
    for (size_t i = 0; i < n && n_chosen < most; i++) {
        const uint32_t slot = mni_hnsw_node(keys[i]), node = node_at(v, slot);
        const int stays = n_must && is_in(must, n_must, slot);
        if (!stays) {
            if (spare == 0) continue;
            const uint8_t *code = v->codes + node * v->bytes;
            uint32_t bias = 0;
            if (g->inner) {
                bias = mni_hnsw_grid_node(g, code, query);
                code = query;
            }
            if (covered(v, code, bias, mni_hnsw_distance(keys[i]), nodes, n_chosen))
                continue;
            spare--;
        }
        nodes[n_chosen] = node;
        chosen[n_chosen++] = slot;
    }
    return n_chosen;
}

static int ascending(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Keys of `slots` as seen from the row `self`, sorted, into w->pick. */
static void rank(const mni_hnsw_view *v, mni_hnsw_walk *w, uint32_t self,
                 const uint32_t *slots, size_t n)
{
    uint32_t *nodes = w->list;
    const uint32_t bias = mni_hnsw_grid_node(
        v->grid, v->codes + node_at(v, self) * v->bytes, w->query);
    for (size_t i = 0; i < n; i++) nodes[i] = node_at(v, slots[i]);
    v->measure(w->query, v->codes, v->bytes, nodes, n, w->near);
    for (size_t i = 0; i < n; i++)
        w->pick[i] = mni_hnsw_key(w->near[i] + bias, slots[i]);
    qsort(w->pick, n, sizeof *w->pick, ascending);
}

void mni_hnsw_relink(mni_hnsw *h, mni_hnsw_walk *w, uint32_t level, uint32_t self,
                     const uint32_t *slots, size_t n)
{
    const mni_hnsw_view v = mni_hnsw_view_of(h, level, 1);
    uint32_t *links = (level ? h->level[level].links : h->links) +
                      (size_t)self * v.degree;
    uint32_t must[2 * MNI_MAX_LINKS];
    size_t n_must = 0;
    for (size_t i = 0; level == 0 && h->parent && i < n; i++)
        if (h->parent[slots[i]] == self && n_must < v.degree) must[n_must++] = slots[i];
    rank(&v, w, self, slots, n);
    const size_t kept = mni_hnsw_choose(&v, w, w->pick, n, v.degree, must, n_must);
    for (size_t i = 0; i < v.degree; i++)
        links[i] = i < kept ? w->list[i] : MNI_HNSW_NONE;
}

void mni_hnsw_accept(mni_hnsw *h, mni_hnsw_walk *w, uint32_t level, uint32_t to,
                     const uint32_t *from, size_t n)
{
    const mni_hnsw_view v = mni_hnsw_view_of(h, level, 1);
    uint32_t *links = (level ? h->level[level].links : h->links) + (size_t)to * v.degree;
    uint32_t all[2 * MNI_MAX_LINKS + MNI_HNSW_BATCH];
    size_t degree = mni_hnsw_degree(links, v.degree, v.n), n_all = degree;
    memcpy(all, links, degree * sizeof *all);
    for (size_t i = 0; i < n; i++)
        if (!is_in(links, degree, from[i])) all[n_all++] = from[i];
    if (n_all <= v.degree)
        memcpy(links + degree, all + degree, (n_all - degree) * sizeof *all);
    else
        mni_hnsw_relink(h, w, level, to, all, n_all);
}
