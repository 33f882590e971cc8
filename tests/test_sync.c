/* test_sync.c - a gallery that follows a folder, through every kind of change, stopped at
 * every group, with every file operation failing in turn.
 *
 * The folder is a list in memory: path, class, content (the seed of a small picture).
 * After a sync the gallery must hold one record for each content of each class, under a
 * path that shows it. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/rng.h"
#include "gallery_help.h"
#include "harness.h"
#include "nn/model.h"

enum { MOST = 700 };

typedef struct file { char path[32], klass[16]; uint32_t content; } file;
typedef struct folder { file files[MOST]; uint64_t n; } folder;

static const char *folder_path(void *ctx, uint64_t i, const char **klass)
{
    const folder *f = ctx;
    *klass = f->files[i].klass;
    return f->files[i].path;
}

/* A picture of 4 x 4 pixels drawn from its content; content 0 is no picture. */
static mann_status folder_read(void *ctx, uint64_t i, uint8_t **bytes, size_t *n_bytes,
                               uint64_t *mtime, mann_error *err)
{
    const folder *f = ctx;
    const uint32_t content = f->files[i].content;
    static const char head[] = "P6 4 4 255\n";
    const size_t n_head = sizeof head - 1;
    *n_bytes = n_head + 48;
    *mtime = content;
    *bytes = mni_alloc(*n_bytes, 1);
    if (!*bytes) return mni_fail(err, MANN_E_NOMEM, "a file");
    mni_rng r = mni_rng_at(7, MNI_FOR_TEST, content, 0, 0);
    memcpy(*bytes, content ? head : "nonsense!!!", n_head);
    for (size_t k = n_head; k < *n_bytes; k++)
        (*bytes)[k] = (uint8_t)mni_rng_below(&r, 256);
    return MANN_OK;
}

static mni_photos photos_of(folder *f)
{
    return (mni_photos){ .ctx = f, .n = f->n, .path = folder_path, .read = folder_read };
}

static void put(folder *f, uint32_t klass, uint32_t name, uint32_t content)
{
    CHECK(f->n < MOST);
    file *n = &f->files[f->n++];
    snprintf(n->klass, sizeof n->klass, "c%u", (unsigned)klass);
    snprintf(n->path, sizeof n->path, "c%u/%u.ppm", (unsigned)klass, (unsigned)name);
    n->content = content;
}

static mann_status make(mni_gallery **g, const mni_vfs *v, mann_error *err)
{
    mni_model *m;
    MNI_TRY(mann_model_new(&m, "pixels", 0, 0, err));
    mann_gallery_config c;
    mann_gallery_config_fill(&c, sizeof c);
    c.metric = MANN_COSINE;
    c.dim = mni_model_shape_of(m).dim;
    c.model = m;
    const mann_status s = mni_gallery_create(g, v, "g", &c, err);
    mni_model_free(m);
    return s;
}

/* --- what must hold afterwards ------------------------------------------------------ */

typedef struct tally {
    const folder *f;
    uint8_t found[MOST];
    uint64_t n;
    int wrong;
} tally;

static int count(void *user, const mann_record *r)
{
    tally *t = user;
    t->n++;
    for (uint64_t i = 0; i < t->f->n; i++) {
        const file *f = &t->f->files[i];
        if (f->content != r->time || strcmp(f->klass, r->class_name) != 0 ||
            strcmp(f->path, r->source) != 0)
            continue;
        t->found[i] = 1;
        return 0;
    }
    t->wrong++;
    return 0;
}

/* Every record is a file of the folder as it is; every readable content of a class is
 * there once. */
static void check_equal(mni_gallery *g, const folder *f)
{
    tally t = { .f = f };
    uint64_t want = 0;
    CHECK_OK(mni_gallery_each(g, count, &t, NULL));
    for (uint64_t i = 0; i < f->n; i++) {
        int twins = 0, found = 0, first = 1;
        if (!f->files[i].content) continue;
        for (uint64_t k = 0; k < f->n; k++) {
            if (f->files[k].content != f->files[i].content ||
                strcmp(f->files[k].klass, f->files[i].klass) != 0)
                continue;
            twins++;
            found += t.found[k];
            if (k < i) first = 0;
        }
        if (!found) test_fail(__FILE__, __LINE__, "%s is missing", f->files[i].path);
        CHECK(found <= twins);
        want += (uint64_t)first;
    }
    CHECK(t.n >= want);
    CHECK_EQ(t.wrong, 0);
}

/* --- a folder that changes ---------------------------------------------------------- */

static void change(folder *f, mni_rng *r, uint32_t *next)
{
    const uint32_t what = mni_rng_below(r, 6);
    const uint32_t at = f->n ? mni_rng_below(r, (uint32_t)f->n) : 0;
    if (f->n == 0 || what == 0) {                               /* a new photo */
        put(f, mni_rng_below(r, 5), *next, *next);
        ++*next;
    } else if (what == 1) {                                     /* deleted */
        f->files[at] = f->files[--f->n];
    } else if (what == 2) {                                     /* renamed */
        const file old = f->files[at];
        snprintf(f->files[at].path, sizeof old.path, "%s/%u.ppm", old.klass,
                 (unsigned)(*next)++);
    } else if (what == 3) {                                     /* into another class */
        const file old = f->files[at];
        f->files[at] = f->files[--f->n];
        put(f, mni_rng_below(r, 5), (*next)++, old.content);
    } else if (what == 4) {                                     /* edited */
        f->files[at].content = (*next)++;
    } else if (f->n < MOST - 1) {                               /* copied */
        put(f, mni_rng_below(r, 5), (*next)++, f->files[at].content);
    }
}

static void follows_a_folder_through_its_changes(void)
{
    mni_vfs_mem *mem;
    mni_gallery *g;
    folder *f = mni_alloc(1, sizeof *f);
    mann_error e = { MANN_OK, "" };
    mann_sync_report rep;
    uint32_t next = 1;
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 3, 0, 0);
    CHECK_FINE(make(&g, v, &e), e);
    for (int round = 0; round < 40; round++) {
        for (uint32_t k = mni_rng_below(&r, 12); k > 0; k--) change(f, &r, &next);
        const mni_photos p = photos_of(f);
        CHECK_FINE(mni_gallery_sync(g, &p, MANN_SYNC_REMOVE, NULL, NULL, &rep, &e), e);
        check_equal(g, f);
        if (round % 4 == 1) {                   /* what it did is in the journal */
            mni_gallery_free(g);
            CHECK_FINE(mni_gallery_open(&g, v, "g", MANN_OPEN_WRITE, &e), e);
            check_equal(g, f);
        }
        if (round % 7 == 3)
            CHECK_FINE(mni_gallery_build(g, NULL, NULL, 0, NULL, NULL, &e), e);
        CHECK_FINE(mni_gallery_sync(g, &p, MANN_SYNC_REMOVE, NULL, NULL, &rep, &e), e);
        CHECK_EQ(rep.n_added + rep.n_moved + rep.n_changed + rep.n_gone, 0);
    }
    CHECK_FINE(mni_gallery_verify(g, NULL, &e), e);
    mni_gallery_free(g);
    mni_vfs_mem_free(mem);
    mni_free(f);
}

static uint64_t only_id(mni_gallery *g, const char *path)
{
    mni_state *s = mni_gallery_state(g);
    uint64_t id = UINT64_MAX;
    for (uint32_t row = 0; row < mni_state_rows(s); row++) {
        mni_record r;
        mni_state_record(s, row, &r);
        if (mni_state_alive(s, row) && r.source_chars == strlen(path) &&
            memcmp(r.source, path, r.source_chars) == 0)
            id = r.id;
    }
    mni_state_release(s);
    return id;
}

/* Moving costs a path, editing a vector; both keep the id. Gone is told before it is
 * removed, and an unreadable file takes nothing away. */
static void each_change_does_its_own(void)
{
    mni_vfs_mem *mem;
    mni_gallery *g;
    folder f = { .n = 0 };
    mann_error e = { MANN_OK, "" };
    mann_sync_report r;
    mann_gallery_info before = { .struct_size = sizeof before }, after = before;
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    CHECK_FINE(make(&g, mni_vfs_mem_vfs(mem), &e), e);
    for (uint32_t i = 0; i < 4; i++) put(&f, i % 2, i, i + 1);
    mni_photos p = photos_of(&f);
    CHECK_FINE(mni_gallery_sync(g, &p, 0, NULL, NULL, &r, &e), e);
    CHECK_EQ(r.n_added, 4);
    const uint64_t moved = only_id(g, "c0/0.ppm"), edited = only_id(g, "c1/1.ppm");
    CHECK_OK(mni_gallery_describe(g, &before, NULL));
    strcpy(f.files[0].path, "c0/away.ppm");
    CHECK_FINE(mni_gallery_sync(g, &p, 0, NULL, NULL, &r, &e), e);
    CHECK_EQ(r.n_moved, 1);
    CHECK_EQ(r.n_added + r.n_changed + r.n_gone, 0);
    CHECK_EQ(only_id(g, "c0/away.ppm"), moved);
    CHECK_OK(mni_gallery_describe(g, &after, NULL));
    CHECK(after.journal_bytes - before.journal_bytes < 128);    /* no vector again */
    f.files[1].content = 9;
    CHECK_FINE(mni_gallery_sync(g, &p, 0, NULL, NULL, &r, &e), e);
    CHECK_EQ(r.n_changed, 1);
    CHECK_EQ(r.n_added + r.n_moved + r.n_gone, 0);
    CHECK_EQ(only_id(g, "c1/1.ppm"), edited);
    f.files[2].content = 0;                     /* cannot be read now */
    CHECK_FINE(mni_gallery_sync(g, &p, MANN_SYNC_REMOVE, NULL, NULL, &r, &e), e);
    CHECK_EQ(r.n_skipped, 1);
    CHECK_EQ(r.n_gone, 0);
    f.files[2] = f.files[3];
    f.n = p.n = 3;
    CHECK_FINE(mni_gallery_sync(g, &p, MANN_SYNC_KEEP, NULL, NULL, &r, &e), e);
    CHECK_EQ(r.n_gone, 1);
    CHECK_EQ(r.n_removed, 0);
    CHECK_FINE(mni_gallery_sync(g, &p, MANN_SYNC_REMOVE, NULL, NULL, &r, &e), e);
    CHECK_EQ(r.n_removed, 1);
    check_equal(g, &f);
    mni_gallery_free(g);
    mni_vfs_mem_free(mem);
}

/* A root that is away (not mounted) protects what came from it. */
static void a_folder_that_is_away_removes_nothing(void)
{
    mni_vfs_mem *mem;
    mni_gallery *g;
    folder f = { .n = 0 };
    mann_error e = { MANN_OK, "" };
    mann_sync_report r;
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    CHECK_FINE(make(&g, mni_vfs_mem_vfs(mem), &e), e);
    CHECK_FINE(mni_gallery_add_root(g, "not/mounted", &e), e);
    put(&f, 0, 0, 1);
    put(&f, 0, 1, 2);
    mni_photos p = photos_of(&f);
    CHECK_FINE(mni_gallery_sync(g, &p, 0, NULL, NULL, &r, &e), e);
    f.n = p.n = 1;
    CHECK_FINE(mni_gallery_sync(g, &p, MANN_SYNC_REMOVE, NULL, NULL, &r, &e), e);
    CHECK_EQ(r.n_gone, 1);
    CHECK_EQ(r.n_removed, 0);
    CHECK_FINE(mni_gallery_sync(g, &p, MANN_SYNC_REMOVE_ALL, NULL, NULL, &r, &e), e);
    CHECK_EQ(r.n_removed, 1);
    mni_gallery_free(g);
    mni_vfs_mem_free(mem);
}

/* A file system where one folder may not be looked into. */
static mni_vfs_ops shut_ops;
static const char *shut_folder;
static const mni_vfs *shut_inner;

static mann_status shut(const char *path, mann_error *err)
{
    return mni_fail(err, MANN_E_READ_ONLY, "%s: permission denied", path);
}

static mann_status shut_stat(const mni_vfs *v, const char *path, mni_stat *out,
                             mann_error *err)
{
    if (strncmp(path, shut_folder, strlen(shut_folder)) == 0) return shut(path, err);
    return shut_inner->ops->stat(v, path, out, err);
}

static mann_status shut_list(const mni_vfs *v, const char *dir, mni_list_fn fn, void *ctx,
                             mann_error *err)
{
    if (strncmp(dir, shut_folder, strlen(shut_folder)) == 0) return shut(dir, err);
    return shut_inner->ops->list(v, dir, fn, ctx, err);
}

/* A gallery of two photos, of which the folder `root` shows none any more: nothing may be
 * removed unless that is asked for whatever is away. */
static void nothing_is_removed(const mni_vfs *v, const char *gallery, const char *root)
{
    mni_gallery *g;
    mni_model *m;
    folder f = { .n = 0 };
    mann_error e = { MANN_OK, "" };
    mann_sync_report r;
    mann_gallery_config c;
    CHECK_OK(mann_model_new(&m, "pixels", 0, 0, NULL));
    mann_gallery_config_fill(&c, sizeof c);
    c.metric = MANN_COSINE;
    c.dim = mni_model_shape_of(m).dim;
    c.model = m;
    CHECK_FINE(mni_gallery_create(&g, v, gallery, &c, &e), e);
    mni_model_free(m);
    put(&f, 0, 0, 1);
    put(&f, 1, 1, 2);
    mni_photos p = photos_of(&f);
    p.root = root;
    CHECK_FINE(mni_gallery_sync(g, &p, 0, NULL, NULL, &r, &e), e);
    CHECK_EQ(r.n_added, 2);
    p.n = f.n = 0;                              /* what a listing of it gives now */
    for (int remove = 0; remove < 2; remove++) {
        CHECK_FINE(mni_gallery_sync(g, &p, remove, NULL, NULL, &r, &e), e);
        CHECK_EQ(r.n_removed, 0);
    }
    CHECK_OK(mni_gallery_verify(g, NULL, NULL));
    mann_gallery_info info = { .struct_size = sizeof info };
    CHECK_OK(mni_gallery_describe(g, &info, NULL));
    CHECK_EQ(info.n_rows, 2);
    mni_gallery_free(g);
}

static void a_folder_that_may_not_be_read_removes_nothing(void)
{
    char gallery[600], root[600];
    mni_vfs careful = { &shut_ops };
    snprintf(root, sizeof root, "%s/photos", test_dir());
    snprintf(gallery, sizeof gallery, "%s/g.mann", test_dir());
    CHECK_OK(mni_vfs_posix()->ops->mkdir(mni_vfs_posix(), root, NULL));
    shut_inner = mni_vfs_posix();
    shut_ops = *shut_inner->ops;
    shut_ops.stat = shut_stat;
    shut_ops.list = shut_list;
    shut_folder = root;
    nothing_is_removed(&careful, gallery, root);
}

/* The place where a disk is to be mounted: a folder, and nothing in it. */
static void an_empty_place_to_mount_removes_nothing(void)
{
    char gallery[600], root[600];
    snprintf(root, sizeof root, "%s/mount", test_dir());
    snprintf(gallery, sizeof gallery, "%s/g.mann", test_dir());
    CHECK_OK(mni_vfs_posix()->ops->mkdir(mni_vfs_posix(), root, NULL));
    nothing_is_removed(mni_vfs_posix(), gallery, root);
}

/* Paths of a manifest need not begin with the class; then who is missing from it is told
 * by number. */
static void hear(void *user, mann_note_level level, const char *sentence)
{
    (void)level;
    if (strstr(sentence, "1 records were kept")) ++*(int *)user;
}

static void a_manifest_is_told_what_it_cannot_know(void)
{
    mni_vfs_mem *mem;
    mni_gallery *g;
    folder f = { .n = 0 };
    mann_error e = { MANN_OK, "" };
    mann_sync_report r;
    int heard = 0;
    const mann_hooks hooks = { .note = hear, .user = &heard };
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    CHECK_FINE(make(&g, mni_vfs_mem_vfs(mem), &e), e);
    for (uint32_t i = 0; i < 3; i++) {
        put(&f, i, i, i + 1);
        snprintf(f.files[i].path, sizeof f.files[i].path, "all/%u.ppm", (unsigned)i);
    }
    mni_photos p = photos_of(&f);
    CHECK_FINE(mni_gallery_sync(g, &p, MANN_SYNC_REMOVE, NULL, &hooks, &r, &e), e);
    CHECK_EQ(heard, 0);
    p.n = f.n = 2;
    CHECK_FINE(mni_gallery_sync(g, &p, MANN_SYNC_REMOVE, NULL, &hooks, &r, &e), e);
    CHECK_EQ(r.n_gone + r.n_removed, 0);
    CHECK_EQ(heard, 1);
    mni_gallery_free(g);
    mni_vfs_mem_free(mem);
}

/* --- interrupted -------------------------------------------------------------------- */

static int stop_at(void *user, const mann_progress *p)
{
    uint64_t *left = user;
    (void)p;
    return (*left)-- == 0;
}

static void stopped_at_any_group_it_goes_on(void)
{
    for (uint64_t stop = 0; stop < 5; stop++) {
        mni_vfs_mem *mem;
        mni_gallery *g;
        folder *f = mni_alloc(1, sizeof *f);
        mann_error e = { MANN_OK, "" };
        mann_sync_report first, second;
        uint64_t left = stop;
        const mann_hooks h = { .progress = stop_at, .user = &left };
        CHECK_OK(mni_vfs_mem_new(&mem, NULL));
        CHECK_FINE(make(&g, mni_vfs_mem_vfs(mem), &e), e);
        for (uint32_t i = 0; i < 600; i++) put(f, i % 5, i, i + 1);
        const mni_photos p = photos_of(f);
        const mann_status s = mni_gallery_sync(g, &p, 0, NULL, &h, &first, &e);
        CHECK(s == MANN_OK || s == MANN_E_CANCELLED);
        mni_gallery_free(g);
        mni_vfs_mem_power_cut(mem);
        CHECK_FINE(mni_gallery_open(&g, mni_vfs_mem_vfs(mem), "g", MANN_OPEN_WRITE, &e),
                   e);
        CHECK_FINE(mni_gallery_sync(g, &p, 0, NULL, NULL, &second, &e), e);
        CHECK_EQ(first.n_added + second.n_added, 600);
        CHECK_EQ(second.n_present, first.n_added);
        check_equal(g, f);
        mni_gallery_free(g);
        mni_vfs_mem_free(mem);
        mni_free(f);
    }
}

static int mark_content(void *user, const mann_record *r)
{
    if (r->time < 64) *(uint64_t *)user |= UINT64_C(1) << r->time;
    return 0;
}

/* Six photos, of which sync finds one moved, one edited, and a seventh; operation n fails
 * (and, when the plug is pulled, all after it). 1: nothing was left to fail. */
static int fault_at(long n, int plug, mni_fault which)
{
    mni_vfs_mem *mem;
    mni_gallery *g;
    mni_vfs_faulty bad;
    folder f = { .n = 0 };
    mann_error e = { MANN_OK, "" };
    mann_sync_report r;
    uint64_t there = 0;
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    CHECK_FINE(make(&g, v, &e), e);
    for (uint32_t i = 0; i < 6; i++) put(&f, i % 2, i, i + 1);
    mni_photos p = photos_of(&f);
    CHECK_FINE(mni_gallery_sync(g, &p, 0, NULL, NULL, &r, &e), e);
    mni_gallery_free(g);
    strcpy(f.files[0].path, "c0/away.ppm");
    f.files[1].content = 9;
    put(&f, 2, 20, 21);
    p.n = f.n;
    mni_vfs_faulty_init(&bad, v);
    bad.which = which;
    bad.fail_in = n;
    bad.short_write = 1;
    bad.sticky = plug;
    mann_status s = mni_gallery_open(&g, &bad.vfs, "g", MANN_OPEN_WRITE, &e);
    if (s == MANN_OK) s = mni_gallery_sync(g, &p, 1, NULL, NULL, &r, &e);
    const int whole = s == MANN_OK && bad.fail_in >= 0;
    mni_gallery_free(g);
    if (plug == 1) mni_vfs_mem_power_cut(mem);
    if (plug == 2) mni_vfs_mem_power_cut_torn(mem, (uint64_t)n);
    CHECK_FINE(mni_gallery_open(&g, v, "g", MANN_OPEN_WRITE, &e), e);
    CHECK_FINE(mni_gallery_verify(g, NULL, &e), e);
    CHECK_OK(mni_gallery_each(g, mark_content, &there, NULL));
    CHECK((there & 0x7a) == 0x7a && (there >> 2 & 1) + (there >> 9 & 1) == 1);
    if (s == MANN_OK) CHECK(there == (0x7a | 1u << 9 | 1u << 21));
    CHECK_FINE(mni_gallery_sync(g, &p, 1, NULL, NULL, &r, &e), e);
    check_equal(g, &f);
    mni_gallery_free(g);
    mni_vfs_mem_free(mem);
    return whole;
}

/* Whatever fails, and whenever the plug is pulled: what sync said is there, nothing that
 * was there is lost, and the next run makes it whole. */
static void every_fault_is_made_good_by_the_next_run(void)
{
    static const mni_fault kinds[] = { MNI_FAULT_ANY,  MNI_FAULT_WRITE, MNI_FAULT_SYNC,
                                       MNI_FAULT_OPEN, MNI_FAULT_MAP,   MNI_FAULT_RENAME,
                                       MNI_FAULT_TRUNCATE };
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (int plug = 0; plug < 3; plug++)
            for (long n = 0; !fault_at(n, plug, kinds[k]); n++) CHECK(n < 500);
}

static mann_status sync_twice(void *ctx)
{
    mni_vfs_mem *mem;
    mni_gallery *g = NULL;
    mann_sync_report r;
    mann_error e = { MANN_OK, "" };
    folder f = { .n = 0 };
    (void)ctx;
    for (uint32_t i = 0; i < 6; i++) put(&f, i % 3, i, i + 1);
    const mni_photos p = photos_of(&f);
    MNI_TRY(mni_vfs_mem_new(&mem, &e));
    mann_status s = make(&g, mni_vfs_mem_vfs(mem), &e);
    if (s == MANN_OK) s = mni_gallery_sync(g, &p, 1, NULL, NULL, &r, &e);
    strcpy(f.files[0].path, "c0/away.ppm");
    f.files[1].content = 9;
    if (s == MANN_OK) s = mni_gallery_sync(g, &p, 1, NULL, NULL, &r, &e);
    mni_gallery_free(g);
    mni_vfs_mem_free(mem);
    return s;
}

static void memory_may_end_anywhere(void) { test_oom(sync_twice, NULL, 0); }

const test_case sync_tests[] = {
    { "follows_a_folder_through_its_changes", follows_a_folder_through_its_changes, 0 },
    { "each_change_does_its_own", each_change_does_its_own, 0 },
    { "a_folder_that_is_away_removes_nothing", a_folder_that_is_away_removes_nothing, 0 },
    { "a_folder_that_may_not_be_read_removes_nothing",
      a_folder_that_may_not_be_read_removes_nothing, 0 },
    { "an_empty_place_to_mount_removes_nothing", an_empty_place_to_mount_removes_nothing,
      0 },
    { "a_manifest_is_told_what_it_cannot_know", a_manifest_is_told_what_it_cannot_know,
      0 },
    { "stopped_at_any_group_it_goes_on", stopped_at_any_group_it_goes_on, 0 },
    { "every_fault_is_made_good_by_the_next_run",
      every_fault_is_made_good_by_the_next_run, 0 },
    { "memory_may_end_anywhere", memory_may_end_anywhere, 0 },
    { 0 }
};
