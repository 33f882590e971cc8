/* test_kern_code.c - every level of the sums over codes against the plain one, bit for
 * bit, and that against its definition. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "kern/kern_code.h"
#include "os/cpu.h"

enum { ROWS = 23, MOST = 320 };

static mni_code_fn entry(const mni_kern_code *k, int i)
{
    const mni_code_fn all[] = { k->near8, k->near4, k->away8, k->away4 };
    return all[i];
}

/* Queries and codes ending at a page that cannot be read. */
static void levels_agree(void)
{
    const unsigned all = mni_cpu_detect();
    const unsigned masks[] = { 0, MNI_CPU_AVX2, MNI_CPU_AVX2 | MNI_CPU_AVX512, all };
    mni_kern_code plain;
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 0, 0, 1);
    mni_kern_code_build(&plain, 0);
    for (size_t bytes = 0; bytes <= MOST; bytes += MNI_CODE_GROUP) {
        uint8_t *codes = test_fence(ROWS * bytes, 0), *query = test_fence(2 * bytes, 0);
        for (size_t i = 0; i < ROWS * bytes; i++)
            codes[i] = (uint8_t)mni_rng_below(&r, MNI_CODE_TOP + 1);
        for (int kind = 0; kind < 4; kind++) {
            uint8_t *q = kind % 2 ? query : query + bytes;  /* 8 bits: half as long */
            for (size_t i = 0; i < bytes * (kind % 2 ? 2 : 1); i++)
                q[i] = kind < 2 ? (uint8_t)mni_rng_below(&r, 128)
                                : (uint8_t)((int)mni_rng_below(&r, 255) - 127);
            for (uint32_t n = 0; n <= 9; n++) {
                uint32_t nodes[9], want[10], got[10];
                for (uint32_t i = 0; i < n; i++) nodes[i] = mni_rng_below(&r, ROWS);
                memset(want, 0xa5, sizeof want);
                memset(got, 0xa5, sizeof got);
                entry(&plain, kind)(q, codes, bytes, nodes, n, want);
                for (size_t m = 0; m < sizeof masks / sizeof *masks; m++) {
                    mni_kern_code k;
                    mni_kern_code_build(&k, masks[m] & all);
                    entry(&k, kind)(q, codes, bytes, nodes, n, got);
                    CHECK(memcmp(want, got, sizeof got) == 0);
                }
            }
        }
        test_fence_free(codes, ROWS * bytes, 0);
        test_fence_free(query, 2 * bytes, 0);
    }
}

/* Rows of any length, ending at a page that cannot be read; all bytes there are. */
static void pairs_agree(void)
{
    const unsigned all = mni_cpu_detect();
    const unsigned masks[] = { 0, MNI_CPU_AVX2, MNI_CPU_AVX2 | MNI_CPU_AVX512, all };
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 0, 0, 2);
    for (size_t dim = 0; dim <= 130; dim++) {
        int8_t *rows = test_fence(ROWS * dim, 0), *query = test_fence(dim, 0);
        for (size_t i = 0; i < ROWS * dim; i++)
            rows[i] = (int8_t)((int)mni_rng_below(&r, 256) - 128);
        for (size_t i = 0; i < dim; i++)
            query[i] = (int8_t)((int)mni_rng_below(&r, 255) - 127);
        for (uint32_t n = 0; n <= 9; n++) {
            uint32_t nodes[9];
            int32_t want[20] = { 0 }, got[20];
            for (uint32_t i = 0; i < n; i++) {
                nodes[i] = i ? mni_rng_below(&r, ROWS) : ROWS - 1;
                for (size_t j = 0; j < dim; j++) {
                    const int c = rows[nodes[i] * dim + j];
                    want[2 * i] += query[j] * c;
                    want[2 * i + 1] += c * c;
                }
            }
            for (size_t m = 0; m < sizeof masks / sizeof *masks; m++) {
                mni_kern_code k;
                memset(got, 0, sizeof got);
                mni_kern_code_build(&k, masks[m] & all);
                k.pairs(query, rows, dim, nodes, n, got);
                CHECK(memcmp(want, got, sizeof got) == 0);
            }
        }
        test_fence_free(rows, ROWS * dim, 0);
        test_fence_free(query, dim, 0);
    }
}

static void sums_are_the_definition(void)
{
    uint8_t q[64] = { 0 }, c[64] = { 0 };
    const uint32_t first = 0, second = 1;
    uint32_t out;
    mni_kern_code k;
    mni_kern_code_build(&k, 0);
    q[0] = 100; q[31] = 7; c[32] = 127; c[63] = 5;
    k.near8(q, c, 32, &second, 1, &out);
    CHECK_EQ(out, 27 * 27 + 2 * 2);
    k.near8(q, c, 32, &first, 1, &out);
    CHECK_EQ(out, 100 * 100 + 7 * 7);
    q[0] = (uint8_t)-100;
    k.away8(q, c, 32, &second, 1, &out);
    CHECK_EQ(out, 0x80000000u + 100 * 127 - 7 * 5);
    /* half bytes: 3 and 15 stand for 24 and 120 */
    q[0] = 20; q[31] = 0; q[32] = 127; c[0] = 0xf3;
    k.near4(q, c, 32, &first, 1, &out);
    CHECK_EQ(out, 4 * 4 + 7 * 7);
    q[32] = (uint8_t)-127;
    k.away4(q, c, 32, &first, 1, &out);
    CHECK_EQ(out, 0x80000000u - 20 * 24 + 127 * 120);
}

const test_case kern_code_tests[] = {
    { "levels_agree", levels_agree, 0 },
    { "pairs_agree", pairs_agree, 0 },
    { "sums_are_the_definition", sums_are_the_definition, 0 },
    { 0 }
};
