/* test_kern_jpeg.c - the kernels of JPEG: every level gives the bytes of plain C, for
 * every width, beside unreadable pages and without touching what lies around; and plain
 * C is held against the definition of the cosine transform.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/rng.h"
#include "harness.h"
#include "kern/kern_jpeg.h"
#include "os/cpu.h"

enum { LEVELS = 4, WIDEST = 150, GUARD = 16, CANARY = 0xA5 };

static int each_level(mni_kern_jpeg out[LEVELS])
{
    static const unsigned steps[] = { MNI_CPU_BMI2, MNI_CPU_AVX2, MNI_CPU_NEON };
    const unsigned cpu = mni_cpu_allowed();
    int n = 0;
    unsigned have = 0;
    mni_kern_jpeg_build(&out[n++], 0);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (cpu & steps[i]) mni_kern_jpeg_build(&out[n++], have |= steps[i]);
    return n;
}

static mni_rng dice(uint64_t slot)
{
    return mni_rng_at(test_seed(), MNI_FOR_TEST, 7, 0, slot);
}

/* --- the transform against its definition ------------------------------------------- */

/* cos(k pi / 16), k = 0..8; the rest by symmetry. No libm: the same everywhere. */
static double cosine(int k)
{
    static const double c[9] = { 1.0, 0.98078528040323044913, 0.92387953251128675613,
        0.83146961230254523708, 0.70710678118654752440, 0.55557023301960222474,
        0.38268343236508977173, 0.19509032201612826785, 0.0 };
    k &= 31;
    if (k > 16) k = 32 - k;
    return k <= 8 ? c[k] : -c[16 - k];
}

/* values[row][column] -> samples, not limited. */
static void exact(double out[8][8], const int values[8][8])
{
    for (int y = 0; y < 8; y++)
        for (int x = 0; x < 8; x++) {
            double sum = 128;
            for (int v = 0; v < 8; v++)
                for (int u = 0; u < 8; u++) {
                    const double scale = (u ? 1 : cosine(4)) * (v ? 1 : cosine(4)) / 4;
                    sum += scale * values[v][u] * cosine((2 * x + 1) * u) *
                           cosine((2 * y + 1) * v);
                }
            out[y][x] = sum;
        }
}

/* The mean of the squares that make one sample of a smaller picture. */
static double mean(double at[8][8], int size, int y, int x)
{
    const int side = 8 / size;
    double sum = 0;
    for (int i = 0; i < side; i++)
        for (int k = 0; k < side; k++) sum += at[y * side + i][x * side + k];
    sum /= side * side;
    return sum < 0 ? 0 : sum > 255 ? 255 : sum;
}

static void plain_transforms_are_within_one(void)
{
    mni_kern_jpeg k;
    mni_rng r = dice(1);
    mni_kern_jpeg_build(&k, 0);
    for (int i = 0; i < 300; i++) {
        int values[8][8] = { { 0 } };
        int16_t coefs[64] = { 0 };
        uint16_t quant[64];
        double want[8][8];
        uint8_t out[64];
        const unsigned n = 1 + mni_rng_below(&r, 64);
        for (int at = 0; at < 64; at++) quant[at] = 1;
        for (unsigned at = 0; at < n; at++) {
            const unsigned v = mni_rng_below(&r, 8), u = mni_rng_below(&r, 8);
            const unsigned place = mni_jpeg_paired(v, u);
            quant[place] = (uint16_t)(1 + mni_rng_below(&r, 5));
            coefs[place] = (int16_t)((int)mni_rng_below(&r, 101) - 50);
            values[v][u] = coefs[place] * quant[place];
        }
        exact(want, (const int (*)[8])values);
        k.idct8(out, 8, coefs, quant);
        for (int at = 0; at < 64; at++)
            CHECK_NEAR(out[at], mean(want, 8, at / 8, at % 8), 1.0);
        k.idct4(out, 4, coefs, quant);
        for (int at = 0; at < 16; at++)
            CHECK_NEAR(out[at], mean(want, 4, at / 4, at % 4), 1.0);
        k.idct2(out, 2, coefs, quant);
        for (int at = 0; at < 4; at++)
            CHECK_NEAR(out[at], mean(want, 2, at / 2, at % 2), 1.0);
    }
}

/* --- every level against plain C ---------------------------------------------------- */

static void fill_block(mni_rng *r, int16_t coefs[64], uint16_t quant[64], int how)
{
    for (int at = 0; at < 64; at++) {
        coefs[at] = 0;
        quant[at] = (uint16_t)(1 + mni_rng_below(r, how == 1 ? 65535 : 60));
        if (how == 0 && mni_rng_below(r, 4) == 0)           /* as in photos */
            coefs[at] = (int16_t)((int)mni_rng_below(r, 61) - 30);
        if (how == 1) coefs[at] = (int16_t)(uint16_t)mni_rng_below(r, 65536);
        if (how == 2) coefs[at] = mni_rng_below(r, 2) ? 32767 : -32768;
        if (how == 2) quant[at] = 1;
    }
    if (how == 3) coefs[0] = (int16_t)((int)mni_rng_below(r, 65536) - 32768);
}

static void check_idct(const char *name, mni_idct_fn fast, mni_idct_fn plain, int size)
{
    mni_rng r = dice(2 + (uint64_t)size);
    const size_t stride = 11;
    for (int i = 0; i < 2000; i++) {
        int16_t *coefs = test_fence(128, i & 1);
        uint16_t *quant = test_fence(128, i & 1);
        uint8_t want[8 * 11], got[8 * 11];
        memset(want, CANARY, sizeof want);
        memset(got, CANARY, sizeof got);
        fill_block(&r, coefs, quant, i & 3);
        plain(want, stride, coefs, quant);
        fast(got, stride, coefs, quant);
        if (memcmp(want, got, sizeof got) != 0)
            test_fail(__FILE__, __LINE__, "%s: idct%d, block %d differs", name, size, i);
        test_fence_free(coefs, 128, i & 1);
        test_fence_free(quant, 128, i & 1);
    }
}

static void transforms_are_equal(void)
{
    mni_kern_jpeg k[LEVELS];
    const int n = each_level(k);
    for (int i = 1; i < n; i++) {
        check_idct(k[i].name, k[i].idct8, k[0].idct8, 8);
        check_idct(k[i].name, k[i].idct4, k[0].idct4, 4);
        check_idct(k[i].name, k[i].idct2, k[0].idct2, 2);
    }
}

/* One row kernel by number, so that all are driven alike. Bytes written for w samples. */
enum { ACROSS, BOTH, DOWN_1, DOWN_2, YCC, ROW_KERNELS };

static size_t run_row(const mni_kern_jpeg *k, int which, uint8_t *to,
                      uint8_t *const in[3], size_t w)
{
    switch (which) {
    case ACROSS: k->across(to, in[0], w); return 2 * w;
    case BOTH:   k->both(to, in[0], in[1], w); return 2 * w;
    case DOWN_1: k->down(to, in[0], in[1], w, 1); return w;
    case DOWN_2: k->down(to, in[0], in[1], w, 2); return w;
    default:     k->ycc(to, in[0], in[1], in[2], w); return 3 * w;
    }
}

static void check_rows(const mni_kern_jpeg *fast, const mni_kern_jpeg *plain, size_t w,
                       mni_rng *r)
{
    uint8_t *in[3];
    const int at_start = (int)mni_rng_below(r, 2);
    for (int i = 0; i < 3; i++) {
        in[i] = test_fence(w, at_start);
        const unsigned mild = mni_rng_below(r, 3);          /* 0: extremes only */
        for (size_t x = 0; x < w; x++)
            in[i][x] = (uint8_t)(mild ? mni_rng_below(r, 256)
                                      : 255 * mni_rng_below(r, 2));
    }
    for (int which = 0; which < ROW_KERNELS; which++) {
        uint8_t want[3 * WIDEST + GUARD], got[3 * WIDEST + GUARD];
        memset(got, CANARY, sizeof got);
        memset(want, CANARY, sizeof want);
        const size_t n = run_row(plain, which, want, in, w);
        (void)run_row(fast, which, got, in, w);
        if (memcmp(want, got, sizeof got) != 0)
            test_fail(__FILE__, __LINE__, "%s: row kernel %d, w = %zu differs",
                      fast->name, which, w);
        CHECK(got[n] == CANARY);
    }
    for (int i = 0; i < 3; i++) test_fence_free(in[i], w, at_start);
}

static void rows_are_equal(void)
{
    mni_kern_jpeg k[LEVELS];
    const int n = each_level(k);
    mni_rng r = dice(20);
    for (int i = 1; i < n; i++)
        for (size_t w = 1; w <= WIDEST; w++)
            for (int again = 0; again < 4; again++) check_rows(&k[i], &k[0], w, &r);
}

/* All 2^24 colours would take long; all pairs of blueness and redness do not. */
static void colours_are_equal(void)
{
    mni_kern_jpeg k[LEVELS];
    const int n = each_level(k);
    uint8_t y[256], cb[256], cr[256], want[768], got[768];
    for (int level = 1; level < n; level++)
        for (int b = 0; b < 256; b++) {
            for (int i = 0; i < 256; i++) {
                y[i] = (uint8_t)(i * 7 + b);
                cb[i] = (uint8_t)b;
                cr[i] = (uint8_t)i;
            }
            k[0].ycc(want, y, cb, cr, 256);
            k[level].ycc(got, y, cb, cr, 256);
            CHECK(memcmp(want, got, sizeof got) == 0);
        }
}

const test_case kern_jpeg_tests[];
const test_case kern_jpeg_tests[] = {
    { "plain_transforms_are_within_one", plain_transforms_are_within_one, 0 },
    { "transforms_are_equal", transforms_are_equal, 0 },
    { "rows_are_equal", rows_are_equal, 0 },
    { "colours_are_equal", colours_are_equal, 0 },
    { 0 }
};
