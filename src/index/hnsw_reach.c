/* hnsw_reach.c - every node can be reached from the entry over the links of level 0.
 *
 * Links are one-way, and a node whose neighbours all chose others has no link to it: it
 * is in the graph, and no walk ever finds it. Other libraries leave it at that. Here a
 * walk deep-first over all links marks what it reaches; each node that it did not reach
 * gets a link from the nearest node that has room, or that can spare one, and the walk
 * goes on from there.
 *
 * The links by which nodes were reached first form a tree (h->parent). While rows are
 * added one by one, the tree says which links must not be pruned, so that the promise
 * holds after every step without a walk over everything. Deep-first, since such a tree
 * asks few links of each node: most have one child, where breadth-first hubs have dozens.
 * SPDX-License-Identifier: MIT */
#include "index/hnsw.h"

#include "base/mem.h"

uint32_t mni_hnsw_entry_node(const mni_hnsw *h)
{
    if (h->n_levels == 0) return h->entry < h->n ? h->entry : 0;
    const mni_hnsw_level *top = &h->level[h->n_levels];
    const uint32_t node = h->entry < top->n ? top->node[h->entry] : 0;
    return node < h->n ? node : 0;
}

/* Marks all that hangs on `root`, whose parent is set. next[]: the link to follow; the
 * way back leads over the parents, so no stack is needed. */
static void explore(const mni_hnsw *h, uint32_t root, uint32_t *parent, uint16_t *next)
{
    uint32_t at = root;
    for (;;) {
        const uint32_t *links = h->links + (size_t)at * h->m0;
        while (next[at] < h->m0 && links[next[at]] < h->n &&
               parent[links[next[at]]] != MNI_HNSW_NONE)
            next[at]++;
        if (next[at] < h->m0 && links[next[at]] < h->n) {
            const uint32_t to = links[next[at]++];
            __builtin_prefetch(h->links + (size_t)to * h->m0);
            parent[to] = at;
            at = to;
        } else if (at == root) {
            return;
        } else {
            at = parent[at];
        }
    }
}

/* A link from `host` to `node`, in free room or instead of one that is not in the tree.
 * 0 if the host has neither. */
static int link_from(mni_hnsw *h, uint32_t host, uint32_t node)
{
    uint32_t *links = h->links + (size_t)host * h->m0;
    const uint32_t degree = mni_hnsw_degree(links, h->m0, h->n);
    if (host == node) return 0;
    if (degree < h->m0) {
        links[degree] = node;
        return 1;
    }
    for (uint32_t i = h->m0; i-- > 0; )
        if (h->parent[links[i]] != host) {
            links[i] = node;
            return 1;
        }
    return 0;
}

/* The nearest nodes first; then, where all of them are full of children, any. There is
 * always one: n nodes have 2M n links, and the tree takes fewer than n. */
static void attach(mni_hnsw *h, mni_hnsw_walk *w, uint32_t node, uint32_t *any)
{
    mni_hnsw_view v = mni_hnsw_view_of(h, 0, 1);
    v.bias = mni_hnsw_grid_node(v.grid, v.codes + (size_t)node * v.bytes, w->query);
    const uint32_t start = mni_hnsw_descend(h, 0, &v, w->query);
    const size_t n = mni_hnsw_beam(&v, w, w->query, start, h->build_ef);
    for (size_t i = 0; i < n; i++) {
        const uint32_t host = mni_hnsw_node(w->pool[i]);
        if (h->parent[host] == MNI_HNSW_NONE || !link_from(h, host, node)) continue;
        h->parent[node] = host;
        return;
    }
    for (;; *any = *any + 1 < h->n ? *any + 1 : 0)
        if (h->parent[*any] != MNI_HNSW_NONE && link_from(h, *any, node)) break;
    h->parent[node] = *any;
}

mann_status mni_hnsw_reach_ready(mni_hnsw_reaching *r, const mni_hnsw *h,
                                 mann_error *err)
{
    *r = (mni_hnsw_reaching){ .next = mni_alloc(h->n, sizeof *r->next) };
    r->parent = mni_alloc_aligned((size_t)h->cap + 1, sizeof *r->parent, 0);
    mann_status s = r->parent && r->next
                        ? mni_hnsw_walk_ready(&r->walk, h, h->build_ef, err)
                        : mni_fail(err, MANN_E_NOMEM, "hnsw: tree of links");
    if (s != MANN_OK) mni_hnsw_reach_fini(r);
    return s;
}

void mni_hnsw_reach_fini(mni_hnsw_reaching *r)
{
    mni_free(r->parent);
    mni_free(r->next);
    mni_hnsw_walk_fini(&r->walk);
}

void mni_hnsw_reach(mni_hnsw *h, mni_hnsw_reaching *r)
{
    uint32_t any = 0, *parent = r->parent;
    r->parent = NULL;
    mni_free(h->parent);
    h->parent = parent;
    memset(parent, 0xff, h->n * sizeof *parent);
    if (h->n > 0) {
        const uint32_t entry = mni_hnsw_entry_node(h);
        parent[entry] = entry;
        explore(h, entry, parent, r->next);
    }
    for (uint32_t node = 0; node < h->n; node++) {
        if (parent[node] != MNI_HNSW_NONE) continue;
        attach(h, &r->walk, node, &any);
        explore(h, node, parent, r->next);
    }
    mni_hnsw_reach_fini(r);
}

static int links_to(const mni_hnsw *h, uint32_t from, uint32_t to)
{
    const uint32_t *links = h->links + (size_t)from * h->m0;
    for (uint32_t i = 0; i < h->m0; i++)
        if (links[i] == to) return 1;
    return 0;
}

void mni_hnsw_adopt(mni_hnsw *h, mni_hnsw_walk *w, uint32_t first)
{
    uint32_t any = 0;
    for (uint32_t node = first; node < h->n; node++) {
        const uint32_t *links = h->links + (size_t)node * h->m0;
        for (uint32_t i = 0; i < h->m0 && links[i] < h->n; i++)
            if (h->parent[links[i]] != MNI_HNSW_NONE && links_to(h, links[i], node)) {
                h->parent[node] = links[i];
                break;
            }
        if (node == 0) h->parent[node] = node;
        if (h->parent[node] == MNI_HNSW_NONE) attach(h, w, node, &any);
    }
}

mann_status mni_hnsw_lost(const mni_hnsw *h, uint32_t *n_lost, mann_error *err)
{
    uint32_t *parent = mni_alloc_aligned(h->n, sizeof *parent, 0);
    uint16_t *next = mni_alloc(h->n, sizeof *next);
    *n_lost = 0;
    if (parent && next && h->n > 0) {
        const uint32_t entry = mni_hnsw_entry_node(h);
        memset(parent, 0xff, h->n * sizeof *parent);
        parent[entry] = entry;
        explore(h, entry, parent, next);
        for (uint32_t i = 0; i < h->n; i++) *n_lost += parent[i] == MNI_HNSW_NONE;
    }
    const int ok = parent && next;
    mni_free(parent);
    mni_free(next);
    return ok ? MANN_OK : mni_fail(err, MANN_E_NOMEM, "hnsw: marks of all rows");
}
