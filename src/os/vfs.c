/* vfs.c - what holds for every file system of vfs.h: forwards, read whole, replace
 * atomically. SPDX-License-Identifier: MIT */
#include "os/feature.h"
#include "os/vfs.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"

mann_status mni_open(const mni_vfs *v, const char *path, unsigned flags, mni_file **out,
                     mann_error *err)
{
    *out = NULL;
    return v->ops->open(v, path, flags, out, err);
}
mann_status mni_read(mni_file *f, void *bytes, size_t n, uint64_t at, size_t *got,
                     mann_error *err)
{
    return f->vfs->ops->read(f, bytes, n, at, got, err);
}
mann_status mni_write(mni_file *f, const void *bytes, size_t n, uint64_t at,
                      mann_error *err)
{
    return f->vfs->ops->write(f, bytes, n, at, err);
}
mann_status mni_sync(mni_file *f, mann_error *err) { return f->vfs->ops->sync(f, err); }
mann_status mni_close(mni_file *f, mann_error *err)
{
    return f ? f->vfs->ops->close(f, err) : MANN_OK;
}

mann_status mni_read_file(const mni_vfs *v, const char *path, uint64_t limit,
                          uint8_t **bytes, size_t *n_bytes, mann_error *err)
{
    mni_file *f;
    uint64_t size;
    uint8_t *block = NULL;
    size_t got = 0;
    *bytes = NULL;
    *n_bytes = 0;
    MNI_TRY(mni_open(v, path, MNI_OPEN_READ, &f, err));
    mann_status s = v->ops->size(f, &size, err);
    if (s == MANN_OK && (size > limit || size >= SIZE_MAX))
        s = mni_fail(err, MANN_E_LIMIT, "%s: %llu bytes, at most %llu are read", path,
                     (unsigned long long)size, (unsigned long long)limit);
    if (s == MANN_OK && !(block = mni_alloc((size_t)size + 1, 1)))
        s = mni_fail(err, MANN_E_NOMEM, "%s: %llu bytes", path, (unsigned long long)size);
    if (s == MANN_OK) s = mni_read(f, block, (size_t)size, 0, &got, err);
    mann_status closed = mni_close(f, s == MANN_OK ? err : NULL);
    if (s == MANN_OK) s = closed;
    if (s != MANN_OK) { mni_free(block); return s; }
    *bytes = block;
    *n_bytes = got;
    return MANN_OK;
}

mann_status mni_temp_name(const char *path, char *out, size_t size, mann_error *err)
{
    static atomic_uint counter;       /* two saves of one process must not share a name */
    unsigned n = atomic_fetch_add(&counter, 1);
    int used = snprintf(out, size, "%s.tmp.%ld-%u", path, (long)getpid(), n);
    if (used < 0 || (size_t)used >= size)
        return mni_fail(err, MANN_E_LIMIT, "path too long: %s", path);
    return MANN_OK;
}

mann_status mni_sync_dir_of(const mni_vfs *v, const char *path, mann_error *err)
{
    mni_text dir = { 0 };
    mni_path_dir(&dir, path);
    mann_status s = dir.failed ? mni_fail(err, MANN_E_NOMEM, "folder of %s", path)
                               : v->ops->sync_dir(v, mni_text_get(&dir), err);
    mni_text_fini(&dir);
    return s;
}

mann_status mni_path_absolute(const char *folder, const char *path, char *out,
                              size_t size, mann_error *err)
{
    const char *const parts[] = { *path == '/' ? "" : folder, path };
    size_t n = 0;
    for (int p = 0; p < 2; p++)
        for (const char *step = parts[p]; *step;) {
            const size_t length = strcspn(step, "/");
            const int empty = length == 0 || (length == 1 && *step == '.');
            if (!empty && n + length + 2 > size)
                return mni_fail(err, MANN_E_LIMIT, "path too long: %s", path);
            if (!empty) {
                out[n++] = '/';
                memcpy(out + n, step, length);
                n += length;
            }
            step += length + (step[length] == '/');
        }
    if (n == 0) {
        if (size < 2) return mni_fail(err, MANN_E_LIMIT, "path too long: %s", path);
        out[n++] = '/';
    }
    out[n] = '\0';
    return MANN_OK;
}

static mann_status put_file(const mni_vfs *v, const char *path, const void *bytes,
                            size_t n_bytes, int wait, mann_error *err)
{
    char temp[4096];
    mni_file *f;
    mann_status s = MANN_E_EXISTS;
    /* Exclusive: never through a symbolic link that somebody laid in a shared folder.
     * What a crashed process of the same number left behind is stepped over. */
    for (int tries = 0; s == MANN_E_EXISTS && tries < 64; tries++) {
        MNI_TRY(mni_temp_name(path, temp, sizeof temp, err));
        s = mni_open(v, temp, MNI_OPEN_WRITE | MNI_OPEN_CREATE | MNI_OPEN_EXCLUSIVE, &f,
                     err);
    }
    if (s != MANN_OK) return s;
    s = mni_write(f, bytes, n_bytes, 0, err);
    if (s == MANN_OK && wait) s = mni_sync(f, err);
    mann_status closed = mni_close(f, s == MANN_OK ? err : NULL);
    if (s == MANN_OK) s = closed;
    if (s == MANN_OK) s = v->ops->replace(v, temp, path, err);
    if (s != MANN_OK) { v->ops->remove(v, temp, NULL); return s; }
    return wait ? mni_sync_dir_of(v, path, err) : MANN_OK;
}

mann_status mni_replace_file(const mni_vfs *v, const char *path, const void *bytes,
                             size_t n_bytes, mann_error *err)
{
    return put_file(v, path, bytes, n_bytes, 1, err);
}

mann_status mni_put_file(const mni_vfs *v, const char *path, const void *bytes,
                         size_t n_bytes, mann_error *err)
{
    return put_file(v, path, bytes, n_bytes, 0, err);
}
