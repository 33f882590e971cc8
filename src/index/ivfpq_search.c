/* ivfpq_search.c - asking lists by codes that have no bound, and measuring as few rows as
 * will do.
 *
 * Codes give an estimate of each row's distance. Usually the best 100 or so of them are
 * measured, whatever the query; too many for an easy one, too few for a hard one. Here
 * every estimate is an interval, as in shortlist.h, but one that holds most of the time.
 * With e = r - r', what the codes have lost, and d = |q - x|^2, the true distance,
 *
 *     |q - x'|^2 = d + 2 (q - x).e + |e|^2
 *
 * |e|^2 is known for each row and is taken off in its `plus`. What remains spreads in
 * proportion to sqrt(d |e|^2). So, E being the mean of |e|^2 in the list, the number
 * (estimate - d) / sqrt(d E) is spread alike in every list and at every distance. When
 * the lists are made it is looked at for true neighbours (ivf_tune.c), and all but one in
 * fifty of them lie below z: the margin. A row can hide a neighbour within D only if its
 * estimate is below
 *
 *     D + z sqrt(D E),
 *
 * and D, the k-th distance so far, is true: rows are measured in the order in which they
 * may begin to be near, and it ends when the next one cannot be. At d = 0 nothing is
 * hidden: a stored row that is asked again is never missed.
 * SPDX-License-Identifier: MIT */
#include <float.h>
#include <math.h>

#include "index/ivf.h"
#include "index/shortlist.h"

enum { AHEAD = 8, EARLY = 2, BLOCKS = 8 };

typedef struct asking {
    const mni_ivf *v;
    const mni_rows *rows;
    const float *query;
    const mni_ann_params *p;
    mni_topk *best;
    mni_near *waiting;          /* where each interval begins; of MNI_SHORT_ROWS */
    uint32_t n;
    mni_pq_asked asked;
    const uint8_t *tables;
    double size, blur;          /* |q - m|; what rounding tables to bytes can hide */
    float unit;                 /* estimates are in so many times the distance */
} asking;

/* True k-th distance so far, in the units of estimates. */
static double known(const asking *a)
{
    return a->best->n == a->best->k ? (double)a->best->items[0].distance * a->unit
                                    : INFINITY;
}

/* E; rows that came after the learning count by themselves. */
static double lost_in(const mni_around8 *list)
{
    return list->scale > list->error ? list->scale : list->error;
}

/* Estimates from here on cannot hide what is within d. */
static double end_of(const asking *a, const mni_around8 *list, double d)
{
    const double e = lost_in(list), z = a->v->margin;
    if (!(z < INFINITY) || !(d < INFINITY)) return INFINITY;
    const double size = a->v->metric == MANN_INNER ? a->size : sqrt(d > 0 ? d : 0);
    return d + z * size * sqrt(e) + a->blur;
}

/* The other way round: the least d that may hide behind an estimate. For squared
 * distances it is the root of d + 2 h sqrt(d) = y, with h = z sqrt(E) / 2. A list has one
 * h, and its rows are many; floats will do, since this only says in which order rows are
 * measured and when to end, within a millionth. */
typedef struct beginning { float half, off; int known, squared; } beginning;

static beginning begin_in(const asking *a, const mni_around8 *list)
{
    const double e = lost_in(list), z = a->v->margin;
    const int squared = a->v->metric != MANN_INNER, known = z < INFINITY;
    return (beginning){ known ? (float)(z * sqrt(e) / 2) : 0,
                        known ? (float)(a->blur + (squared ? 0 : z * a->size * sqrt(e)))
                              : 0,
                        known, squared };
}

static inline float begin_of(const beginning *b, float estimate)
{
    const float y = estimate - b->off;
    float d = y;
    if (!b->known) return -FLT_MAX;
    if (b->squared && y > 0) {
        const float root = sqrtf(b->half * b->half + y) - b->half;
        d = root * root;
    }
    return d > -FLT_MAX ? d : -FLT_MAX;
}

/* `waiting` is a heap: what begins first is on top. */
static void sift(mni_near *heap, uint32_t n, uint32_t at)
{
    const mni_near it = heap[at];
    for (uint32_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && mni_nearer(heap[child + 1], heap[child])) child++;
        if (!mni_nearer(heap[child], it)) break;
        heap[at] = heap[child];
    }
    heap[at] = it;
}

static void wait_for(asking *a, mni_near it)
{
    uint32_t at = a->n++;
    for (uint32_t above; at > 0; at = above) {
        above = (at - 1) / 2;
        if (!mni_nearer(it, a->waiting[above])) break;
        a->waiting[at] = a->waiting[above];
    }
    a->waiting[at] = it;
}

/* Measures up to m rows that begin first, as long as they begin in time; in groups, so
 * that their bytes are on the way together. 0 when nothing is left that could be near. */
static int measure(asking *a, uint32_t m)
{
    while (m > 0) {
        uint32_t row[AHEAD], n = 0;
        const double limit = known(a);
        for (; n < AHEAD && n < m && a->n > 0; n++) {
            if ((double)a->waiting[0].distance > limit) {
                a->n = 0;
                break;
            }
            row[n] = a->waiting[0].row;
            mni_rows_fetch(a->rows, row[n]);
            a->waiting[0] = a->waiting[--a->n];
            sift(a->waiting, a->n, 0);
        }
        for (uint32_t i = 0; i < n; i++) {
            float d;
            mni_rows_scan(a->rows, a->query, row[i], row[i] + 1, &d);
            mni_topk_push(a->best, d, row[i]);
        }
        if (a->n == 0) return 0;
        m -= n;
    }
    return 1;
}

/* The heap is full: what came too late leaves, and of the others half are measured. */
static void make_room(asking *a)
{
    const double limit = known(a);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < a->n; i++)
        if (!((double)a->waiting[i].distance > limit)) a->waiting[kept++] = a->waiting[i];
    a->n = kept;
    for (uint32_t i = kept / 2; i-- > 0; ) sift(a->waiting, kept, i);
    if (kept > MNI_SHORT_ROWS / 2) measure(a, MNI_SHORT_ROWS / 4);
}

static void scan_list(asking *a, uint32_t list, float to_centre)
{
    const mni_kern_i8 *k = mni_kern_i8_best();
    const mni_ivf *v = a->v;
    const mni_around8 *around = &v->around[list];
    const double two = v->metric == MANN_INNER ? 1 : 2;
    const double base = to_centre - two * a->asked.low;
    const float factor = (float)two * a->asked.step;
    const uint32_t n_blocks = mni_list_blocks(v->lists.list[list].n);
    const beginning begin = begin_in(a, around);
    double end = end_of(a, around, known(a));
    int32_t sums[BLOCKS * MNI_LIST_ROWS];
    uint32_t index[MNI_LIST_ROWS];
    float value[MNI_LIST_ROWS];
    for (uint32_t at = 0; at < n_blocks; at += BLOCKS) {
        const uint32_t m = n_blocks - at < BLOCKS ? n_blocks - at : BLOCKS;
        mni_pq_sums(v->pq, mni_block_codes(mni_list_block(&v->lists, list, at)), m,
                    mni_list_block_bytes(&v->lists), a->tables, sums);
        for (uint32_t i = 0; i < m; i++) {
            uint8_t *block = mni_list_block(&v->lists, list, at + i);
            const uint32_t *rows = mni_block_rows(block);
            const size_t found =
                k->pick(sums + i * MNI_LIST_ROWS, mni_block_plus(block), MNI_LIST_ROWS,
                        factor, nextafterf((float)(end - base), INFINITY), index, value);
            for (size_t j = 0; j < found; j++) {
                const uint32_t row = rows[index[j]];
                if (row >= a->rows->n) continue; /* an empty slot, or a damaged file */
                if (a->p->keep && !a->p->keep(a->p->keep_ctx, row)) continue;
                const float near = begin_of(&begin, (float)(base + value[j]));
                wait_for(a, (mni_near){ near, row });
                if (a->n < MNI_SHORT_ROWS) continue;
                make_room(a);
                end = end_of(a, around, known(a));
            }
        }
        if (a->best->n < a->best->k) {
            measure(a, (uint32_t)(a->best->k - a->best->n) + EARLY);
            end = end_of(a, around, known(a));
        }
    }
}

void mni_ivfpq_ask(const mni_ivf *v, const mni_rows *rows, const float *query,
                   const float *from_middle, const mni_ann_params *p,
                   const mni_near *near, size_t n, const mni_ivfpq_room *room,
                   mni_topk *best)
{
    asking a = { .v = v, .rows = rows, .query = query, .p = p, .best = best,
                 .waiting = room->waiting, .tables = room->tables,
                 .unit = v->metric == MANN_COSINE ? 2 : 1 };
    const double two = v->metric == MANN_INNER ? 1 : 2;
    double size = 0;
    for (uint32_t d = 0; d < v->dim; d++) size += (double)from_middle[d] * from_middle[d];
    mni_pq_turn(v->pq, from_middle, room->turned);
    a.asked = mni_pq_tables(v->pq, room->turned, room->floats, room->tables);
    a.size = sqrt(size);
    const double rounded = two * a.asked.step * v->pq->pieces;
    for (size_t i = 0; i < n; i++) {
        a.blur = rounded / 2 + 64 * FLT_EPSILON *
                     (fabs((double)near[i].distance) + size + two * fabs(a.asked.low) +
                      255 * rounded);
        scan_list(&a, near[i].row, near[i].distance);
        /* true distances early spare much of what comes later */
        measure(&a, EARLY);
    }
    while (measure(&a, MNI_SHORT_ROWS)) {}
}
