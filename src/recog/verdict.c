/* verdict.c - known, unsure or unknown: what the answered class is worth.
 *
 * The threshold is the gallery's: so many of a hundred strangers come nearer to somebody,
 * measured as the score of a class is (prototype.h).
 * Between two things that look alike that is not near enough, for whoever stands between
 * them is near to both. `tighten` asks more of such a row: the photo q must be nearer to
 * it than its own look-alike is, the nearest row of another class.
 *
 *      q        r ------- s         d(q, r) <  d(r, s): known, if above the threshold
 *      r -- s      q                d(q, r) >= d(r, s): unsure; s could be meant as well
 *
 * Nothing is kept for it: r is asked as if it were a photo, when the answer would be
 * `known` and only then. SPDX-License-Identifier: MIT */
#include <math.h>

#include "base/mem.h"
#include "os/try.h"
#include "recog/query.h"

enum { FIRST_ROWS = 8, WIDEN = 4 };

/* Score between `row` and the nearest kept row of another class; -inf if there is none,
 * or `row` has no class that another could be taken for. */
static mann_status look_alike(mni_asker *a, const mni_query_view *v, uint32_t row,
                              float *score, mann_error *err)
{
    const mni_state *s = v->state;
    const uint32_t own = mni_state_class(s, row);
    const size_t most = mni_state_rows(s);
    const mni_near *rows;
    size_t n;
    *score = -INFINITY;
    if (own == MANN_NO_CLASS || s->n_live_classes < 2) return MANN_OK;
    if (!mni_grow((void **)&a->row, &a->row_cap, v->dim, sizeof *a->row))
        return mni_fail(err, MANN_E_NOMEM, "search: a row of %zu numbers", v->dim);
    mni_state_vector(s, row, a->row);
    a->tail_query = NULL;               /* the same room as last time, another vector */
    for (size_t k = FIRST_ROWS;; k *= WIDEN) {
        MNI_TRY(mni_asker_nearest(a, v, a->row, k, &rows, &n, err));
        for (size_t i = 0; i < n; i++) {
            const uint32_t klass = mni_state_class(s, rows[i].row);
            if (klass == own || klass == MANN_NO_CLASS) continue;
            *score = mni_score((mann_metric)s->base->meta.metric, rows[i].distance);
            return MANN_OK;
        }
        if (n < k || k >= most) return MANN_OK;
    }
}

mann_status mni_query_verdict(mni_asker *a, const mni_query_view *v, mni_near best,
                              float score, mann_answer *answer, mann_error *err)
{
    const mann_metric metric = (mann_metric)v->state->base->meta.metric;
    /* The lead is in units of the score: stated for cosine; elsewhere any lead will
     * do. */
    const float lead = metric == MANN_COSINE ? v->search->min_margin : 0;
    float rival;
    answer->verdict = MANN_UNSURE;
    if (isnan(v->known_above)) return MANN_OK;  /* nobody knows how near strangers come */
    if (!(score >= v->known_above)) {
        if (!(score >= v->unsure_above)) answer->verdict = MANN_UNKNOWN;
        return MANN_OK;
    }
    if (!(answer->margin >= lead)) return MANN_OK;
    if (v->search->tighten) {
        MNI_TRY(look_alike(a, v, best.row, &rival, err));
        if (rival >= v->known_above) answer->threshold = mni_above(rival);
        /* as near to a twin by another name: possible where a score has no end (inner) */
        if (!(answer->margin > 0)) return MANN_OK;
        if (!(mni_score(metric, best.distance) > rival)) return MANN_OK;
    }
    answer->verdict = MANN_KNOWN;
    return MANN_OK;
}
