/* photos.c - a folder of photo files through the network, group by group.
 *
 *   read, hash, decode, prepare   in parallel, one photo a chunk, each into its own slot
 *   forward                       the good ones, packed, in one batch
 *   group function                in order, on the caller's thread: rows are numbered as
 *   if alone
 *
 * A group is always GROUP photos, whatever the number of threads: so are the commits.
 * Where photos are looked at several times, a group goes through in rounds of fewer.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "image/image.h"
#include "os/clock.h"
#include "recog/embed.h"
#include "recog/views.h"
#include "recog/thumbs.h"

enum { GROUP = 256 };

typedef struct work {
    const mni_photos *set;
    const mni_recipe *recipe;
    mni_known_fn known;
    void *ctx;
    uint64_t first;
    size_t input_floats;
    mni_photo photos[GROUP];
    uint32_t views, n_views;
    float *input;       /* of the views of a round */
    float *views_out;   /* and their vectors */
    float *vectors;     /* GROUP x mni_views_dim: of the good photos */
    size_t round, n_good;
} work;

static mann_status load(const work *w, uint64_t i, mni_photo *p, float *input,
                        mann_error *err)
{
    uint8_t *bytes;
    size_t n_bytes;
    mann_image im = { 0, 0, 0, NULL };
    mni_decode_opts opts;
    MNI_TRY(w->set->read(w->set->ctx, i, &bytes, &n_bytes, &p->mtime, err));
    p->content_hash = mni_hash_bytes(bytes, n_bytes, 0);
    const int known = w->known ? w->known(w->ctx, i, p->content_hash) : 0;
    if (known) p->result = MNI_PHOTO_KNOWN;
    if (known && known != MNI_KNOWN_BARE) {
        mni_free(bytes);
        return MANN_OK;
    }
    mni_recipe_decode_opts(w->recipe, &opts);
    mann_status s = mni_image_decode(&im, bytes, n_bytes, &opts, err);
    mni_free(bytes);
    if (s == MANN_OK && !known)
        s = mni_views_prepare(w->recipe, w->views, &im, input, err);
    if (s == MANN_OK && w->set->thumb_side)
        s = mni_thumb_make(&p->thumb, &im, w->set->thumb_side, err);
    mann_image_clear(&im);
    return known && s != MANN_E_NOMEM ? MANN_OK : s;    /* the record is good as it is */
}

static void load_range(void *ctx, size_t begin, size_t end, size_t chunk)
{
    work *w = ctx;
    (void)chunk;
    for (size_t at = begin; at < end; at++) {
        const size_t i = w->round + at;
        mni_photo *p = &w->photos[i];
        double start = mni_clock_seconds();
        *p = (mni_photo){ .result = MNI_PHOTO_OK };
        mann_status s =
            load(w, w->first + i, p, w->input + at * w->n_views * w->input_floats,
                 &p->error);
        if (s != MANN_OK) {
            p->result = MNI_PHOTO_BAD;
            p->error.code = s;
        }
        p->decode_seconds = (float)(mni_clock_seconds() - start);
    }
}

static void drop_thumbs(work *w)
{
    for (size_t i = 0; i < GROUP; i++) mni_buf_fini(&w->photos[i].thumb);
}

/* Packs the inputs of the round's good photos to the front, embeds them in one batch, and
 * makes one vector of each photo's views. */
static mann_status forward(work *w, const mni_model *m, size_t n, mni_pool *pool,
                           mann_error *err)
{
    const size_t floats = w->n_views * w->input_floats;
    const uint32_t dim = mni_model_shape_of(m).dim,
                   joined = mni_views_dim(w->views, dim);
    size_t good = 0;
    for (size_t i = 0; i < n; i++) {
        mni_photo *p = &w->photos[w->round + i];
        if (p->result != MNI_PHOTO_OK) continue;
        if (good != i)
            memcpy(w->input + good * floats, w->input + i * floats,
                   floats * sizeof *w->input);
        p->vector = w->vectors + (w->n_good + good) * joined;
        good++;
    }
    if (good)
        MNI_TRY(mni_model_forward(m, w->input, good * w->n_views, pool, w->views_out,
                                  err));
    for (size_t i = 0; i < good; i++)
        mni_views_join(w->views_out + i * w->n_views * dim, w->views, dim,
                       w->vectors + (w->n_good + i) * joined);
    w->n_good += good;
    return MANN_OK;
}

static mann_status tell_progress(const mann_hooks *h, const char *task, uint64_t done,
                                 uint64_t total, double start, mann_error *err)
{
    mann_progress p = { .task = task, .done = done, .total = total,
                        .seconds = mni_clock_seconds() - start };
    if (h && h->progress && h->progress(h->user, &p))
        return mni_fail(err, MANN_E_CANCELLED, "stopped after %llu of %llu photos",
                        (unsigned long long)done, (unsigned long long)total);
    return MANN_OK;
}

static mann_status run_round(work *w, const mni_model *m, size_t n, mni_pool *pool,
                             mni_phase_seconds *seconds, mann_error *err)
{
    mni_parallel_for(pool, n, 1, load_range, w);
    for (size_t i = 0; i < n; i++) {
        mni_photo *p = &w->photos[w->round + i];
        seconds->decode += (double)p->decode_seconds;
        if (p->result == MNI_PHOTO_BAD && p->error.code == MANN_E_NOMEM) {
            *(err ? err : &p->error) = p->error;
            return MANN_E_NOMEM;           /* the photo may be fine: do not call it bad */
        }
    }
    const double before = mni_clock_seconds();
    const mann_status s = forward(w, m, n, pool, err);
    seconds->embed += mni_clock_seconds() - before;
    return s;
}

static mann_status run_groups(work *w, const mni_model *m, const char *task,
                              mni_group_fn group, mni_pool *pool, const mann_hooks *h,
                              mni_phase_seconds *seconds, mann_error *err)
{
    double start = mni_clock_seconds();
    for (w->first = 0; w->first < w->set->n; w->first += GROUP) {
        MNI_TRY(tell_progress(h, task, w->first, w->set->n, start, err));
        uint64_t left = w->set->n - w->first;
        size_t n = left < GROUP ? (size_t)left : GROUP;
        w->n_good = 0;
        for (w->round = 0; w->round < n; w->round += GROUP / w->n_views)
            MNI_TRY(run_round(w, m, n - w->round < GROUP / w->n_views
                                        ? n - w->round : GROUP / w->n_views,
                              pool, seconds, err));
        MNI_TRY(group(w->ctx, w->first, n, w->photos, err));
        drop_thumbs(w);
    }
    return tell_progress(h, task, w->set->n, w->set->n, start, err);
}

mann_status mni_embed_photos(const mni_model *m, const mni_recipe *recipe, uint32_t views,
                             const mni_photos *set, const char *task, mni_known_fn known,
                             mni_group_fn group, void *ctx, mni_pool *pool,
                             const mann_hooks *h, mni_phase_seconds *seconds,
                             mann_error *err)
{
    mni_phase_seconds ignored = { 0, 0 };
    work *w = mni_alloc(1, sizeof *w);
    if (!w) return mni_fail(err, MANN_E_NOMEM, "embed: work space");
    w->set = set;
    w->recipe = recipe;
    w->known = known;
    w->ctx = ctx;
    w->input_floats = mni_input_floats(m);
    w->views = views;
    w->n_views = mni_views_count(views);
    const uint32_t dim = mni_model_shape_of(m).dim;
    w->views_out = mni_alloc_aligned(GROUP, dim * sizeof *w->views_out, 0);
    w->input = mni_alloc_aligned(GROUP, w->input_floats * sizeof *w->input, 0);
    w->vectors =
        mni_alloc_aligned(GROUP, mni_views_dim(views, dim) * sizeof *w->vectors, 0);
    mann_status s = w->input && w->vectors && w->views_out
        ? run_groups(w, m, task, group, pool, h, seconds ? seconds : &ignored, err)
        : mni_fail(err, MANN_E_NOMEM, "embed: input of %d images", GROUP);
    drop_thumbs(w);                     /* of a group that failed */
    mni_free(w->input);
    mni_free(w->vectors);
    mni_free(w->views_out);
    mni_free(w);
    return s;
}
