/* test_pack.c - a data set in one file: what went in comes out in the same order, in all
 * ways; a pack that fails leaves what was there. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "harness.h"
#include "pack_help.h"
#include "store/pack.h"

static void check_same(const mni_dataset *a, const mni_dataset *b)
{
    CHECK_EQ(mni_dataset_n_images(a), mni_dataset_n_images(b));
    CHECK_EQ(mni_dataset_n_classes(a), mni_dataset_n_classes(b));
    for (uint32_t k = 0; k < mni_dataset_n_classes(a); k++)
        CHECK_STR(mni_dataset_class(a, k), mni_dataset_class(b, k));
    for (uint64_t i = 0; i < mni_dataset_n_images(a); i++) {
        uint32_t ka, kb;
        uint8_t *x, *y;
        size_t nx, ny;
        uint64_t tx, ty;
        CHECK_STR(mni_dataset_path(a, i, &ka), mni_dataset_path(b, i, &kb));
        CHECK_EQ(ka, kb);
        CHECK_OK(mni_dataset_bytes(a, i, &x, &nx, &tx, NULL));
        CHECK_OK(mni_dataset_bytes(b, i, &y, &ny, &ty, NULL));
        CHECK(nx == ny && tx == ty && memcmp(x, y, nx) == 0);
        mni_free(x);
        mni_free(y);
    }
}

static int same_files(const mni_vfs *v, const char *a, const char *b)
{
    uint8_t *x, *y;
    size_t nx, ny;
    CHECK_OK(mni_read_file(v, a, 1 << 20, &x, &nx, NULL));
    CHECK_OK(mni_read_file(v, b, 1 << 20, &y, &ny, NULL));
    const int same = nx == ny && memcmp(x, y, nx) == 0;
    mni_free(x);
    mni_free(y);
    return same;
}

/* --- there and back ----------------------------------------------------------------- */

static void comes_back_as_it_was(void)
{
    mni_vfs_mem *m;
    const mni_vfs *v = pack_world(&m);
    mann_error e = { MANN_OK, "" };
    mni_dataset *folder, *packed, *again;
    mann_pack_report r;
    mann_dataset_info info;
    CHECK_FINE(pack_set(v, "set", "p.mann", &r, &e), e);
    CHECK(r.n_photos == PACK_NAMES && r.n_skipped == 0 && r.n_classes == 4);
    CHECK_OK(mni_dataset_open(&folder, v, "set", NULL, NULL));
    CHECK_FINE(mni_dataset_open(&packed, v, "p.mann", NULL, &e), e);
    check_same(folder, packed);
    CHECK_FINE(mni_dataset_verify(packed, NULL, &e), e);
    mni_dataset_describe(packed, &info);
    CHECK(info.packed && info.n_images == PACK_NAMES && info.n_without_class == 1 &&
          info.photo_bytes == r.n_bytes && info.uuid[0]);

    CHECK_FINE(mni_dataset_unpack(packed, v, "out", NULL, &r, &e), e);
    CHECK(r.n_photos == PACK_NAMES && !r.manifest);
    CHECK_FINE(mni_dataset_open(&again, v, "out", NULL, &e), e);
    check_same(folder, again);
    CHECK_IS(mni_dataset_unpack(packed, v, "out", NULL, &r, &e), MANN_E_EXISTS);
    /* the same photos are the same file, from wherever they come */
    CHECK_FINE(pack_set(v, "out", "q.mann", NULL, &e), e);
    CHECK_FINE(pack_set(v, "p.mann", "r.mann", NULL, &e), e);
    CHECK(same_files(v, "p.mann", "q.mann") && same_files(v, "p.mann", "r.mann"));
    mni_dataset_free(folder);
    mni_dataset_free(packed);
    mni_dataset_free(again);
    mni_vfs_mem_free(m);
}

/* `train set.mann` finds the folders train and val as `train set/` does. */
static void parts_are_those_of_the_folder(void)
{
    mni_vfs_mem *m;
    const mni_vfs *v = pack_world(&m);
    mann_error e = { MANN_OK, "" };
    mni_dataset *folder, *packed, *a, *b;
    pack_put_file(v, "two/val/cup/1.png", "1", 1, 1);
    pack_put_file(v, "two/val/1.png", "2", 1, 2);
    pack_put_file(v, "two/train/mug/b/c.png", "3", 1, 3);
    pack_put_file(v, "two/train/mug/b-1.png", "4", 1, 4);
    pack_put_file(v, "two/train/a-b/1.png", "5", 1, 5);
    pack_put_file(v, "two/train/a/1.png", "6", 1, 6);
    pack_put_file(v, "two/train/0.png", "7", 1, 7);
    CHECK_FINE(pack_set(v, "two", "two.mann", NULL, &e), e);
    CHECK_OK(mni_dataset_open(&folder, v, "two", NULL, NULL));
    CHECK_FINE(mni_dataset_open(&packed, v, "two.mann", NULL, &e), e);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(mni_dataset_below(&a, folder, i ? "val" : "train", NULL, NULL));
        CHECK_FINE(mni_dataset_below(&b, packed, i ? "val" : "train", NULL, &e), e);
        CHECK_EQ(mni_dataset_n_classes(b), i ? 1 : 3);
        check_same(a, b);
        mni_dataset_free(a);
        mni_dataset_free(b);
    }
    CHECK_IS(mni_dataset_below(&b, packed, "test", NULL, &e), MANN_E_NOT_FOUND);
    mni_dataset_free(folder);
    mni_dataset_free(packed);
    mni_vfs_mem_free(m);
}

static void manifests_keep_their_classes(void)
{
    static const char lines[] = "set/a/1.png\tcup\nset/a/b-1.jpg\tmug\nset/a/1.png\tmug\n"
                                "set/loose.png\n";
    mni_vfs_mem *m;
    const mni_vfs *v = pack_world(&m);
    mann_error e = { MANN_OK, "" };
    mni_dataset *list, *packed, *again;
    mann_pack_report r;
    pack_put_file(v, "list.tsv", lines, sizeof lines - 1, 0);
    CHECK_FINE(pack_set(v, "list.tsv", "p.mann", &r, &e), e);
    CHECK_OK(mni_dataset_open(&list, v, "list.tsv", NULL, NULL));
    CHECK_FINE(mni_dataset_open(&packed, v, "p.mann", NULL, &e), e);
    check_same(list, packed);
    CHECK_FINE(mni_dataset_unpack(packed, v, "out", NULL, &r, &e), e);
    CHECK(r.manifest == 1 && r.n_photos == 4);
    CHECK_FINE(mni_dataset_open(&again, v, "out/manifest.tsv", NULL, &e), e);
    check_same(list, again);
    mni_dataset_free(list);
    mni_dataset_free(packed);
    mni_dataset_free(again);
    mni_vfs_mem_free(m);
}

static void paths_stay_inside(void)
{
    static const struct { const char *line; mann_status want; } lines[] = {
        { "../out/x.png\tcup", MANN_E_FORMAT }, { "/x.png\tcup", MANN_E_FORMAT },
        { "a/../../x.png\ta", MANN_E_FORMAT },  { "a//x.png\ta", MANN_E_FORMAT },
        { "./x.png\tcup", MANN_E_FORMAT },      { "..\tcup", MANN_E_FORMAT },
        { "manifest.tsv\tcup", MANN_E_UNSUPPORTED }, { "..a/..x.png\t..a", MANN_OK },
        { "a/.../x.png\ta", MANN_OK }
    };
    static const char *const one[] = { "cup" };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        mni_vfs_mem *m;
        mni_pack_writer *w;
        mni_dataset *d;
        mni_stat st;
        mann_error e = { MANN_OK, "" };
        char path[64];
        snprintf(path, sizeof path, "%.*s", (int)strcspn(lines[i].line, "\t"),
                 lines[i].line);
        CHECK_OK(mni_vfs_mem_new(&m, NULL));
        const mni_vfs *v = mni_vfs_mem_vfs(m);
        CHECK_FINE(mni_pack_new(&w, v, "p.mann", one, 1, &e), e);
        CHECK_FINE(mni_pack_put(w, "good.png", 0, "g", 1, 7, &e), e);
        CHECK_FINE(mni_pack_put(w, path, 0, "x", 1, 7, &e), e);
        CHECK_FINE(mni_pack_finish(w, &e), e);
        CHECK_FINE(mni_dataset_open(&d, v, "p.mann", NULL, &e), e);
        CHECK_IS(mni_dataset_unpack(d, v, "deep/out", NULL, NULL, &e), lines[i].want);
        CHECK((v->ops->stat(v, "deep/out", &st, NULL) == MANN_OK) ==
              (lines[i].want == MANN_OK));
        mni_dataset_free(d);
        mni_vfs_mem_free(m);
    }
}

static void unreadable_photos_are_counted(void)
{
    mni_vfs_mem *m;
    const mni_vfs *v = pack_world(&m);
    mann_error e = { MANN_OK, "" };
    mann_pack_report r;
    static const char some[] = "set/a/1.png\tx\nset/gone.png\tx\n",
                      none[] = "gone.png\tx\n";
    pack_put_file(v, "some.tsv", some, sizeof some - 1, 0);
    pack_put_file(v, "none.tsv", none, sizeof none - 1, 0);
    CHECK_FINE(pack_set(v, "some.tsv", "p.mann", &r, &e), e);
    CHECK(r.n_photos == 1 && r.n_skipped == 1);
    CHECK_IS(pack_set(v, "none.tsv", "q.mann", &r, &e), MANN_E_NOT_FOUND);
    mni_stat st;
    CHECK_IS(v->ops->stat(v, "q.mann", &st, NULL), MANN_E_NOT_FOUND);
    mni_vfs_mem_free(m);
}

static void find_by_path(void)
{
    static const char *const classes[] = { "a", "b" };
    mni_vfs_mem *m;
    mni_pack_writer *w;
    mni_pack *p;
    mann_error e = { MANN_OK, "" };
    uint64_t at;
    char path[32];
    CHECK_OK(mni_vfs_mem_new(&m, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(m);
    CHECK_FINE(mni_pack_new(&w, v, "p", classes, 2, &e), e);
    for (int i = 0; i < 300; i++) {
        snprintf(path, sizeof path, "%d", i * 7919 % 300);
        CHECK_FINE(mni_pack_put(w, path, i >= 200, path, strlen(path), 0, &e), e);
    }
    /* misuse is refused before it can be written */
    CHECK_IS(mni_pack_put(w, "x", 0, "", 0, 0, &e), MANN_E_ARG);     /* a after b */
    CHECK_IS(mni_pack_put(w, "x", 2, "", 0, 0, &e), MANN_E_ARG);
    CHECK_IS(mni_pack_put(w, "", 1, "", 0, 0, &e), MANN_E_ARG);
    CHECK_FINE(mni_pack_finish(w, &e), e);
    CHECK_FINE(mni_pack_open(&p, v, "p", &e), e);
    for (int i = 0; i < 300; i++) {
        snprintf(path, sizeof path, "%d", i);
        CHECK(mni_pack_find(p, path, &at));
        CHECK_STR(mni_pack_at(p, at).path, path);
        CHECK(memcmp(mni_pack_at(p, at).bytes, path, strlen(path)) == 0);
    }
    CHECK(!mni_pack_find(p, "300", &at) && !mni_pack_find(p, "", &at) &&
          !mni_pack_find(p, "~", &at));
    mni_pack_free(p);
    static const char *const unsorted[] = { "b", "a" }, *const empty[] = { "" };
    CHECK_IS(mni_pack_new(&w, v, "p", unsorted, 2, &e), MANN_E_ARG);
    CHECK_IS(mni_pack_new(&w, v, "p", empty, 1, &e), MANN_E_ARG);
    mni_vfs_mem_free(m);
}

/* --- faults ------------------------------------------------------------------------- */

static void every_fault(void)
{
    for (long n = 0, done = 0; !done; n++) {
        mni_vfs_mem *m;
        mni_vfs_faulty f;
        mni_dataset *d;
        mann_error e = { MANN_OK, "" };
        const mni_vfs *v = pack_world(&m);
        CHECK_FINE(pack_set(v, "set", "p.mann", NULL, &e), e);
        CHECK_OK(mni_dataset_open(&d, v, "set/a", NULL, NULL));
        mni_vfs_faulty_init(&f, v);
        f.fail_in = n;
        const mann_status s = mni_dataset_pack(d, &f.vfs, "p.mann", NULL, NULL, &e);
        mni_dataset_free(d);
        mni_vfs_mem_power_cut(m);
        done = f.n_counted <= n;
        CHECK(done ? s == MANN_OK : s != MANN_OK);
        /* the old file or the new one, never less */
        CHECK_FINE(mni_dataset_open(&d, v, "p.mann", NULL, &e), e);
        CHECK_FINE(mni_dataset_verify(d, NULL, &e), e);
        if (s == MANN_OK) CHECK_EQ(mni_dataset_n_images(d), 3);
        else CHECK(mni_dataset_n_images(d) == 3 || mni_dataset_n_images(d) == PACK_NAMES);
        mni_dataset_free(d);
        mni_vfs_mem_free(m);
    }
}

static int stop(void *user, const mann_progress *p)
{
    return p->done >= *(const uint64_t *)user;
}

static void stopped_leaves_nothing(void)
{
    mni_vfs_mem *m;
    const mni_vfs *v = pack_world(&m);
    mann_error e = { MANN_OK, "" };
    mni_dataset *d;
    mni_stat st;
    uint64_t when = 3;
    const mann_hooks h = { .progress = stop, .user = &when };
    CHECK_OK(mni_dataset_open(&d, v, "set", NULL, NULL));
    CHECK_IS(mni_dataset_pack(d, v, "p.mann", &h, NULL, &e), MANN_E_CANCELLED);
    CHECK_IS(v->ops->stat(v, "p.mann", &st, NULL), MANN_E_NOT_FOUND);
    CHECK_IS(mni_dataset_unpack(d, v, "out", &h, NULL, &e), MANN_E_CANCELLED);
    mni_dataset_free(d);
    mni_vfs_mem_free(m);
}

static mann_status pack_open_unpack(void *ctx)
{
    const mni_vfs *v = ctx;
    mni_dataset *d = NULL;
    mni_stat st;
    char out[32];
    static int turn;
    snprintf(out, sizeof out, "out%d", turn++);
    mann_status s = pack_set(v, "set", "p.mann", NULL, NULL);
    if (s == MANN_OK) s = mni_dataset_open(&d, v, "p.mann", NULL, NULL);
    if (s == MANN_OK) s = mni_dataset_unpack(d, v, out, NULL, NULL, NULL);
    mni_dataset_free(d);
    (void)st;
    return s;
}

static mann_status body_oom(void *ctx)
{
    mni_vfs_mem *m;
    (void)ctx;
    MNI_TRY(mni_vfs_mem_new(&m, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(m);
    mni_file *f = NULL;
    mann_status s =
        mni_open(v, "set/a/1.png", MNI_OPEN_WRITE | MNI_OPEN_CREATE, &f, NULL);
    if (s == MANN_OK) s = mni_write(f, "abc", 3, 0, NULL);
    mni_close(f, NULL);
    if (s == MANN_OK) s = pack_open_unpack((void *)(uintptr_t)v);
    mni_vfs_mem_free(m);
    return s;
}

static void out_of_memory(void) { test_oom(body_oom, NULL, 0); }

const test_case pack_tests[] = {
    { "comes_back_as_it_was", comes_back_as_it_was, 0 },
    { "parts_are_those_of_the_folder", parts_are_those_of_the_folder, 0 },
    { "manifests_keep_their_classes", manifests_keep_their_classes, 0 },
    { "paths_stay_inside", paths_stay_inside, 0 },
    { "unreadable_photos_are_counted", unreadable_photos_are_counted, 0 },
    { "find_by_path", find_by_path, 0 },
    { "every_fault", every_fault, 0 },
    { "stopped_leaves_nothing", stopped_leaves_nothing, 0 },
    { "out_of_memory", out_of_memory, 0 },
    { NULL, NULL, 0 }
};
