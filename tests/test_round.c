/* test_round.c - vectors kept as f16 or int8: what was read is kept as what it was read
 * from, whatever a gallery goes through. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "gallery_help.h"
#include "harness.h"

enum { MOST_DIM = 130, MANY = 3000 };

static void draw(uint32_t number, uint32_t dim, float *out)
{
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 31, number, dim);
    const float size = number % 7 == 0 ? 1e-3f : number % 7 == 1 ? 900.0f : 1.0f;
    for (uint32_t i = 0; i < dim; i++) out[i] = size * mni_rng_normal(&r);
    if (number % 11 == 0 && dim > 1) out[number % dim] = 0;
}

/* Counts rows for which storing, reading, storing gives something else. */
static long unstable(mann_metric metric, mni_dtype dtype, uint32_t dim, int settle)
{
    long n = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        float v[MOST_DIM], again[MOST_DIM], scale[2] = { 0, 0 };
        uint8_t code[2][2 * MOST_DIM], room[4 * MOST_DIM];
        draw(i, dim, v);
        CHECK_OK(mni_rows_prepare(metric, v, dim, "row", i, NULL));
        if (settle) {
            mni_rows_settle(metric, dtype, v, dim, code[0], &scale[0], room);
        } else {
            const mni_rows one = { .data = code[0], .scale = &scale[0], .n = 1,
                                   .dim = dim, .dtype = dtype, .metric = metric };
            for (int k = 0; k < 20; k++) {              /* as often as you like */
                mni_rows_encode(dtype, v, dim, code[0], &scale[0]);
                mni_rows_get(&one, 0, v);
            }
        }
        memcpy(again, v, sizeof v);
        if (settle) mni_rows_settle(metric, dtype, again, dim, code[1], &scale[1], room);
        else mni_rows_encode(dtype, again, dim, code[1], &scale[1]);
        n += memcmp(code[0], code[1], dim * mni_dtype_bytes(dtype)) != 0 ||
             (dtype == MNI_I8 && scale[0] != scale[1]);
        if (settle) CHECK(memcmp(v, again, dim * sizeof *v) == 0);
    }
    return n;
}

static void settled_rows_stay(void)
{
    static const uint32_t dims[] = { 1, 2, 3, 8, 24, 64, 130 };
    long plain = 0;
    for (size_t d = 0; d < sizeof dims / sizeof *dims; d++)
        for (uint32_t metric = MANN_L2; metric <= MANN_COSINE; metric++) {
            CHECK_EQ(unstable((mann_metric)metric, MNI_F16, dims[d], 1), 0);
            CHECK_EQ(unstable((mann_metric)metric, MNI_I8, dims[d], 1), 0);
            plain += unstable((mann_metric)metric, MNI_F16, dims[d], 0);
            plain += unstable((mann_metric)metric, MNI_I8, dims[d], 0);
        }
    CHECK(plain > 0);           /* or these rows would show nothing */
}

/* --- in a gallery ------------------------------------------------------------------- */

typedef struct copy { float *v; uint64_t *ids; size_t n; } copy;

static int take(void *user, const mann_record *r)
{
    copy *c = user;
    CHECK(c->n < MANY);
    c->ids[c->n] = r->id;
    memcpy(c->v + c->n++ * DIM, r->vector, DIM * sizeof *c->v);
    return 0;
}

static copy all_of(mni_gallery *g)
{
    copy c = { mni_alloc(MANY, DIM * sizeof(float)), mni_alloc(MANY, sizeof(uint64_t)),
               0 };
    CHECK(c.v && c.ids);
    CHECK_OK(mni_gallery_each(g, take, &c, NULL));
    CHECK_EQ(c.n, MANY);
    return c;
}

/* Every vector is, bit for bit, what it was; rows may have changed places. */
static void check_same(mni_gallery *g, const copy *was)
{
    copy is = all_of(g);
    for (size_t i = 0; i < MANY; i++) {
        CHECK(is.ids[i] < MANY);
        CHECK(memcmp(was->v + is.ids[i] * DIM, is.v + i * DIM, DIM * sizeof *is.v) == 0);
    }
    mni_free(is.v);
    mni_free(is.ids);
}

static void vectors_outlive_every_change(void)
{
    for (uint32_t store = MANN_STORE_F32; store <= MANN_STORE_INT8; store++) {
        mni_vfs_mem *mem;
        mni_gallery *g, *other;
        mann_error e = { MANN_OK, "" };
        mann_gallery_config c = gallery_config(MANN_COSINE, (mann_store)store);
        CHECK_OK(mni_vfs_mem_new(&mem, NULL));
        const mni_vfs *v = mni_vfs_mem_vfs(mem);
        CHECK_FINE(mni_gallery_create(&g, v, "g", &c, &e), e);
        mni_new_row *rows = mni_alloc(MANY, sizeof *rows);
        float *vectors = mni_alloc(MANY, DIM * sizeof *vectors);
        CHECK(rows && vectors);
        for (uint32_t i = 0; i < MANY; i++) {
            draw(i, DIM, vectors + i * DIM);
            rows[i] = (mni_new_row){ .vector = vectors + i * DIM, .klass = "one" };
        }
        CHECK_FINE(mni_gallery_add(g, rows, MANY, NULL, &e), e);
        copy was = all_of(g);
        CHECK_FINE(mni_gallery_build(g, NULL, "Flat", 0, NULL, NULL, &e), e);
        check_same(g, &was);
        CHECK_FINE(mni_gallery_relabel(g, was.ids, MANY, "two", &e), e);
        check_same(g, &was);
        mni_gallery_free(g);
        CHECK_FINE(mni_gallery_open(&g, v, "g", MANN_OPEN_WRITE, &e), e);
        check_same(g, &was);
        CHECK_FINE(mni_gallery_build(g, NULL, NULL, 0, NULL, NULL, &e), e);
        check_same(g, &was);
        /* out as floats and in again, as export and import do */
        CHECK_FINE(mni_gallery_create(&other, v, "o", &c, &e), e);
        for (uint32_t i = 0; i < MANY; i++)
            rows[i] = (mni_new_row){ .vector = was.v + i * DIM, .id = was.ids[i],
                                     .has_id = 1 };
        CHECK_FINE(mni_gallery_add(other, rows, MANY, NULL, &e), e);
        check_same(other, &was);
        CHECK_FINE(mni_gallery_build(other, NULL, NULL, 0, NULL, NULL, &e), e);
        check_same(other, &was);
        mni_gallery_free(other);
        mni_gallery_free(g);
        mni_vfs_mem_free(mem);
        mni_free(rows);
        mni_free(vectors);
        mni_free(was.v);
        mni_free(was.ids);
    }
}

const test_case round_tests[];
const test_case round_tests[] = {
    { "settled_rows_stay", settled_rows_stay, 0 },
    { "vectors_outlive_every_change", vectors_outlive_every_change, 0 },
    { 0 }
};
