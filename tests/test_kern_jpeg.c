/* test_kern_jpeg.c - the kernels of JPEG: every level gives the bytes of plain C, for
 * every width, beside unreadable pages and without touching what lies around; and plain
 * C is held against the definition of the cosine transform.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "image/jpeg.h"
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

/* --- bytes and blocks --------------------------------------------------------------- */

/* Bytes of a scan: now and then a 0xFF, mostly with its zero. */
static void fill_scan(mni_rng *r, uint8_t *to, size_t n)
{
    const unsigned often = 2 + mni_rng_below(r, 100);
    for (size_t i = 0; i < n; i++) {
        to[i] = (uint8_t)mni_rng_below(r, 256);
        if (mni_rng_below(r, often) == 0) to[i] = 0xFF;
        if (i && to[i - 1] == 0xFF && mni_rng_below(r, 50)) to[i] = 0;
    }
}

/* The rule, byte by byte. */
static size_t unstuffed(uint8_t *to, size_t room, const uint8_t *from, size_t n,
                        size_t *used)
{
    size_t done = 0, at = 0;
    while (done < room && at < n) {
        size_t next = at + 1;
        if (from[at] == 0xFF) {
            while (next < n && from[next] == 0xFF) next++;
            if (next == n || from[next] != 0) break;
            next++;
        }
        to[done++] = from[at];
        at = next;
    }
    *used = at;
    return done;
}

static void bytes_lose_their_stuffing(void)
{
    mni_kern_jpeg k[LEVELS];
    const int n_levels = each_level(k);
    mni_rng r = dice(30);
    for (int i = 0; i < 3000; i++) {
        const size_t n = mni_rng_below(&r, 300), room = mni_rng_below(&r, 300);
        uint8_t want[300], *from = test_fence(n, 0), *to = test_fence(room, 0);
        fill_scan(&r, from, n);
        size_t want_used, used;
        const size_t want_n = unstuffed(want, room, from, n, &want_used);
        for (int level = 0; level < n_levels; level++) {
            const size_t got = k[level].unstuff(to, room, from, n, &used);
            if (got != want_n || used != want_used || memcmp(to, want, got) != 0)
                test_fail(__FILE__, __LINE__, "%s: unstuff, case %d: %zu of %zu bytes",
                          k[level].name, i, got, used);
        }
        test_fence_free(from, n, 0);
        test_fence_free(to, room, 0);
    }
}

/* A code and its bits, one by one: the judge. */
typedef struct slow_code { const uint8_t *counts, *symbols; } slow_code;
typedef struct slow_bits { const uint8_t *bytes; size_t at; } slow_bits;

static unsigned slow_take(slow_bits *b, unsigned n)
{
    unsigned v = 0;
    for (; n; n--, b->at++) v = v << 1 | (b->bytes[b->at / 8] >> (7 - b->at % 8) & 1);
    return v;
}

static int slow_symbol(slow_bits *b, const slow_code *c)
{
    int code = 0, first = 0, n = 0;
    for (int length = 0; length < 16; length++) {
        code = code << 1 | (int)slow_take(b, 1);
        first <<= 1;
        if (code - first < c->counts[length]) return c->symbols[n + code - first];
        first += c->counts[length];
        n += c->counts[length];
    }
    return -1;
}

static int slow_number(slow_bits *b, unsigned size)
{
    const int v = (int)slow_take(b, size);
    return size && !(v >> (size - 1)) ? v - (1 << size) + 1 : v;
}

static int slow_block(slow_bits *b, const slow_code *dc_code, const slow_code *ac_code,
                      int *dc, int16_t block[64])
{
    const int dc_size = slow_symbol(b, dc_code);
    if (dc_size < 0) return -1;
    *dc += slow_number(b, (unsigned)dc_size);
    block[0] = (int16_t)*dc;
    int k = 0;
    while (k < 63) {
        const int symbol = slow_symbol(b, ac_code), size = symbol & 15;
        if (symbol < 0) return -1;
        if (size == 0 && symbol != 0xF0) break;
        const int at = k + (symbol >> 4) + 1;
        if (at > 63 && size) return -1;
        if (at > 63) break;
        k = at;
        block[mni_jpeg_place[k]] = (int16_t)slow_number(b, (unsigned)size);
    }
    return k;
}

/* One block by `k`, read both ways, against the judge. Returns the judge's verdict. */
static int check_block(const mni_kern_jpeg *k, const mni_jpeg_huffman *dc_code,
                       const mni_jpeg_huffman *ac_code, const slow_code slow[2],
                       const uint8_t *bytes, size_t skip_bits)
{
    int16_t want[64] = { 0 }, got[64] = { 0 };
    int want_dc = 7, dc = 7, only_dc = 7;
    slow_bits s = { bytes, skip_bits };
    mni_bits b = { (uint64_t)bytes[skip_bits / 8] << (56 + skip_bits % 8),
                   8 - (unsigned)skip_bits % 8, bytes + skip_bits / 8 + 1 };
    mni_bits c = b;
    const int want_last = slow_block(&s, &slow[0], &slow[1], &want_dc, want);
    const int last = k->block(&b, dc_code, ac_code, &dc, got);
    const int fine = k->skip(&c, dc_code, ac_code, &only_dc);
    CHECK_EQ(last, want_last);
    CHECK_EQ(fine, want_last >= 0);
    if (last < 0) return -1;
    CHECK(dc == want_dc && only_dc == want_dc && memcmp(want, got, sizeof got) == 0);
    CHECK_EQ(8 * (size_t)(b.at - bytes) - b.n, s.at);
    CHECK_EQ(8 * (size_t)(c.at - bytes) - c.n, s.at);
    return last;
}

static void blocks_are_read(void)
{
    enum { BYTES = 400 };
    mni_kern_jpeg k[LEVELS];
    const int n_levels = each_level(k);
    mni_jpeg_huffman *h = mni_alloc(2, sizeof *h);
    mni_rng r = dice(40);
    uint8_t bytes[BYTES];
    int seen[66] = { 0 };
    CHECK(h);
    for (int number = 0; number < 2; number++) {
        slow_code slow[2];
        for (int is_dc = 0; is_dc < 2; is_dc++) {
            slow_code *c = &slow[!is_dc];
            mni_jpeg_standard_code(number, is_dc, &c->counts, &c->symbols);
            CHECK(mni_jpeg_huffman_build(&h[!is_dc], c->counts, c->symbols, is_dc));
        }
        mni_jpeg_huffman_pair(&h[1]);
        mni_jpeg_huffman_skip(&h[1]);
        for (int i = 0; i < 20000; i++) {
            /* Many ones make long codes, many zeros long blocks of short ones. */
            for (int at = 0; at < BYTES; at++) {
                const unsigned v = mni_rng_below(&r, 256), w = mni_rng_below(&r, 256);
                bytes[at] = (uint8_t)(i % 3 == 0 ? v : i % 3 == 1 ? v | w : v & w);
            }
            for (int level = 0; level < n_levels; level++)
                seen[1 + check_block(&k[level], &h[0], &h[1], slow, bytes, i % 8)]++;
        }
    }
    mni_free(h);
    CHECK(seen[0] > 100 && seen[1] > 100 && seen[2] > 100 && seen[20] && seen[63] &&
          seen[64]);
}

const test_case kern_jpeg_tests[];
const test_case kern_jpeg_tests[] = {
    { "plain_transforms_are_within_one", plain_transforms_are_within_one, 0 },
    { "transforms_are_equal", transforms_are_equal, 0 },
    { "rows_are_equal", rows_are_equal, 0 },
    { "colours_are_equal", colours_are_equal, 0 },
    { "bytes_lose_their_stuffing", bytes_lose_their_stuffing, 0 },
    { "blocks_are_read", blocks_are_read, 0 },
    { 0 }
};
