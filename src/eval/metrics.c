/* metrics.c - retrieval metrics of one query, from its distances to all rows, without
 * sorting them.
 *
 * Every figure here is a function of the ranks of the R relevant rows, and R is small (a
 * class has a few rows) where n is large. So only the relevant rows are sorted; every
 * other row finds by binary search how many of them it stands before:
 *
 *     relevant, nearest first      r1      r2          r3
 *     other rows               x x |  x    |   x x x   |   x x x x      (before r1: 2,
 * r2: 1, r3: 3) rank of r_i = i + others before r1 + ... + others before r_i       3, 5,
 * 9
 *
 * O(n log R) time and O(R) memory beside one mark per class. Definitions:
 * src/eval/README.md. mAP@R is that of Musgrave, Belongie, Lim: "A Metric Learning
 * Reality Check" (ECCV 2020), section 3.2. SPDX-License-Identifier: MIT */
#include "eval/metrics.h"

#include <math.h>
#include <string.h>

#include "base/topk.h"

/* scratch: n+1 near items | n+1 counts | n_classes marks */
size_t mni_metrics_scratch_bytes(size_t n, uint32_t n_classes)
{
    return (n + 1) * (sizeof(mni_near) + sizeof(uint32_t)) + n_classes;
}

/* How many of the sorted relevant rows are nearer than x: the number of the gap that x
 * falls into. */
static size_t gap_of(const mni_near *relevant, size_t n, mni_near x)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (mni_nearer(relevant[mid], x)) low = mid + 1;
        else high = mid;
    }
    return low;
}

static void from_ranks(const uint32_t *gap, size_t n_relevant, mni_query_scores *out)
{
    uint64_t rank = 0;
    double ap = 0, ap_at_r = 0;
    size_t within = 0;
    for (size_t i = 0; i < n_relevant; i++) {
        rank += gap[i] + 1;
        double precision = (double)(i + 1) / (double)rank;
        ap += precision;
        if (rank <= n_relevant) {
            ap_at_r += precision;
            within++;
        }
    }
    out->ap = ap / (double)n_relevant;
    out->ap_at_r = ap_at_r / (double)n_relevant;
    out->r_precision = (double)within / (double)n_relevant;
}

void mni_metrics_query(const float *distance, const uint32_t *labels, size_t n,
                       uint32_t n_classes, uint32_t label, uint32_t self, void *scratch,
                       mni_query_scores *out)
{
    mni_near *relevant = scratch;
    uint32_t *gap = (uint32_t *)(relevant + n + 1);
    uint8_t *met = (uint8_t *)(gap + n + 1);
    mni_topk heap;                      /* of unbounded k: only its sort is of use here */
    *out = (mni_query_scores){ 0 };
    if (label == MANN_NO_CLASS) return;

    mni_topk_init(&heap, relevant, n);
    for (size_t i = 0; i < n; i++)
        if (labels[i] == label && i != self && !isnan(distance[i]))
            mni_topk_push(&heap, distance[i], (uint32_t)i);
    const size_t n_relevant = mni_topk_sort(&heap);
    if (n_relevant == 0) return;

    memset(gap, 0, (n_relevant + 1) * sizeof *gap);
    memset(met, 0, n_classes);
    uint32_t class_rank = 1;
    for (size_t i = 0; i < n; i++) {
        if (labels[i] == label || i == self || isnan(distance[i])) continue;
        size_t g = gap_of(relevant, n_relevant, (mni_near){ distance[i], (uint32_t)i });
        gap[g]++;
        if (g == 0 && labels[i] < n_classes && !met[labels[i]]) {
            met[labels[i]] = 1;
            class_rank++;
        }
    }
    out->n_relevant = (uint32_t)n_relevant;
    out->class_rank = class_rank;
    from_ranks(gap, n_relevant, out);
}

void mni_totals_add(mni_totals *t, const mni_query_scores *q)
{
    if (q->n_relevant == 0) {
        t->n_lone++;
        return;
    }
    t->n++;
    t->top1 += q->class_rank <= 1;
    t->top5 += q->class_rank <= 5;
    t->top10 += q->class_rank <= 10;
    t->mrr += 1.0 / q->class_rank;
    t->map += q->ap;
    t->map_at_r += q->ap_at_r;
    t->r_precision += q->r_precision;
}

void mni_totals_finish(mni_totals *t)
{
    const double n = t->n ? (double)t->n : (double)NAN; /* 0 counted: not known */
    t->top1 /= n;
    t->top5 /= n;
    t->top10 /= n;
    t->mrr /= n;
    t->map /= n;
    t->map_at_r /= n;
    t->r_precision /= n;
}
