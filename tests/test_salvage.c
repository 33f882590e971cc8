/* test_salvage.c - repair, with the damage at every place in turn: the file ends at any
 * byte, any byte is another, any run of bytes is zeros. What is whole is saved and equal
 * to what it was; one bad byte costs one record, one path, or a name or two.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "gallery_help.h"
#include "harness.h"
#include "kern/crc32c.h"
#include "nn/model.h"
#include "store/disk.h"

enum { ROWS = 12, CLASSES = 3 };

/* A gallery of ROWS records whose content hash says what each must be. */
typedef struct kind {
    mann_store store;
    const char *index;
    int model;                          /* carries one: vectors are as long as it makes */
} kind;

static const kind kinds[] = {
    { MANN_STORE_F32, "HNSW3", 0 }, { MANN_STORE_INT8, "Flat", 0 },
    { MANN_STORE_F16, "IVF2,Flat", 0 }, { MANN_STORE_INT8, "Flat", 1 },
};

typedef struct world {
    mni_vfs_mem *mem;
    const mni_vfs *v;
    uint8_t *file;                      /* owned: the sound file */
    size_t n;
    uint64_t vectors_at, vector_bytes, model_end;
    float *rows;                        /* owned: vectors by content hash - 1 */
    uint32_t dim;
} world;

typedef struct seen { const world *w; uint64_t n, paths, names; } seen;

static int look(void *user, const mann_record *r)
{
    seen *s = user;
    char klass[32], source[64];
    CHECK(r->content_hash >= 1 && r->content_hash <= ROWS);
    const uint32_t i = (uint32_t)r->content_hash - 1;
    snprintf(klass, sizeof klass, "class-%u", (unsigned)(i % CLASSES));
    snprintf(source, sizeof source, "%s/photo %u.png", klass, (unsigned)i);
    CHECK_EQ(r->id, i);
    CHECK_EQ(r->time, 1000 + i);
    CHECK(memcmp(r->vector, s->w->rows + (size_t)i * s->w->dim,
                 s->w->dim * sizeof(float)) == 0);
    CHECK(strcmp(r->source, source) == 0 || !*r->source);
    CHECK(strcmp(r->class_name, klass) == 0 ||
          strncmp(r->class_name, "lost-class-", 11) == 0);
    s->paths += !*r->source;
    s->n++;
    return 0;
}

static int keep_vectors(void *user, const mann_record *r)
{
    world *w = user;
    memcpy(w->rows + (size_t)(r->content_hash - 1) * w->dim, r->vector,
           w->dim * sizeof(float));
    return 0;
}

static void find_places(world *w)
{
    mni_reader *r;
    mni_section s;
    CHECK_OK(mni_reader_open_bytes(&r, w->file, w->n, "g", 0, NULL));
    CHECK(mni_reader_find(r, "VECS", &s));
    w->vectors_at = (uint64_t)((const uint8_t *)s.data - w->file);
    w->vector_bytes = s.n_bytes / ROWS;
    w->model_end = w->n;
    if (mni_reader_find(r, "MODL", &s))
        w->model_end = (uint64_t)((const uint8_t *)s.data - w->file) + s.n_bytes;
    mni_reader_free(r);
}

static mann_status make(world *w, const kind *k, mann_error *err)
{
    mni_gallery *g;
    mni_model *m = NULL;
    mann_gallery_config c;
    *w = (world){ .dim = DIM };
    CHECK_OK(mni_vfs_mem_new(&w->mem, NULL));
    w->v = mni_vfs_mem_vfs(w->mem);
    mann_gallery_config_fill(&c, sizeof c);
    if (k->model) {
        CHECK_OK(mann_model_new(&m, "pixels", 0, 0, NULL));
        w->dim = mni_model_shape_of(m).dim;
        c.model = m;
        c.embed_model = 1;
    }
    c.metric = MANN_COSINE;
    c.store = (uint32_t)k->store;
    c.dim = w->dim;
    w->rows = mni_alloc(ROWS, w->dim * sizeof *w->rows);
    CHECK(w->rows);
    MNI_TRY(mni_gallery_create(&g, w->v, "g", &c, err));
    for (uint32_t i = 0; i < ROWS; i++) {
        char klass[32], source[64];
        mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 31, i, 0);
        float *v = w->rows + (size_t)i * w->dim;
        for (uint32_t d = 0; d < w->dim; d++) v[d] = mni_rng_normal(&r);
        snprintf(klass, sizeof klass, "class-%u", (unsigned)(i % CLASSES));
        snprintf(source, sizeof source, "%s/photo %u.png", klass, (unsigned)i);
        const mni_new_row row = { .klass = klass, .source = source, .vector = v,
                                  .content_hash = i + 1, .time = 1000 + i };
        MNI_TRY(mni_gallery_add(g, &row, 1, NULL, err));
    }
    MNI_TRY(mni_gallery_build(g, NULL, k->index, MNI_MEASURE_NO, NULL, NULL, err));
    MNI_TRY(mni_gallery_each(g, keep_vectors, w, err));
    mni_gallery_free(g);
    mni_model_free(m);
    MNI_TRY(mni_read_file(w->v, "g", 1 << 24, &w->file, &w->n, err));
    find_places(w);
    return MANN_OK;
}

static void end(world *w)
{
    mni_free(w->file);
    mni_free(w->rows);
    mni_vfs_mem_free(w->mem);
}

/* Repairs the file of these bytes; what is saved must be true. */
static mann_status repair(const world *w, const uint8_t *bytes, size_t n,
                          mann_repair_report *r)
{
    mann_error e = { MANN_OK, "" };
    mni_gallery *g;
    *r = (mann_repair_report){ .n_saved = 0 };
    CHECK_OK(mni_replace_file(w->v, "bad", bytes, n, NULL));
    w->v->ops->remove(w->v, "saved", NULL);
    const mann_status s = mni_gallery_repair(w->v, "bad", "saved", NULL, NULL, NULL, r,
                                             &e);
    if (s != MANN_OK) {
        CHECK(strstr(e.text, "bad:") == e.text && strlen(e.text) > 20);
        return s;
    }
    seen what = { .w = w };
    CHECK_FINE(mni_gallery_open(&g, w->v, "saved", MANN_OPEN_READ, &e), e);
    CHECK_FINE(mni_gallery_verify(g, NULL, &e), e);
    CHECK_OK(mni_gallery_each(g, look, &what, NULL));
    CHECK_EQ(what.n, r->n_saved);
    CHECK_EQ(what.paths, r->n_paths_lost);
    CHECK_EQ(r->n_saved + r->n_lost, ROWS);
    mni_gallery_free(g);
    return s;
}

/* Cut at any byte: all records whose vector is there, with path and class; a sentence
 * when there is none. The model as soon as it is whole. */
static void every_truncation_saves_what_is_whole(void)
{
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        world w;
        mann_error e = { MANN_OK, "" };
        mann_repair_report r;
        CHECK_FINE(make(&w, &kinds[k], &e), e);
        const size_t step = kinds[k].model ? 61 : 1;    /* 4096, where MODL begins */
        for (size_t n = 0; n < w.n; n += n < 4096 ? 97 : step) {
            uint64_t whole =
                n < w.vectors_at ? 0 : (n - w.vectors_at) / w.vector_bytes;
            if (whole > ROWS) whole = ROWS;
            const mann_status s = repair(&w, w.file, n, &r);
            if (whole == 0) {
                CHECK_IS(s, MANN_E_FORMAT);
                continue;
            }
            CHECK_OK(s);
            CHECK_EQ(r.n_saved, whole);
            CHECK_EQ(r.n_paths_lost, 0);
            CHECK_EQ(r.n_names_lost, 0);
            CHECK_EQ(r.model_lost, kinds[k].model && n < w.model_end);
        }
        end(&w);
    }
}

/* Nothing that one byte can do costs more than what it stands in. */
static void one_bad_byte_costs_little(void)
{
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        world w;
        mann_error e = { MANN_OK, "" };
        mann_repair_report r;
        uint64_t lost = 0, paths = 0, names = 0;
        CHECK_FINE(make(&w, &kinds[k], &e), e);
        for (size_t at = 0; at < w.n; at++) {
            /* padding and what is derived: not every byte */
            if (at % 13 && ((at >= 256 && at < 4096) || at >= w.vectors_at)) continue;
            if (kinds[k].model && at % 7) continue;
            w.file[at] ^= (uint8_t)(1u << at % 8);
            CHECK_OK(repair(&w, w.file, w.n, &r));
            CHECK(r.n_lost <= 1 && r.n_paths_lost <= 1 && r.n_names_lost <= 2);
            CHECK(r.n_lost + r.n_paths_lost <= 1);
            CHECK(!r.model_lost || (at > w.vectors_at && at < w.model_end));
            lost += r.n_lost;
            paths += r.n_paths_lost;
            names += r.n_names_lost;
            w.file[at] ^= (uint8_t)(1u << at % 8);
        }
        CHECK(lost > 0 && paths > 0 && names > 0);
        end(&w);
    }
}

/* A page of zeros anywhere: the frame may be lost, both copies of META are not. */
static void a_page_of_zeros_is_survived(void)
{
    enum { PAGE = 4096 };
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        world w;
        mann_error e = { MANN_OK, "" };
        mann_repair_report r;
        uint8_t kept[PAGE];
        CHECK_FINE(make(&w, &kinds[k], &e), e);
        for (size_t at = 0; at < w.n; at += PAGE) {
            const size_t n = w.n - at < PAGE ? w.n - at : PAGE;
            memcpy(kept, w.file + at, n);
            memset(w.file + at, 0, n);
            CHECK_OK(repair(&w, w.file, w.n, &r));
            if (at == 0) CHECK_EQ(r.n_saved, ROWS);     /* header and META */
            if (at > w.vectors_at + ROWS * w.vector_bytes) CHECK_EQ(r.n_saved, ROWS);
            memcpy(w.file + at, kept, n);
        }
        end(&w);
    }
}

/* Other files than damaged galleries are told as what they are. */
static void another_file_is_not_mistaken(void)
{
    world w;
    mann_error e = { MANN_OK, "" };
    mann_repair_report r;
    CHECK_FINE(make(&w, &kinds[0], &e), e);
    mni_disk_header h;
    mni_model *m;
    mni_buf buf = { 0 };
    mni_writer *out;
    CHECK_OK(mann_model_new(&m, "pixels", 0, 0, NULL));
    CHECK_OK(mni_writer_new_buf(&out, &buf, MNI_FILE_MODEL, mni_uuid_from(1, 2), 0,
                                NULL));
    mni_model_write(m, out);
    CHECK_OK(mni_writer_finish(out, NULL));
    CHECK_IS(repair(&w, buf.bytes, buf.n_bytes, &r), MANN_E_FORMAT);
    CHECK_IS(repair(&w, buf.bytes, buf.n_bytes - 1, &r), MANN_E_FORMAT);
    CHECK_IS(repair(&w, (const uint8_t *)"hello", 5, &r), MANN_E_FORMAT);
    CHECK_IS(mni_gallery_repair(w.v, "nowhere", "saved", NULL, NULL, NULL, NULL, &e),
             MANN_E_NOT_FOUND);
    memcpy(&h, w.file, sizeof h);
    h.version = 77;                     /* written by a later program: not damaged */
    h.header_crc = mni_crc32c(0, &h, offsetof(mni_disk_header, header_crc));
    memcpy(w.file, &h, sizeof h);
    CHECK_IS(repair(&w, w.file, w.n, &r), MANN_E_VERSION);
    CHECK_IS(repair(&w, w.file, w.n - 1, &r), MANN_E_VERSION);
    mni_buf_fini(&buf);
    mni_model_free(m);
    end(&w);
}

static mann_status salvage_once(void *ctx)
{
    const world *w = ctx;
    mni_vfs_mem *mem;
    mann_error e = { MANN_OK, "" };
    MNI_TRY(mni_vfs_mem_new(&mem, &e));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    mann_status s = mni_replace_file(v, "bad", w->file, w->n - 1, &e);
    if (s == MANN_OK)
        s = mni_gallery_repair(v, "bad", "saved", NULL, NULL, NULL, NULL, &e);
    mni_vfs_mem_free(mem);
    return s;
}

static void memory_may_end_anywhere(void)
{
    world w;
    mann_error e = { MANN_OK, "" };
    CHECK_FINE(make(&w, &kinds[3], &e), e);
    test_oom(salvage_once, &w, 0);
    end(&w);
}

const test_case salvage_tests[] = {
    { "every_truncation_saves_what_is_whole", every_truncation_saves_what_is_whole, 0 },
    { "one_bad_byte_costs_little", one_bad_byte_costs_little, 0 },
    { "a_page_of_zeros_is_survived", a_page_of_zeros_is_survived, 0 },
    { "another_file_is_not_mistaken", another_file_is_not_mistaken, 0 },
    { "memory_may_end_anywhere", memory_may_end_anywhere, 0 },
    { 0 }
};
