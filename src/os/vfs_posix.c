/* vfs_posix.c - the files of the system. See vfs.h.
 *
 * Locks are flock(2): they belong to the open file, so that two handles in one process
 * exclude each other, and they vanish with a crashed process.
 * SPDX-License-Identifier: MIT */
#include "os/feature.h"
#include "os/vfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#ifndef PATH_MAX
#define PATH_MAX 4096   /* a system may have no limit; realpath() still wants one */
#endif

typedef struct fs_file {
    mni_file base;
    int fd;
    uint64_t waiting;           /* bytes written that nobody has told the disk of */
    char path[];
} fs_file;

static mann_status failed(mann_error *err, const char *what, const char *path)
{
    int e = errno;
    mann_status s = e == ENOENT || e == ENOTDIR ? MANN_E_NOT_FOUND
                  : e == EEXIST ? MANN_E_EXISTS
                  : e == EROFS || e == EACCES || e == EPERM ? MANN_E_READ_ONLY
                  : e == ENOMEM ? MANN_E_NOMEM : MANN_E_IO;
    return mni_fail(err, s, "%s: cannot %s: %s", path, what, strerror(e));
}

static int fd_of(mni_file *f) { return ((fs_file *)f)->fd; }
static const char *path_of(mni_file *f) { return ((fs_file *)f)->path; }

static mann_status fs_open(const mni_vfs *v, const char *path, unsigned flags,
                           mni_file **out, mann_error *err)
{
    int how = flags & MNI_OPEN_WRITE ? O_RDWR : O_RDONLY;
    if (flags & MNI_OPEN_CREATE) how |= O_CREAT;
    if (flags & MNI_OPEN_EXCLUSIVE) how |= O_EXCL;
    if (flags & MNI_OPEN_TRUNCATE) how |= O_TRUNC;
    size_t n = strlen(path);
    fs_file *f = mni_alloc(1, sizeof *f + n + 1);
    if (!f) return mni_fail(err, MANN_E_NOMEM, "%s: file handle", path);
    memcpy(f->path, path, n + 1);
    f->base.vfs = v;
    /* Not blocking: a named pipe among the photos must not stop the program for ever. */
    do f->fd = open(path, how | O_CLOEXEC | O_NONBLOCK, 0666);
    while (f->fd < 0 && errno == EINTR);
    struct stat st;
    if (f->fd < 0 || fstat(f->fd, &st) != 0) {
        mann_status s =
            failed(err, flags & MNI_OPEN_WRITE ? "open for writing" : "open", path);
        if (s == MANN_E_READ_ONLY && !(flags & MNI_OPEN_WRITE)) {  /* not even readable */
            s = MANN_E_IO;
            if (err) err->code = s;
        }
        if (f->fd >= 0) close(f->fd);
        mni_free(f);
        return s;
    }
    if (!S_ISREG(st.st_mode)) {
        close(f->fd);
        mni_free(f);
        return mni_fail(err, MANN_E_IO, "%s: is %s, wanted a file", path,
                        S_ISDIR(st.st_mode) ? "a folder" : "a device, pipe or socket");
    }
    *out = &f->base;
    return MANN_OK;
}

static mann_status fs_read(mni_file *f, void *bytes, size_t n, uint64_t at, size_t *got,
                              mann_error *err)
{
    *got = 0;
    while (*got < n) {
        ssize_t step =
            pread(fd_of(f), (char *)bytes + *got, n - *got, (off_t)(at + *got));
        if (step < 0 && errno == EINTR) continue;
        if (step < 0) return failed(err, "read", path_of(f));
        if (step == 0) break;
        *got += (size_t)step;
    }
    return MANN_OK;
}

/* A large file is sent on its way to the disk while it is being made, so that the sync at
 * its end finds little left to do. Advice only: POSIX_FADV_DONTNEED begins to write what
 * is dirty; what the disk has not got yet stays in memory. */
enum { SEND_BYTES = 8 << 20 };

static void send_off(fs_file *f, uint64_t end, size_t n)
{
    f->waiting += n;
    if (f->waiting < SEND_BYTES) return;
#if defined(POSIX_FADV_DONTNEED)
    const uint64_t from = end > f->waiting ? end - f->waiting : 0;
    (void)posix_fadvise(f->fd, (off_t)from, (off_t)(end - from), POSIX_FADV_DONTNEED);
#endif
    f->waiting = 0;
}

static mann_status fs_write(mni_file *f, const void *bytes, size_t n, uint64_t at,
                            mann_error *err)
{
    for (size_t done = 0; done < n;) {
        ssize_t step =
            pwrite(fd_of(f), (const char *)bytes + done, n - done, (off_t)(at + done));
        if (step < 0 && errno == EINTR) continue;
        if (step == 0) errno = ENOSPC;          /* a promise POSIX does not quite make */
        if (step <= 0) return failed(err, "write", path_of(f));
        done += (size_t)step;
    }
    send_off((fs_file *)f, at + n, n);
    return MANN_OK;
}

static mann_status fs_truncate(mni_file *f, uint64_t n_bytes, mann_error *err)
{
    return ftruncate(fd_of(f), (off_t)n_bytes) == 0 ? MANN_OK
                                                    : failed(err, "cut", path_of(f));
}

static mann_status fs_sync(mni_file *f, mann_error *err)
{
    return fsync(fd_of(f)) == 0 ? MANN_OK : failed(err, "sync", path_of(f));
}

static mann_status fs_size(mni_file *f, uint64_t *n_bytes, mann_error *err)
{
    struct stat st;
    if (fstat(fd_of(f), &st) != 0) return failed(err, "ask the size of", path_of(f));
    *n_bytes = (uint64_t)st.st_size;
    return MANN_OK;
}

static const char nothing[1];           /* what an empty file maps to */

static mann_status fs_map(mni_file *f, const void **bytes, size_t *n_bytes,
                          mann_error *err)
{
    uint64_t size;
    MNI_TRY(fs_size(f, &size, err));
    if (size > SIZE_MAX / 2)
        return mni_fail(err, MANN_E_LIMIT, "%s: too large for this machine's addresses",
                        path_of(f));
    *n_bytes = (size_t)size;
    *bytes = nothing;
    if (size == 0) return MANN_OK;
    void *at = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, fd_of(f), 0);
    if (at == MAP_FAILED) return failed(err, "map", path_of(f));
    *bytes = at;
    return MANN_OK;
}

static void fs_unmap(const mni_vfs *v, const void *bytes, size_t n_bytes)
{
    (void)v;
    if (n_bytes) munmap((void *)(uintptr_t)bytes, n_bytes);
}

static mann_status fs_lock(mni_file *f, mann_error *err)
{
    struct stat mine, named;
    if (flock(fd_of(f), LOCK_EX | LOCK_NB) == 0) {
        if (fstat(fd_of(f), &mine) == 0 && stat(path_of(f), &named) == 0 &&
            mine.st_ino == named.st_ino && mine.st_dev == named.st_dev)
            return MANN_OK;
        return mni_fail(err, MANN_E_NOT_FOUND,
                        "%s: was removed while it was being locked", path_of(f));
    }
    if (errno == EWOULDBLOCK)
        return mni_fail(err, MANN_E_LOCKED, "%s: another process (or handle) is writing",
                        path_of(f));
    if (errno == ENOLCK || errno == EOPNOTSUPP || errno == ENOSYS)
        return mni_fail(err, MANN_E_UNSUPPORTED, "%s: cannot be locked: %s", path_of(f),
                        strerror(errno));
    return failed(err, "lock", path_of(f));
}

static mann_status fs_close(mni_file *f, mann_error *err)
{
    mann_status s = MANN_OK;
    if (close(fd_of(f)) != 0 && errno != EINTR) s = failed(err, "close", path_of(f));
    mni_free(f);
    return s;
}

static mann_status fs_replace(const mni_vfs *v, const char *from, const char *to,
                              mann_error *err)
{
    (void)v;
    return rename(from, to) == 0 ? MANN_OK : failed(err, "rename into place", to);
}

static mann_status fs_remove(const mni_vfs *v, const char *path, mann_error *err)
{
    (void)v;
    return unlink(path) == 0 ? MANN_OK : failed(err, "remove", path);
}

static mann_status fs_sync_dir(const mni_vfs *v, const char *dir, mann_error *err)
{
    (void)v;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return failed(err, "open folder", dir);
    /* Some file systems cannot sync a folder and say EINVAL; there is nothing more to do
     * then. */
    int bad = fsync(fd) != 0 && errno != EINVAL;
    mann_status s = bad ? failed(err, "sync folder", dir) : MANN_OK;
    close(fd);
    return s;
}

static mann_status fs_stat(const mni_vfs *v, const char *path, mni_stat *out,
                           mann_error *err)
{
    (void)v;
    struct stat st;
    if (stat(path, &st) != 0) return failed(err, "find", path);
    *out = (mni_stat){
        .kind = S_ISREG(st.st_mode)   ? MNI_IS_FILE
                : S_ISDIR(st.st_mode) ? MNI_IS_DIR
                                      : MNI_IS_OTHER,
        .n_bytes = (uint64_t)st.st_size,
        .mtime = (uint64_t)st.st_mtime,
        .device = (uint64_t)st.st_dev,
        .inode = (uint64_t)st.st_ino,
    };
    return MANN_OK;
}

static mann_status fs_list(const mni_vfs *v, const char *dir, mni_list_fn fn, void *ctx,
                              mann_error *err)
{
    (void)v;
    DIR *d = opendir(dir);
    if (!d) return failed(err, "open folder", dir);
    mann_status s = MANN_OK;
    for (;;) {
        errno = 0;
        struct dirent *e = readdir(d);
        if (!e) {
            if (errno) s = failed(err, "list folder", dir);
            break;
        }
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        if (fn(ctx, e->d_name)) break;
    }
    closedir(d);
    return s;
}

static mann_status fs_mkdir(const mni_vfs *v, const char *path, mann_error *err)
{
    (void)v;
    struct stat st;
    if (mkdir(path, 0777) == 0) return MANN_OK;
    if (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) return MANN_OK;
    return failed(err, "make folder", path);
}

static int climbs(const char *path)
{
    for (const char *step = path; *step;) {
        const size_t n = strcspn(step, "/");
        if (n == 2 && step[0] == '.' && step[1] == '.') return 1;
        step += n + (step[n] == '/');
    }
    return 0;
}

static mann_status fs_absolute(const mni_vfs *v, const char *path, char *out, size_t size,
                               mann_error *err)
{
    char folder[4096] = "";
    (void)v;
    if (climbs(path)) {
        char real[PATH_MAX];
        if (!realpath(path, real)) return failed(err, "find", path);
        return mni_path_absolute("", real, out, size, err);
    }
    if (*path != '/' && !getcwd(folder, sizeof folder))
        return failed(err, "find the folder that it is in:", path);
    return mni_path_absolute(folder, path, out, size, err);
}

static mann_status fs_set_time(mni_file *f, uint64_t mtime, mann_error *err)
{
    const struct timespec both[2] = { { .tv_sec = (time_t)mtime },
                                      { .tv_sec = (time_t)mtime } };
    if (futimens(fd_of(f), both) == 0) return MANN_OK;
    return failed(err, "set the time", path_of(f));
}

const mni_vfs *mni_vfs_posix(void)
{
    static const mni_vfs_ops ops = {
        "posix", fs_open, fs_read, fs_write, fs_truncate, fs_sync, fs_size,
        fs_map, fs_unmap, fs_lock, fs_close, fs_replace, fs_remove,
        fs_sync_dir, fs_stat, fs_list, fs_mkdir, fs_absolute, fs_set_time
    };
    static const mni_vfs vfs = { &ops };
    return &vfs;
}
