/* vfs_faulty.c - forwards to another file system and fails on command. For tests; see
 * vfs.h.
 *
 * The loop it is made for: let operation 0, 1, 2, ... fail until the code under test
 * succeeds, and look each time whether it told the truth and left old or new content
 * behind. Which operations count is a mask; size, lock, stat, list, mkdir, set_time,
 * remove and unmap always go through. sync counts files and folders alike. One thread at
 * a time, as the counters are plain. SPDX-License-Identifier: MIT */
#include "os/feature.h"
#include "os/vfs.h"

#include <string.h>

#include "base/mem.h"

typedef struct faulty_file {
    mni_file base;
    mni_file *inner;
    char path[];
} faulty_file;

static mni_vfs_faulty *faulty_of(const mni_vfs *v)
{
    return (mni_vfs_faulty *)(uintptr_t)v;
}
static const mni_vfs *inner_of(const mni_vfs *v) { return faulty_of(v)->inner; }
static mni_file *inner_file(mni_file *f) { return ((faulty_file *)f)->inner; }
static const char *path_of(mni_file *f) { return ((faulty_file *)f)->path; }

/* Counts one operation; 1 if it is the one that must fail. */
static int must_fail(const mni_vfs *v, mni_fault kind)
{
    mni_vfs_faulty *f = faulty_of(v);
    if (kind != MNI_FAULT_SYNC && kind != MNI_FAULT_CLOSE) f->last = (unsigned)kind;
    if (!(f->which & (unsigned)kind)) return 0;
    f->n_counted++;
    if (f->fail_in < 0) return 0;
    if (f->fail_in > 0) { f->fail_in--; return 0; }
    if (!f->sticky) f->fail_in = -1;
    return 1;
}

static mann_status broken(mann_error *err, const char *what, const char *path)
{
    return mni_fail(err, MANN_E_IO, "%s: cannot %s: fault made by a test", path, what);
}

static mann_status faulty_open(const mni_vfs *v, const char *path, unsigned flags,
                               mni_file **out, mann_error *err)
{
    if (must_fail(v, MNI_FAULT_OPEN)) return broken(err, "open", path);
    size_t path_bytes = strlen(path) + 1;
    faulty_file *f = mni_alloc(1, sizeof *f + path_bytes);
    if (!f) return mni_fail(err, MANN_E_NOMEM, "%s: file handle", path);
    memcpy(f->path, path, path_bytes);
    f->base.vfs = v;
    mann_status s = mni_open(inner_of(v), path, flags, &f->inner, err);
    if (s != MANN_OK) { mni_free(f); return s; }
    *out = &f->base;
    return MANN_OK;
}

static mann_status faulty_read(mni_file *f, void *bytes, size_t n, uint64_t at,
                               size_t *got, mann_error *err)
{
    *got = 0;
    if (must_fail(f->vfs, MNI_FAULT_READ)) return broken(err, "read", path_of(f));
    return mni_read(inner_file(f), bytes, n, at, got, err);
}

static mann_status faulty_write(mni_file *f, const void *bytes, size_t n, uint64_t at,
                                mann_error *err)
{
    if (!must_fail(f->vfs, MNI_FAULT_WRITE))
        return mni_write(inner_file(f), bytes, n, at, err);
    if (faulty_of(f->vfs)->short_write) mni_write(inner_file(f), bytes, n / 2, at, NULL);
    return broken(err, "write", path_of(f));
}

static mann_status faulty_truncate(mni_file *f, uint64_t n_bytes, mann_error *err)
{
    if (must_fail(f->vfs, MNI_FAULT_TRUNCATE)) return broken(err, "cut", path_of(f));
    return inner_file(f)->vfs->ops->truncate(inner_file(f), n_bytes, err);
}

/* path "": a folder. After it, the operation before the next one is a sync. */
static int lies_about(mni_vfs_faulty *f, const char *path)
{
    const unsigned before = f->last;
    f->last = MNI_FAULT_SYNC;
    if (!f->lie_about || !*f->lie_about != !*path || !strstr(path, f->lie_about) ||
        (f->lie_after && !(f->lie_after & before)))
        return 0;
    f->n_lies++;
    return 1;
}

static mann_status faulty_sync(mni_file *f, mann_error *err)
{
    if (must_fail(f->vfs, MNI_FAULT_SYNC)) return broken(err, "sync", path_of(f));
    if (lies_about(faulty_of(f->vfs), path_of(f))) return MANN_OK;
    return mni_sync(inner_file(f), err);
}

static mann_status faulty_size(mni_file *f, uint64_t *n_bytes, mann_error *err)
{
    return inner_file(f)->vfs->ops->size(inner_file(f), n_bytes, err);
}

static mann_status faulty_map(mni_file *f, const void **bytes, size_t *n_bytes,
                              mann_error *err)
{
    if (must_fail(f->vfs, MNI_FAULT_MAP)) return broken(err, "map", path_of(f));
    return inner_file(f)->vfs->ops->map(inner_file(f), bytes, n_bytes, err);
}

static void faulty_unmap(const mni_vfs *v, const void *bytes, size_t n_bytes)
{
    inner_of(v)->ops->unmap(inner_of(v), bytes, n_bytes);
}

static mann_status faulty_lock(mni_file *f, mann_error *err)
{
    if (faulty_of(f->vfs)->no_locks)
        return mni_fail(err, MANN_E_UNSUPPORTED, "%s: no locks here", path_of(f));
    return inner_file(f)->vfs->ops->lock(inner_file(f), err);
}

static mann_status faulty_close(mni_file *f, mann_error *err)
{
    int fail = must_fail(f->vfs, MNI_FAULT_CLOSE);
    mann_status s = mni_close(inner_file(f), err);
    if (fail) s = broken(err, "close", path_of(f));
    mni_free(f);
    return s;
}

static mann_status faulty_replace(const mni_vfs *v, const char *from, const char *to,
                                  mann_error *err)
{
    if (must_fail(v, MNI_FAULT_RENAME)) return broken(err, "rename into place", to);
    return inner_of(v)->ops->replace(inner_of(v), from, to, err);
}

static mann_status faulty_remove(const mni_vfs *v, const char *path, mann_error *err)
{
    faulty_of(v)->last = MNI_DID_REMOVE;
    return inner_of(v)->ops->remove(inner_of(v), path, err);
}

static mann_status faulty_sync_dir(const mni_vfs *v, const char *dir, mann_error *err)
{
    if (must_fail(v, MNI_FAULT_SYNC)) return broken(err, "sync folder", dir);
    if (lies_about(faulty_of(v), "")) return MANN_OK;
    return inner_of(v)->ops->sync_dir(inner_of(v), dir, err);
}

static mann_status faulty_stat(const mni_vfs *v, const char *path, mni_stat *out,
                               mann_error *err)
{
    return inner_of(v)->ops->stat(inner_of(v), path, out, err);
}

static mann_status faulty_list(const mni_vfs *v, const char *dir, mni_list_fn fn,
                               void *ctx, mann_error *err)
{
    return inner_of(v)->ops->list(inner_of(v), dir, fn, ctx, err);
}

static mann_status faulty_mkdir(const mni_vfs *v, const char *path, mann_error *err)
{
    return inner_of(v)->ops->mkdir(inner_of(v), path, err);
}

static mann_status faulty_absolute(const mni_vfs *v, const char *path, char *out,
                                   size_t size, mann_error *err)
{
    return inner_of(v)->ops->absolute(inner_of(v), path, out, size, err);
}

static mann_status faulty_set_time(mni_file *f, uint64_t mtime, mann_error *err)
{
    mni_file *inner = ((faulty_file *)f)->inner;
    return inner->vfs->ops->set_time(inner, mtime, err);
}

void mni_vfs_faulty_init(mni_vfs_faulty *f, const mni_vfs *inner)
{
    static const mni_vfs_ops ops = { "faulty",      faulty_open,     faulty_read,
                                     faulty_write,  faulty_truncate, faulty_sync,
                                     faulty_size,   faulty_map,      faulty_unmap,
                                     faulty_lock,   faulty_close,    faulty_replace,
                                     faulty_remove, faulty_sync_dir, faulty_stat,
                                     faulty_list,   faulty_mkdir,    faulty_absolute,
                                     faulty_set_time };
    *f = (mni_vfs_faulty){ .vfs = { &ops }, .inner = inner,
                           .which = MNI_FAULT_ANY, .fail_in = -1 };
}
