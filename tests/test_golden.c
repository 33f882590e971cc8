/* test_golden.c - version 1 of the formats is frozen: what lies in tests/golden/ was
 * written by the first program that wrote it, must be written again byte by byte, and
 * must be read for ever. tests/bad/ has files that must be refused: the status that each
 * must give is the begin of its name. Run from the top folder.
 *
 * METRICANN_GOLDEN=tests/golden tests/run golden.made_anew writes the files instead of
 * comparing them: for a new kind, never to make a test green.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "golden_make.h"
#include "harness.h"
#include "index/bare.h"
#include "recog/gallery.h"
#include "store/pack.h"

#define FOLDER "tests/golden"

static mni_vfs_mem *new_disk(void)
{
    mni_vfs_mem *mem;
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    return mem;
}

static uint8_t *read_whole(const mni_vfs *v, const char *path, size_t *n)
{
    uint8_t *bytes;
    mann_error e = { MANN_OK, "" };
    CHECK_FINE(mni_read_file(v, path, 1 << 20, &bytes, n, &e), e);
    return bytes;
}

/* --- byte by byte ------------------------------------------------------------------- */

static void made_anew(void)
{
    mni_vfs_mem *mem = new_disk();
    const mni_vfs *v = mni_vfs_mem_vfs(mem), *disk = mni_vfs_posix();
    const char *out = getenv("METRICANN_GOLDEN");
    size_t sum = 0;
    golden_make(v);
    for (size_t i = 0; golden_files[i]; i++) {
        char path[600];
        size_t n, n_was, at = 0;
        uint8_t *is = read_whole(v, golden_files[i], &n);
        CHECK(n < 64 << 10);
        sum += n;
        snprintf(path, sizeof path, "%s/%s", out ? out : FOLDER, golden_files[i]);
        if (out) CHECK_OK(mni_replace_file(disk, path, is, n, NULL));
        uint8_t *was = read_whole(disk, path, &n_was);
        while (at < n && at < n_was && is[at] == was[at]) at++;
        if (at < n || at < n_was)
            test_fail(__FILE__, __LINE__, "%s: differs at byte %zu of %zu (was %zu)",
                      path, at, n, n_was);
        mni_free(is);
        mni_free(was);
    }
    CHECK(sum < 1 << 20);
    mni_vfs_mem_free(mem);
}

/* --- what they answer --------------------------------------------------------------- */

/* The golden files in memory: whoever opens one to write changes nothing that is kept. */
static void load(const mni_vfs *v)
{
    for (size_t i = 0; golden_files[i]; i++) {
        char path[600];
        size_t n;
        snprintf(path, sizeof path, FOLDER "/%s", golden_files[i]);
        uint8_t *bytes = read_whole(mni_vfs_posix(), path, &n);
        CHECK_OK(mni_replace_file(v, golden_files[i], bytes, n, NULL));
        mni_free(bytes);
    }
}

typedef struct stated {
    const char *path, *index;
    uint64_t rows, tail;
    uint32_t classes, metric, store;
    uint64_t nearest[4];                /* ids; of row 5 */
} stated;

static const stated galleries[] = {
    { "flat_f32.mann", "Flat", 17, 4, 5, MANN_L2, MANN_STORE_F32, { 5, 13, 17, 9 } },
    { "flat_f16.mann", "Flat", 17, 4, 5, MANN_COSINE, MANN_STORE_F16, { 5, 13, 17, 9 } },
    { "flat_int8.mann", "Flat", 17, 4, 5, MANN_COSINE, MANN_STORE_INT8,
      { 5, 13, 17, 9 } },
    { "hnsw.mann", "HNSW4", 48, 0, 4, MANN_L2, MANN_STORE_F32, { 5, 21, 25, 33 } },
    { "ivf.mann", "IVF4,Flat", 64, 0, 4, MANN_L2, MANN_STORE_F32, { 5, 21, 25, 33 } },
    { "pq.mann", "IVF4,PQ4", 64, 0, 4, MANN_L2, MANN_STORE_F32, { 5, 21, 25, 33 } },
};

static void check_class(mni_gallery *g, uint32_t klass, const char *want)
{
    char name[64];
    CHECK_OK(mni_gallery_class_name(g, klass, name, sizeof name, NULL));
    CHECK_STR(name, want);
}

static void ask(mni_gallery *g, const stated *s)
{
    float q[GOLDEN_DIM];
    mann_hit hits[4];
    mann_answer a;
    mann_search how;
    mann_error e = { MANN_OK, "" };
    golden_vector(5, GOLDEN_DIM, q);
    mann_search_fill(&how, sizeof how, 4);
    CHECK_FINE(mni_gallery_search(g, (mann_matrix){ q, 1, GOLDEN_DIM, 0 }, &how, NULL,
                                  hits, &a, &e), e);
    CHECK_EQ(a.n_hits, 4);
    for (int i = 0; i < 4; i++) CHECK_EQ(hits[i].id, s->nearest[i]);
    check_class(g, hits[0].klass, "class-1");
    if (s->store == MANN_STORE_F32) CHECK(hits[0].distance == 0.0f);
    CHECK(hits[0].distance < 0.01f);
}

/* What the journals say on top of the bases. */
static void check_changes(mni_gallery *g)
{
    char text[64];
    uint64_t id;
    CHECK_IS(mni_gallery_find_key(g, "key \xC3\xA4 99", &id, NULL), MANN_E_NOT_FOUND);
    CHECK_OK(mni_gallery_find_key(g, "key \xC3\xA4 98", &id, NULL));
    CHECK_EQ(id, 2);
    CHECK_OK(mni_gallery_find_key(g, "key \xC3\xA4 83", &id, NULL));
    CHECK_EQ(id, 17);
    CHECK_OK(mni_gallery_source(g, 4, text, sizeof text, NULL));
    CHECK_STR(text, "class-0/moved.png");
    CHECK_OK(mni_gallery_key(g, 3, text, sizeof text, NULL));
    CHECK_STR(text, "");
    CHECK_EQ(g->n_roots, 1);
    CHECK_STR(g->roots[0], "/photos");
    CHECK_EQ(g->next_id, 18);
}

static void galleries_answer(void)
{
    mni_vfs_mem *mem = new_disk();
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    load(v);
    for (size_t i = 0; i < sizeof galleries / sizeof *galleries; i++) {
        const stated *s = &galleries[i];
        mni_gallery *g;
        mann_gallery_info info;
        uint64_t id;
        mann_error e = { MANN_OK, "" };
        for (int round = 0; round < 2; round++) {       /* and after it was folded */
            CHECK_FINE(mni_gallery_open(&g, v, s->path, MANN_OPEN_WRITE, &e), e);
            CHECK_FINE(mni_gallery_verify(g, NULL, &e), e);
            CHECK_OK(mni_gallery_describe(g, &info, NULL));
            CHECK_STR(info.index, s->index);
            CHECK_EQ(info.n_rows, s->rows);
            CHECK_EQ(info.n_tail, round ? 0 : s->tail);
            CHECK_EQ(info.n_classes, s->classes);
            CHECK_EQ(info.metric, s->metric);
            CHECK_EQ(info.store, s->store);
            CHECK_OK(mni_gallery_find_key(g, "key \xC3\xA4 95", &id, NULL));
            CHECK_EQ(id, 5);
            ask(g, s);
            if (s->tail) check_changes(g);
            CHECK_FINE(mni_gallery_build(g, NULL, NULL, MNI_MEASURE_NO, NULL, NULL, &e),
                       e);
            mni_gallery_free(g);
        }
    }
    mni_vfs_mem_free(mem);
}

static void the_others_open(void)
{
    mni_vfs_mem *mem = new_disk();
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    mni_gallery *g;
    mann_model *m;
    mni_bare *ix;
    mni_pack *p;
    float q[GOLDEN_DIM], distance[2];
    uint64_t ids[2];
    uint8_t jpeg[4096];
    size_t n;
    mann_search how;
    mann_error e = { MANN_OK, "" };
    load(v);
    CHECK_FINE(mni_gallery_open(&g, v, "with_model.mann", MANN_OPEN_VERIFY, &e), e);
    CHECK(g->model && mni_model_shape_of(g->model).dim == mni_gallery_dim(g));
    CHECK_FINE(mann_gallery_thumb(g, 0, jpeg, sizeof jpeg, &n, &e), e);
    CHECK(n > 100 && jpeg[0] == 0xFF && jpeg[1] == 0xD8);
    mni_gallery_free(g);
    CHECK_FINE(mni_gallery_open(&g, v, "turns.mann", MANN_OPEN_VERIFY, &e), e);
    CHECK_EQ(mni_gallery_views(g), MANN_VIEW_FLIP | MANN_VIEW_TURNS);
    CHECK_EQ(mni_gallery_dim(g), 3072);
    CHECK(g->model && mni_model_shape_of(g->model).dim == 768);
    mni_gallery_free(g);
    CHECK_FINE(mann_model_open(&m, FOLDER "/model.mann", &e), e);
    CHECK_EQ(mann_model_dim(m), 768);
    mann_model_free(m);
    CHECK_FINE(mni_bare_open(&ix, v, "index.mann", MANN_OPEN_VERIFY, &e), e);
    CHECK_STR(mni_bare_spec(ix), "HNSW4");
    golden_vector(5, GOLDEN_DIM, q);
    mann_search_fill(&how, sizeof how, 2);
    CHECK_FINE(mni_bare_query(ix, (mann_matrix){ q, 1, GOLDEN_DIM, 0 }, &how, NULL, ids,
                              distance, &e), e);
    CHECK_EQ(ids[0], 1015);
    CHECK_EQ(ids[1], 1039);
    CHECK(distance[0] == 0.0f && distance[1] == 2920.0f);
    mni_bare_free(ix);
    CHECK_FINE(mni_pack_open(&p, v, "pack.mann", &e), e);
    CHECK_FINE(mni_pack_verify(p, &e), e);
    CHECK_EQ(mni_pack_n_photos(p), 3);
    CHECK_STR(mni_pack_class(p, 1), "bee");
    CHECK_STR(mni_pack_at(p, 1).path, "bee/1 2.png");
    mni_pack_free(p);
    mni_vfs_mem_free(mem);
}

/* --- what must be refused ----------------------------------------------------------- */

static mann_status status_named(const char *name)
{
    static const struct { const char *word; mann_status s; } all[] = {
        { "MANN_E_FORMAT.", MANN_E_FORMAT },     { "MANN_E_VERSION.", MANN_E_VERSION },
        { "MANN_E_MISMATCH.", MANN_E_MISMATCH }, { "MANN_E_LIMIT.", MANN_E_LIMIT },
        { "MANN_E_UNSUPPORTED.", MANN_E_UNSUPPORTED },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strncmp(name, all[i].word, strlen(all[i].word)) == 0) return all[i].s;
    return MANN_OK;
}

static int open_bad(void *ctx, const char *name)
{
    char path[600];
    mann_gallery *g;
    mann_error e = { MANN_OK, "" };
    const mann_status want = status_named(name);
    if (want == MANN_OK || !mni_text_ends(name, ".mann")) return 0;
    snprintf(path, sizeof path, "tests/bad/%s", name);
    const mann_status is = mann_gallery_open(&g, path, MANN_OPEN_VERIFY, &e);
    if (is != want)
        test_fail(__FILE__, __LINE__, "%s: %s: %s", path, mann_status_name(is), e.text);
    CHECK(g == NULL);
    if (!strstr(e.text, name) || strlen(e.text) < strlen(path) + 10)
        test_fail(__FILE__, __LINE__, "%s: \"%s\" does not say what is wrong", path,
                  e.text);
    ++*(int *)ctx;
    return 0;
}

static void bad_files_are_refused_by_name(void)
{
    int n = 0;
    mann_error e = { MANN_OK, "" };
    const mni_vfs *v = mni_vfs_posix();
    CHECK_FINE(v->ops->list(v, "tests/bad", open_bad, &n, &e), e);
    CHECK(n >= 12);
}

const test_case golden_tests[];
const test_case golden_tests[] = {
    { "made_anew", made_anew, 0 },
    { "galleries_answer", galleries_answer, 0 },
    { "the_others_open", the_others_open, 0 },
    { "bad_files_are_refused_by_name", bad_files_are_refused_by_name, 0 },
    { 0 }
};
