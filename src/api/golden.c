/* golden.c - see golden.h. The attachment "GOLD":
 *
 *   u32 layout (1)   u32 n   u32 dim   u32 pixels a side   u32 conditions
 *   f32 strength     u64 seed                                the settings of synth
 *   n x { u64 class, u64 view }                              the pictures
 *   n x dim f32                                              their vectors
 *
 * No picture is stored: synth draws with whole numbers, the same on every machine. So a
 * drawing, a resizer, a preparation or a network that changed moves the vectors. Floats
 * are summed in another order at another level of SIMD, which moves them by about 1e-6;
 * hence a least cosine and not equal bits. It never enters the model's fingerprint.
 * SPDX-License-Identifier: MIT */
#include "api/golden.h"

#include <math.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "image/synth.h"
#include "recog/embed.h"

enum { LAYOUT = 1, HEAD_BYTES = 32, PICTURE_BYTES = 16, MOST_PICTURES = 64 };
enum { PICTURES = 4, SIDE = 96, FIRST_CLASS = 100 };

typedef struct golden {
    mann_synth_config synth;
    uint32_t n, dim;
    const uint8_t *pictures, *vectors; /* borrowed from the attachment */
} golden;

mann_status mni_toy_input(const mni_recipe *r, const mann_synth_config *c, uint64_t klass,
                          uint64_t view, float *out, mann_error *err)
{
    mann_image im;
    MNI_TRY(mni_synth_draw(&im, c, klass, view, err));
    const mann_status s = mni_prep_run(r, &im, out, err);
    mann_image_clear(&im);
    return s;
}

/* 1 for what a network gives; NaN and infinity are not near it. */
static int is_unit(const float *v, uint32_t dim)
{
    double sum = 0;
    for (uint32_t i = 0; i < dim; i++) sum += (double)v[i] * v[i];
    return fabs(sum - 1) < 1e-3;
}

static double cosine(const float *a, const float *b, uint32_t dim)
{
    double ab = 0, aa = 0, bb = 0;
    for (uint32_t i = 0; i < dim; i++) {
        ab += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return ab / sqrt(aa * bb);
}

/* --- made --------------------------------------------------------------------------- */

/* One at a time: the bits of a vector do not depend on its company. */
static mann_status draw_all(const mni_model *m, mni_pool *pool, mni_buf *out, int *good,
                            mann_error *err)
{
    mni_recipe recipe;
    mann_synth_config c;
    const uint32_t dim = mni_model_shape_of(m).dim;
    mann_synth_config_fill(&c, sizeof c);
    c.size = SIDE;
    const uint32_t head[5] = { LAYOUT, PICTURES, dim, c.size, c.conditions };
    for (int i = 0; i < 5; i++) mni_buf_u32(out, head[i]);
    mni_buf_f32(out, c.strength);
    mni_buf_u64(out, c.seed);
    for (uint64_t i = 0; i < PICTURES; i++) {
        mni_buf_u64(out, FIRST_CLASS + i);
        mni_buf_u64(out, i);
    }
    MNI_TRY(mni_model_recipe(m, &recipe, err));
    float *input = mni_alloc_aligned(mni_input_floats(m), sizeof *input, 0);
    float *v = mni_alloc(dim, sizeof *v);
    mann_status s = input && v ? MANN_OK : mni_fail(err, MANN_E_NOMEM, "golden vectors");
    *good = 1;
    for (uint64_t i = 0; s == MANN_OK && i < PICTURES; i++) {
        s = mni_toy_input(&recipe, &c, FIRST_CLASS + i, i, input, err);
        if (s == MANN_OK) s = mni_model_forward_f32(m, input, 1, pool, v, err);
        if (s != MANN_OK) break;
        *good = *good && is_unit(v, dim);
        for (uint32_t k = 0; k < dim; k++) mni_buf_f32(out, v[k]);
    }
    mni_free(input);
    mni_free(v);
    return s;
}

mann_status mni_golden_attach(mni_model *m, mni_pool *pool, mann_error *err)
{
    mni_buf b = { 0 };
    int good = 0;
    mni_model_attach(m, MNI_GOLDEN_TAG, NULL, 0, NULL);
    mann_status s = draw_all(m, pool, &b, &good, err);
    if (s == MANN_OK && b.failed) s = mni_fail(err, MANN_E_NOMEM, "golden vectors");
    if (s == MANN_OK && good)
        s = mni_model_attach(m, MNI_GOLDEN_TAG, b.bytes, b.n_bytes, err);
    mni_buf_fini(&b);
    return s;
}

/* --- read --------------------------------------------------------------------------- */

static mann_status damaged(mann_error *err, const char *what)
{
    return mni_fail(err, MANN_E_FORMAT, "golden vectors: damaged, %s", what);
}

/* A file may say anything: nothing is drawn or allocated by a number before it is known
 * to be sensible. */
static mann_status decode(golden *g, const mni_model *m, const void *bytes,
                          size_t n_bytes, mann_error *err)
{
    mni_cursor c = mni_cursor_of(bytes, n_bytes);
    const uint32_t dim = mni_model_shape_of(m).dim, layout = mni_cursor_u32(&c);
    mann_synth_config_fill(&g->synth, sizeof g->synth);
    g->n = mni_cursor_u32(&c);
    g->dim = mni_cursor_u32(&c);
    g->synth.size = mni_cursor_u32(&c);
    g->synth.conditions = mni_cursor_u32(&c);
    g->synth.strength = mni_cursor_f32(&c);
    g->synth.seed = mni_cursor_u64(&c);
    if (c.bad) return damaged(err, "shorter than its head");
    if (layout != LAYOUT)
        return mni_fail(err, MANN_E_VERSION,
                        "golden vectors: layout %u, this program knows %d",
                        (unsigned)layout, (int)LAYOUT);
    if (g->dim != dim)
        return mni_fail(err, MANN_E_FORMAT,
                        "golden vectors: damaged, of %u dimensions, the model makes %u",
                        (unsigned)g->dim, (unsigned)dim);
    if (g->n < 1 || g->n > MOST_PICTURES) return damaged(err, "the number of pictures");
    if (n_bytes != HEAD_BYTES + (size_t)g->n * (PICTURE_BYTES + (size_t)dim * 4))
        return damaged(err, "its length");
    if (g->synth.size < 8 || g->synth.size > 1024 ||
        !(g->synth.strength >= 0 && g->synth.strength <= 1) ||
        g->synth.conditions & ~(uint32_t)MANN_SYNTH_ALL)
        return damaged(err, "the settings of its pictures");
    g->pictures = (const uint8_t *)bytes + HEAD_BYTES;
    g->vectors = g->pictures + (size_t)g->n * PICTURE_BYTES;
    return MANN_OK;
}

uint32_t mni_golden_count(const mni_model *m)
{
    golden g;
    size_t n;
    const void *bytes = mni_model_attached(m, MNI_GOLDEN_TAG, &n);
    return bytes && decode(&g, m, bytes, n, NULL) == MANN_OK ? g.n : 0;
}

/* --- compared ----------------------------------------------------------------------- */

/* How near is near enough: see mann_model_selftest in metricann.h. */
static double least_cosine(mni_precision p)
{
    return p == MNI_PRECISION_F32 ? 0.9999 : p == MNI_PRECISION_BF16 ? 0.999 : 0.98;
}

typedef struct run {
    const mni_model *m;
    mni_recipe recipe;
    golden g;
    float *input, *wanted, *got;
} run;

static mann_status compare(const run *r, uint32_t i, mni_precision p, double *least,
                           mann_error *err)
{
    const uint8_t *picture = r->g.pictures + (size_t)i * PICTURE_BYTES;
    const uint64_t klass = mni_get64(picture), view = mni_get64(picture + 8);
    mni_cursor c = mni_cursor_of(r->g.vectors + (size_t)i * r->g.dim * 4, r->g.dim * 4);
    for (uint32_t k = 0; k < r->g.dim; k++) r->wanted[k] = mni_cursor_f32(&c);
    if (!is_unit(r->wanted, r->g.dim)) return damaged(err, "a vector is not of length 1");
    MNI_TRY(mni_toy_input(&r->recipe, &r->g.synth, klass, view, r->input, err));
    MNI_TRY((p == MNI_PRECISION_F32 ? mni_model_forward_f32 : mni_model_forward)(
        r->m, r->input, 1, NULL, r->got, err));
    const double found = cosine(r->wanted, r->got, r->g.dim);
    if (found < *least) *least = found;
    if (found >= least_cosine(p)) return MANN_OK; /* not so if NaN */
    return mni_fail(err, MANN_E_MISMATCH,
                    "golden picture %u of %u (class %llu, view %llu): cosine %.6f to its "
                    "golden vector in %s, wanted at least %g",
                    (unsigned)i + 1, (unsigned)r->g.n, (unsigned long long)klass,
                    (unsigned long long)view, found, mni_precision_name(p),
                    least_cosine(p));
}

static mann_status compare_all(const run *r, mni_precision p, const mann_hooks *h,
                               mann_error *err)
{
    char sentence[160];
    double least = 1;
    mann_status s = MANN_OK;
    for (uint32_t i = 0; s == MANN_OK && i < r->g.n; i++)
        s = compare(r, i, p, &least, err);
    if (s == MANN_OK)
        snprintf(sentence, sizeof sentence,
                 "%u golden pictures in %s: cosine %.7f or nearer, wanted %g",
                 (unsigned)r->g.n, mni_precision_name(p), least, least_cosine(p));
    if (s == MANN_OK && h && h->note) h->note(h->user, MANN_NOTE_INFO, sentence);
    return s;
}

mann_status mni_golden_check(const mni_model *m, const mann_hooks *h, mann_error *err)
{
    size_t n_bytes;
    run r = { .m = m };
    const mni_precision p = mni_model_precision(m);
    const void *bytes = mni_model_attached(m, MNI_GOLDEN_TAG, &n_bytes);
    if (!bytes) {
        if (h && h->note)
            h->note(h->user, MANN_NOTE_INFO,
                    "the model has no golden vectors: nothing to compare");
        return MANN_OK;
    }
    MNI_TRY(decode(&r.g, m, bytes, n_bytes, err));
    MNI_TRY(mni_model_recipe(m, &r.recipe, err));
    r.input = mni_alloc_aligned(mni_input_floats(m), sizeof *r.input, 0);
    r.wanted = mni_alloc(r.g.dim, sizeof *r.wanted);
    r.got = mni_alloc(r.g.dim, sizeof *r.got);
    mann_status s = r.input && r.wanted && r.got
        ? compare_all(&r, MNI_PRECISION_F32, h, err)
        : mni_fail(err, MANN_E_NOMEM, "golden vectors");
    if (s == MANN_OK && p != MNI_PRECISION_F32) s = compare_all(&r, p, h, err);
    mni_free(r.input);
    mni_free(r.wanted);
    mni_free(r.got);
    return s;
}
