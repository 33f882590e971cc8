/* test_damage.c - a small file of every kind, cut at every byte and with a bit of every
 * byte flipped: refused, with a sentence that names it. A journal: what counts before the
 * damage is there, nothing behind it. Repair has tests of its own (test_salvage.c), so
 * have packs (test_pack_damage.c) and checkpoints (a damaged one is passed over: train).
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "gallery_help.h"
#include "harness.h"
#include "index/bare.h"
#include "nn/model.h"

typedef mann_status (*open_fn)(const mni_vfs *v, const char *path, mann_error *err);

static mann_status open_gallery(const mni_vfs *v, const char *path, mann_error *err)
{
    mni_gallery *g;
    const mann_status s = mni_gallery_open(&g, v, path, MANN_OPEN_READ, err);
    mni_gallery_free(g);
    return s;
}

static mann_status open_index(const mni_vfs *v, const char *path, mann_error *err)
{
    mni_bare *ix;
    const mann_status s = mni_bare_open(&ix, v, path, MANN_OPEN_READ, err);
    mni_bare_free(ix);
    return s;
}

static mann_status open_model(const mni_vfs *v, const char *path, mann_error *err)
{
    mni_model *m;
    const mann_status s = mni_model_open(&m, v, path, err);
    mni_model_free(m);
    return s;
}

static void refused(const mni_vfs *v, open_fn open, const char *what,
                    const uint8_t *bytes, size_t n, size_t at)
{
    mann_error e = { MANN_OK, "" };
    CHECK_OK(mni_replace_file(v, "bad.mann", bytes, n, NULL));
    const mann_status s = open(v, "bad.mann", &e);
    if (s == MANN_OK || !strstr(e.text, "bad.mann") || strlen(e.text) < 15)
        test_fail(__FILE__, __LINE__, "%s, damaged at %zu: %s, \"%s\"", what, at,
                  mann_status_name(s), e.text);
}

/* The sound file opens; cut or changed anywhere (every `step`th byte, `bits` bits of
 * each) it does not. */
static void damage(const mni_vfs *v, const char *path, open_fn open, const char *what,
                   size_t step, int bits)
{
    uint8_t *bytes;
    size_t n;
    mann_error e = { MANN_OK, "" };
    CHECK_FINE(open(v, path, &e), e);
    CHECK_FINE(mni_read_file(v, path, 1 << 24, &bytes, &n, &e), e);
    for (size_t cut = 0; cut < n; cut += step) refused(v, open, what, bytes, cut, cut);
    for (size_t at = 0; at < n; at += step)
        for (int b = 0; b < bits; b++) {
            const uint8_t bit = (uint8_t)(1u << (at * 5 + (size_t)b) % 8);
            bytes[at] ^= bit;
            refused(v, open, what, bytes, n, at);
            bytes[at] ^= bit;
        }
    mni_free(bytes);
}

static void every_gallery(int bits)
{
    static const struct { const char *spec; mann_store store; } kinds[] = {
        { "Flat", MANN_STORE_F32 },  { "Flat", MANN_STORE_F16 },
        { "Flat", MANN_STORE_INT8 }, { "SQ8", MANN_STORE_F32 },
        { "HNSW3", MANN_STORE_F32 }, { "HNSW3,SQ4", MANN_STORE_INT8 },
        { "IVF3,Flat", MANN_STORE_F32 }, { "IVF2,PQ4", MANN_STORE_F32 },
    };
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        mni_vfs_mem *mem;
        mni_gallery *g;
        mann_error e = { MANN_OK, "" };
        CHECK_OK(mni_vfs_mem_new(&mem, NULL));
        const mni_vfs *v = mni_vfs_mem_vfs(mem);
        CHECK_FINE(gallery_make(&g, v, "g", kinds[k].store, 6, 3, &e), e);
        CHECK_FINE(mni_gallery_build(g, NULL, kinds[k].spec, MNI_MEASURE_NO, NULL, NULL,
                                     &e), e);
        mni_gallery_free(g);
        damage(v, "g", open_gallery, kinds[k].spec, 1, bits);
        mni_vfs_mem_free(mem);
    }
}

static void every_index(int bits)
{
    static const char *const specs[] = { "Flat",      "SQ8",      "HNSW3", "HNSW3,SQ8",
                                         "IVF3,Flat", "IVF2,PQ4", "OPQ4,IVF2,PQ4" };
    enum { ROWS = 40, WIDE = 8 };
    for (size_t k = 0; k < sizeof specs / sizeof *specs; k++) {
        mni_vfs_mem *mem;
        mni_builder *b;
        mni_bare *ix = NULL;
        float rows[ROWS * WIDE];
        uint64_t ids[ROWS];
        mann_error e = { MANN_OK, "" };
        mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 61, k, 0);
        for (int i = 0; i < ROWS * WIDE; i++) rows[i] = mni_rng_normal(&r);
        for (int i = 0; i < ROWS; i++) ids[i] = (uint64_t)i * 3;
        CHECK_OK(mni_vfs_mem_new(&mem, NULL));
        const mni_vfs *v = mni_vfs_mem_vfs(mem);
        CHECK_FINE(mni_builder_new(&b, specs[k], MANN_L2, WIDE, 1, &e), e);
        CHECK_FINE(mni_builder_add(b, ids, (mann_matrix){ rows, ROWS, WIDE, 0 }, NULL,
                                   &e), e);
        CHECK_FINE(mni_builder_finish(&b, &ix, NULL, NULL, &e), e);
        CHECK_FINE(mni_bare_save(ix, v, "i", &e), e);
        mni_bare_free(ix);
        mni_builder_free(b);
        damage(v, "i", open_index, specs[k], 1, bits);
        mni_vfs_mem_free(mem);
    }
}

static void every_model(int bits)
{
    static const char *const kinds[] = { "pixels", "micro@16" };
    for (size_t k = 0; k < 2; k++) {
        mni_vfs_mem *mem;
        mni_model *m;
        mni_writer *w;
        mann_error e = { MANN_OK, "" };
        CHECK_OK(mni_vfs_mem_new(&mem, NULL));
        const mni_vfs *v = mni_vfs_mem_vfs(mem);
        CHECK_FINE(mann_model_new(&m, kinds[k], k ? 8 : 0, 1, &e), e);
        CHECK_FINE(mni_writer_new(&w, v, "m", MNI_FILE_MODEL, mni_uuid_from(1, 2), 0, &e),
                   e);
        mni_model_write(m, w);
        CHECK_FINE(mni_writer_finish(w, &e), e);
        mni_model_free(m);
        damage(v, "m", open_model, kinds[k], k ? 9973 : 1, bits);  /* a megabyte: some */
        mni_vfs_mem_free(mem);
    }
}

static void galleries(void) { every_gallery(1); }
static void indexes(void) { every_index(1); }
static void models(void) { every_model(1); }
static void galleries_every_bit(void) { every_gallery(8); }
static void indexes_every_bit(void) { every_index(8); }
static void models_every_bit(void) { every_model(8); }

/* --- a gallery whose journal is damaged --------------------------------------------- */

enum { IN_BASE = 4, ADDED = 6 };

static int expect_next(void *user, const mann_record *r)
{
    uint32_t *n = user;
    if (r->content_hash != *n) return 1;        /* rows come in order, none left out */
    ++*n;
    return 0;
}

/* How many of the added rows are there, as a beginning of all of them. */
static uint32_t opened(const mni_vfs *v, unsigned flags)
{
    mni_gallery *g;
    uint32_t n = 0;
    mann_error e = { MANN_OK, "" };
    mann_gallery_info info = { .struct_size = sizeof info };
    CHECK_FINE(mni_gallery_open(&g, v, "g", flags, &e), e);
    CHECK_FINE(mni_gallery_verify(g, NULL, &e), e);
    CHECK_OK(mni_gallery_each(g, expect_next, &n, NULL));
    CHECK_OK(mni_gallery_describe(g, &info, NULL));
    CHECK_EQ(info.n_rows, n);
    mni_gallery_free(g);
    CHECK(n >= IN_BASE);
    return n - IN_BASE;
}

static void add_rows(mni_gallery *g, uint32_t from, uint32_t to)
{
    mann_error e = { MANN_OK, "" };
    for (uint32_t i = from; i < to; i++) {
        float q[DIM];
        gallery_vector(i, 0, q);
        const mni_new_row row = { .klass = "k", .source = "k/1.png", .vector = q,
                                  .content_hash = i };
        CHECK_FINE(mni_gallery_add(g, &row, 1, NULL, &e), e);
    }
}

/* A reader and then the writer find the same; the writer goes on behind it. */
static void journals(void)
{
    mni_vfs_mem *mem;
    mni_gallery *g;
    uint8_t *bytes;
    size_t n, record;
    uint32_t seen[ADDED + 1] = { 0 };
    mann_error e = { MANN_OK, "" };
    mann_gallery_config c = gallery_config(MANN_COSINE, MANN_STORE_F32);
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    CHECK_FINE(mni_gallery_create(&g, v, "g", &c, &e), e);
    add_rows(g, 0, IN_BASE);
    CHECK_FINE(mni_gallery_build(g, NULL, "Flat", MNI_MEASURE_NO, NULL, NULL, &e), e);
    add_rows(g, IN_BASE, IN_BASE + ADDED);
    mni_gallery_free(g);
    CHECK_FINE(mni_read_file(v, "g-journal", 1 << 20, &bytes, &n, &e), e);
    record = (n - 64) / ADDED;
    CHECK_EQ(64 + record * ADDED, n);
    for (size_t at = 0; at < 2 * n; at++) {     /* cut at every byte, then flip one bit */
        const size_t place = at < n ? at : at - n;
        if (at >= n) bytes[place] ^= (uint8_t)(1u << place % 8);
        CHECK_OK(mni_replace_file(v, "g-journal", bytes, at < n ? place : n, NULL));
        if (at >= n) bytes[place] ^= (uint8_t)(1u << place % 8);
        const uint32_t there = opened(v, MANN_OPEN_READ);
        const uint32_t whole = place < 64 ? (at < n ? 0 : ADDED)
                                          : (uint32_t)((place - 64) / record);
        CHECK_EQ(there, whole);
        CHECK_EQ(opened(v, MANN_OPEN_WRITE), there);
        seen[there]++;
    }
    for (uint32_t i = 0; i <= ADDED; i++) CHECK(seen[i] > 0);
    mni_free(bytes);
    mni_vfs_mem_free(mem);
}

const test_case damage_tests[] = {
    { "galleries", galleries, 0 },
    { "indexes", indexes, 0 },
    { "models", models, 0 },
    { "journals", journals, 0 },
    { "galleries_every_bit", galleries_every_bit, 1 },
    { "indexes_every_bit", indexes_every_bit, 1 },
    { "models_every_bit", models_every_bit, 1 },
    { 0 }
};
