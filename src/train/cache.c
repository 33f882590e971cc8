/* cache.c - see cache.h. SPDX-License-Identifier: MIT */
#include "train/cache.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "image/image.h"
#include "os/clock.h"
#include "os/try.h"

enum { AT_ONCE = 256 }; /* images between two calls of the progress hook */

/* The recipe's geometry gives floats; at mean 0 and std 1/255 they are the bytes again.
 */
static mann_status square(const mni_cache *c, const mann_image *im, uint8_t background,
                          float *planes, mann_error *err)
{
    mni_recipe r = c->recipe;
    if (im->channels == 4) memset(r.background, background, sizeof r.background);
    for (int i = 0; i < 3; i++) {
        r.mean[i] = 0.0f;
        r.std[i] = 1.0f / 255.0f;
    }
    return mni_prep_run(&r, im, planes, err);
}

static uint8_t byte_of(float v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5f);
}

/* On black, premultiplied colour p is what is seen: p. On white it is p + 255 - alpha.
 * Two runs of the one recipe so give colour and alpha, and the bars of a letterbox come
 * out transparent. */
static mann_status to_square(const mni_cache *c, const mann_image *im, uint8_t *out,
                             mann_error *err)
{
    const size_t n = (size_t)c->recipe.size * c->recipe.size,
                 channels = im->channels == 4 ? 4 : 3;
    float *black = mni_alloc(6 * n, sizeof *black);
    if (!black)
        return mni_fail(err, MANN_E_NOMEM, "cache: a picture of %u pixels a side",
                        (unsigned)c->recipe.size);
    float *white = black + 3 * n;
    mann_status s = square(c, im, 0, black, err);
    if (s == MANN_OK && channels == 4) s = square(c, im, 255, white, err);
    for (size_t i = 0; s == MANN_OK && i < n; i++) {
        for (size_t k = 0; k < 3; k++) out[channels * i + k] = byte_of(black[k * n + i]);
        if (channels == 4)
            out[4 * i + 3] = byte_of(255.0f - (white[n + i] - black[n + i]));
    }
    mni_free(black);
    return s;
}

static int has_alpha(const mann_image *im)
{
    const size_t n = (size_t)im->width * im->height;
    if (im->channels != 4) return 0;
    for (size_t i = 0; i < n; i++)
        if (im->pixels[4 * i + 3] != 255) return 1;
    return 0;
}

mann_status mni_cache_decode(const mni_cache *c, uint64_t image, uint8_t *out,
                             uint8_t *channels, mann_error *err)
{
    uint8_t *bytes;
    size_t n_bytes;
    uint64_t mtime;
    mni_decode_opts opts;
    mann_image im;
    mni_recipe_decode_opts(&c->recipe, &opts);
    opts.keep_alpha = 1;
    MNI_TRY(mni_dataset_bytes(c->set, image, &bytes, &n_bytes, &mtime, err));
    mann_status s = mni_image_decode(&im, bytes, n_bytes, &opts, err);
    mni_free(bytes);
    if (s != MANN_OK) return s;
    const uint8_t white[3] = { 255, 255, 255 };
    if (im.channels == 4 && !has_alpha(&im)) mni_image_composite(&im, white);
    *channels = im.channels == 4 ? 4 : 3;
    s = to_square(c, &im, out, err);
    mann_image_clear(&im);
    return s;
}

typedef struct job {
    mni_cache *c;
    uint64_t at, n_keep; /* images below n_keep are kept */
    mann_error *errors;  /* of AT_ONCE images */
} job;

/* A bad image is noted and passed over; only running out of memory ends the whole. */
static mann_status decode_range(void *ctx, size_t begin, size_t end, size_t chunk,
                                mann_error *err)
{
    const job *j = ctx;
    mni_cache *c = j->c;
    (void)chunk;
    for (size_t i = begin; i < end; i++) {
        const uint64_t image = j->at + i;
        uint8_t *out = mni_alloc(mni_cache_room(c), 1);
        if (!out)
            return mni_fail(err, MANN_E_NOMEM, "cache: picture %llu",
                            (unsigned long long)image);
        const mann_status s =
            mni_cache_decode(c, image, out, &c->channels[image], &j->errors[i]);
        if (s != MANN_OK) c->channels[image] = 0;
        if (s == MANN_OK && image < j->n_keep)
            c->kept[image] = out;
        else
            mni_free(out);
        if (s == MANN_E_NOMEM) return mni_fail(err, s, "%s", j->errors[i].text);
    }
    return MANN_OK;
}

static void tell_bad(job *j, size_t n, const mann_hooks *h)
{
    for (size_t i = 0; i < n; i++) {
        char sentence[512];
        mni_cache *c = j->c;
        if (c->channels[j->at + i]) {
            if (c->kept[j->at + i]) c->kept_bytes += mni_cache_room(c);
            continue;
        }
        c->n_bad++;
        if (!h || !h->note) continue;
        snprintf(sentence, sizeof sentence, "%.200s: left out: %s",
                 mni_dataset_path(c->set, j->at + i, NULL), j->errors[i].text);
        h->note(h->user, MANN_NOTE_WARNING, sentence);
    }
}

mann_status mni_cache_init(mni_cache *c, const mni_dataset *set, const mni_recipe *recipe,
                           uint64_t budget_bytes, mni_pool *pool, const mann_hooks *h,
                           mann_error *err)
{
    const double start = mni_clock_seconds();
    *c = (mni_cache){ .set = set,
                      .recipe = *recipe,
                      .n_images = (size_t)mni_dataset_n_images(set) };
    c->kept = mni_alloc(c->n_images, sizeof *c->kept);
    c->channels = mni_alloc(c->n_images, 1);
    job j = { c, 0, budget_bytes / mni_cache_room(c),
              mni_alloc(AT_ONCE, sizeof *j.errors) };
    mann_status s = MANN_OK;
    if (!c->kept || !c->channels || !j.errors)
        s = mni_fail(err, MANN_E_NOMEM, "cache: table of %zu pictures", c->n_images);
    for (; s == MANN_OK && j.at < c->n_images; j.at += AT_ONCE) {
        const size_t left = c->n_images - (size_t)j.at,
                     n = left < AT_ONCE ? left : AT_ONCE;
        s = mni_parallel_try(pool, n, 4, decode_range, &j, err);
        if (s != MANN_OK) break;
        tell_bad(&j, n, h);
        const mann_progress p = { .task = "decode",
                                  .done = j.at + n,
                                  .total = c->n_images,
                                  .seconds = mni_clock_seconds() - start };
        if (h && h->progress && h->progress(h->user, &p))
            s = mni_fail(err, MANN_E_CANCELLED, "stopped while decoding");
    }
    mni_free(j.errors);
    return s;
}

void mni_cache_fini(mni_cache *c)
{
    for (size_t i = 0; c->kept && i < c->n_images; i++) mni_free(c->kept[i]);
    mni_free(c->kept);
    mni_free(c->channels);
    *c = (mni_cache){ .n_images = 0 };
}

mann_status mni_cache_get(const mni_cache *c, uint64_t image, uint8_t *room,
                          mni_picture *out, mann_error *err)
{
    *out = (mni_picture){ c->kept[image] ? c->kept[image] : room, c->channels[image] };
    if (c->kept[image]) return MANN_OK;
    uint8_t channels;
    const mann_status s = mni_cache_decode(c, image, room, &channels, err);
    if (s != MANN_OK)
        return mni_fail_prefix(err, s, "%s: was good at the start of the training",
                               mni_dataset_path(c->set, image, NULL));
    out->channels = channels;
    return MANN_OK;
}
