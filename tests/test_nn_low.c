/* test_nn_low.c - a network that answers in int8 or bf16: near to its f32, the same bits
 * at every level, batch and number of threads; its files, ranges and refusals.
 * SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "nn/low.h"
#include "nn/model.h"
#include "nn_oracle.h"
#include "os/cpu.h"

/* Both stems, both blocks, shortcuts with and without a convolution, with and without a
 * head, 1 to 3 channels, sizes that are no multiple of anything. */
static const mni_resnet_config nets[] = {
    { 32, 3, 0, 0, 2, { 16, 32 }, { 2, 1 }, 24 },
    { 45, 3, 1, 1, 2, { 16, 24 }, { 1, 2 }, 0 },
    { 17, 1, 0, 1, 1, { 20 }, { 1 }, 12 },
};
enum { N_NETS = sizeof nets / sizeof *nets, IMAGES = 5 };

static float *inputs(const mni_resnet_config *c, size_t n, uint64_t seed)
{
    const size_t floats = n * c->input_channels * c->input_size * c->input_size;
    float *x = mni_alloc(floats, sizeof *x);
    CHECK(x != NULL);
    oracle_fill(x, floats, seed);
    return x;
}

static mni_model *model_of(size_t i)
{
    mni_model *m;
    CHECK_OK(mni_model_new_resnet(&m, "net", &nets[i], 3 + i, NULL));
    return m;
}

static mni_model *measured(size_t i)
{
    mni_model *m = model_of(i);
    float *x = inputs(&nets[i], 8, 77);
    CHECK(!mni_model_measured(m));
    CHECK_OK(mni_model_measure(m, x, 8, NULL));
    CHECK(mni_model_measured(m));
    mni_free(x);
    return m;
}

static float *answers(const mni_model *m, const float *x, size_t n, mni_pool *pool)
{
    float *out = mni_alloc(n * mni_model_shape_of(m).dim, sizeof *out);
    CHECK(out != NULL);
    CHECK_OK(mni_model_forward(m, x, n, pool, out, NULL));
    return out;
}

static double cosine(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)a[i] * b[i];
    return sum;
}

/* Unit vectors of untrained networks on noise: hard cases, since such maps have no
 * structure that a rounding could spare. */
static void near_to_f32(void)
{
    static const struct { mni_precision p; double least; } wants[] = {
        { MNI_PRECISION_BF16, 0.9995 }, { MNI_PRECISION_INT8, 0.99 },
    };
    for (size_t k = 0; k < N_NETS; k++) {
        mni_model *m = measured(k);
        const size_t dim = mni_model_shape_of(m).dim;
        float *x = inputs(&nets[k], IMAGES, 5), *want = answers(m, x, IMAGES, NULL);
        for (size_t i = 0; i < 2; i++) {
            CHECK_OK(mni_model_set_precision(m, wants[i].p, NULL));
            CHECK(mni_model_precision(m) == wants[i].p);
            float *got = answers(m, x, IMAGES, NULL);
            CHECK(memcmp(got, want, dim * sizeof *got) != 0);
            for (size_t n = 0; n < IMAGES; n++) {
                const double c = cosine(got + n * dim, want + n * dim, dim);
                if (!(c >= wants[i].least))
                    test_fail(__FILE__, __LINE__, "network %zu at %s: cosine %g", k,
                              mni_precision_name(wants[i].p), c);
            }
            mni_free(got);
        }
        CHECK_OK(mni_model_set_precision(m, MNI_PRECISION_F32, NULL));
        float *again = answers(m, x, IMAGES, NULL);
        CHECK(memcmp(again, want, IMAGES * dim * sizeof *want) == 0);
        mni_free(again);
        mni_free(want);
        mni_free(x);
        mni_model_free(m);
    }
}

static void bits_depend_on_the_image_alone(void)
{
    for (size_t k = 0; k < N_NETS; k++)
        for (int p = MNI_PRECISION_BF16; p <= MNI_PRECISION_INT8; p++) {
            mni_model *m = measured(k);
            mann_pool *pool;
            const size_t dim = mni_model_shape_of(m).dim,
                         floats = (size_t)nets[k].input_channels * nets[k].input_size *
                                  nets[k].input_size;
            CHECK_OK(mann_pool_new(&pool, 3, NULL));
            CHECK_OK(mni_model_set_precision(m, (mni_precision)p, NULL));
            float *x = inputs(&nets[k], IMAGES, 6), *all = answers(m, x, IMAGES, NULL);
            float *shared = answers(m, x, IMAGES, pool);
            CHECK(memcmp(all, shared, IMAGES * dim * sizeof *all) == 0);
            for (size_t i = 0; i < IMAGES; i++) {
                float *one = answers(m, x + i * floats, 1, i % 2 ? pool : NULL);
                CHECK(memcmp(one, all + i * dim, dim * sizeof *one) == 0);
                mni_free(one);
            }
            mni_free(shared);
            mni_free(all);
            mni_free(x);
            mann_pool_free(pool);
            mni_model_free(m);
        }
}

/* The maps of int8 are whole numbers: every level of its kernels gives the same. */
static void int8_is_the_same_at_every_level(void)
{
    static const unsigned steps[] = { 0, MNI_CPU_AVX2, MNI_CPU_AVX512, MNI_CPU_VNNI,
                                      MNI_CPU_BF16, MNI_CPU_NEON };
    const unsigned cpu = mni_cpu_detect();
    for (size_t k = 0; k < N_NETS; k++) {
        const mni_resnet_config *c = &nets[k];
        const size_t n = mni_low_n_ranges(c), dim = mni_resnet_dim(c);
        mni_model *m = model_of(k);
        float *folded = mni_alloc(mni_resnet_n_params(c), sizeof *folded);
        float *ranges = mni_alloc(n, sizeof *ranges), *x = inputs(c, IMAGES, 8);
        float *want = mni_alloc(2 * IMAGES * dim, sizeof *want);
        float *got = want + IMAGES * dim;
        mni_low f;
        unsigned have = 0;
        mni_low_fold(c, mni_model_params(m), mni_model_stats(m), folded);
        CHECK_OK(mni_low_measure(c, folded, x, IMAGES, ranges, NULL));
        CHECK_OK(mni_low_init(&f, c, MNI_PRECISION_INT8, folded, ranges, NULL));
        for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
            mni_kern_low kern;
            if (i && !(cpu & steps[i])) continue;
            mni_kern_low_build(&kern, have |= steps[i]);
            f.kern = &kern;
            CHECK_OK(mni_low_forward(&f, x, IMAGES, NULL, i ? got : want, NULL));
            if (i && memcmp(got, want, IMAGES * dim * sizeof *got) != 0)
                test_fail(__FILE__, __LINE__, "network %zu: %s differs from plain C", k,
                          kern.int8_name);
        }
        mni_low_fini(&f);
        mni_free(want);
        mni_free(x);
        mni_free(ranges);
        mni_free(folded);
        mni_model_free(m);
    }
}

/* --- files -------------------------------------------------------------------------- */

static void travels_in_its_file(void)
{
    char path[600];
    snprintf(path, sizeof path, "%s/m.mann", test_dir());
    uint64_t prints[4] = { 0 };
    for (int p = MNI_PRECISION_F32; p <= MNI_PRECISION_INT8; p++) {
        mni_model *m = measured(0), *back;
        float *x = inputs(&nets[0], 2, 9);
        CHECK_OK(mni_model_set_precision(m, (mni_precision)p, NULL));
        CHECK_OK(mni_model_save(m, mni_vfs_posix(), path, NULL));
        CHECK_OK(mni_model_open(&back, mni_vfs_posix(), path, NULL));
        CHECK(mni_model_precision(back) == (mni_precision)p && mni_model_measured(back));
        CHECK(mni_model_fingerprint(back) == mni_model_fingerprint(m));
        float *a = answers(m, x, 2, NULL), *b = answers(back, x, 2, NULL);
        CHECK(memcmp(a, b, 2 * mni_model_shape_of(m).dim * sizeof *a) == 0);
        prints[p] = mni_model_fingerprint(m);
        mni_free(a);
        mni_free(b);
        mni_free(x);
        mni_model_free(m);
        mni_model_free(back);
    }
    CHECK(prints[1] != prints[2] && prints[2] != prints[3] && prints[1] != prints[3]);
}

/* What a damaged or hostile file may hold. */
static void bad_files(void)
{
    static const uint8_t prec[][4] = { { 0 }, { 1 }, { 4 }, { 3 }, { 3, 1 } };
    char path[600];
    snprintf(path, sizeof path, "%s/m.mann", test_dir());
    for (size_t i = 0; i < 10; i++) {
        mni_model *m = i < 5 ? model_of(0) : measured(0), *back;
        if (i < 5) {
            CHECK_OK(mni_model_attach(m, "PREC", prec[i], 4, NULL));
        } else {            /* ranges cut, NaN, negative, infinite, of other weights */
            size_t n;
            const uint8_t *old = mni_model_attached(m, "RANG", &n);
            uint8_t *bytes = mni_memdup(old, n);
            static const uint8_t bad[][4] = {
                { 0, 0, 0xC0, 0x7F }, { 0, 0, 0x80, 0xBF }, { 0, 0, 0x80, 0x7F } };
            CHECK(bytes != NULL && n > 20);
            if (i >= 6 && i < 9) memcpy(bytes + 12, bad[i - 6], 4);
            if (i == 9) bytes[3] ^= 1;
            CHECK_OK(mni_model_attach(m, "PREC", prec[3], 4, NULL));
            CHECK_OK(mni_model_attach(m, "RANG", bytes, i == 5 ? n - 4 : n, NULL));
            mni_free(bytes);
        }
        CHECK_OK(mni_model_save(m, mni_vfs_posix(), path, NULL));
        CHECK_IS(mni_model_open(&back, mni_vfs_posix(), path, NULL), MANN_E_FORMAT);
        CHECK(back == NULL);
        mni_model_free(m);
    }
}

/* Put in, replaced, taken out, in an order in which places are used again. */
static void attachments(void)
{
    static const char tags[5][5] = { "AAAA", "BBBB", "CCCC", "BBBB", "DDDD" };
    mni_model *m = model_of(0);
    size_t n;
    for (int i = 0; i < 5; i++) {
        CHECK_OK(mni_model_attach(m, tags[i], tags[i], 4, NULL));
        CHECK_OK(mni_model_attach(m, tags[i], tags[i], 3, NULL));
        if (i == 2) CHECK_OK(mni_model_attach(m, "AAAA", NULL, 0, NULL));
        if (i == 3) CHECK_OK(mni_model_attach(m, "BBBB", NULL, 0, NULL));
    }
    CHECK(!mni_model_attached(m, "AAAA", &n) && n == 0);
    CHECK(!mni_model_attached(m, "BBBB", &n));
    const char *c = mni_model_attached(m, "CCCC", &n);
    CHECK(c && n == 3 && memcmp(c, "CCC", 3) == 0);
    const char *d = mni_model_attached(m, "DDDD", &n);
    CHECK(d && n == 3 && memcmp(d, "DDD", 3) == 0);
    mni_model_free(m);
}

/* --- what changes ------------------------------------------------------------------- */

static void refuses(void)
{
    mann_error e;
    mni_model *m = model_of(0), *pixels;
    CHECK_IS(mni_model_set_precision(m, MNI_PRECISION_INT8, &e), MANN_E_ARG);
    CHECK(strstr(e.text, "not measured") != NULL);
    CHECK(mni_model_precision(m) == MNI_PRECISION_F32);
    CHECK_OK(mni_model_new(&pixels, "pixels", 0, 0, NULL));
    CHECK_IS(mni_model_set_precision(pixels, MNI_PRECISION_BF16, &e), MANN_E_ARG);
    CHECK_OK(mni_model_set_precision(pixels, MNI_PRECISION_F32, NULL));
    CHECK(!mni_model_measured(pixels));
    mni_model_free(pixels);
    mni_model_free(m);
}

/* Ranges belong to the weights that they were measured with. */
static void new_weights(void)
{
    mni_model *m = measured(0), *other = model_of(1);
    const size_t n = mni_resnet_n_params(&nets[0]);
    float *params = mni_memdup(mni_model_params(m), n * sizeof *params);
    CHECK(params != NULL);
    CHECK_OK(mni_model_set_precision(m, MNI_PRECISION_INT8, NULL));
    CHECK_OK(mni_model_store_as(m, MNI_F16, NULL));     /* rounded: still right */
    CHECK(mni_model_measured(m) && mni_model_precision(m) == MNI_PRECISION_INT8);
    params[n / 2] += 1;
    CHECK_OK(mni_model_set_weights(m, params, mni_model_stats(m), NULL));
    CHECK(!mni_model_measured(m) && mni_model_precision(m) == MNI_PRECISION_F32);
    mni_free(params);
    mni_model_free(other);
    mni_model_free(m);
}

static void measuring_twice(void)
{
    mni_model *a = measured(1), *b = measured(1);
    float *x = inputs(&nets[1], 8, 77);
    CHECK_OK(mni_model_measure(a, x, 3, NULL));     /* replaced, not widened */
    CHECK_OK(mni_model_measure(a, x, 8, NULL));
    size_t n, n_b;
    const void *bytes = mni_model_attached(a, "RANG", &n),
               *bytes_b = mni_model_attached(b, "RANG", &n_b);
    CHECK(n == n_b && memcmp(bytes, bytes_b, n) == 0);
    mni_free(x);
    mni_model_free(a);
    mni_model_free(b);
}

static void out_of_memory(void)
{
    float *x = inputs(&nets[0], 2, 4);
    for (long n = 0;; n++) {
        mni_model *m = model_of(0);
        float out[2 * 24];
        const long before = mni_mem_live();
        mni_mem_fail_after(n);
        mann_status s = mni_model_measure(m, x, 2, NULL);
        if (s == MANN_OK) s = mni_model_set_precision(m, MNI_PRECISION_INT8, NULL);
        if (s == MANN_OK) s = mni_model_forward(m, x, 2, NULL, out, NULL);
        mni_mem_fail_after(-1);
        CHECK(s == MANN_OK || s == MANN_E_NOMEM);
        CHECK(mni_mem_live() >= before);
        if (s != MANN_OK) CHECK_OK(mni_model_forward(m, x, 2, NULL, out, NULL));
        mni_model_free(m);
        if (s == MANN_OK) break;
    }
    mni_free(x);
}

/* Through the public header, with a model that no training measured. */
static void set_by_anybody(void)
{
    mann_model *m;
    mann_error e;
    mann_model_info info = { .struct_size = sizeof info };
    CHECK_FINE(mann_model_new(&m, "mini@32", 0, 1, &e), e);
    CHECK_OK(mann_model_describe(m, &info, &e));
    CHECK(info.precision == MANN_PRECISION_F32 && !info.measured);
    CHECK_IS(mann_model_set_precision(m, 0, &e), MANN_E_ARG);
    CHECK_IS(mann_model_set_precision(m, 4, &e), MANN_E_ARG);
    CHECK_FINE(mann_model_set_precision(m, MANN_PRECISION_INT8, &e), e);
    CHECK_OK(mann_model_describe(m, &info, &e));
    CHECK(info.precision == MANN_PRECISION_INT8 && info.measured);
    mann_model_free(m);
    CHECK_OK(mann_model_new(&m, "pixels", 0, 1, &e));
    CHECK_IS(mann_model_set_precision(m, MANN_PRECISION_INT8, &e), MANN_E_ARG);
    mann_model_free(m);
}

const test_case nn_low_tests[];
const test_case nn_low_tests[] = {
    { "near_to_f32", near_to_f32, 0 },
    { "bits_depend_on_the_image_alone", bits_depend_on_the_image_alone, 0 },
    { "int8_is_the_same_at_every_level", int8_is_the_same_at_every_level, 0 },
    { "travels_in_its_file", travels_in_its_file, 0 },
    { "bad_files", bad_files, 0 },
    { "attachments", attachments, 0 },
    { "refuses", refuses, 0 },
    { "new_weights", new_weights, 0 },
    { "measuring_twice", measuring_twice, 0 },
    { "out_of_memory", out_of_memory, 0 },
    { "set_by_anybody", set_by_anybody, 0 },
    { 0 }
};
