/* golden_make.c - see golden_make.h. SPDX-License-Identifier: MIT */
#include "golden_make.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "harness.h"
#include "index/bare.h"
#include "recog/gallery.h"
#include "recog/thumbs.h"
#include "recog/views.h"
#include "store/pack.h"

/* Whole numbers round four corners: every sum of squares is exact, in whatever order it
 * is added, so that graphs and lists come out the same with and without vector
 * instructions. */
void golden_vector(uint32_t row, uint32_t dim, float *out)
{
    for (uint32_t d = 0; d < dim; d++)
        out[d] = (float)(256 * (row % 4 == d % 4) +
                         (row * 29 + d * 13 + row * row * (d + 3)) % 61);
}

static mann_status add(mni_gallery *g, uint32_t first, uint32_t n, uint32_t dim)
{
    mann_error e = { MANN_OK, "" };
    for (uint32_t i = first; i < first + n; i++) {
        char klass[32], source[64], key[32];
        float v[GOLDEN_MOST_DIM];
        golden_vector(i, dim, v);
        snprintf(klass, sizeof klass, "class-%u", (unsigned)(i % 4));
        snprintf(source, sizeof source, "%s/%u.png", klass, (unsigned)i);
        snprintf(key, sizeof key, "key \xC3\xA4 %u", (unsigned)(100 - i));
        const mni_new_row row = { .klass = i == 3 ? NULL : klass, .source = source,
                                  .key = i % 3 ? key : NULL, .vector = v,
                                  .content_hash = i + 1, .time = 1700000000 + i };
        CHECK_FINE(mni_gallery_add(g, &row, 1, NULL, &e), e);
    }
    return MANN_OK;
}

/* What a journal can hold, once each. */
static void change(mni_gallery *g, uint32_t n)
{
    mann_error e = { MANN_OK, "" };
    const uint64_t gone = 1, other = 2;
    const mni_moved moved = { .id = 4, .klass = "class-0",
                              .source = "class-0/moved.png" };
    add(g, n, 2, GOLDEN_DIM);
    CHECK_FINE(mni_gallery_remove(g, &gone, 1, NULL, &e), e);
    CHECK_FINE(mni_gallery_relabel(g, &other, 1, "renamed", &e), e);
    CHECK_FINE(mni_gallery_move(g, &moved, 1, &e), e);
    CHECK_FINE(mni_gallery_add_root(g, "/photos", &e), e);
}

static void gallery(const mni_vfs *v, const char *path, mann_metric metric,
                    mann_store store, const char *spec, uint32_t n, int journal)
{
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    mann_gallery_config c;
    mann_gallery_config_fill(&c, sizeof c);
    c.metric = (uint32_t)metric;
    c.store = (uint32_t)store;
    c.dim = GOLDEN_DIM;
    CHECK_FINE(mni_gallery_create(&g, v, path, &c, &e), e);
    add(g, 0, n, GOLDEN_DIM);
    CHECK_FINE(mni_gallery_build(g, NULL, spec, MNI_MEASURE_NO, NULL, NULL, &e), e);
    if (journal) change(g, n);
    mni_gallery_free(g);
}

/* The thumbnail model inside, and a thumbnail; photos looked at so. */
static void with_model(const mni_vfs *v, const char *path, uint32_t views)
{
    mni_gallery *g;
    mann_model *m;
    mann_error e = { MANN_OK, "" };
    mann_gallery_config c;
    mni_buf jpeg = { 0 };
    float row[GOLDEN_MOST_DIM];
    uint8_t grey[16 * 16 * 3];
    memset(grey, 128, sizeof grey);
    const mann_image im = { 16, 16, 3, grey };
    CHECK_FINE(mann_model_new(&m, "pixels", 0, 0, &e), e);
    mann_gallery_config_fill(&c, sizeof c);
    c.metric = MANN_COSINE;
    c.views = views;
    c.dim = mni_views_dim(views, mann_model_dim(m));
    CHECK(c.dim <= GOLDEN_MOST_DIM);
    c.model = m;
    CHECK_FINE(mni_gallery_create(&g, v, path, &c, &e), e);
    CHECK_FINE(mni_thumb_make(&jpeg, &im, 16, &e), e);
    golden_vector(7, c.dim, row);
    const mni_new_row seven = { .klass = "seven", .source = "seven/1.png", .vector = row,
                                .content_hash = 77, .thumb = jpeg.bytes,
                                .n_thumb = jpeg.n_bytes };
    CHECK_FINE(mni_gallery_add(g, &seven, 1, NULL, &e), e);
    CHECK_FINE(mni_gallery_build(g, NULL, "Flat", MNI_MEASURE_NO, NULL, NULL, &e), e);
    mni_gallery_free(g);
    mni_buf_fini(&jpeg);
    mann_model_free(m);
}

static void model(const mni_vfs *v, const char *path)
{
    mann_model *m;
    mann_error e = { MANN_OK, "" };
    mni_writer *w;
    CHECK_FINE(mann_model_new(&m, "pixels", 0, 0, &e), e);
    CHECK_FINE(mni_writer_new(&w, v, path, MNI_FILE_MODEL,
                              mni_uuid_from(0, mni_model_fingerprint(m)), 0, &e), e);
    mni_model_write(m, w);
    CHECK_FINE(mni_writer_finish(w, &e), e);
    mann_model_free(m);
}

static void bare(const mni_vfs *v, const char *path)
{
    mni_builder *b;
    mni_bare *ix;
    mann_error e = { MANN_OK, "" };
    float rows[GOLDEN_ROWS * GOLDEN_DIM];
    uint64_t ids[GOLDEN_ROWS];
    for (uint32_t i = 0; i < GOLDEN_ROWS; i++) {
        golden_vector(i, GOLDEN_DIM, rows + i * GOLDEN_DIM);
        ids[i] = 1000 + 3 * i;
    }
    CHECK_FINE(mni_builder_new(&b, "HNSW4", MANN_L2, GOLDEN_DIM, 1, &e), e);
    CHECK_FINE(mni_builder_add(b, ids, (mann_matrix){ rows, GOLDEN_ROWS, GOLDEN_DIM, 0 },
                               NULL, &e), e);
    CHECK_FINE(mni_builder_finish(&b, &ix, NULL, NULL, &e), e);
    CHECK_FINE(mni_bare_save(ix, v, path, &e), e);
    mni_bare_free(ix);
}

static void pack(const mni_vfs *v, const char *path)
{
    static const char *const classes[] = { "ant", "bee" };
    mni_pack_writer *w;
    mann_error e = { MANN_OK, "" };
    CHECK_FINE(mni_pack_new(&w, v, path, classes, 2, &e), e);
    CHECK_FINE(mni_pack_put(w, "ant/1.png", 0, "not a photo", 11, 1700000000, &e), e);
    CHECK_FINE(mni_pack_put(w, "bee/1 2.png", 1, "nor this", 8, 1700000001, &e), e);
    CHECK_FINE(mni_pack_put(w, "lone.png", MANN_NO_CLASS, "", 0, 1700000002, &e), e);
    CHECK_FINE(mni_pack_finish(w, &e), e);
}

const char *const golden_files[] = {
    "flat_f32.mann", "flat_f32.mann-journal", "flat_f16.mann", "flat_f16.mann-journal",
    "flat_int8.mann", "flat_int8.mann-journal", "hnsw.mann", "ivf.mann", "pq.mann",
    "with_model.mann", "turns.mann", "model.mann", "index.mann", "pack.mann", NULL
};

void golden_make(const mni_vfs *v)
{
    gallery(v, "flat_f32.mann", MANN_L2, MANN_STORE_F32, "Flat", GOLDEN_ROWS, 1);
    gallery(v, "flat_f16.mann", MANN_COSINE, MANN_STORE_F16, "Flat", GOLDEN_ROWS, 1);
    gallery(v, "flat_int8.mann", MANN_COSINE, MANN_STORE_INT8, "Flat", GOLDEN_ROWS, 1);
    gallery(v, "hnsw.mann", MANN_L2, MANN_STORE_F32, "HNSW4", 48, 0);
    gallery(v, "ivf.mann", MANN_L2, MANN_STORE_F32, "IVF4,Flat", 64, 0);
    gallery(v, "pq.mann", MANN_L2, MANN_STORE_F32, "IVF4,PQ4", 64, 0);
    with_model(v, "with_model.mann", 0);
    with_model(v, "turns.mann", MANN_VIEW_FLIP | MANN_VIEW_TURNS);
    model(v, "model.mann");
    bare(v, "index.mann");
    pack(v, "pack.mann");
}
