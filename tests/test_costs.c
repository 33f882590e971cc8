/* test_costs.c - a change costs what it changes: bytes and syncs, counted at the file
 * system, whatever the size of the gallery. Times are measured by bench/bench_store.c.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "gallery_help.h"
#include "harness.h"

static mni_vfs_ops ops;
static const mni_vfs_ops *inner;
static uint64_t n_bytes, n_writes, n_syncs, n_reads;

static mann_status count_write(mni_file *f, const void *bytes, size_t n, uint64_t at,
                               mann_error *err)
{
    n_bytes += n;
    n_writes++;
    return inner->write(f, bytes, n, at, err);
}

static mann_status count_read(mni_file *f, void *bytes, size_t n, uint64_t at,
                              size_t *got, mann_error *err)
{
    n_reads += n;
    return inner->read(f, bytes, n, at, got, err);
}

static mann_status count_sync(mni_file *f, mann_error *err)
{
    n_syncs++;
    return inner->sync(f, err);
}

static mann_status count_sync_dir(const mni_vfs *v, const char *dir, mann_error *err)
{
    n_syncs++;
    return inner->sync_dir(v, dir, err);
}

static void reset(void) { n_bytes = n_writes = n_syncs = n_reads = 0; }

typedef struct costs { uint64_t add, remove, relabel, move; } costs;

static void fine(mann_status s, const mann_error *e)
{
    if (s != MANN_OK) test_fail(__FILE__, __LINE__, "%s", e->text);
}

static costs costs_at(const mni_vfs *v, uint32_t rows)
{
    mni_gallery *g;
    costs c;
    size_t gone;
    uint64_t id;
    char path[24];
    mann_error e = { MANN_OK, "" };
    snprintf(path, sizeof path, "g%u", (unsigned)rows);
    fine(gallery_make(&g, v, path, MANN_STORE_F32, rows / 4, 4, &e), &e);
    fine(mni_gallery_build(g, NULL, "Flat", MNI_MEASURE_NO, NULL, NULL, &e), &e);
    /* what a record is: its numbers, class, path, vector */
    const uint64_t record = 24 + strlen("class-7") + strlen("class-7/99.png") + 4 * DIM;
    reset();
    fine(gallery_add_view(g, 7, 98, NULL, &e), &e);     /* the journal begins */
    CHECK(n_bytes <= 4 * record && n_syncs <= 2);
    reset();
    fine(gallery_add_view(g, 7, 99, &id, &e), &e);
    CHECK(n_bytes <= 2 * record && n_syncs == 1 && n_writes == 1 && n_reads == 0);
    c.add = n_bytes;
    reset();
    const mni_moved moved = { 11, "class-7", "class-7/new.png" };
    fine(mni_gallery_move(g, &moved, 1, &e), &e);
    CHECK(n_bytes <= 128 && n_syncs == 1);              /* no vector again */
    c.move = n_bytes;
    reset();
    fine(mni_gallery_relabel(g, &id, 1, "class-8", &e), &e);
    CHECK(n_bytes <= 64 && n_syncs == 1);
    c.relabel = n_bytes;
    reset();
    fine(mni_gallery_remove(g, &id, 1, &gone, &e), &e);
    CHECK(n_bytes <= 64 && n_syncs == 1 && gone == 1);
    c.remove = n_bytes;
    mni_gallery_free(g);
    return c;
}

static void a_change_costs_what_it_changes(void)
{
    mni_vfs_mem *mem;
    mni_vfs counting = { &ops };
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    inner = mni_vfs_mem_vfs(mem)->ops;
    /* the memory file system finds itself by the address of its table */
    mni_vfs *v = (mni_vfs *)(uintptr_t)mni_vfs_mem_vfs(mem);
    ops = *inner;
    ops.write = count_write;
    ops.read = count_read;
    ops.sync = count_sync;
    ops.sync_dir = count_sync_dir;
    v->ops = counting.ops;
    const costs small = costs_at(v, 100), large = costs_at(v, 8000);
    CHECK(memcmp(&small, &large, sizeof small) == 0);
    v->ops = inner;
    mni_vfs_mem_free(mem);
}

/* A group of records is one write and one sync. */
static void a_group_is_one_sync(void)
{
    mni_vfs_mem *mem;
    mni_gallery *g;
    mni_new_row rows[200];
    static float vectors[200][DIM];
    mann_error e = { MANN_OK, "" };
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    mni_vfs *v = (mni_vfs *)(uintptr_t)mni_vfs_mem_vfs(mem);
    inner = v->ops;
    ops = *inner;
    ops.write = count_write;
    ops.sync = count_sync;
    v->ops = &ops;
    fine(gallery_make(&g, v, "g", MANN_STORE_F32, 2, 1, &e), &e);
    for (uint32_t i = 0; i < 200; i++) {
        gallery_vector(i, 1, vectors[i]);
        rows[i] = (mni_new_row){ .klass = "k", .source = "k/p.png",
                                 .vector = vectors[i] };
    }
    reset();
    fine(mni_gallery_add(g, rows, 200, NULL, &e), &e);
    CHECK(n_writes == 1 && n_syncs == 1 && n_bytes <= 200 * (4 * DIM + 88));
    mni_gallery_free(g);
    v->ops = inner;
    mni_vfs_mem_free(mem);
}

const test_case costs_tests[] = {
    { "a_change_costs_what_it_changes", a_change_costs_what_it_changes, 0 },
    { "a_group_is_one_sync", a_group_is_one_sync, 0 },
    { 0 }
};
