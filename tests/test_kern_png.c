/* test_kern_png.c - the kernel check of PNG's loops: every level this CPU has gives the
 * bytes of plain C, for every length and pixel size, between pages that cannot be
 * touched. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "image/deflate.h"
#include "image/inflate.h"
#include "kern/kern_png.h"
#include "os/cpu.h"

enum { CANARY = 0xA7, MOST = 131 };

/* The levels of this CPU above plain C: all it has, and AVX2 without its companions. */
static int each_level(mni_kern_png out[3])
{
    const unsigned cpu = mni_cpu_detect();
    int n = 0;
    mni_kern_png_build(&out[n++], cpu);
    mni_kern_png_build(&out[n++], cpu & (MNI_CPU_AVX2 | MNI_CPU_NEON));
    mni_kern_png_build(&out[n++], 0);
    return n;
}

/* Kinds: noise, few values (ties in Paeth), extremes, a ramp. */
static void fill(uint8_t *x, size_t n, unsigned kind, uint64_t slot)
{
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 3, n, slot * 4 + kind);
    for (size_t i = 0; i < n; i++) {
        const unsigned v = mni_rng_below(&r, 256);
        x[i] = (uint8_t)(kind == 0 ? v : kind == 1 ? v % 3 : kind == 2 ? (v & 1) * 255
                                                                       : i + v % 2);
    }
}

static void checksums(void)
{
    static uint8_t x[40000];
    mni_kern_png plain, levels[3];
    const int n_levels = each_level(levels);
    mni_kern_png_build(&plain, 0);
    CHECK(plain.crc32(0, (const uint8_t *)"123456789", 9) == 0xCBF43926u);
    CHECK(plain.adler32(1, (const uint8_t *)"Wikipedia", 9) == 0x11E60398u);
    for (int l = 0; l < n_levels; l++)
        for (size_t n = 0; n < 700; n++) {
            uint8_t *at = test_fence(n, n & 1);
            fill(at, n, 0, 1);
            CHECK(levels[l].crc32(0x1234567, at, n) == plain.crc32(0x1234567, at, n));
            CHECK(levels[l].adler32(77 << 16 | 5, at, n) ==
                  plain.adler32(77 << 16 | 5, at, n));
            test_fence_free(at, n, n & 1);
        }
    for (unsigned kind = 0; kind < 2; kind++) {         /* 1: the sums at their largest */
        if (kind) memset(x, 255, sizeof x);
        else fill(x, sizeof x, 0, 2);
        const uint32_t crc = plain.crc32(0, x, sizeof x);
        uint32_t a = 1, b = 0;
        for (size_t i = 0; i < sizeof x; i++) {
            a = (a + x[i]) % 65521;
            b = (b + a) % 65521;
        }
        for (int l = 0; l < n_levels; l++) {
            CHECK(levels[l].crc32(0, x, sizeof x) == crc);
            CHECK(levels[l].crc32(levels[l].crc32(0, x, 777), x + 777, sizeof x - 777) ==
                  crc);
            CHECK(levels[l].adler32(1, x, sizeof x) == (b << 16 | a));
        }
    }
}

/* One row, by the definition: byte by byte. */
static void slow_row(int filter, uint8_t *to, const uint8_t *from, const uint8_t *above,
                     size_t n, size_t step)
{
    for (size_t i = 0; i < n; i++) {
        const int a = i >= step ? to[i - step] : 0, b = above[i],
                  c = i >= step ? above[i - step] : 0, p = a + b - c;
        const int pa = p > a ? p - a : a - p, pb = p > b ? p - b : b - p,
                  pc = p > c ? p - c : c - p;
        const int paeth = pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
        const int guess[] = { 0, a, b, (a + b) / 2, paeth };
        to[i] = (uint8_t)(from[i] + guess[filter]);
    }
}

static void check_one(const mni_kern_png *k, int filter, size_t n, size_t step,
                      unsigned kind, int side)
{
    uint8_t want[MOST], back[MOST];
    uint8_t *from = test_fence(n, side), *above = test_fence(n, side),
            *to = test_fence(n, side);
    fill(from, n, kind, 5);
    fill(above, n, kind, 6);
    slow_row(filter, want, from, above, n, step);
    k->unfilter(filter, to, from, above, n, step);
    CHECK(n == 0 || memcmp(to, want, n) == 0);
    const uint64_t sum = k->filter(filter, back, to, above, n, step);
    CHECK(n == 0 || memcmp(back, from, n) == 0);
    uint64_t magnitudes = 0;
    for (size_t i = 0; i < n; i++) magnitudes += from[i] < 128 ? from[i] : 256u - from[i];
    CHECK(sum == magnitudes);
    k->unfilter(filter, from, from, above, n, step);        /* in place */
    CHECK(n == 0 || memcmp(from, want, n) == 0);
    test_fence_free(from, n, side);
    test_fence_free(above, n, side);
    test_fence_free(to, n, side);
}

static void one_row(void)
{
    static const size_t steps[] = { 1, 2, 3, 4, 6, 8 };
    mni_kern_png levels[3];
    const int n_levels = each_level(levels);
    for (int l = 0; l < n_levels; l++)
        for (int filter = 0; filter < MNI_PNG_N_FILTERS; filter++)
            for (size_t s = 0; s < sizeof steps / sizeof *steps; s++)
                for (size_t n = 0; n < MOST; n += n < 30 ? 1 : 1 + steps[s] / 2)
                    for (unsigned kind = 0; kind < 4; kind++)
                        check_one(&levels[l], filter, n, steps[s], kind, (int)(n & 1));
}

/* Two rows that lie one behind the other, with a byte to watch on either side. */
static void check_two(const mni_kern_png *k, const int filter[2], size_t n, size_t step,
                      unsigned kind)
{
    uint8_t room[2 * MOST + 2], want[2][MOST], raw[3][MOST];
    uint8_t *const to[2] = { room + 1, room + 1 + n };
    const uint8_t *const from[2] = { raw[0], raw[1] };
    memset(room, CANARY, sizeof room);
    for (unsigned i = 0; i < 3; i++) fill(raw[i], n, kind, 10 + i);
    slow_row(filter[0], want[0], raw[0], raw[2], n, step);
    slow_row(filter[1], want[1], raw[1], want[0], n, step);
    k->unfilter_two(filter, to, from, raw[2], n, step);
    CHECK(memcmp(to[0], want[0], n) == 0 && memcmp(to[1], want[1], n) == 0);
    CHECK(room[0] == CANARY && room[1 + 2 * n] == CANARY);
}

static void two_rows(void)
{
    static const size_t steps[] = { 1, 3, 4, 6 };
    mni_kern_png levels[3];
    const int n_levels = each_level(levels);
    for (int l = 0; l < n_levels; l++)
        for (int f = 0; f < MNI_PNG_N_FILTERS * MNI_PNG_N_FILTERS; f++)
            for (size_t s = 0; s < sizeof steps / sizeof *steps; s++)
                for (size_t n = 1; n < MOST; n++)
                    for (unsigned kind = 0; kind < 3; kind++) {
                        const int filter[2] = { f / MNI_PNG_N_FILTERS,
                                                f % MNI_PNG_N_FILTERS };
                        check_two(&levels[l], filter, n, steps[s], kind);
                    }
}

/* The symbols of whole streams: text, noise, runs, long and short distances. */
static void symbols(void)
{
    enum { N = 70000 };
    uint8_t *x = mni_alloc(N, 1), *back = mni_alloc(N, 1);
    CHECK(x && back);
    for (unsigned kind = 0; kind < 4; kind++) {
        mni_buf b = { 0 };
        fill(x, N, kind, 20);
        for (size_t i = 4000; i + 60 < N; i += 97)
            memmove(x + i, x + i - (i % 3999) - 1, 60);
        CHECK_OK(mni_deflate_zlib(&b, x, N, NULL));
        memset(back, 0, N);
        CHECK_OK(mni_zlib_inflate(back, N, b.bytes, b.n_bytes, NULL));
        CHECK(memcmp(back, x, N) == 0);
        mni_buf_fini(&b);
    }
    mni_free(x);
    mni_free(back);
}

/* The writer's blocks end after 2^14 tokens. Two blocks of literals, and somewhere behind
 * them one long copy from afar, the only one, before many short ones from near: its code,
 * the distance's and their extra bits are some 40 bits. Where it is the first token of
 * the third block, up to 31 bits of the block's head wait before it. */
static void a_block_begins_with_a_copy(void)
{
    enum { TWO = 1 << 15, AFTER = 12000, N = TWO + 100 + 200 + AFTER };
    uint8_t *x = mni_alloc(N, 1), *back = mni_alloc(N, 1);
    CHECK(x && back);
    for (uint32_t seed = 1; seed <= 8; seed++)
        for (size_t at = TWO; at < TWO + 60; at += seed % 2 + 1) {
            mni_buf b = { 0 };
            uint32_t v = seed * 7919;
            for (size_t i = 0; i < N; i++) {
                v = v * 1664525u + 1013904223u;
                x[i] = (uint8_t)((v >> 16) % 201);
            }
            memcpy(x + at, x + at - 32000, 200);
            for (size_t i = at + 210, k = 0; i + 6 < N; i += 12, k++)
                memmove(x + i, x + i - 6 - ((size_t)1 << k % 12), 6);
            CHECK_OK(mni_deflate_zlib(&b, x, N, NULL));
            CHECK_OK(mni_zlib_inflate(back, N, b.bytes, b.n_bytes, NULL));
            CHECK(memcmp(back, x, N) == 0);
            mni_buf_fini(&b);
        }
    mni_free(x);
    mni_free(back);
}

const test_case kern_png_tests[];
const test_case kern_png_tests[] = {
    { "checksums", checksums, 0 },
    { "one_row", one_row, 0 },
    { "two_rows", two_rows, 0 },
    { "symbols", symbols, 0 },
    { "a_block_begins_with_a_copy", a_block_begins_with_a_copy, 0 },
    { 0 }
};
