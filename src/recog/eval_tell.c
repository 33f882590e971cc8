/* eval_tell.c - the figures of an evaluation: sums in the order of the queries, intervals
 * by drawing classes, and each photo to whoever wants to know. Definitions:
 * src/eval/README.md. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "eval/bootstrap.h"
#include "recog/exam.h"

enum { NEAREST = 10 };

/* --- names -------------------------------------------------------------------------- */

const char *mni_exam_class(const mni_exam_sheet *e, uint32_t klass, char *out)
{
    if (klass == MANN_NO_CLASS || klass >= e->n_classes) return NULL;
    if (e->row_image) { /* the first row of it knows the name */
        for (size_t i = 0; i < e->n_rows; i++) {
            const char *name;
            if (e->row_labels[i] != klass) continue;
            e->set->photos.path(e->set->photos.ctx, e->row_image[i], &name);
            return name;
        }
        return NULL;
    }
    return mni_gallery_class_name(e->g, klass, out, MNI_MAX_NAME + 1, NULL) == MANN_OK
               ? out : NULL;
}

const char *mni_exam_source(const mni_exam_sheet *e, uint32_t row, char *out, size_t size)
{
    const char *name;
    if (row == MNI_NO_ROW) return NULL;
    if (e->row_image)
        return e->set->photos.path(e->set->photos.ctx, e->row_image[row], &name);
    return mni_gallery_source(e->g, mni_state_id(e->state, row), out, size, NULL) ==
                   MANN_OK ? out : NULL;
}

/* --- intervals ---------------------------------------------------------------------- */

/* A share as sums over the classes that were asked: hits and how many count. */
typedef struct share { double *hit, *n; } share;
enum { TOP1, FPIR, FNIR, N_SHARES };

static void count(share *s, uint32_t klass, int hit)
{
    s->hit[klass] += hit;
    s->n[klass] += 1;
}

static mann_status intervals(const mni_exam_sheet *e, mann_scores *out, mann_error *err)
{
    const size_t n = (size_t)e->set->n_classes + 1;   /* the last: photos without one */
    double *room = mni_alloc(2 * N_SHARES * n, sizeof *room), low[3], high[3];
    share s[N_SHARES];
    if (!room) return mni_fail(err, MANN_E_NOMEM, "eval: %zu classes", n);
    for (size_t i = 0; i < N_SHARES; i++)
        s[i] = (share){ room + 2 * i * n, room + (2 * i + 1) * n };
    for (size_t q = 0; q < e->n_queries; q++) {
        const mni_outcome *o = &e->outcome[q];
        const uint32_t k = e->label[q] < n - 1 ? e->label[q] : (uint32_t)(n - 1);
        if (e->truth[q] == MANN_NO_CLASS) {
            count(&s[FPIR], k, o->verdict != MNI_REFUSED);
        } else if (o->scores.n_relevant) {
            count(&s[TOP1], k, o->scores.class_rank == 1);
            count(&s[FNIR], k, o->verdict == MNI_REFUSED);
        }
    }
    for (size_t i = 0; i < N_SHARES; i++)
        mni_bootstrap(s[i].hit, s[i].n, n, e->config->seed, i, &low[i], &high[i]);
    mni_free(room);
    const int judged = !isnan(e->threshold);
    out->top1_low = low[TOP1];
    out->top1_high = high[TOP1];
    out->fpir_low = judged ? low[FPIR] : NAN;
    out->fpir_high = judged ? high[FPIR] : NAN;
    out->fnir_low = judged ? low[FNIR] : NAN;
    out->fnir_high = judged ? high[FNIR] : NAN;
    return MANN_OK;
}

/* --- sums --------------------------------------------------------------------------- */

static double share_of(uint64_t part, uint64_t all)
{
    return all ? (double)part / (double)all : (double)NAN;
}

static void add_up(const mni_exam_sheet *e, mann_scores *out)
{
    mni_totals t = { 0 };
    uint64_t accepted = 0, refused = 0, wrong = 0, found = 0, sought = 0, n_members = 0,
             n_right = 0, lost = 0;
    for (size_t q = 0; q < e->n_queries; q++) {
        const mni_outcome *o = &e->outcome[q];
        found += o->found;
        sought += o->looked_up ? NEAREST : 0;
        if (e->truth[q] == MANN_NO_CLASS) {
            out->n_strangers++;
            accepted += o->verdict != MNI_REFUSED;
            continue;
        }
        mni_totals_add(&t, &o->scores);
        if (o->scores.n_relevant == 0) continue;
        n_members++;
        out->n_self += e->self && e->self[q] != MNI_NO_ROW;
        refused += o->verdict == MNI_REFUSED;
        wrong += o->verdict == MNI_ACCEPTED_WRONG;
        if (!o->looked_up || !o->nearest_right) continue;
        n_right++;
        lost += !o->index_right;
    }
    mni_totals_finish(&t);
    out->n_queries = t.n;
    out->n_lone = t.n_lone;
    out->top1 = t.top1; out->top5 = t.top5; out->top10 = t.top10; out->mrr = t.mrr;
    out->map = t.map; out->map_at_r = t.map_at_r; out->r_precision = t.r_precision;
    const int judged = !isnan(e->threshold);
    out->fpir = judged ? share_of(accepted, out->n_strangers) : NAN;
    out->fnir = judged ? share_of(refused, n_members) : NAN;
    out->wrong_known = judged ? share_of(wrong, n_members) : NAN;
    out->ann_recall = share_of(found, sought);
    out->model_error = 1 - t.top1;
    out->index_error = e->state ? share_of(lost, n_right) : NAN;
}

static void tell_each(const mni_exam_sheet *e, char *name, char *source, size_t size)
{
    for (size_t q = 0; q < e->n_queries; q++) {
        const mni_outcome *o = &e->outcome[q];
        mann_eval_query t = { .stranger = e->truth[q] == MANN_NO_CLASS,
                              .rank = o->scores.n_relevant ? o->scores.class_rank : 0,
                              .known = o->verdict != MNI_REFUSED,
                              .score = o->score,
                              .margin = o->margin,
                              .own_score = o->scores.n_relevant ? o->own_score
                                                                : (float)NAN };
        t.path = e->set->photos.path(e->set->photos.ctx, e->image[q], &t.klass);
        t.first = mni_exam_class(e, o->first, name);
        t.first_source = mni_exam_source(e, o->first_row, source, size);
        e->config->each(e->config->user, &t);
    }
}

mann_status mni_exam_tell(const mni_exam_sheet *e, mann_scores *out, mann_error *err)
{
    const mann_eval_config *c = e->config;
    add_up(e, out);
    MNI_TRY(intervals(e, out, err));
    if (c->each) {
        char *room = mni_alloc(2, MNI_MAX_SOURCE + 1);
        if (!room) return mni_fail(err, MANN_E_NOMEM, "eval: names");
        tell_each(e, room, room + MNI_MAX_SOURCE + 1, MNI_MAX_SOURCE + 1);
        mni_free(room);
    }
    if (c->sheet_path) MNI_TRY(mni_exam_worst(e, c->sheet_path, c->n_worst, err));
    return c->curve_path ? mni_exam_curve(e, c->curve_path, err) : MANN_OK;
}
