/* examine.c - see examine.h. SPDX-License-Identifier: MIT */
#include "train/examine.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "kern/kern_dist.h"
#include "os/try.h"
#include "train/augment.h"
#include "train/split.h"
#include "train/pictures.h"

enum { MEASURED = 32 };

mann_status mni_exam_init(mni_exam *x, const mni_cache *cache, mni_class_list *list,
                          uint32_t dim, mann_error *err)
{
    *x = (mni_exam){ .cache = cache, .list = *list, .dim = dim };
    *list = (mni_class_list){ 0 };
    const size_t n = x->list.n_classes ? x->list.first[x->list.n_classes] : 0;
    x->rows = mni_alloc_aligned(n, dim * sizeof *x->rows, 1);
    x->labels = mni_alloc(n, sizeof *x->labels);
    if (!x->rows || !x->labels)
        return mni_fail(err, MANN_E_NOMEM, "validation: %zu vectors", n);
    for (uint32_t k = 0; k < x->list.n_classes; k++)
        for (uint32_t i = x->list.first[k]; i < x->list.first[k + 1]; i++)
            x->labels[i] = k;
    return MANN_OK;
}

void mni_exam_fini(mni_exam *x)
{
    mni_class_list_fini(&x->list);
    mni_free(x->rows);
    mni_free(x->labels);
    *x = (mni_exam){ .dim = 0 };
}

/* --- embedding -------------------------------------------------------------------- */

static mann_status embed_all(mni_exam *x, const mni_model *m, mni_pool *pool,
                             mann_error *err)
{
    const size_t n = x->list.first[x->list.n_classes];
    mni_pick *picks = mni_alloc(n, sizeof *picks);
    if (!picks) return mni_fail(err, MANN_E_NOMEM, "validation: %zu pictures", n);
    for (size_t i = 0; i < n; i++) picks[i] = (mni_pick){ x->list.images[i], 0, 0 };
    const mann_status s =
        mni_pictures_embed(x->cache, picks, n, m, pool, x->rows, err);
    mni_free(picks);
    return s;
}

/* --- Recall@1 --------------------------------------------------------------------- */

typedef struct recall_job {
    const mni_exam *x;
    size_t n;
    uint8_t *right;
} recall_job;

static mann_status recall_range(void *ctx, size_t begin, size_t end, size_t chunk,
                                mann_error *err)
{
    const recall_job *j = ctx;
    const mni_exam *x = j->x;
    float *score = mni_alloc(j->n, sizeof *score);
    (void)chunk;
    if (!score) return mni_fail(err, MANN_E_NOMEM, "validation: %zu scores", j->n);
    for (size_t q = begin; q < end; q++) {
        mni_kern_dist_best()->ip_rows(x->rows + q * x->dim, x->rows, j->n, x->dim, x->dim,
                                      score);
        size_t best = q == 0 ? 1 : 0; /* ties: the lower row */
        for (size_t i = best + 1; i < j->n; i++)
            if (i != q && score[i] > score[best]) best = i;
        j->right[q] = x->labels[best] == x->labels[q];
    }
    mni_free(score);
    return MANN_OK;
}

static mann_status recall_of(const mni_exam *x, mni_pool *pool, double *out,
                             mann_error *err)
{
    recall_job j = { x, x->list.first[x->list.n_classes], NULL };
    uint64_t n_right = 0;
    j.right = mni_alloc(j.n, 1);
    if (!j.right) return mni_fail(err, MANN_E_NOMEM, "validation: %zu answers", j.n);
    const mann_status s = mni_parallel_try(pool, j.n, 32, recall_range, &j, err);
    for (size_t i = 0; i < j.n; i++) n_right += j.right[i];
    mni_free(j.right);
    *out = (double)n_right / (double)j.n;
    return s;
}

/* --- loss: the batches of one pass over the classes ------------------------------- */

static mann_status loss_of(const mni_exam *x, const mni_loss_config *loss,
                           uint32_t classes, uint32_t images, double *out,
                           mann_error *err)
{
    const uint32_t most = x->list.n_classes;
    mni_class_list places = x->list; /* the same classes, but rows instead of images */
    const size_t n_rows = x->list.first[most],
                 n = (size_t)(classes > most ? most : classes) * images;
    places.images = mni_alloc(n_rows, sizeof *places.images);
    float *rows = mni_alloc(n, x->dim * sizeof *rows);
    uint32_t *labels = mni_alloc(n, sizeof *labels);
    mann_status s = MANN_OK;
    double sum = 0;
    uint64_t n_batches = 0;
    if (!places.images || !rows || !labels)
        s = mni_fail(err, MANN_E_NOMEM, "validation: batch of %zu", n);
    else
        for (size_t i = 0; i < n_rows; i++) places.images[i] = i;
    const mni_sampler sampler = { &places, 0, classes > most ? most : classes, images,
                                  1,
                                  0 };
    for (uint64_t step = 0; s == MANN_OK && step < most / sampler.classes; step++) {
        mni_loss_result r;
        mni_loss_config c = *loss;
        for (uint32_t slot = 0; slot < n; slot++) {
            const mni_pick p = mni_sampler_at(&sampler, step, slot);
            memcpy(rows + slot * x->dim, x->rows + p.image * x->dim,
                   x->dim * sizeof *rows);
            labels[slot] = p.label;
        }
        c.step = step;
        s = mni_loss_compute(&c, rows, labels, n, x->dim, &r, NULL, err);
        sum += r.loss;
        n_batches++;
    }
    mni_free(places.images);
    mni_free(rows);
    mni_free(labels);
    *out = sum / (double)n_batches;
    return s;
}

mann_status mni_exam_run(mni_exam *x, const mni_model *m, const mni_loss_config *loss,
                         uint32_t classes, uint32_t images, mni_pool *pool,
                         mni_grade *out, mann_error *err)
{
    *out = (mni_grade){ NAN, NAN };
    if (x->list.n_classes < 2) return MANN_OK;
    MNI_TRY(embed_all(x, m, pool, err));
    MNI_TRY(recall_of(x, pool, &out->recall, err));
    return loss_of(x, loss, classes, images, &out->loss, err);
}

mann_status mni_exam_measure(const mni_exam *x, mni_model *m, mann_error *err)
{
    const size_t n = x->list.first[x->list.n_classes], most = n < MEASURED ? n : MEASURED;
    const mni_cache *c = x->cache;
    const mni_augment none = { 0 };
    const size_t floats = (size_t)3 * c->recipe.size * c->recipe.size;
    uint8_t *room = mni_alloc(2, mni_cache_room(c));
    float *input = mni_alloc_aligned(most, floats * sizeof *input, 0);
    mann_status s = room && input
        ? MANN_OK : mni_fail(err, MANN_E_NOMEM, "validation: input of %zu images", most);
    for (size_t i = 0; s == MANN_OK && i < most; i++) {
        mni_picture p;
        s = mni_cache_get(c, x->list.images[n * i / most], room, &p, err);
        if (s == MANN_OK)
            s = mni_augment_run(&none, &p, &c->recipe, 0,
                                mni_rng_at(0, MNI_FOR_AUGMENT, 0, 0, 0),
                                room + mni_cache_room(c), input + i * floats, err);
    }
    if (s == MANN_OK) s = mni_model_measure(m, input, most, err);
    mni_free(room);
    mni_free(input);
    return s;
}
