/* test_storage.c - a data set out of a store of the caller's own: the example of
 * src/train/README.md, and stores that fail in every way.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "harness.h"
#include "os/vfs.h"

/* --- the example: photos in memory -------------------------------------------------- */

typedef struct shelf_photo {
    const char *path, *klass;
    const void *bytes;
    size_t n_bytes;
} shelf_photo;
typedef struct shelf { const shelf_photo *photos; size_t n; } shelf;

static mann_status shelf_list(void *user,
                              mann_status (*tell)(void *to, const mann_stored *photo),
                              void *to, mann_error *err)
{
    const shelf *s = user;
    mann_status status = MANN_OK;
    (void)err;
    for (size_t i = 0; i < s->n && status == MANN_OK; i++) {
        mann_stored one = { sizeof one, s->photos[i].path, s->photos[i].klass, i, 0 };
        status = tell(to, &one);
    }
    return status;
}

static mann_status shelf_read(void *user, const mann_stored *photo,
                              mann_status (*put)(void *to, const void *bytes, size_t n),
                              void *to, mann_error *err)
{
    const shelf *s = user;
    (void)err;
    return put(to, s->photos[photo->key].bytes, s->photos[photo->key].n_bytes);
}

static mann_status open_shelf(mann_dataset **out, shelf *s, mann_error *err)
{
    mann_storage store = { sizeof store, s, shelf_list, shelf_read, NULL, NULL };
    return mann_dataset_from_storage(out, &store, err);
}

/* --- like the folder it was taken from ---------------------------------------------- */

enum { CLASSES = 5, VIEWS = 3, N = CLASSES * VIEWS };

typedef struct world {
    shelf_photo photos[N];
    char paths[N][40], classes[N][20];
    uint8_t *bytes[N];
    char dir[400];
    shelf shelf;
} world;

/* Drawn into files, and the files' bytes laid on the shelf, in disorder. */
static void draw(world *w)
{
    const mni_vfs *v = mni_vfs_posix();
    mann_synth_config c;
    mann_synth_config_fill(&c, sizeof c);
    c.size = 24;
    snprintf(w->dir, sizeof w->dir, "%s/set", test_dir());
    CHECK_OK(v->ops->mkdir(v, w->dir, NULL));
    for (size_t i = 0; i < N; i++) {
        const size_t at = i * 7 % N;
        char full[512];
        mann_image im;
        shelf_photo *p = &w->photos[at];
        snprintf(w->classes[at], sizeof w->classes[at], "c%zu", i / VIEWS);
        snprintf(w->paths[at], sizeof w->paths[at], "c%zu/%zu.png", i / VIEWS, i % VIEWS);
        snprintf(full, sizeof full, "%s/%s", w->dir, w->classes[at]);
        CHECK_OK(v->ops->mkdir(v, full, NULL));
        snprintf(full, sizeof full, "%s/%s", w->dir, w->paths[at]);
        CHECK_OK(mann_synth_draw(&im, &c, i / VIEWS, i % VIEWS, NULL));
        CHECK_OK(mann_image_write_png(full, &im, NULL));
        mann_image_clear(&im);
        CHECK_OK(mni_read_file(v, full, 1 << 20, &w->bytes[at], &p->n_bytes, NULL));
        p->path = w->paths[at];
        p->klass = w->classes[at];
        p->bytes = w->bytes[at];
    }
    w->shelf = (shelf){ w->photos, N };
}

static void clear(world *w)
{
    for (size_t i = 0; i < N; i++) mni_free(w->bytes[i]);
}

typedef struct sums { uint64_t n; uint64_t hash; } sums;

static int add_up(void *user, const mann_record *r)
{
    sums *s = user;
    char text[200];
    snprintf(text, sizeof text, "%s|%s|%llu|%.9g|%.9g", r->class_name, r->source,
             (unsigned long long)r->content_hash, (double)r->vector[0],
             (double)r->vector[100]);
    s->n++;
    for (const char *c = text; *c; c++) s->hash = s->hash * 1099511628211u + (uint8_t)*c;
    return 0;
}

static sums enrol(const char *name, const mann_dataset *set, mann_pool *pool)
{
    char path[512];
    mann_gallery *g;
    mann_model *m;
    mann_gallery_config c;
    mann_error e = { MANN_OK, "" };
    sums s = { 0, 0 };
    mann_sync_report r = { .struct_size = sizeof r };
    CHECK_OK(mann_model_new(&m, "pixels", 0, 0, NULL));
    mann_gallery_config_fill(&c, sizeof c);
    c.model = m;
    c.dim = mann_model_dim(m);
    c.metric = MANN_COSINE;
    snprintf(path, sizeof path, "%s/%s.mann", test_dir(), name);
    CHECK_FINE(mann_gallery_create(&g, path, &c, &e), e);
    CHECK_FINE(mann_gallery_add_images(g, set, pool, NULL, NULL, &e), e);
    CHECK_FINE(mann_gallery_sync(g, set, MANN_SYNC_REMOVE, pool, NULL, &r, &e), e);
    CHECK(r.n_present == N && r.n_gone == 0 && r.n_added == 0);
    CHECK_OK(mann_gallery_each(g, add_up, &s, NULL));
    mann_gallery_free(g);
    mann_model_free(m);
    return s;
}

static void a_store_is_like_a_folder(void)
{
    world w = { .dir = "" };
    mann_dataset *folder, *stored, *packed;
    mann_pool *pool;
    mann_error e = { MANN_OK, "" };
    mann_pack_report r = { .struct_size = sizeof r };
    char path[512], out[512];
    draw(&w);
    CHECK_OK(mann_pool_new(&pool, 3, NULL));
    CHECK_FINE(mann_dataset_open(&folder, w.dir, NULL, &e), e);
    CHECK_FINE(open_shelf(&stored, &w.shelf, &e), e);
    CHECK_EQ(mann_dataset_n_images(stored), N);
    CHECK_EQ(mann_dataset_n_classes(stored), CLASSES);
    const sums a = enrol("a", folder, pool), b = enrol("b", stored, pool);
    CHECK(a.n == N && a.n == b.n && a.hash == b.hash);

    /* any data set can be packed, and written out as files */
    snprintf(path, sizeof path, "%s/s.mann", test_dir());
    CHECK_FINE(mann_dataset_pack(stored, path, NULL, &r, &e), e);
    CHECK(r.n_photos == N);
    CHECK_FINE(mann_dataset_open(&packed, path, NULL, &e), e);
    CHECK_FINE(mann_dataset_verify(packed, NULL, &e), e);
    const sums c = enrol("c", packed, pool);
    CHECK(c.n == N && c.hash == a.hash);
    snprintf(out, sizeof out, "%s/out", test_dir());
    CHECK_FINE(mann_dataset_unpack(stored, out, NULL, &r, &e), e);
    mann_dataset_free(packed);
    CHECK_FINE(mann_dataset_open(&packed, out, NULL, &e), e);
    CHECK_EQ(mann_dataset_n_images(packed), N);
    mann_dataset_free(packed);
    mann_dataset_free(stored);
    mann_dataset_free(folder);
    mann_pool_free(pool);
    clear(&w);
}

/* --- stores that misbehave ---------------------------------------------------------- */

typedef struct odd {
    int how;                    /* which mischief */
    int n_closed;
} odd;

static mann_status odd_list(void *user,
                            mann_status (*tell)(void *to, const mann_stored *photo),
                            void *to, mann_error *err)
{
    const odd *o = user;
    mann_stored one = { sizeof one, "c/1.png", "c", 1, 5 };
    switch (o->how) {
    case 0: return MANN_E_IO;                                   /* without a sentence */
    case 1: snprintf(err->text, sizeof err->text, "no connection"); return MANN_E_IO;
    case 2: return (mann_status)4711;
    case 3: one.path = ""; break;
    case 4: one.path = NULL; break;
    case 5: one.klass = ""; break;
    case 6: one.struct_size = 0; break;
    case 7: return MANN_OK;                                     /* nothing in it */
    case 8: one.struct_size = 0; tell(to, &one); return MANN_OK; /* does not look */
    default: break;
    }
    return tell(to, &one);
}

static mann_status odd_read(void *user, const mann_stored *photo,
                            mann_status (*put)(void *to, const void *bytes, size_t n),
                            void *to, mann_error *err)
{
    const odd *o = user;
    if (!photo->path || strcmp(photo->path, "c/1.png") != 0 || photo->key != 1)
        return MANN_E_ARG;
    switch (o->how) {
    case 10: snprintf(err->text, sizeof err->text, "row 1 is locked"); return MANN_E_IO;
    case 11: put(to, "x", (size_t)-2); return MANN_OK;          /* does not look */
    case 12: return (mann_status)-3;
    case 13: return MANN_OK;                                    /* an empty photo */
    default: break;
    }
    const mann_status s = put(to, "P6 2 1 255\n", 11);          /* in pieces */
    return s == MANN_OK ? put(to, "abcdef", 6) : s;
}

static mann_status odd_stat(void *user, const mann_stored *photo, uint64_t *n_bytes,
                            uint64_t *time, mann_error *err)
{
    const odd *o = user;
    (void)err;
    if (photo->time != 5 || *time != 5) return MANN_E_ARG;
    if (o->how == 14) return MANN_E_NOT_FOUND;
    *n_bytes = o->how == 15 ? UINT64_MAX : 17;
    return MANN_OK;
}

static void odd_close(void *user) { ((odd *)user)->n_closed++; }

static void stores_that_misbehave(void)
{
    static const struct { int how; mann_status open, read; const char *sentence; }
    cases[] = {
        { 0, MANN_E_IO, 0, "store: " },
        { 1, MANN_E_IO, 0, "store: no connection" },
        { 2, MANN_E_IO, 0, "store: " },
        { 3, MANN_E_ARG, 0, "without a path" },
        { 4, MANN_E_ARG, 0, "without a path" },
        { 5, MANN_E_ARG, 0, "without a name for its class" },
        { 6, MANN_E_ARG, 0, "struct_size 0" },
        { 7, MANN_E_NOT_FOUND, 0, "holds no photo" },
        { 8, MANN_E_ARG, 0, "struct_size 0" },
        { 9, MANN_OK, MANN_OK, "" },
        { 10, MANN_OK, MANN_E_IO, "c/1.png: row 1 is locked" },
        { 11, MANN_OK, MANN_E_LIMIT, "more than 1 GiB" },
        { 12, MANN_OK, MANN_E_IO, "c/1.png: " },
        { 13, MANN_OK, MANN_E_FORMAT, "" },
        { 14, MANN_OK, MANN_E_NOT_FOUND, "c/1.png: " },
        { 15, MANN_OK, MANN_E_LIMIT, "more than 1 GiB" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        odd o = { cases[i].how, 0 };
        mann_storage store = { sizeof store, &o,       odd_list,
                               odd_read,     odd_stat, odd_close };
        mann_dataset *d;
        mann_image im;
        mann_error e = { MANN_OK, "" };
        CHECK_IS(mann_dataset_from_storage(&d, &store, &e), cases[i].open);
        CHECK((d != NULL) == (cases[i].open == MANN_OK) && o.n_closed == 0);
        if (d) {
            CHECK_IS(mann_dataset_read(d, 0, &im, &e), cases[i].read);
            if (cases[i].read == MANN_OK) CHECK(im.width == 2 && im.pixels[5] == 'f');
            mann_image_clear(&im);
            mann_dataset_free(d);
            CHECK_EQ(o.n_closed, 1);
        }
        if (!strstr(e.text, cases[i].sentence))
            test_fail(__FILE__, __LINE__, "case %d: \"%s\", wanted \"%s\"", cases[i].how,
                      e.text, cases[i].sentence);
    }
}

static void bad_tables(void)
{
    odd o = { 9, 0 };
    mann_dataset *d;
    mann_storage store = { sizeof store, &o, odd_list, odd_read, NULL, NULL };
    CHECK_IS(mann_dataset_from_storage(NULL, &store, NULL), MANN_E_ARG);
    CHECK_IS(mann_dataset_from_storage(&d, NULL, NULL), MANN_E_ARG);
    store.struct_size = 0;
    CHECK_IS(mann_dataset_from_storage(&d, &store, NULL), MANN_E_ARG);
    store.struct_size = sizeof store;
    store.read = NULL;
    CHECK_IS(mann_dataset_from_storage(&d, &store, NULL), MANN_E_ARG);
    CHECK(d == NULL);
    /* a table of an older header ends before stat and close */
    store = (mann_storage){ offsetof(mann_storage, stat), &o, odd_list, odd_read,
                            odd_stat, odd_close };
    CHECK_OK(mann_dataset_from_storage(&d, &store, NULL));
    mann_dataset_free(d);
    CHECK_EQ(o.n_closed, 0);
}

static mann_status from_shelf(void *ctx)
{
    world *w = ctx;
    mann_dataset *d;
    mann_image im;
    MNI_TRY(open_shelf(&d, &w->shelf, NULL));
    const mann_status s = mann_dataset_read(d, 3, &im, NULL);
    mann_image_clear(&im);
    mann_dataset_free(d);
    return s;
}

static void out_of_memory(void)
{
    world w = { .dir = "" };
    draw(&w);
    test_oom(from_shelf, &w, 0);
    clear(&w);
}

const test_case storage_tests[] = {
    { "a_store_is_like_a_folder", a_store_is_like_a_folder, 0 },
    { "stores_that_misbehave", stores_that_misbehave, 0 },
    { "bad_tables", bad_tables, 0 },
    { "out_of_memory", out_of_memory, 0 },
    { NULL, NULL, 0 }
};
