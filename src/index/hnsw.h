/* hnsw.h - what the hnsw_*.c files share: the graph and the scratch of a walk. hnsw.c has
 * the overview. Nobody else includes this. SPDX-License-Identifier: MIT */
#ifndef MNI_INDEX_HNSW_H
#define MNI_INDEX_HNSW_H

#include "base/visited.h"
#include "index/hnsw_grid.h"
#include "index/kinds.h"

enum {
    MNI_HNSW_LEVELS = 31,       /* above level 0; a level has 1/M of the one below */
    MNI_HNSW_BATCH = 1024       /* rows that search the same state of the graph */
};
#define MNI_HNSW_NONE UINT32_MAX

/* One level above 0. Its rows are numbered by `slot`; links are slots of the same level,
 * so no table from rows to slots is needed on the way down:
 *
 *     level 2      slot 0 ---- slot 1               links
 *                    | down      | down
 *     level 1      slot 7 ---- slot 2 ---- ...      down: slot one level below
 *                    | node      | node
 *     level 0      node 90     node 14              at level 1, down equals node */
typedef struct mni_hnsw_level {
    uint32_t n, cap;
    uint32_t *node, *down;      /* n each */
    uint32_t *links;            /* n x M, as at level 0 */
} mni_hnsw_level;

/* A node is a row in the graph's own order: row_of[node]. Each node has 2M links in one
 * block without a header, the rest filled with NONE. Pointers may lead into a mapped file
 * (owned == 0): then nothing behind them is written. */
typedef struct mni_hnsw {
    mni_ann base;
    uint32_t m, m0, build_ef;
    uint32_t bits;              /* of the codes that are walked: 8, 4; 0: hnsw_rows.c */
    uint32_t n, cap, n_levels, entry;   /* entry: slot of the top level, or node */
    uint64_t born, seed;        /* rows ever inserted: what levels are drawn from */
    uint32_t *links, *row_of;   /* n x m0, n */
    uint8_t *codes;             /* n x walk.bytes; NULL where bits is 0 */
    mni_hnsw_level level[MNI_HNSW_LEVELS + 1];  /* [0] is not used */
    mni_hnsw_grid walk;
    int owned;
    /* Only while being changed. */
    uint32_t *node_of;          /* the inverse of row_of */
    uint32_t *parent;           /* a tree of links that reaches all: hnsw_reach.c */
    uint8_t *fine_codes;        /* 8-bit codes, unless `codes` are that */
    mni_hnsw_grid fine;
} mni_hnsw;

/* A row on the way: distance above, then the node, then whether it was expanded. As one
 * number it sorts by distance, then node. */
static inline uint64_t mni_hnsw_key(uint32_t distance, uint32_t node)
{
    return (uint64_t)distance << 32 | (uint64_t)node << 1;
}
static inline uint32_t mni_hnsw_node(uint64_t key) { return (uint32_t)key >> 1; }
static inline uint32_t mni_hnsw_distance(uint64_t key) { return (uint32_t)(key >> 32); }

/* What one thread needs to walk; `part` of an mni_scratch. */
typedef struct mni_hnsw_walk {
    mni_visited seen;
    uint64_t *pool;             /* the nearest so far, sorted: ef + 1 */
    size_t pool_cap;
    uint64_t *heap;             /* filters: nodes still to be expanded */
    size_t heap_cap;
    uint8_t *query;             /* coded */
    size_t query_cap;
    /* for linking: candidates and chosen */
    uint64_t *pick;
    size_t pick_cap;
    uint32_t *list, *near;
    size_t list_cap;
} mni_hnsw_walk;

/* Of a graph in a mapped file, whose pages may still be on the disk: a walk that is slow
 * waits for them one by one, and from then on sends for all it will touch next. */
typedef struct mni_hnsw_pace {
    double since;               /* when the step began */
    int slow;
} mni_hnsw_pace;

/* The part of the graph that a walk sees at one level. */
typedef struct mni_hnsw_view {
    const uint32_t *links, *node;   /* node NULL: level 0, where slots are nodes */
    uint32_t n, degree, n_nodes;    /* slots, links of each; nodes that have a code */
    const uint8_t *codes;
    size_t bytes;
    const mni_hnsw_grid *grid;
    mni_code_fn measure;
    uint32_t bias;              /* added to what measure says */
    /* bits 0: the rows are walked, and measure is not asked */
    const mni_rows *rows;
    const uint32_t *row_of;
    mni_pair_fn pairs;
    float scale, size;          /* of the query: step, squared length */
    mni_hnsw_pace *pace;        /* NULL: all is in memory */
} mni_hnsw_view;

/* hnsw_rows.c */
int         mni_hnsw_walks_rows(const mni_rows *rows, const mni_spec *said);
/* Makes v a view for this query, which is coded into out (dim bytes). */
void        mni_hnsw_rows_query(mni_hnsw_view *v, const mni_rows *rows,
                                const float *query, uint8_t *out);
void        mni_hnsw_rows_measure(const mni_hnsw_view *v, const uint8_t *query,
                                  const uint32_t *nodes, size_t n, uint32_t *near);
void        mni_hnsw_rows_fetch(const mni_hnsw_view *v, const uint32_t *nodes, size_t n);
void        mni_hnsw_rows_send_for(const mni_hnsw_view *v, const uint32_t *nodes,
                                   size_t n);
/* What mni_hnsw_grid_reach says of codes. */
uint32_t    mni_hnsw_rows_reach(const mni_hnsw_view *v, uint32_t key);

/* hnsw_search.c */
mann_status mni_hnsw_walk_ready(mni_hnsw_walk *w, const mni_hnsw *h, size_t ef,
                                mann_error *err);
void        mni_hnsw_walk_fini(mni_hnsw_walk *w);
mni_hnsw_view mni_hnsw_view_of(const mni_hnsw *h, uint32_t level, int fine);
/* Where a walk on `level` begins: the best slot that greedy steps from the top find. v: a
 * view of any level. */
uint32_t    mni_hnsw_descend(const mni_hnsw *h, uint32_t level, const mni_hnsw_view *v,
                             const uint8_t *query);
/* The ef nearest slots that a walk from `start` finds, sorted, in w->pool; how many. */
size_t      mni_hnsw_beam(const mni_hnsw_view *v, mni_hnsw_walk *w, const uint8_t *query,
                          uint32_t start, size_t ef);
mann_status mni_hnsw_search(const mni_ann *a, const mni_rows *rows, const float *queries,
                            size_t n_queries, const mni_ann_params *p,
                            mni_scratch *scratch, mni_topk *best, mann_error *err);

/* hnsw_link.c */
/* Of n sorted keys (as seen from `query`) those that are worth a link, at most `most`,
 * into w->list; how many. must[0..n_must) are slots that have to stay. */
size_t      mni_hnsw_choose(const mni_hnsw_view *v, mni_hnsw_walk *w,
                            const uint64_t *keys, size_t n, size_t most,
                            const uint32_t *must, size_t n_must);
/* Gives slot `to` of the level the newcomers from[0..n) as links. */
void        mni_hnsw_accept(mni_hnsw *h, mni_hnsw_walk *w, uint32_t level, uint32_t to,
                            const uint32_t *from, size_t n);
/* Chooses the links of `self` anew from slots[0..n), without those to h->parent's
 * children. */
void        mni_hnsw_relink(mni_hnsw *h, mni_hnsw_walk *w, uint32_t level, uint32_t self,
                            const uint32_t *slots, size_t n);
/* Links there are: they end at the first that is no node. */
uint32_t    mni_hnsw_degree(const uint32_t *links, uint32_t most, uint32_t n);

/* hnsw.c */
uint32_t    mni_hnsw_bits(const mni_spec *said, const mni_rows *shape);

/* hnsw_build.c */
mann_status mni_hnsw_new(mni_hnsw **out, const char *spec, const mni_rows *rows,
                         uint64_t seed, mann_error *err);
mann_status mni_hnsw_reserve(mni_hnsw *h, uint32_t n, mann_error *err);
/* Puts nodes [first, n), whose codes are there, into the graph. */
mann_status mni_hnsw_insert(mni_hnsw *h, uint32_t first, uint32_t n, mni_pool *pool,
                            const mann_hooks *hooks, mann_error *err);
mann_status mni_hnsw_build(mni_ann **out, const char *spec, const mni_ann_job *job,
                           mann_error *err);
/* Codes of nodes [first, n), whose row_of is set. Learns the grid anew if it has seen
 * less than half of the rows. */
mann_status mni_hnsw_append(mni_hnsw *h, const mni_rows *rows, uint32_t first, uint32_t n,
                            mni_pool *pool, mann_error *err);
/* The codes that a change needs, if only coarser ones are kept. */
mann_status mni_hnsw_refine(mni_hnsw *h, const mni_rows *rows, mni_pool *pool,
                            mann_error *err);
/* All reachable, in their order, with codes to walk on; what only changing needs is given
 * back. */
mann_status mni_hnsw_settle(mni_hnsw *h, const mni_rows *rows, mni_pool *pool,
                            mann_error *err);
void        mni_hnsw_free(mni_ann *a);

/* hnsw_reach.c */
typedef struct mni_hnsw_reaching {
    uint32_t *parent;
    uint16_t *next;
    mni_hnsw_walk walk;
} mni_hnsw_reaching;
/* What reach needs, so that it cannot fail; h may lose rows in between. */
mann_status mni_hnsw_reach_ready(mni_hnsw_reaching *r, const mni_hnsw *h,
                                 mann_error *err);
/* Every node becomes reachable from the entry on level 0, and h->parent says how. r is
 * used up. */
void        mni_hnsw_reach(mni_hnsw *h, mni_hnsw_reaching *r);
void        mni_hnsw_reach_fini(mni_hnsw_reaching *r);
/* Nodes [first, n) are new: gives each a parent, and a link from there if it has none. */
void        mni_hnsw_adopt(mni_hnsw *h, mni_hnsw_walk *w, uint32_t first);
/* Nodes that are not reachable; for check and tests. */
mann_status mni_hnsw_lost(const mni_hnsw *h, uint32_t *n_lost, mann_error *err);
/* The node at which level 0 is entered. */
uint32_t    mni_hnsw_entry_node(const mni_hnsw *h);

/* hnsw_order.c: order[i] is the node that shall become node i. */
mann_status mni_hnsw_order(const mni_hnsw *h, uint32_t *order, mann_error *err);

/* hnsw_cut.c: takes nodes out (dead: one bit a node) and closes the gaps. */
mann_status mni_hnsw_cut(mni_hnsw *h, const uint64_t *dead, uint32_t n_dead,
                         mni_pool *pool, mann_error *err);

/* hnsw_change.c */
mann_status mni_hnsw_own(mni_ann *a, mann_error *err);
mann_status mni_hnsw_add(mni_ann *a, const mni_rows *rows, uint32_t first, mni_pool *pool,
                         mann_error *err);
mann_status mni_hnsw_remove(mni_ann *a, const mni_rows *rows, const uint32_t *gone,
                            size_t n, mni_pool *pool, mann_error *err);
mann_status mni_hnsw_fold(mni_ann **out, const mni_ann *old, const mni_ann_job *job,
                          const uint32_t *from, mann_error *err);

/* hnsw_file.c, hnsw_check.c */
mann_status mni_hnsw_open(mni_ann **out, const char *spec, const mni_reader *r,
                          const mni_rows *rows, mann_error *err);
void        mni_hnsw_write(const mni_ann *a, mni_writer *w);
void        mni_hnsw_in_turn(const mni_hnsw *h);
mann_status mni_hnsw_check(const mni_ann *a, const mni_rows *rows, mann_error *err);

#endif
