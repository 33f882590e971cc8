/* test_recall.c - an index that is sound and wrong: every link within, every row
 * reachable, every checksum right, and the nearest rows are not found. verify passes it;
 * measuring the recall does not. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "gallery_help.h"
#include "harness.h"
#include "index/hnsw.h"

enum { CLASSES = 400, VIEWS = 3 };

/* `from` once more as `to`, with the bytes of one section replaced: checksums are made
 * anew, so that the file is whole. */
static void forge(const mni_vfs *v, const char *from, const char *to, const char *tag,
                  const void *bytes)
{
    mni_reader *r;
    mni_writer *w;
    mni_section s;
    char name[5];
    mann_error e = { MANN_OK, "" };
    CHECK_FINE(mni_reader_open(&r, v, from, 0, &e), e);
    CHECK_FINE(mni_writer_new(&w, v, to, MNI_FILE_GALLERY, mni_reader_uuid(r),
                              mni_reader_generation(r), &e), e);
    for (uint32_t i = 0; mni_reader_at(r, i, name, &s); i++)
        mni_writer_section(w, name, s.dtype,
                           (uintptr_t)s.data % MNI_ALIGN_PAGE ? MNI_ALIGN_SECTION
                                                              : MNI_ALIGN_PAGE,
                           strcmp(name, tag) == 0 ? bytes : s.data, (size_t)s.n_bytes);
    CHECK_FINE(mni_writer_finish(w, &e), e);
    mni_reader_free(r);
}

static mni_section section_of(const mni_vfs *v, const char *path, const char *tag,
                              mni_reader **r)
{
    mni_section s;
    CHECK_OK(mni_reader_open(r, v, path, 0, NULL));
    CHECK(mni_reader_find(*r, tag, &s));
    return s;
}

/* Links of level 0 that lead from each node to the next ones: a ring. Nobody is lost. */
static void ring(const mni_vfs *v, uint32_t n)
{
    mni_reader *r;
    const mni_section s = section_of(v, "g", "HNLK", &r);
    const uint32_t degree = (uint32_t)(s.count / n);
    uint32_t *links = mni_alloc((size_t)s.count, sizeof *links);
    CHECK(links && degree >= 4 && s.count == (uint64_t)n * degree);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t d = 0; d < degree; d++)
            links[(size_t)i * degree + d] = (i + d + 1) % n;
    mni_reader_free(r);
    forge(v, "g", "bad", "HNLK", links);
    mni_free(links);
}

static mann_recall measured(const mni_vfs *v, const char *path, mni_pool *pool)
{
    mni_gallery *g;
    mann_recall found, again;
    mann_error e = { MANN_OK, "" };
    CHECK_FINE(mni_gallery_open(&g, v, path, MANN_OPEN_READ | MANN_OPEN_VERIFY, &e), e);
    CHECK_FINE(mni_gallery_verify(g, NULL, &e), e);
    CHECK_FINE(mni_gallery_recall(g, 300, 10, pool, &found, &e), e);
    CHECK_FINE(mni_gallery_recall(g, 300, 10, NULL, &again, &e), e);
    CHECK(found.recall == again.recall && found.low == again.low);
    CHECK(found.high == again.high && found.n_rows == again.n_rows);
    CHECK(found.value == again.value && strcmp(found.knob, again.knob) == 0);
    CHECK(found.low <= found.recall && found.recall <= found.high);
    CHECK_EQ(found.n_rows, 300);
    mni_gallery_free(g);
    return found;
}

static void a_wrong_index_is_found_out(void)
{
    mni_vfs_mem *mem;
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    CHECK_FINE(gallery_make(&g, v, "g", MANN_STORE_F32, CLASSES, VIEWS, &e), e);
    CHECK_FINE(mni_gallery_build(g, NULL, "HNSW8", MNI_MEASURE_NO, NULL, NULL, &e), e);
    mni_gallery_free(g);
    const mann_recall good = measured(v, "g", NULL);
    CHECK(good.recall > 0.97 && strcmp(good.knob, "ef") == 0);
    ring(v, CLASSES * VIEWS);
    const mann_recall bad = measured(v, "bad", NULL);   /* verify has nothing to say */
    CHECK(bad.recall < 0.7 && bad.high < 0.9);
    mni_vfs_mem_free(mem);
}

/* Exact kinds find all, also with dead rows, a tail, and few or no rows. */
static void exact_is_exact(void)
{
    mni_vfs_mem *mem;
    mni_gallery *g;
    mann_recall r;
    size_t gone;
    mann_error e = { MANN_OK, "" };
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    CHECK_FINE(gallery_make(&g, v, "g", MANN_STORE_INT8, 0, 0, &e), e);
    CHECK_FINE(mni_gallery_recall(g, 0, 10, NULL, &r, &e), e);
    CHECK(r.n_rows == 0 && r.recall == 1);
    for (uint32_t k = 0; k < 40; k++) CHECK_FINE(gallery_add_view(g, k, 0, NULL, &e), e);
    CHECK_FINE(mni_gallery_build(g, NULL, "Flat", MNI_MEASURE_NO, NULL, NULL, &e), e);
    CHECK_FINE(mni_gallery_remove_class(g, "class-7", &gone, &e), e);
    CHECK_FINE(gallery_add_view(g, 50, 0, NULL, &e), e);
    CHECK_FINE(mni_gallery_recall(g, 0, 10, NULL, &r, &e), e);
    CHECK(r.n_rows == 39 && r.recall == 1 && r.low < 1 && r.high == 1 && !r.knob[0]);
    CHECK_FINE(mni_gallery_recall(g, 5, 100, NULL, &r, &e), e);
    CHECK(r.n_rows == 5 && r.k == 40 && r.recall == 1);
    mni_gallery_free(g);
    mni_vfs_mem_free(mem);
}

static mann_status measure_once(void *ctx)
{
    mann_recall r;
    mann_error e = { MANN_OK, "" };
    return mni_gallery_recall(ctx, 20, 5, NULL, &r, &e);
}

static void memory_may_end_anywhere(void)
{
    mni_vfs_mem *mem;
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    CHECK_FINE(gallery_make(&g, mni_vfs_mem_vfs(mem), "g", MANN_STORE_F32, 20, 2, &e), e);
    CHECK_FINE(mni_gallery_build(g, NULL, "HNSW4", MNI_MEASURE_NO, NULL, NULL, &e), e);
    test_oom(measure_once, g, 0);
    mni_gallery_free(g);
    mni_vfs_mem_free(mem);
}

const test_case recall_tests[] = {
    { "a_wrong_index_is_found_out", a_wrong_index_is_found_out, 0 },
    { "exact_is_exact", exact_is_exact, 0 },
    { "memory_may_end_anywhere", memory_may_end_anywhere, 0 },
    { 0 }
};
