/* test_vfs.c - the three file systems keep one contract; the two for tests keep their own
 * promises. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "harness.h"
#include "os/vfs.h"

static void put(const mni_vfs *v, const char *path, const char *text)
{
    mni_file *f;
    mann_error e;
    CHECK_FINE(
        mni_open(v, path, MNI_OPEN_WRITE | MNI_OPEN_CREATE | MNI_OPEN_TRUNCATE, &f, &e),
        e);
    CHECK_FINE(mni_write(f, text, strlen(text), 0, &e), e);
    CHECK_FINE(mni_sync(f, &e), e);
    CHECK_FINE(mni_close(f, &e), e);
}

/* 1 if `path` holds exactly `text`; NULL: if it is absent. */
static int holds(const mni_vfs *v, const char *path, const char *text)
{
    uint8_t *bytes;
    size_t n;
    mann_status s = mni_read_file(v, path, 1 << 20, &bytes, &n, NULL);
    if (s == MANN_E_NOT_FOUND) return text == NULL;
    CHECK(s == MANN_OK);
    CHECK(bytes[n] == 0);
    int same = text && n == strlen(text) && memcmp(bytes, text, n) == 0;
    mni_free(bytes);
    return same;
}

static int add_name(void *ctx, const char *name)
{
    mni_text *t = ctx;
    mni_text_f(t, "%s ", name);
    return 0;
}

static int stop_at_once(void *ctx, const char *name)
{
    (void)name;
    ++*(int *)ctx;
    return 1;
}

/* --- one contract ------------------------------------------------------------------- */

static void open_flags(const mni_vfs *v, const char *path)
{
    mni_file *f;
    mann_error e = { MANN_OK, "" };
    CHECK_IS(mni_open(v, path, MNI_OPEN_READ, &f, &e), MANN_E_NOT_FOUND);
    CHECK(f == NULL && strstr(e.text, path));
    CHECK_IS(mni_open(v, path, MNI_OPEN_WRITE, &f, NULL), MANN_E_NOT_FOUND);
    CHECK_IS(mni_open(v, path, MNI_OPEN_WRITE | MNI_OPEN_TRUNCATE, &f, NULL),
             MANN_E_NOT_FOUND);
    unsigned fresh = MNI_OPEN_WRITE | MNI_OPEN_CREATE | MNI_OPEN_EXCLUSIVE;
    CHECK_FINE(mni_open(v, path, fresh, &f, &e), e);
    CHECK_OK(mni_close(f, NULL));
    CHECK_IS(mni_open(v, path, fresh, &f, NULL), MANN_E_EXISTS);
    put(v, path, "hello");
    /* keeps content */
    CHECK_FINE(mni_open(v, path, MNI_OPEN_WRITE | MNI_OPEN_CREATE, &f, &e), e);
    CHECK_OK(mni_close(f, NULL));
    CHECK(holds(v, path, "hello"));
    CHECK_FINE(mni_open(v, path, MNI_OPEN_READ, &f, &e), e);
    CHECK_IS(mni_write(f, "x", 1, 0, NULL), MANN_E_IO);
    CHECK_OK(mni_close(f, NULL));
    CHECK_FINE(mni_open(v, path, MNI_OPEN_WRITE | MNI_OPEN_TRUNCATE, &f, &e), e);
    CHECK_OK(mni_close(f, NULL));
    CHECK(holds(v, path, ""));
}

static void read_write(const mni_vfs *v, const char *path)
{
    mni_file *f;
    mann_error e;
    char got_bytes[16];
    size_t got;
    uint64_t size;
    CHECK_FINE(
        mni_open(v, path, MNI_OPEN_WRITE | MNI_OPEN_CREATE | MNI_OPEN_TRUNCATE, &f, &e),
        e);
    CHECK_FINE(mni_write(f, "abc", 3, 4, &e), e);          /* a hole of zeros before it */
    CHECK_FINE(v->ops->size(f, &size, &e), e);
    CHECK_EQ(size, 7);
    CHECK_FINE(mni_read(f, got_bytes, sizeof got_bytes, 2, &got, &e), e);
    CHECK_EQ(got, 5);
    CHECK(memcmp(got_bytes, "\0\0abc", 5) == 0);
    CHECK_FINE(mni_read(f, got_bytes, 4, 7, &got, &e), e);
    CHECK_EQ(got, 0);
    CHECK_FINE(mni_read(f, got_bytes, 4, 1000, &got, &e), e);
    CHECK_EQ(got, 0);
    CHECK_FINE(v->ops->truncate(f, 5, &e), e);
    CHECK_FINE(v->ops->truncate(f, 6, &e), e);       /* what was cut comes back as zero */
    CHECK_FINE(mni_read(f, got_bytes, sizeof got_bytes, 4, &got, &e), e);
    CHECK_EQ(got, 2);
    CHECK(memcmp(got_bytes, "a\0", 2) == 0);
    CHECK_FINE(mni_write(f, "", 0, 100, &e), e);         /* nothing, nowhere: no growth */
    CHECK_FINE(v->ops->size(f, &size, &e), e);
    CHECK_EQ(size, 6);
    CHECK_OK(mni_close(f, NULL));
}

static void mapping(const mni_vfs *v, const char *path, const char *other)
{
    mni_file *f;
    mann_error e;
    const void *bytes;
    size_t n;
    put(v, path, "mapped");
    CHECK_FINE(mni_open(v, path, MNI_OPEN_READ, &f, &e), e);
    CHECK_FINE(v->ops->map(f, &bytes, &n, &e), e);
    CHECK_OK(mni_close(f, NULL));                            /* the mapping outlives it */
    put(v, other, "replacement");
    CHECK_FINE(v->ops->replace(v, other, path, &e), e);
    CHECK_EQ(n, 6);
    CHECK(memcmp(bytes, "mapped", 6) == 0);
    CHECK(holds(v, path, "replacement") && holds(v, other, NULL));
    v->ops->unmap(v, bytes, n);
    put(v, path, "");
    CHECK_FINE(mni_open(v, path, MNI_OPEN_READ, &f, &e), e);
    CHECK_FINE(v->ops->map(f, &bytes, &n, &e), e);
    CHECK(bytes != NULL && n == 0);
    v->ops->unmap(v, bytes, n);
    CHECK_OK(mni_close(f, NULL));
}

static void locks(const mni_vfs *v, const char *path)
{
    mni_file *a, *b;
    mann_error e;
    put(v, path, "");
    CHECK_FINE(mni_open(v, path, MNI_OPEN_WRITE, &a, &e), e);
    CHECK_FINE(mni_open(v, path, MNI_OPEN_WRITE, &b, &e), e);
    CHECK_FINE(v->ops->lock(a, &e), e);
    CHECK_FINE(v->ops->lock(a, &e), e);
    CHECK_IS(v->ops->lock(b, &e), MANN_E_LOCKED);
    CHECK(strstr(e.text, path));
    CHECK_OK(mni_close(a, NULL));
    CHECK_FINE(v->ops->lock(b, &e), e);
    CHECK_OK(mni_close(b, NULL));
}

static void names(const mni_vfs *v, const char *dir)
{
    mann_error e;
    mni_text file = { 0 }, below = { 0 }, list = { 0 };
    mni_stat st, again;
    int calls = 0;
    mni_path_join(&file, dir, "sub/inner/file");
    mni_path_join(&below, dir, "sub");
    CHECK_FINE(v->ops->mkdir(v, mni_text_get(&below), &e), e);
    CHECK_FINE(v->ops->mkdir(v, mni_text_get(&below), &e), e);
    mni_path_join(&list, mni_text_get(&below), "inner");
    CHECK_FINE(v->ops->mkdir(v, mni_text_get(&list), &e), e);
    put(v, mni_text_get(&file), "12345");
    CHECK_FINE(v->ops->stat(v, mni_text_get(&file), &st, &e), e);
    CHECK(st.kind == MNI_IS_FILE && st.n_bytes == 5 && st.mtime > 0);
    CHECK_FINE(v->ops->stat(v, mni_text_get(&below), &again, &e), e);
    CHECK(again.kind == MNI_IS_DIR &&
          (again.inode != st.inode || again.device != st.device));
    mni_text_clear(&list);
    CHECK_FINE(v->ops->list(v, mni_text_get(&below), add_name, &list, &e), e);
    CHECK_STR(mni_text_get(&list), "inner ");
    CHECK_FINE(v->ops->list(v, mni_text_get(&below), stop_at_once, &calls, &e), e);
    CHECK_EQ(calls, 1);
    CHECK_IS(v->ops->remove(v, mni_text_get(&below), NULL), MANN_E_IO);     /* a folder */
    mni_file *f;
    CHECK_IS(mni_open(v, mni_text_get(&below), MNI_OPEN_READ, &f, NULL), MANN_E_IO);
    CHECK_FINE(mni_sync_dir_of(v, mni_text_get(&file), &e), e);
    CHECK_FINE(v->ops->remove(v, mni_text_get(&file), &e), e);
    CHECK_IS(v->ops->remove(v, mni_text_get(&file), NULL), MANN_E_NOT_FOUND);
    CHECK_IS(v->ops->stat(v, mni_text_get(&file), &st, NULL), MANN_E_NOT_FOUND);
    CHECK_IS(v->ops->list(v, mni_text_get(&file), add_name, &list, NULL),
             MANN_E_NOT_FOUND);
    CHECK_IS(v->ops->sync_dir(v, mni_text_get(&file), NULL), MANN_E_NOT_FOUND);
    CHECK_IS(v->ops->replace(v, mni_text_get(&file), mni_text_get(&below), NULL),
             MANN_E_NOT_FOUND);
    mni_text_fini(&file);
    mni_text_fini(&below);
    mni_text_fini(&list);
}

static void whole_files(const mni_vfs *v, const char *path)
{
    mann_error e;
    uint8_t *bytes;
    size_t n;
    CHECK_FINE(mni_replace_file(v, path, "one", 3, &e), e);
    CHECK_FINE(mni_replace_file(v, path, "second", 6, &e), e);
    CHECK(holds(v, path, "second"));
    CHECK_IS(mni_read_file(v, path, 5, &bytes, &n, &e), MANN_E_LIMIT);
    CHECK(bytes == NULL && n == 0 && strstr(e.text, path));
    CHECK_FINE(mni_read_file(v, path, 6, &bytes, &n, &e), e);
    mni_free(bytes);
}

static void contract(const mni_vfs *v, const char *dir)
{
    mni_text a = { 0 }, b = { 0 };
    mni_path_join(&a, dir, "a.bin");
    mni_path_join(&b, dir, "b.bin");
    open_flags(v, mni_text_get(&a));
    read_write(v, mni_text_get(&a));
    mapping(v, mni_text_get(&a), mni_text_get(&b));
    locks(v, mni_text_get(&a));
    whole_files(v, mni_text_get(&a));
    names(v, dir);
    /* replace_file leaves no temp file behind */
    mni_text list = { 0 };
    CHECK_OK(v->ops->remove(v, mni_text_get(&a), NULL));
    CHECK_OK(v->ops->list(v, dir, add_name, &list, NULL));
    CHECK_STR(mni_text_get(&list), "sub ");
    mni_text_fini(&list);
    mni_text_fini(&a);
    mni_text_fini(&b);
}

static void posix_contract(void) { contract(mni_vfs_posix(), test_dir()); }

static void mem_contract(void)
{
    mni_vfs_mem *m;
    CHECK_OK(mni_vfs_mem_new(&m, NULL));
    CHECK_OK(mni_vfs_mem_vfs(m)->ops->mkdir(mni_vfs_mem_vfs(m), "/some/place", NULL));
    contract(mni_vfs_mem_vfs(m), "/some/place");
    mni_vfs_mem_free(m);
    CHECK_OK(mni_vfs_mem_new(&m, NULL));
    contract(mni_vfs_mem_vfs(m), ".");
    mni_vfs_mem_free(m);
    mni_vfs_mem_free(NULL);
}

static void faulty_contract(void)
{
    mni_vfs_mem *m;
    mni_vfs_faulty f;
    CHECK_OK(mni_vfs_mem_new(&m, NULL));
    mni_vfs_faulty_init(&f, mni_vfs_mem_vfs(m));
    contract(&f.vfs, "");
    CHECK(f.n_counted > 20);
    mni_vfs_faulty_init(&f, mni_vfs_posix());
    contract(&f.vfs, test_dir());
    mni_vfs_mem_free(m);
}

static void posix_symlinks(void)
{
    const mni_vfs *v = mni_vfs_posix();
    mni_stat st;
    CHECK_IS(v->ops->stat(v, "/dev/null", &st, NULL), MANN_OK);
    CHECK(st.kind == MNI_IS_OTHER);
    mni_file *f;
    CHECK_IS(mni_open(v, "/dev/null", MNI_OPEN_READ, &f, NULL), MANN_E_IO);
}

/* --- power cuts --------------------------------------------------------------------- */

static void cut_loses_what_was_not_synced(void)
{
    mni_vfs_mem *m;
    mni_file *f;
    CHECK_OK(mni_vfs_mem_new(&m, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(m);
    put(v, "d/kept", "old");                        /* content synced ... */
    put(v, "d/lost", "old");
    CHECK_OK(v->ops->sync_dir(v, "d", NULL));       /* ... and the names */
    put(v, "d/nameless", "synced, but not its folder");
    put(v, "elsewhere", "another folder");
    CHECK_OK(mni_open(v, "d/kept", MNI_OPEN_WRITE, &f, NULL));
    CHECK_OK(mni_write(f, "NEW AND LONGER", 14, 0, NULL));
    CHECK_OK(mni_close(f, NULL));
    CHECK(holds(v, "d/kept", "NEW AND LONGER"));
    CHECK_OK(v->ops->remove(v, "d/lost", NULL));
    for (int twice = 0; twice < 2; twice++) {
        mni_vfs_mem_power_cut(m);
        CHECK(holds(v, "d/kept", "old"));
        CHECK(holds(v, "d/lost", "old"));           /* the removal was not synced */
        CHECK(holds(v, "d/nameless", NULL));
        CHECK(holds(v, "elsewhere", NULL));
    }
    CHECK_OK(mni_open(v, "d/kept", MNI_OPEN_WRITE | MNI_OPEN_TRUNCATE, &f, NULL));
    CHECK_OK(mni_close(f, NULL));
    mni_vfs_mem_power_cut(m);
    CHECK(holds(v, "d/kept", "old"));           /* cutting to zero is not synced either */
    CHECK_OK(v->ops->remove(v, "d/lost", NULL));
    CHECK_OK(v->ops->sync_dir(v, "./d/", NULL));
    mni_vfs_mem_power_cut(m);
    CHECK(holds(v, "d/lost", NULL));
    mni_vfs_mem_free(m);
}

static void cut_around_a_rename(void)
{
    mni_vfs_mem *m;
    mni_file *f;
    CHECK_OK(mni_vfs_mem_new(&m, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(m);
    CHECK_OK(mni_replace_file(v, "g", "old", 3, NULL));
    put(v, "g.tmp", "new");
    CHECK_OK(v->ops->replace(v, "g.tmp", "g", NULL));
    CHECK(holds(v, "g", "new"));
    mni_vfs_mem_power_cut(m);
    CHECK(holds(v, "g", "old") && holds(v, "g.tmp", NULL));
    CHECK_OK(mni_replace_file(v, "g", "new", 3, NULL));
    mni_vfs_mem_power_cut(m);
    CHECK(holds(v, "g", "new"));
    /* A rename that is synced, of content that is not: the classic empty file after a
     * crash. */
    CHECK_OK(mni_open(v, "h.tmp", MNI_OPEN_WRITE | MNI_OPEN_CREATE, &f, NULL));
    CHECK_OK(mni_write(f, "careless", 8, 0, NULL));
    CHECK_OK(mni_close(f, NULL));
    CHECK_OK(v->ops->replace(v, "h.tmp", "g", NULL));
    CHECK_OK(v->ops->sync_dir(v, ".", NULL));
    mni_vfs_mem_power_cut(m);
    CHECK(holds(v, "g", ""));
    mni_vfs_mem_free(m);
}

static void cut_frees_locks(void)
{
    mni_vfs_mem *m;
    mni_file *a, *b;
    CHECK_OK(mni_vfs_mem_new(&m, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(m);
    CHECK_OK(mni_replace_file(v, "g", "", 0, NULL));
    CHECK_OK(mni_open(v, "g", MNI_OPEN_WRITE, &a, NULL));
    CHECK_OK(v->ops->lock(a, NULL));
    mni_vfs_mem_power_cut(m);                       /* the holder died with the machine */
    CHECK_OK(mni_open(v, "g", MNI_OPEN_WRITE, &b, NULL));
    CHECK_OK(v->ops->lock(b, NULL));
    CHECK_OK(mni_close(a, NULL));
    CHECK_OK(mni_close(b, NULL));
    mni_vfs_mem_free(m);
}

static int list_inside(void *ctx, const char *name)
{
    const mni_vfs *v = ctx;
    CHECK(holds(v, name, "x"));
    put(v, "made/meanwhile", "");
    return 0;
}

static void mem_list_may_call_back(void)
{
    mni_vfs_mem *m;
    CHECK_OK(mni_vfs_mem_new(&m, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(m);
    put(v, "one", "x");
    put(v, "./two", "x");
    put(v, ".//two/.", "x");                        /* the same file, spelt oddly */
    CHECK_OK(v->ops->list(v, "", list_inside, (void *)(uintptr_t)v, NULL));
    mni_vfs_mem_free(m);
}

/* --- faults ------------------------------------------------------------------------- */

/* Whatever fails in replace_file: an error is told, and the file is old or new, never a
 * mixture. */
static void replace_file_survives_every_fault(void)
{
    for (int mode = 0; mode < 4; mode++)
        for (long n = 0;; n++) {
            mni_vfs_mem *m;
            mni_vfs_faulty f;
            CHECK_OK(mni_vfs_mem_new(&m, NULL));
            const mni_vfs *v = mni_vfs_mem_vfs(m);
            CHECK_OK(mni_replace_file(v, "g", "old", 3, NULL));
            mni_vfs_faulty_init(&f, v);
            f.fail_in = n;
            f.sticky = mode & 1;
            f.short_write = mode >> 1;
            mann_error e = { MANN_OK, "" };
            mann_status s = mni_replace_file(&f.vfs, "g", "new", 3, &e);
            CHECK(s == MANN_OK || (s == MANN_E_IO && strstr(e.text, "cannot")));
            CHECK(holds(v, "g", "old") || holds(v, "g", "new"));
            mni_vfs_mem_power_cut(m);
            CHECK(holds(v, "g", s == MANN_OK ? "new" : "old"));
            mni_vfs_mem_free(m);
            /* open write sync close rename sync_dir */
            if (s == MANN_OK) { CHECK(n == 6); break; }
        }
}

/* put_file waits for no disk: there is no sync that could fail. A file in the way is old
 * or new all the same. */
static void put_file_does_not_wait(void)
{
    for (long n = 0;; n++) {
        mni_vfs_mem *m;
        mni_vfs_faulty f;
        CHECK_OK(mni_vfs_mem_new(&m, NULL));
        const mni_vfs *v = mni_vfs_mem_vfs(m);
        CHECK_OK(mni_put_file(v, "g", "old", 3, NULL));
        mni_vfs_faulty_init(&f, v);
        f.fail_in = n;
        const mann_status s = mni_put_file(&f.vfs, "g", "new", 3, NULL);
        CHECK(holds(v, "g", s == MANN_OK ? "new" : "old"));
        mni_vfs_mem_free(m);
        if (s == MANN_OK) { CHECK(n == 4); break; } /* open write close rename */
    }
}

static void faults_count_what_is_masked(void)
{
    mni_vfs_mem *m;
    mni_vfs_faulty f;
    mni_file *file;
    char byte;
    size_t got;
    CHECK_OK(mni_vfs_mem_new(&m, NULL));
    mni_vfs_faulty_init(&f, mni_vfs_mem_vfs(m));
    f.which = MNI_FAULT_READ;
    f.fail_in = 1;
    put(&f.vfs, "x", "abcdef");                     /* neither counts nor fails */
    CHECK_EQ(f.n_counted, 0);
    CHECK_OK(mni_open(&f.vfs, "x", MNI_OPEN_WRITE, &file, NULL));
    CHECK_OK(mni_read(file, &byte, 1, 0, &got, NULL));
    CHECK_IS(mni_read(file, &byte, 1, 0, &got, NULL), MANN_E_IO);
    CHECK_EQ(got, 0);
    CHECK_OK(mni_read(file, &byte, 1, 0, &got, NULL));      /* not sticky: one only */
    CHECK_EQ(f.n_counted, 3);
    f.which = MNI_FAULT_WRITE;
    f.fail_in = 0;
    f.sticky = 1;
    CHECK_IS(mni_write(file, "ABCDEF", 6, 0, NULL), MANN_E_IO);
    CHECK(holds(mni_vfs_mem_vfs(m), "x", "abcdef"));
    f.short_write = 1;
    CHECK_IS(mni_write(file, "ABCDEF", 6, 0, NULL), MANN_E_IO);
    CHECK(holds(mni_vfs_mem_vfs(m), "x", "ABCdef"));        /* half of it arrived */
    f.which = MNI_FAULT_CLOSE;
    CHECK_IS(mni_close(file, NULL), MANN_E_IO);          /* and yet it is gone: no leak */
    mni_vfs_mem_free(m);
}

/* --- memory ------------------------------------------------------------------------- */

static mann_status use_memory_disk(const mni_vfs *v, mann_error *err)
{
    mni_text list = { 0 };
    uint8_t *bytes;
    const void *map;
    mni_file *f;
    size_t n;
    MNI_TRY(v->ops->mkdir(v, "deep/er", err));
    MNI_TRY(mni_replace_file(v, "deep/er/file", "bytes", 5, err));
    MNI_TRY(mni_replace_file(v, "deep/er/file", "other", 5, err));
    MNI_TRY(mni_read_file(v, "deep/er/file", 100, &bytes, &n, err));
    mni_free(bytes);
    MNI_TRY(mni_open(v, "deep/er/file", MNI_OPEN_READ, &f, err));
    mann_status s = v->ops->map(f, &map, &n, err);
    if (s == MANN_OK) v->ops->unmap(v, map, n);
    CHECK_OK(mni_close(f, NULL));
    if (s == MANN_OK) s = v->ops->list(v, "deep/er", add_name, &list, err);
    if (s == MANN_OK && list.failed) s = MANN_E_NOMEM;
    mni_text_fini(&list);
    return s;
}

static mann_status memory_body(void *ctx)
{
    mni_vfs_mem *m;
    mni_vfs_faulty f;
    mann_error e;
    (void)ctx;
    MNI_TRY(mni_vfs_mem_new(&m, &e));
    mni_vfs_faulty_init(&f, mni_vfs_mem_vfs(m));
    mann_status s = use_memory_disk(&f.vfs, &e);
    mni_vfs_mem_free(m);
    return s;
}

static void memory_runs_out(void) { test_oom(memory_body, NULL, 0); }

static void check_absolute(const mni_vfs *v, const char *path, const char *want)
{
    char place[256];
    mann_error e = { MANN_OK, "" };
    CHECK_FINE(v->ops->absolute(v, path, place, sizeof place, &e), e);
    CHECK_STR(place, want);
}

static void paths_become_absolute(void)
{
    mni_vfs_mem *mem;
    char place[512], want[700], path[700], small[8];
    const mni_vfs *posix = mni_vfs_posix();
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    check_absolute(v, "a//b/./c/", "a/b/c");
    check_absolute(v, "/a//b/.", "/a/b");
    check_absolute(v, ".", ".");
    check_absolute(posix, "/", "/");
    check_absolute(posix, "//a/./b///", "/a/b");
    CHECK_OK(posix->ops->absolute(posix, ".", place, sizeof place, NULL));
    CHECK(place[0] == '/');
    snprintf(want, sizeof want, "%s%sx/y", place, place[1] ? "/" : "");
    check_absolute(posix, "./x//y", want);
    snprintf(path, sizeof path, "%s/../.", test_dir());     /* climbs: must be there */
    CHECK_OK(posix->ops->absolute(posix, path, place, sizeof place, NULL));
    CHECK(!strstr(place, "..") && strlen(place) < strlen(test_dir()));
    CHECK_IS(posix->ops->absolute(posix, "nowhere/../x", place, sizeof place, NULL),
             MANN_E_NOT_FOUND);
    CHECK_IS(posix->ops->absolute(posix, "/a/b/c/d/e", small, sizeof small, NULL),
             MANN_E_LIMIT);
    mni_vfs_mem_free(mem);
}

const test_case vfs_tests[];
const test_case vfs_tests[] = {
    { "posix_contract", posix_contract, 0 },
    { "mem_contract", mem_contract, 0 },
    { "faulty_contract", faulty_contract, 0 },
    { "posix_symlinks", posix_symlinks, 0 },
    { "paths_become_absolute", paths_become_absolute, 0 },
    { "cut_loses_what_was_not_synced", cut_loses_what_was_not_synced, 0 },
    { "cut_around_a_rename", cut_around_a_rename, 0 },
    { "cut_frees_locks", cut_frees_locks, 0 },
    { "mem_list_may_call_back", mem_list_may_call_back, 0 },
    { "replace_file_survives_every_fault", replace_file_survives_every_fault, 0 },
    { "put_file_does_not_wait", put_file_does_not_wait, 0 },
    { "faults_count_what_is_masked", faults_count_what_is_masked, 0 },
    { "memory_runs_out", memory_runs_out, 0 },
    { NULL, NULL, 0 }
};
