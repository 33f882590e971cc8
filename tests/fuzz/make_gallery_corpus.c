/* make_gallery_corpus.c - the first files of tests/fuzz/corpus/gallery: one small gallery
 * of every kind with a journal beside it, as fuzz_gallery.c has it. Run by `make
 * fuzz-gallery-corpus` after the format changed. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "../forge.h"
#include "base/mem.h"
#include "base/rng.h"
#include "recog/gallery.h"

enum { ROWS = 40, DIM = 8 };

static const struct { const char *name, *spec; mann_metric metric; mann_store store; }
    kinds[] = {
        { "flat", "Flat", MANN_COSINE, MANN_STORE_F32 },
        { "flat-l2", "Flat", MANN_L2, MANN_STORE_F16 },
        { "hnsw", "HNSW3,efc16", MANN_COSINE, MANN_STORE_F32 },
        { "hnsw-int8", "HNSW3,efc16", MANN_COSINE, MANN_STORE_INT8 },
        { "ivf", "IVF4,Flat", MANN_INNER, MANN_STORE_F32 },
        { "pq", "IVF2,PQ4", MANN_L2, MANN_STORE_F32 },
    };

static mann_status add(mni_gallery *g, uint32_t i, mann_error *err)
{
    char klass[24], source[40];
    float v[DIM];
    mni_rng r = mni_rng_at(1, MNI_FOR_TEST, 302, i, 0);
    for (int d = 0; d < DIM; d++) v[d] = mni_rng_normal(&r);
    snprintf(klass, sizeof klass, "c%u", (unsigned)(i % 9));
    snprintf(source, sizeof source, "%s/%u.png", klass, (unsigned)i);
    const mni_new_row row = { .klass = klass, .source = source, .vector = v,
                              .content_hash = i * 77 + 1, .time = i };
    return mni_gallery_add(g, &row, 1, NULL, err);
}

/* A base, and a journal with a record of every kind. */
static mann_status make(const mni_vfs *v, size_t kind, mann_error *err)
{
    mni_gallery *g;
    mann_gallery_config c;
    const uint64_t two[2] = { 3, 5 };
    const mni_moved moved = { 9, "c1", "c1/moved.png" };
    size_t gone;
    mann_gallery_config_fill(&c, sizeof c);
    c.metric = (uint32_t)kinds[kind].metric;
    c.store = (uint32_t)kinds[kind].store;
    c.dim = DIM;
    MNI_TRY(mni_gallery_create(&g, v, "g", &c, err));
    mann_status s = MANN_OK;
    for (uint32_t i = 0; i < ROWS && s == MANN_OK; i++) s = add(g, i, err);
    if (s == MANN_OK)
        s = mni_gallery_build(g, NULL, kinds[kind].spec, MNI_MEASURE_DUE, NULL, NULL,
                              err);
    for (uint32_t i = 0; i < 3 && s == MANN_OK; i++) s = add(g, ROWS + i, err);
    if (s == MANN_OK) s = mni_gallery_remove(g, two, 1, &gone, err);
    if (s == MANN_OK) s = mni_gallery_relabel(g, two + 1, 1, "renamed", err);
    if (s == MANN_OK) s = mni_gallery_move(g, &moved, 1, err);
    if (s == MANN_OK) s = mni_gallery_add_root(g, "/photos", err);
    mni_gallery_free(g);
    return s;
}

/* Records of the journal as fuzz_gallery.c reads them. */
static void put_journal(const uint8_t *file, size_t n, mni_buf *out)
{
    for (size_t at = 64; at + 16 <= n;) {
        const size_t n_bytes = mni_get32(file + at + 8);
        const uint8_t head[4] = { file[at + 4], file[at + 12], (uint8_t)n_bytes,
                                  (uint8_t)(n_bytes >> 8) };
        mni_buf_add(out, head, sizeof head);
        mni_buf_add(out, file + at + 16, n_bytes);
        at += 16 + (n_bytes + 7) / 8 * 8;
    }
}

static mann_status write_one(const char *folder, size_t kind, mann_error *err)
{
    mni_vfs_mem *memory;
    uint8_t *journal = NULL;
    char path[4096];
    size_t n, n_list;
    mni_buf out = { 0 }, records = { 0 };
    MNI_TRY(mni_vfs_mem_new(&memory, err));
    const mni_vfs *v = mni_vfs_mem_vfs(memory);
    mann_status s = make(v, kind, err);
    if (s == MANN_OK) s = mni_read_file(v, "g-journal", 1 << 20, &journal, &n, err);
    if (s == MANN_OK) {
        put_journal(journal, n, &records);
        uint8_t *list = forge_list(v, "g", &n_list);
        const uint8_t head[2] = { (uint8_t)records.n_bytes,
                                  (uint8_t)(records.n_bytes >> 8) };
        mni_buf_add(&out, head, 2);
        mni_buf_add(&out, records.bytes, records.n_bytes);
        mni_buf_add(&out, list, n_list);
        mni_free(list);
        snprintf(path, sizeof path, "%s/%s", folder, kinds[kind].name);
        s = mni_replace_file(mni_vfs_posix(), path, out.bytes, out.n_bytes, err);
        printf("%-12s %6zu bytes\n", kinds[kind].name, out.n_bytes);
    }
    mni_free(journal);
    mni_buf_fini(&out);
    mni_buf_fini(&records);
    mni_vfs_mem_free(memory);
    return s;
}

int main(int argc, char **argv)
{
    if (argc != 2) return 2;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        mann_error e = { MANN_OK, "" };
        if (write_one(argv[1], i, &e) == MANN_OK) continue;
        fprintf(stderr, "%s: %s\n", kinds[i].name, e.text);
        return 1;
    }
    return 0;
}
