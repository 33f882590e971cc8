/* vfs_mem.c - files in memory that can lose what was not synced. For tests; see vfs.h.
 *
 * What a disk promises is less than what a program sees while the machine runs. Both
 * views are kept:
 *
 *   name --live----> node         name: what open() finds now, and what it would find
 *   after a cut
 *        \-durable-> node         node: the bytes as written, and the bytes of the last
 *        sync
 *
 * sync copies a node's bytes to its durable side; sync_dir copies live to durable for the
 * names of one folder; a power cut copies both back. A file that was written and synced
 * but whose folder was not is therefore gone afterwards: the harshest reading of POSIX,
 * and the one to be safe against.
 *
 * "." and empty steps are dropped from paths, ".." is not resolved. Folders exist for
 * ever once named. Times and inode numbers count up from 1: no clock, so that tests
 * repeat. SPDX-License-Identifier: MIT */
#include "os/feature.h"
#include "os/vfs.h"

#include <string.h>

#include "base/text.h"
#include "os/vfs_mem_parts.h"

static mni_vfs_mem *disk_of(const mni_vfs *v) { return (mni_vfs_mem *)(uintptr_t)v; }

/* --- nodes and names, under the lock ------------------------------------------------ */

static void normal_path(mni_text *out, const char *path)
{
    if (*path == '/') mni_text_char(out, '/');
    for (const char *step = path; *step;) {
        size_t n = strcspn(step, "/");
        if (n && !(n == 1 && *step == '.')) {
            if (out->n_chars && out->chars[out->n_chars - 1] != '/')
                mni_text_char(out, '/');
            mni_text_add_n(out, step, n);
        }
        step += n + (step[n] == '/');
    }
}

static mni_mem_entry *find(const mni_vfs_mem *m, const char *normal)
{
    for (size_t i = 0; i < m->n_entries; i++)
        if (strcmp(m->entries[i].path, normal) == 0) return &m->entries[i];
    return NULL;
}

static mni_mem_entry *find_or_add(mni_vfs_mem *m, const char *normal)
{
    mni_mem_entry *e = find(m, normal);
    if (e) return e;
    if (!mni_grow((void **)&m->entries, &m->cap, m->n_entries + 1, sizeof *e))
        return NULL;
    char *path = mni_strdup(normal);
    if (!path) return NULL;
    e = &m->entries[m->n_entries++];
    *e = (mni_mem_entry){ .path = path };
    return e;
}

/* Is `path` a name directly in `folder` (both normal; "" is the folder of relative
 * paths)? */
static const char *name_in(const char *folder, const char *path)
{
    size_t n = strlen(folder);
    if (strncmp(path, folder, n) != 0) return NULL;
    const char *name = path + n;
    if (n && folder[n - 1] != '/' && *name++ != '/') return NULL;
    return *name && !strchr(name, '/') ? name : NULL;
}

static int is_root(const char *normal) { return !*normal || strcmp(normal, "/") == 0; }

/* Makes `normal` a folder, and all that it lies in. */
static mann_status name_folder(mni_vfs_mem *m, const char *normal, const char *path,
                               mann_error *err)
{
    mni_text part = { 0 };
    mann_status s = MANN_OK;
    for (size_t n = 1; s == MANN_OK && normal[0] && n <= strlen(normal); n++) {
        if (normal[n] != '/' && normal[n] != '\0') continue;
        mni_text_clear(&part);
        mni_text_add_n(&part, normal, n);
        mni_mem_entry *e = part.failed ? NULL : find_or_add(m, mni_text_get(&part));
        if (!e) s = mni_fail(err, MANN_E_NOMEM, "%s: folder in memory", path);
        else if (e->live)
            s = mni_fail(err, MANN_E_EXISTS, "%s: %s is a file, wanted a folder", path,
                         e->path);
        else if (!e->folder_inode) e->folder_inode = ++m->next_inode;
    }
    mni_text_fini(&part);
    return s;
}

static mann_status name_parent(mni_vfs_mem *m, const char *normal, const char *path,
                               mann_error *err)
{
    const char *slash = strrchr(normal, '/');
    if (!slash || slash == normal) return MANN_OK;
    mni_text parent = { 0 };
    mni_text_add_n(&parent, normal, (size_t)(slash - normal));
    mann_status s = parent.failed
                        ? mni_fail(err, MANN_E_NOMEM, "%s: folder in memory", path)
                        : name_folder(m, mni_text_get(&parent), path, err);
    mni_text_fini(&parent);
    return s;
}

/* Most operations on paths begin alike: normal form, then the lock. */
static mann_status enter(mni_vfs_mem *m, const char *path, mni_text *normal,
                         mann_error *err)
{
    normal_path(normal, path);
    if (normal->failed) {
        mni_text_fini(normal);
        return mni_fail(err, MANN_E_NOMEM, "%s: path", path);
    }
    mni_mutex_lock(&m->lock);
    return MANN_OK;
}

static mann_status leave(mni_vfs_mem *m, mni_text *normal, mann_status s)
{
    mni_mem_sweep(m);
    mni_mutex_unlock(&m->lock);
    mni_text_fini(normal);
    return s;
}

static mann_status absent(const char *path, mann_error *err)
{
    return mni_fail(err, MANN_E_NOT_FOUND, "%s: no such file or folder", path);
}

/* --- files -------------------------------------------------------------------------- */

/* The node that open shall use: found, or made. */
static mann_status node_for(mni_vfs_mem *m, const char *normal, const char *path,
                            unsigned flags, mni_mem_node **out, mann_error *err)
{
    mni_mem_entry *e = find(m, normal);
    int may_make = (flags & MNI_OPEN_WRITE) && (flags & MNI_OPEN_CREATE);
    if (is_root(normal) || (e && e->folder_inode))
        return mni_fail(err, MANN_E_IO, "%s: is a folder, wanted a file", path);
    if (e && e->live) {
        if (may_make && (flags & MNI_OPEN_EXCLUSIVE))
            return mni_fail(err, MANN_E_EXISTS, "%s: exists already", path);
        *out = e->live;
        return MANN_OK;
    }
    if (!may_make) return absent(path, err);
    MNI_TRY(name_parent(m, normal, path, err));
    mni_mem_node *n = mni_alloc(1, sizeof *n);
    e = n ? find_or_add(m, normal) : NULL;
    if (!e) {
        mni_free(n);
        return mni_fail(err, MANN_E_NOMEM, "%s: file in memory", path);
    }
    n->inode = ++m->next_inode;
    n->mtime = ++m->time;
    mni_mem_point(&e->live, n);
    *out = n;
    return MANN_OK;
}

static mann_status mem_open(const mni_vfs *v, const char *path, unsigned flags,
                            mni_file **out, mann_error *err)
{
    mni_vfs_mem *m = disk_of(v);
    mni_text normal = { 0 };
    mni_mem_node *n = NULL;
    size_t path_bytes = strlen(path) + 1;
    mni_mem_file *f = mni_alloc(1, sizeof *f + path_bytes);
    if (!f) return mni_fail(err, MANN_E_NOMEM, "%s: file handle", path);
    mann_status s = enter(m, path, &normal, err);
    if (s != MANN_OK) { mni_free(f); return s; }
    s = node_for(m, mni_text_get(&normal), path, flags, &n, err);
    if (s == MANN_OK) {
        f->base.vfs = v;
        f->disk = m;
        f->writable = (flags & MNI_OPEN_WRITE) != 0;
        memcpy(f->path, path, path_bytes);
        mni_mem_point(&f->node, n);
        if (f->writable && (flags & MNI_OPEN_TRUNCATE)) {
            n->now.n_bytes = 0;
            n->dirty = 1;
        }
        *out = &f->base;
    } else {
        mni_free(f);
    }
    return leave(m, &normal, s);
}

static mann_status mem_close(mni_file *file, mann_error *err)
{
    mni_mem_file *f = (mni_mem_file *)file;
    mni_vfs_mem *m = f->disk;
    (void)err;
    mni_mutex_lock(&m->lock);
    if (f->node->holder == f) f->node->holder = NULL;
    mni_mem_point(&f->node, NULL);
    mni_mutex_unlock(&m->lock);
    mni_free(f);
    return MANN_OK;
}

static mann_status mem_read(mni_file *file, void *bytes, size_t n, uint64_t at,
                            size_t *got, mann_error *err)
{
    mni_mem_file *f = (mni_mem_file *)file;
    (void)err;
    mni_mutex_lock(&f->disk->lock);
    const mni_buf *b = &f->node->now;
    size_t left = at < b->n_bytes ? b->n_bytes - (size_t)at : 0;
    *got = n < left ? n : left;
    if (*got) memcpy(bytes, b->bytes + at, *got);
    mni_mutex_unlock(&f->disk->lock);
    return MANN_OK;
}

/* Makes the file n_bytes long, new bytes zero. Storage only grows: lose_unsynced relies
 * on it. */
static mann_status resize(mni_mem_file *f, uint64_t n_bytes, mann_error *err)
{
    mni_buf *b = &f->node->now;
    if (!f->writable)
        return mni_fail(err, MANN_E_IO, "%s: open for reading only", f->path);
    if (n_bytes > SIZE_MAX / 4)
        return mni_fail(err, MANN_E_IO, "%s: file too large (%llu bytes)", f->path,
                        (unsigned long long)n_bytes);
    if (!mni_grow((void **)&b->bytes, &b->cap, (size_t)n_bytes, 1))
        return mni_fail(err, MANN_E_NOMEM, "%s: %llu bytes in memory", f->path,
                        (unsigned long long)n_bytes);
    if (n_bytes > b->n_bytes)
        memset(b->bytes + b->n_bytes, 0, (size_t)n_bytes - b->n_bytes);
    b->n_bytes = (size_t)n_bytes;
    f->node->mtime = ++f->disk->time;
    f->node->dirty = 1;
    return MANN_OK;
}

static mann_status mem_write(mni_file *file, const void *bytes, size_t n, uint64_t at,
                             mann_error *err)
{
    mni_mem_file *f = (mni_mem_file *)file;
    mni_mutex_lock(&f->disk->lock);
    uint64_t end = at > UINT64_MAX - n ? UINT64_MAX : at + n;
    uint64_t size = f->node->now.n_bytes;
    mann_status s = resize(f, n && end > size ? end : size, err);
    if (s == MANN_OK && n) memcpy(f->node->now.bytes + at, bytes, n);
    mni_mutex_unlock(&f->disk->lock);
    return s;
}

static mann_status mem_truncate(mni_file *file, uint64_t n_bytes, mann_error *err)
{
    mni_mem_file *f = (mni_mem_file *)file;
    mni_mutex_lock(&f->disk->lock);
    mann_status s = resize(f, n_bytes, err);
    mni_mutex_unlock(&f->disk->lock);
    return s;
}

/* Makes `to` hold what `from` holds. On failure (0) `to` stands as it was. */
static int copy_buf(mni_buf *to, const mni_buf *from)
{
    if (!mni_grow((void **)&to->bytes, &to->cap, from->n_bytes, 1)) return 0;
    if (from->n_bytes) memcpy(to->bytes, from->bytes, from->n_bytes);
    to->n_bytes = from->n_bytes;
    return 1;
}

static mann_status mem_sync(mni_file *file, mann_error *err)
{
    mni_mem_file *f = (mni_mem_file *)file;
    mann_status s = MANN_OK;
    mni_mutex_lock(&f->disk->lock);
    mni_mem_node *n = f->node;
    if (n->dirty && !copy_buf(&n->safe, &n->now))
        s = mni_fail(err, MANN_E_NOMEM, "%s: sync in memory", f->path);
    if (s == MANN_OK) n->dirty = 0;
    mni_mutex_unlock(&f->disk->lock);
    return s;
}

static mann_status mem_size(mni_file *file, uint64_t *n_bytes, mann_error *err)
{
    mni_mem_file *f = (mni_mem_file *)file;
    (void)err;
    mni_mutex_lock(&f->disk->lock);
    *n_bytes = f->node->now.n_bytes;
    mni_mutex_unlock(&f->disk->lock);
    return MANN_OK;
}

/* A copy: stable whatever happens to the file, as the mapping of a replaced file is. */
static mann_status mem_map(mni_file *file, const void **bytes, size_t *n_bytes,
                           mann_error *err)
{
    mni_mem_file *f = (mni_mem_file *)file;
    mni_mutex_lock(&f->disk->lock);
    const mni_buf *b = &f->node->now;
    void *copy = mni_alloc_aligned(b->n_bytes, 1, 0);
    if (copy && b->n_bytes) memcpy(copy, b->bytes, b->n_bytes);
    size_t n = b->n_bytes;
    mni_mutex_unlock(&f->disk->lock);
    if (!copy) return mni_fail(err, MANN_E_NOMEM, "%s: mapping of %zu bytes", f->path, n);
    *bytes = copy;
    *n_bytes = n;
    return MANN_OK;
}

static void mem_unmap(const mni_vfs *v, const void *bytes, size_t n_bytes)
{
    (void)v;
    (void)n_bytes;
    mni_free((void *)(uintptr_t)bytes);
}

/* Like flock(2): belongs to the handle, not to the process; asking twice is no
 * conflict. */
static mann_status mem_lock(mni_file *file, mann_error *err)
{
    mni_mem_file *f = (mni_mem_file *)file;
    mni_mutex_lock(&f->disk->lock);
    int taken = f->node->holder && f->node->holder != f;
    if (!taken) f->node->holder = f;
    mni_mutex_unlock(&f->disk->lock);
    return taken ? mni_fail(err, MANN_E_LOCKED, "%s: another handle is writing", f->path)
                 : MANN_OK;
}

/* --- names -------------------------------------------------------------------------- */

static mann_status replace_in(mni_vfs_mem *m, const char *normal_from,
                              const char *normal_to, const char *from, const char *to,
                              mann_error *err)
{
    mni_mem_entry *a = find(m, normal_from);
    if (!a || !a->live) return absent(from, err);
    mni_mem_node *n = a->live;
    const mni_mem_entry *b = find(m, normal_to);
    if (is_root(normal_to) || (b && b->folder_inode))
        return mni_fail(err, MANN_E_IO, "%s: is a folder, cannot rename a file onto it",
                        to);
    if (strcmp(normal_from, normal_to) == 0) return MANN_OK;
    MNI_TRY(name_parent(m, normal_to, to, err));
    mni_mem_entry *target = find_or_add(m, normal_to);
    if (!target) return mni_fail(err, MANN_E_NOMEM, "%s: name in memory", to);
    mni_mem_point(&target->live, n);
    /* again: adding may have moved the entries */
    mni_mem_point(&find(m, normal_from)->live, NULL);
    return MANN_OK;
}

static mann_status mem_replace(const mni_vfs *v, const char *from, const char *to,
                               mann_error *err)
{
    mni_vfs_mem *m = disk_of(v);
    mni_text a = { 0 }, b = { 0 };
    normal_path(&b, to);
    mann_status s =
        b.failed ? mni_fail(err, MANN_E_NOMEM, "%s: path", to) : enter(m, from, &a, err);
    if (s == MANN_OK) {
        s = replace_in(m, mni_text_get(&a), mni_text_get(&b), from, to, err);
        s = leave(m, &a, s);
    }
    mni_text_fini(&b);
    return s;
}

static mann_status mem_remove(const mni_vfs *v, const char *path, mann_error *err)
{
    mni_vfs_mem *m = disk_of(v);
    mni_text normal = { 0 };
    MNI_TRY(enter(m, path, &normal, err));
    mni_mem_entry *e = find(m, mni_text_get(&normal));
    mann_status s = MANN_OK;
    if (e && e->live) mni_mem_point(&e->live, NULL);
    else if (e && e->folder_inode)
        s = mni_fail(err, MANN_E_IO, "%s: is a folder, wanted a file", path);
    else s = absent(path, err);
    return leave(m, &normal, s);
}

static int folder_there(const mni_vfs_mem *m, const char *normal)
{
    const mni_mem_entry *e = find(m, normal);
    return is_root(normal) || (e && e->folder_inode);
}

static mann_status mem_sync_dir(const mni_vfs *v, const char *dir, mann_error *err)
{
    mni_vfs_mem *m = disk_of(v);
    mni_text normal = { 0 };
    MNI_TRY(enter(m, dir, &normal, err));
    const char *folder = mni_text_get(&normal);
    mann_status s = folder_there(m, folder) ? MANN_OK : absent(dir, err);
    for (size_t i = 0; s == MANN_OK && i < m->n_entries; i++)
        if (name_in(folder, m->entries[i].path))
            mni_mem_point(&m->entries[i].durable, m->entries[i].live);
    return leave(m, &normal, s);
}

static mann_status mem_stat(const mni_vfs *v, const char *path, mni_stat *out,
                            mann_error *err)
{
    mni_vfs_mem *m = disk_of(v);
    mni_text normal = { 0 };
    MNI_TRY(enter(m, path, &normal, err));
    const mni_mem_entry *e = find(m, mni_text_get(&normal));
    mann_status s = MANN_OK;
    if (e && e->live)
        *out = (mni_stat){ .kind = MNI_IS_FILE,
                           .n_bytes = e->live->now.n_bytes,
                           .mtime = e->live->mtime,
                           .device = 1,
                           .inode = e->live->inode };
    else if (folder_there(m, mni_text_get(&normal)))
        *out = (mni_stat){ .kind = MNI_IS_DIR, .device = 1,
                           .inode = e ? e->folder_inode : 0 };
    else s = absent(path, err);
    return leave(m, &normal, s);
}

/* Names are copied first, so that the callback may use this file system itself. */
static mann_status mem_list(const mni_vfs *v, const char *dir, mni_list_fn fn, void *ctx,
                            mann_error *err)
{
    mni_vfs_mem *m = disk_of(v);
    mni_text normal = { 0 }, names = { 0 };
    MNI_TRY(enter(m, dir, &normal, err));
    mann_status s = folder_there(m, mni_text_get(&normal)) ? MANN_OK : absent(dir, err);
    for (size_t i = 0; s == MANN_OK && i < m->n_entries; i++) {
        const mni_mem_entry *e = &m->entries[i];
        const char *name = name_in(mni_text_get(&normal), e->path);
        if (name && (e->live || e->folder_inode))
            mni_text_add_n(&names, name, strlen(name) + 1);
    }
    s = leave(m, &normal, s);
    if (s == MANN_OK && names.failed)
        s = mni_fail(err, MANN_E_NOMEM, "%s: list of names", dir);
    for (size_t at = 0; s == MANN_OK && at < names.n_chars;
         at += strlen(names.chars + at) + 1)
        if (fn(ctx, names.chars + at)) break;
    mni_text_fini(&names);
    return s;
}

static mann_status mem_mkdir(const mni_vfs *v, const char *path, mann_error *err)
{
    mni_vfs_mem *m = disk_of(v);
    mni_text normal = { 0 };
    MNI_TRY(enter(m, path, &normal, err));
    return leave(m, &normal, name_folder(m, mni_text_get(&normal), path, err));
}

/* There is no folder that a program stands in: names without a slash lie beside "/". */
static mann_status mem_absolute(const mni_vfs *v, const char *path, char *out,
                                size_t size, mann_error *err)
{
    char full[4096];
    (void)v;
    MNI_TRY(mni_path_absolute("", path, full, sizeof full, err));
    const char *same = *path == '/' ? full : full[1] ? full + 1 : ".";
    if (strlen(same) + 1 > size) return mni_fail(err, MANN_E_LIMIT, "%s: too long", path);
    memcpy(out, same, strlen(same) + 1);
    return MANN_OK;
}

static mann_status mem_set_time(mni_file *f, uint64_t mtime, mann_error *err)
{
    mni_mem_file *h = (mni_mem_file *)f;
    (void)err;
    mni_mutex_lock(&h->disk->lock);
    h->node->mtime = mtime;
    mni_mutex_unlock(&h->disk->lock);
    return MANN_OK;
}

/* --- the disk ----------------------------------------------------------------------- */

mann_status mni_vfs_mem_new(mni_vfs_mem **out, mann_error *err)
{
    static const mni_vfs_ops ops = { "memory",     mem_open,     mem_read,  mem_write,
                                     mem_truncate, mem_sync,     mem_size,  mem_map,
                                     mem_unmap,    mem_lock,     mem_close, mem_replace,
                                     mem_remove,   mem_sync_dir, mem_stat,  mem_list,
                                     mem_mkdir,    mem_absolute, mem_set_time };
    *out = NULL;
    mni_vfs_mem *m = mni_alloc(1, sizeof *m);
    if (!m || !mni_mutex_init(&m->lock)) {
        mni_free(m);
        return mni_fail(err, MANN_E_NOMEM, "file system in memory");
    }
    m->vfs.ops = &ops;
    *out = m;
    return MANN_OK;
}

void mni_vfs_mem_free(mni_vfs_mem *m)
{
    if (!m) return;
    for (size_t i = 0; i < m->n_entries; i++) {
        mni_mem_point(&m->entries[i].live, NULL);
        mni_mem_point(&m->entries[i].durable, NULL);
        mni_free(m->entries[i].path);
    }
    mni_free(m->entries);
    mni_mutex_fini(&m->lock);
    mni_free(m);
}

const mni_vfs *mni_vfs_mem_vfs(mni_vfs_mem *m) { return &m->vfs; }

