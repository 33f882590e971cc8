/* test_thumbs.c - thumbnails inside a gallery: they go where their records go, and
 * damage costs those that lie there and no other. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "gallery_help.h"
#include "harness.h"
#include "image/image.h"
#include "nn/model.h"
#include "recog/sheet.h"
#include "recog/thumbs.h"

enum { PHOTOS = 12, SIDE = 24 };

/* --- photos: pictures of noise, numbered by their content --------------------------- */

typedef struct shelf { uint32_t from, n; char text[32]; } shelf;

static const char *shelf_path(void *ctx, uint64_t i, const char **klass)
{
    static char paths[PHOTOS * 4][32], classes[PHOTOS * 4][16];
    const uint32_t p = ((const shelf *)ctx)->from + (uint32_t)i;
    snprintf(classes[p], sizeof classes[p], "c%u", (unsigned)p / 3);
    snprintf(paths[p], sizeof paths[p], "c%u/%u.ppm", (unsigned)p / 3, (unsigned)p);
    *klass = classes[p];
    return paths[p];
}

/* 40 x 20 pixels, so that they are made smaller. */
static mann_status shelf_read(void *ctx, uint64_t i, uint8_t **bytes, size_t *n_bytes,
                              uint64_t *mtime, mann_error *err)
{
    static const char head[] = "P6 40 20 255\n";
    const uint32_t p = ((const shelf *)ctx)->from + (uint32_t)i;
    mni_rng r = mni_rng_at(3, MNI_FOR_TEST, p, 0, 0);
    *n_bytes = sizeof head - 1 + 2400;
    *mtime = p;
    *bytes = mni_alloc(*n_bytes, 1);
    if (!*bytes) return mni_fail(err, MANN_E_NOMEM, "a file");
    memcpy(*bytes, head, sizeof head - 1);
    for (size_t k = sizeof head - 1; k < *n_bytes; k++)
        (*bytes)[k] = (uint8_t)(p * 5 + mni_rng_below(&r, 100));
    return MANN_OK;
}

static mann_status enrol(mni_gallery *g, uint32_t from, uint32_t n, uint32_t side,
                         mni_pool *pool, mann_error *err)
{
    shelf s = { .from = from, .n = n };
    const mni_photos photos = { .ctx = &s, .n = n, .path = shelf_path,
                                .read = shelf_read };
    g->thumb_side = side;
    return mni_gallery_enrol(g, &photos, pool, NULL, NULL, err);
}

static mann_status make(mni_gallery **g, const mni_vfs *v, const char *path,
                        mann_error *err)
{
    mni_model *m;
    mann_gallery_config c;
    MNI_TRY(mann_model_new(&m, "pixels", 0, 0, err));
    mann_gallery_config_fill(&c, sizeof c);
    c.metric = MANN_COSINE;
    c.dim = mni_model_shape_of(m).dim;
    c.model = m;
    const mann_status s = mni_gallery_create(g, v, path, &c, err);
    mni_model_free(m);
    return s;
}

/* --- what must hold ----------------------------------------------------------------- */

static uint8_t jpeg[MNI_MAX_THUMB];

/* The thumbnail of a record, decoded, against what its photo would give. */
static int has_thumb(mni_gallery *g, uint64_t id, uint32_t photo)
{
    size_t n;
    uint8_t *bytes;
    uint64_t time;
    shelf s = { .from = photo, .n = 1 };
    mann_image im;
    mni_buf want = { 0 };
    if (mni_gallery_thumb(g, id, jpeg, sizeof jpeg, &n, NULL) != MANN_OK) return 0;
    const size_t n_thumb = n;
    CHECK_OK(shelf_read(&s, 0, &bytes, &n, &time, NULL));
    CHECK_OK(mni_image_decode(&im, bytes, n, NULL, NULL));
    CHECK_OK(mni_thumb_make(&want, &im, SIDE, NULL));
    CHECK(want.n_bytes == n_thumb && memcmp(want.bytes, jpeg, n_thumb) == 0);
    mann_image_clear(&im);
    CHECK_OK(mni_image_decode(&im, jpeg, n_thumb, NULL, NULL));
    CHECK(im.width == SIDE && im.height == SIDE / 2);
    mann_image_clear(&im);
    mni_buf_fini(&want);
    mni_free(bytes);
    return 1;
}

typedef struct counted { mni_gallery *g; uint32_t n, with; } counted;

static int count_one(void *user, const mann_record *r)
{
    counted *c = user;
    c->n++;
    c->with += (uint32_t)has_thumb(c->g, r->id, (uint32_t)r->time);
    return 0;
}

static void check(mni_gallery *g, uint32_t n, uint32_t with)
{
    counted c = { .g = g };
    mann_error e = { MANN_OK, "" };
    CHECK_OK(mni_gallery_each(g, count_one, &c, NULL));
    if (c.n != n || c.with != with)
        test_fail(__FILE__, __LINE__, "%u records, %u with a thumbnail; wanted %u, %u",
                  (unsigned)c.n, (unsigned)c.with, (unsigned)n, (unsigned)with);
    CHECK_FINE(mni_gallery_verify(g, NULL, &e), e);
}

static int first_classes(void *user, const mann_record *r)
{
    (void)user;
    return r->class_name[1] < '2';
}

/* --- where they go ------------------------------------------------------------------ */

static void they_go_with_their_records(void)
{
    mni_vfs_mem *m;
    mni_gallery *g, *part, *other;
    mann_error e = { MANN_OK, "" };
    size_t n;
    const uint64_t third = 2;
    CHECK_OK(mni_vfs_mem_new(&m, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(m);
    CHECK_FINE(make(&g, v, "g", &e), e);
    CHECK_FINE(enrol(g, 0, PHOTOS, SIDE, NULL, &e), e);
    check(g, PHOTOS, PHOTOS);                                   /* in the tail */
    mni_gallery_free(g);
    CHECK_FINE(mni_gallery_open(&g, v, "g", MANN_OPEN_WRITE, &e), e);
    check(g, PHOTOS, PHOTOS);                                   /* out of the journal */
    CHECK_FINE(mni_gallery_build(g, NULL, "Flat", 0, NULL, NULL, &e), e);
    check(g, PHOTOS, PHOTOS);                                   /* in the base */
    CHECK_FINE(enrol(g, PHOTOS, 3, 0, NULL, &e), e);            /* these without */
    CHECK_FINE(mni_gallery_relabel(g, &third, 1, "other", &e), e);
    check(g, PHOTOS + 3, PHOTOS);
    const mni_moved away = { 5, "c9", "elsewhere.ppm" };
    CHECK_FINE(mni_gallery_move(g, &away, 1, &e), e);
    CHECK_FINE(mni_gallery_build(g, NULL, NULL, 0, NULL, NULL, &e), e);
    check(g, PHOTOS + 3, PHOTOS);
    CHECK_FINE(enrol(g, PHOTOS + 3, 3, SIDE, NULL, &e), e);     /* base and tail */
    check(g, PHOTOS + 6, PHOTOS + 3);

    CHECK_FINE(mni_gallery_copy(g, "part", first_classes, NULL, NULL, NULL, &e), e);
    CHECK_FINE(mni_gallery_open(&part, v, "part", MANN_OPEN_WRITE, &e), e);
    check(part, 4, 4);          /* of six, one is called "other" now, and one "c9" */
    CHECK_FINE(make(&other, v, "other", &e), e);
    CHECK_FINE(enrol(other, 20, 3, SIDE, NULL, &e), e);
    CHECK_FINE(mni_gallery_merge(part, other, NULL, NULL, &e), e);
    check(part, 7, 7);
    mni_gallery_free(other);
    mni_gallery_free(part);

    /* what is removed is gone after the fold, with its bytes */
    mann_gallery_info before, after;
    CHECK_OK(mni_gallery_describe(g, &before, NULL));
    CHECK_FINE(mni_gallery_remove_class(g, "c0", NULL, &e), e);
    CHECK_FINE(mni_gallery_build(g, NULL, NULL, 0, NULL, NULL, &e), e);
    CHECK_OK(mni_gallery_describe(g, &after, NULL));
    check(g, PHOTOS + 4, PHOTOS + 1);
    CHECK(before.n_thumbs == PHOTOS + 3 && after.n_thumbs == PHOTOS + 1);
    CHECK_FINE(enrol(g, PHOTOS, 3, SIDE, NULL, &e), e);         /* known, without one */
    check(g, PHOTOS + 4, PHOTOS + 4);
    CHECK_FINE(enrol(g, 30, 2, 0, NULL, &e), e);
    shelf late = { .from = 30, .n = 2 };
    mann_sync_report report;
    const mni_photos two = { .ctx = &late, .n = 2, .path = shelf_path,
                             .read = shelf_read };
    g->thumb_side = SIDE;
    CHECK_FINE(mni_gallery_sync(g, &two, 0, NULL, NULL, &report, &e), e);
    CHECK(report.n_present == 2 && report.n_added == 0);
    check(g, PHOTOS + 6, PHOTOS + 6);
    CHECK_IS(mni_gallery_thumb(g, 3, jpeg, 5, &n, &e), MANN_E_LIMIT);
    CHECK(n > 5);
    CHECK_IS(mni_gallery_thumb(g, 999, jpeg, 5, &n, &e), MANN_E_NOT_FOUND);
    mni_gallery_free(g);
    mni_vfs_mem_free(m);
}

/* Without them the file is what it was before they were thought of; the same bytes for
 * any number of threads. */
static void none_unless_wanted_and_the_same_bytes(void)
{
    mni_vfs_mem *m;
    uint64_t hash[3] = { 0 };
    mann_error e = { MANN_OK, "" };
    CHECK_OK(mni_vfs_mem_new(&m, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(m);
    for (uint32_t i = 0; i < 3; i++) {
        static const char *const names[] = { "a", "b", "c" };
        mni_gallery *g;
        mni_pool *pool;
        mni_section s;
        uint8_t *bytes;
        size_t n;
        CHECK_OK(mann_pool_new(&pool, i == 1 ? 3 : 1, NULL));
        CHECK_FINE(make(&g, v, names[i], &e), e);
        CHECK_FINE(enrol(g, 0, PHOTOS, i < 2 ? SIDE : 0, pool, &e), e);
        CHECK_FINE(mni_gallery_build(g, NULL, "Flat", 0, pool, NULL, &e), e);
        CHECK_EQ(mni_reader_find(g->state->base->reader, "THIX", &s), i < 2);
        CHECK_EQ(mni_reader_find(g->state->base->reader, "THMB", &s), i < 2);
        mni_gallery_free(g);
        CHECK_OK(mni_read_file(v, names[i], 1 << 24, &bytes, &n, NULL));
        hash[i] = mni_hash_bytes(bytes, n, 0);
        mni_free(bytes);
        mann_pool_free(pool);
    }
    CHECK(hash[0] == hash[1] && hash[0] != hash[2]);
    mni_vfs_mem_free(m);
}

static void from_elsewhere(void)
{
    mni_vfs_mem *m;
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    mni_buf good = { 0 };
    mann_image im;
    CHECK_OK(mni_vfs_mem_new(&m, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(m);
    CHECK_FINE(make(&g, v, "g", &e), e);
    CHECK_FINE(enrol(g, 0, 3, 0, NULL, &e), e);
    CHECK_OK(mni_image_new(&im, 8, 8, 3, NULL));
    CHECK_OK(mni_thumb_make(&good, &im, 16, NULL));
    mann_image_clear(&im);
    mann_thumb two[] = { { 0, good.bytes, good.n_bytes }, { 1, "nonsense", 8 } };
    CHECK_IS(mni_gallery_put_thumbs(g, two, 2, &e), MANN_E_FORMAT);
    two[1] = (mann_thumb){ 1, good.bytes, 10 };
    CHECK(mni_gallery_put_thumbs(g, two, 2, &e) != MANN_OK);
    two[1] = (mann_thumb){ 77, good.bytes, good.n_bytes };
    CHECK_IS(mni_gallery_put_thumbs(g, two, 2, &e), MANN_E_NOT_FOUND);
    size_t n;
    CHECK_IS(mni_gallery_thumb(g, 0, jpeg, sizeof jpeg, &n, &e), MANN_E_NOT_FOUND);
    two[1].id = 1;
    CHECK_FINE(mni_gallery_put_thumbs(g, two, 2, &e), e);
    CHECK_FINE(mni_gallery_put_thumbs(g, two, 2, &e), e);       /* again: nothing */
    mni_gallery_free(g);
    CHECK_FINE(mni_gallery_open(&g, v, "g", MANN_OPEN_READ, &e), e);
    CHECK_FINE(mni_gallery_thumb(g, 1, jpeg, sizeof jpeg, &n, &e), e);
    CHECK(n == good.n_bytes && memcmp(jpeg, good.bytes, n) == 0);
    CHECK_IS(mni_gallery_put_thumbs(g, two, 2, &e), MANN_E_READ_ONLY);
    mni_gallery_free(g);
    mni_buf_fini(&good);
    mni_vfs_mem_free(m);
}

static void sheets_show_them(void)
{
    mni_vfs_mem *m;
    uint64_t hash[2];
    mann_error e = { MANN_OK, "" };
    CHECK_OK(mni_vfs_mem_new(&m, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(m);
    for (int i = 0; i < 2; i++) {
        mni_gallery *g;
        mni_buf out = { 0 };
        const mann_hit hit = { .id = 4, .klass = MANN_NO_CLASS };
        const mann_sheet_row row = { "gone.png", &hit, 1, { .n_hits = 1 } };
        CHECK_FINE(make(&g, v, i ? "b" : "a", &e), e);
        CHECK_FINE(enrol(g, 0, PHOTOS, i ? SIDE : 0, NULL, &e), e);
        CHECK_FINE(mni_sheet_picture(g, &row, 1, 0, &out, &e), e);
        hash[i] = mni_hash_bytes(out.bytes, out.n_bytes, 0);
        mni_buf_fini(&out);
        mni_gallery_free(g);
    }
    CHECK(hash[0] != hash[1]);
    mni_vfs_mem_free(m);
}

/* --- damage ------------------------------------------------------------------------- */

static mann_status put_bytes(const mni_vfs *v, const char *path, const uint8_t *bytes,
                             size_t n)
{
    return mni_replace_file(v, path, bytes, n, NULL);
}

/* Every byte of both sections: repair loses one thumbnail, or in the index at most the
 * one entry, and never shows a wrong one. */
static void damage_costs_one(void)
{
    mni_vfs_mem *m;
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    CHECK_OK(mni_vfs_mem_new(&m, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(m);
    CHECK_FINE(make(&g, v, "g", &e), e);
    CHECK_FINE(enrol(g, 0, PHOTOS, SIDE, NULL, &e), e);
    CHECK_FINE(mni_gallery_build(g, NULL, "Flat", 0, NULL, NULL, &e), e);
    mni_gallery_free(g);
    uint8_t *file;
    size_t n;
    CHECK_OK(mni_read_file(v, "g", 1 << 24, &file, &n, NULL));
    for (int which = 0; which < 2; which++) {
        mni_reader *r;
        mni_section s;
        CHECK_OK(mni_reader_open_bytes(&r, file, n, "g", 0, NULL));
        CHECK(mni_reader_find(r, which ? "THMB" : "THIX", &s));
        const size_t at = (size_t)((const uint8_t *)s.data - file);
        const size_t len = (size_t)s.n_bytes;
        mni_reader_free(r);
        for (size_t b = 0; b < len; b += which ? 97 : 5) {
            mann_repair_report report;
            file[at + b] ^= (uint8_t)(1 + b % 255);
            CHECK_OK(put_bytes(v, "bad", file, n));
            CHECK(mni_gallery_open(&g, v, "bad", MANN_OPEN_READ, &e) != MANN_OK);
            CHECK_FINE(
                mni_gallery_repair(v, "bad", "good", NULL, NULL, NULL, &report, &e), e);
            CHECK(report.n_lost == 0 && report.n_saved == PHOTOS);
            CHECK_FINE(mni_gallery_open(&g, v, "good", MANN_OPEN_READ, &e), e);
            check(g, PHOTOS, PHOTOS - 1);
            mni_gallery_free(g);
            CHECK_OK(v->ops->remove(v, "good", NULL));
            file[at + b] ^= (uint8_t)(1 + b % 255);
        }
    }
    mni_free(file);
    mni_vfs_mem_free(m);
}

/* Every file operation fails in turn, and the power with it: a record that is there has
 * its thumbnail, since both are of one commit. */
static void record_and_thumbnail_are_one_change(void)
{
    for (long k = 0, done = 0; !done; k++) {
        mni_vfs_mem *m;
        mni_vfs_faulty f;
        mni_gallery *g;
        mann_error e = { MANN_OK, "" };
        counted c = { .n = 0 };
        CHECK_OK(mni_vfs_mem_new(&m, NULL));
        const mni_vfs *v = mni_vfs_mem_vfs(m);
        CHECK_FINE(make(&g, v, "g", &e), e);
        mni_gallery_free(g);
        mni_vfs_faulty_init(&f, v);
        f.fail_in = k;
        mann_status s = mni_gallery_open(&g, &f.vfs, "g", MANN_OPEN_WRITE, &e);
        if (s == MANN_OK) s = enrol(g, 0, 4, SIDE, NULL, &e);
        if (s == MANN_OK)
            s = mni_gallery_build(g, NULL, "Flat", MNI_MEASURE_NO, NULL, NULL, &e);
        done = f.n_counted <= k;
        mni_gallery_free(g);
        mni_vfs_mem_power_cut_torn(m, (uint64_t)k);
        CHECK(!done || s == MANN_OK);
        CHECK_FINE(mni_gallery_open(&g, v, "g", MANN_OPEN_READ, &e), e);
        c.g = g;
        CHECK_OK(mni_gallery_each(g, count_one, &c, NULL));
        CHECK(c.with == c.n && (c.n == 0 || c.n == 4) && (s != MANN_OK || c.n == 4));
        mni_gallery_free(g);
        mni_vfs_mem_free(m);
    }
}

static mann_status whole_life(void *ctx)
{
    mni_vfs_mem *m;
    mni_gallery *g = NULL;
    size_t n;
    (void)ctx;
    MNI_TRY(mni_vfs_mem_new(&m, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(m);
    mann_status s = make(&g, v, "g", NULL);
    if (s == MANN_OK) s = enrol(g, 0, 2, SIDE, NULL, NULL);
    if (s == MANN_OK) s = mni_gallery_build(g, NULL, "Flat", 0, NULL, NULL, NULL);
    if (s == MANN_OK) s = enrol(g, 2, 1, SIDE, NULL, NULL);
    if (s == MANN_OK) s = mni_gallery_thumb(g, 2, jpeg, sizeof jpeg, &n, NULL);
    mni_gallery_free(g);
    mni_vfs_mem_free(m);
    return s;
}

static void out_of_memory(void) { test_oom(whole_life, NULL, 0); }

const test_case thumbs_tests[] = {
    { "they_go_with_their_records", they_go_with_their_records, 0 },
    { "none_unless_wanted_and_the_same_bytes", none_unless_wanted_and_the_same_bytes, 0 },
    { "from_elsewhere", from_elsewhere, 0 },
    { "sheets_show_them", sheets_show_them, 0 },
    { "damage_costs_one", damage_costs_one, 0 },
    { "record_and_thumbnail_are_one_change", record_and_thumbnail_are_one_change, 0 },
    { "out_of_memory", out_of_memory, 0 },
    { NULL, NULL, 0 }
};
