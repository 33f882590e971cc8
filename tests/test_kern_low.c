/* test_kern_low.c - convolutions in 8 and 16 bits: int8 to the bit at every level, bf16
 * within its bound of a sum in double; borders of everything fenced.
 * SPDX-License-Identifier: MIT */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "kern/kern_low.h"
#include "os/cpu.h"

static int each_level(mni_kern_low out[6])
{
    static const unsigned steps[] = { MNI_CPU_AVX2, MNI_CPU_AVX512, MNI_CPU_VNNI,
                                      MNI_CPU_BF16, MNI_CPU_NEON };
    const unsigned cpu = mni_cpu_detect();
    int n = 0;
    unsigned have = 0;
    mni_kern_low_build(&out[n++], 0);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (cpu & steps[i]) mni_kern_low_build(&out[n++], have |= steps[i]);
    return n;
}

/* One convolution with all it needs; size: bytes of an element, 1 or 2. */
typedef struct problem {
    mni_low_conv a;
    size_t size, c_in, c_out, h_in, w_in, pad;
    uint8_t *x, *w, *r, *y;
    float *scale, *shift;
    size_t n_x, n_w, n_y, n_o;
} problem;

static void random_elements(uint8_t *at, size_t n, size_t size, mni_rng *r)
{
    for (size_t i = 0; i < n / size; i++) {
        if (size == 1) {
            at[i] = (uint8_t)mni_rng_below(r, 256);
        } else {
            const uint16_t v = mni_bf16_from_f32(mni_rng_range(r, -1.0f, 1.0f));
            memcpy(at + 2 * i, &v, sizeof v);
        }
    }
}

/* words 0: a whole block; else the network's input, which has fewer. */
static problem make(size_t size, size_t c_in, size_t words, size_t c_out, size_t h,
                    size_t w, size_t kernel, size_t stride, int with_r, uint64_t slot)
{
    problem p = { .size = size, .c_in = c_in, .c_out = c_out, .h_in = h, .w_in = w,
                  .pad = kernel / 2 };
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 41, slot, size);
    mni_low_conv *a = &p.a;
    const size_t whole = 4 * size, blocks_out = (c_out + 15) / 16;
    a->words = words ? words : whole;
    a->n_blocks = words ? 1 : (c_in + 15) / 16;
    a->kernel = kernel;
    a->stride = stride;
    a->x_pixel = 4 * a->words;
    a->x_row = (w + 2 * p.pad) * a->x_pixel;
    a->x_block = (h + 2 * p.pad) * a->x_row;
    a->h_out = (h + 2 * p.pad - kernel) / stride + 1;
    a->w_out = (w + 2 * p.pad - kernel) / stride + 1;
    a->y_row = a->w_out * 16 * size;
    a->y_block = a->h_out * a->y_row;
    a->blocks_out = blocks_out;
    p.n_x = a->n_blocks * a->x_block;
    p.n_y = blocks_out * a->y_block;
    p.n_w = mni_low_packed_bytes(c_out, a->n_blocks, kernel, a->words);
    p.n_o = blocks_out * 16;
    p.x = test_fence(p.n_x, 0);
    p.y = test_fence(p.n_y, 0);
    p.w = test_fence(p.n_w, 0);
    p.r = test_fence(p.n_y, 0);
    p.scale = test_fence(p.n_o * sizeof(float), 0);
    p.shift = test_fence(p.n_o * sizeof(float), 0);
    random_elements(p.x, p.n_x, size, &r);
    random_elements(p.r, p.n_y, size, &r);
    const size_t n_plain = c_out * c_in * kernel * kernel * size;
    uint8_t *plain = mni_alloc(n_plain, 1);
    CHECK(plain != NULL);
    random_elements(plain, n_plain, size, &r);
    mni_low_pack(p.w, plain, size, c_out, c_in, kernel, a->n_blocks, a->words);
    mni_free(plain);
    for (size_t o = 0; o < p.n_o; o++) {
        p.scale[o] = o < c_out ? mni_rng_range(&r, 0.0f, 0.03f / (float)kernel) : 0;
        p.shift[o] = o < c_out ? mni_rng_range(&r, -99.0f, 200.0f) / (size == 1 ? 1 : 99)
                               : 0;
    }
    a->x = p.x;
    a->w = p.w;
    a->r = with_r ? p.r : NULL;
    a->r_scale = 0.37f;
    a->y = p.y;
    a->scale = p.scale;
    a->shift = p.shift;
    a->relu = (int)(slot % 2);
    return p;
}

static void unmake(problem *p)
{
    test_fence_free(p->x, p->n_x, 0);
    test_fence_free(p->y, p->n_y, 0);
    test_fence_free(p->w, p->n_w, 0);
    test_fence_free(p->r, p->n_y, 0);
    test_fence_free(p->scale, p->n_o * sizeof(float), 0);
    test_fence_free(p->shift, p->n_o * sizeof(float), 0);
}

/* In pieces, as threads would do it. */
static void run(problem *p, mni_low_fn fn, size_t piece)
{
    const size_t n = p->a.h_out * p->a.w_out;
    memset(p->y, 0xEE, p->n_y);
    for (size_t g = 0; g * MNI_LOW_GROUP < p->a.blocks_out; g++)
        for (size_t at = 0; at < n; at += piece)
            fn(&p->a, g, at, at + piece < n ? at + piece : n);
}

static const struct shape {
    size_t c_in, words, c_out, h, w, kernel, stride;
} shapes[] = {
    { 16, 0, 16, 1, 1, 1, 1 },  { 16, 0, 16, 5, 4, 3, 1 },  { 20, 0, 33, 6, 7, 3, 1 },
    { 64, 0, 64, 7, 7, 3, 1 },  { 32, 0, 100, 9, 8, 3, 2 }, { 48, 0, 80, 7, 5, 1, 2 },
    { 3, 1, 64, 13, 12, 7, 2 }, { 3, 1, 32, 9, 11, 3, 1 },  { 1, 1, 17, 6, 6, 3, 1 },
    { 7, 0, 24, 6, 5, 3, 1 },   { 130, 0, 144, 5, 5, 3, 1 },
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

static problem shape_problem(const struct shape *s, size_t size, uint64_t slot)
{
    const size_t words = s->words * size;           /* 3 channels: 1 word, 2 of bf16 */
    return make(size, s->c_in, words, s->c_out, s->h, s->w, s->kernel, s->stride,
                (int)(slot % 3 != 0), slot);
}

static void int8_is_the_same_at_every_level(void)
{
    mni_kern_low levels[6];
    const int n_levels = each_level(levels);
    for (size_t i = 0; i < N_SHAPES; i++)
        for (size_t piece = 3; piece <= 1000; piece += 997) {
            problem p = shape_problem(&shapes[i], 1, i);
            run(&p, mni_low_int8_c, 1000);
            uint8_t *want = mni_memdup(p.y, p.n_y);
            CHECK(want != NULL);
            int inner = 0;                          /* the test must not be all 0, 255 */
            for (size_t k = 0; k < p.n_y; k++) inner += want[k] > 0 && want[k] < 255;
            CHECK(inner > (int)p.n_y / 20);
            for (int l = 0; l < n_levels; l++) {
                run(&p, levels[l].int8, piece);
                if (memcmp(want, p.y, p.n_y) != 0)
                    test_fail(__FILE__, __LINE__, "%s: shape %zu, pieces of %zu",
                              levels[l].int8_name, i, piece);
            }
            mni_free(want);
            unmake(&p);
        }
}

/* The sum of one output in double, and the sum of magnitudes. */
static double exact(const problem *p, const float *w, size_t o, size_t place,
                    double *terms)
{
    const mni_low_conv *a = &p->a;
    const uint8_t *x =
        a->x + (place / a->w_out * a->x_row + place % a->w_out * a->x_pixel) * a->stride;
    double sum = 0;
    *terms = 0;
    for (size_t i = 0; i < p->c_in; i++)
        for (size_t u = 0; u < a->kernel; u++)
            for (size_t v = 0; v < a->kernel; v++) {
                uint16_t h;
                memcpy(&h, x + i / 16 * a->x_block + u * a->x_row + v * a->x_pixel +
                               i % 16 * 2, sizeof h);
                const double t = (double)mni_f32_from_bf16(h) *
                                 w[((o * p->c_in + i) * a->kernel + u) * a->kernel + v];
                sum += t;
                *terms += fabs(t);
            }
    return sum;
}

static float bf16_at(const uint8_t *p)
{
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return mni_f32_from_bf16(h);
}

/* The weights as floats, read back from the packed ones. */
static float *unpacked(const problem *p)
{
    const mni_low_conv *a = &p->a;
    const size_t taps = a->kernel * a->kernel;
    float *w = mni_alloc(p->c_out * p->c_in * taps, sizeof *w);
    CHECK(w != NULL);
    for (size_t o = 0; o < p->c_out; o++)
        for (size_t i = 0; i < p->c_in; i++)
            for (size_t t = 0; t < taps; t++) {
                const size_t g = o / 64, lanes = 16 * mni_low_blocks_of(a, g);
                const size_t step = (i / 16 * taps + t) * a->words + i % 16 / 2;
                w[(o * p->c_in + i) * taps + t] =
                    bf16_at(a->w + g * 4 * mni_low_weight_block(a) +
                            (step * lanes + o % 64) * 4 + i % 2 * 2);
            }
    return w;
}

static void bf16_keeps_its_bound(void)
{
    mni_kern_low levels[6];
    const int n_levels = each_level(levels);
    for (size_t k = 0; k < N_SHAPES; k++) {
        problem p = shape_problem(&shapes[k], 2, k);
        float *w = unpacked(&p);
        const size_t n = p.a.h_out * p.a.w_out;
        for (int l = 0; l < n_levels; l++) {
            run(&p, levels[l].bf16, 1000);
            uint8_t *whole = mni_memdup(p.y, p.n_y);
            CHECK(whole != NULL);
            run(&p, levels[l].bf16, 3);                 /* cut otherwise: the same bits */
            CHECK(memcmp(whole, p.y, p.n_y) == 0);
            mni_free(whole);
            for (size_t o = 0; o < p.c_out; o++)
                for (size_t i = 0; i < n; i++) {
                    const size_t at = o / 16 * p.a.y_block + i * 32 + o % 16 * 2;
                    double terms, v = exact(&p, w, o, i, &terms) + p.shift[o];
                    if (p.a.r) v += bf16_at(p.r + at);
                    if (p.a.relu && v < 0) v = 0;
                    const double taps = (double)(p.c_in * p.a.kernel * p.a.kernel) + 8;
                    const double bound =
                        taps * FLT_EPSILON * (terms + fabs(p.shift[o]) + 1) +
                        fabs(v) / 256;
                    const double got = bf16_at(p.y + at);
                    if (!(fabs(got - v) <= bound))
                        test_fail(__FILE__, __LINE__, "%s: shape %zu, %zu at %zu: %g, %g",
                                  levels[l].bf16_name, k, o, i, got, v);
                }
        }
        mni_free(w);
        unmake(&p);
    }
}

static void bf16_rounds_to_even(void)
{
    static const struct { uint32_t from, to; } cases[] = {
        { 0x3F800000, 0x3F80 }, { 0x3F808000, 0x3F80 }, { 0x3F818000, 0x3F82 },
        { 0x3F808001, 0x3F81 }, { 0x7F7FFFFF, 0x7F80 }, { 0x7F800000, 0x7F80 },
        { 0x7F800001, 0x7FC0 }, { 0x80000000, 0x8000 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float v;
        memcpy(&v, &cases[i].from, sizeof v);
        CHECK_EQ(mni_bf16_from_f32(v), cases[i].to);
    }
    CHECK(mni_f32_from_bf16(0x3F80) == 1.0f);
}

const test_case kern_low_tests[];
const test_case kern_low_tests[] = {
    { "int8_is_the_same_at_every_level", int8_is_the_same_at_every_level, 0 },
    { "bf16_keeps_its_bound", bf16_keeps_its_bound, 0 },
    { "bf16_rounds_to_even", bf16_rounds_to_even, 0 },
    { 0 }
};
