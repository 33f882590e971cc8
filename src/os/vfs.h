/* vfs.h - every file that MetricANN touches is touched through this table of operations.
 *
 * Three systems implement it: POSIX files (vfs_posix.c), files in memory that can lose
 * what was not synced, as a power cut would (vfs_mem.c), and a wrapper that makes the
 * n-th operation fail (vfs_faulty.c). Tests run the same code of store/ and recog/ on all
 * three.
 *
 * Paths are bytes, '/' separates. Errors name the path and the system's reason. A full
 * disk is MANN_E_IO like every failure of the medium; a missing file is MANN_E_NOT_FOUND.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_OS_VFS_H
#define MNI_OS_VFS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct mni_vfs mni_vfs;
typedef struct mni_file mni_file;

enum mni_open {                 /* flags of open */
    MNI_OPEN_READ = 0,          /* must exist; read only */
    MNI_OPEN_WRITE = 1,         /* read and write; must exist unless CREATE */
    MNI_OPEN_CREATE = 2,        /* with WRITE: make it if absent */
    MNI_OPEN_EXCLUSIVE = 4,     /* with CREATE: MANN_E_EXISTS if it is there */
    MNI_OPEN_TRUNCATE = 8       /* with WRITE: start empty */
};

typedef enum mni_file_kind { MNI_IS_FILE, MNI_IS_DIR, MNI_IS_OTHER } mni_file_kind;
typedef struct mni_stat {
    mni_file_kind kind;         /* of what a symbolic link points to */
    uint64_t n_bytes, mtime;    /* mtime: seconds since 1970 */
    uint64_t device, inode;     /* equal pair = same file: breaks symbolic-link loops */
} mni_stat;

/* One name in a folder, without "." and "..". Return nonzero to stop the listing. */
typedef int (*mni_list_fn)(void *ctx, const char *name);

typedef struct mni_vfs_ops {
    const char *name;
    mann_status (*open)(const mni_vfs *v, const char *path, unsigned flags,
                        mni_file **out, mann_error *err);
    /* Up to n bytes at `at`; *got is short only at the end of the file. */
    mann_status (*read)(mni_file *f, void *bytes, size_t n, uint64_t at, size_t *got,
                        mann_error *err);
    mann_status (*write)(mni_file *f, const void *bytes, size_t n, uint64_t at,
                         mann_error *err);
    mann_status (*truncate)(mni_file *f, uint64_t n_bytes, mann_error *err);
    mann_status (*sync)(mni_file *f, mann_error *err);         /* data is on the medium */
    mann_status (*size)(mni_file *f, uint64_t *n_bytes, mann_error *err);
    /* The whole file, read only, until unmapped; may outlive the close. An empty file
     * maps to a non-NULL pointer of 0 bytes. */
    mann_status (*map)(mni_file *f, const void **bytes, size_t *n_bytes, mann_error *err);
    void        (*unmap)(const mni_vfs *v, const void *bytes, size_t n_bytes);
    /* MANN_E_LOCKED if somebody has it; MANN_E_NOT_FOUND if the file lost its name
     * meanwhile (its last owner removed it): open it anew; MANN_E_UNSUPPORTED if files
     * cannot be locked here. */
    mann_status (*lock)(mni_file *f, mann_error *err);
    mann_status (*close)(mni_file *f, mann_error *err);         /* gone even on failure */
    mann_status (*replace)(const mni_vfs *v, const char *from, const char *to,
                           mann_error *err);
    mann_status (*remove)(const mni_vfs *v, const char *path, mann_error *err);
    mann_status (*sync_dir)(const mni_vfs *v, const char *dir, mann_error *err);
    mann_status (*stat)(const mni_vfs *v, const char *path, mni_stat *out,
                        mann_error *err);
    mann_status (*list)(const mni_vfs *v, const char *dir, mni_list_fn fn, void *ctx,
                        mann_error *err);
    /* exists: ok */
    mann_status (*mkdir)(const mni_vfs *v, const char *path, mann_error *err);
    /* The same place from wherever it is looked for: with its NUL into out. Symbolic
     * links stay what they are, unless the path climbs ("..") over one. */
    mann_status (*absolute)(const mni_vfs *v, const char *path, char *out, size_t size,
                            mann_error *err);
    /* the time that stat tells, after the last write */
    mann_status (*set_time)(mni_file *f, uint64_t mtime, mann_error *err);
} mni_vfs_ops;

/* systems put this first in their own struct */
struct mni_vfs { const mni_vfs_ops *ops; };
struct mni_file { const mni_vfs *vfs; };            /* likewise */

const mni_vfs *mni_vfs_posix(void);

/* What callers use: thin forwards, plus the two patterns that everybody needs. */
mann_status mni_open(const mni_vfs *v, const char *path, unsigned flags, mni_file **out,
                     mann_error *err);
mann_status mni_read(mni_file *f, void *bytes, size_t n, uint64_t at, size_t *got,
                     mann_error *err);
mann_status mni_write(mni_file *f, const void *bytes, size_t n, uint64_t at,
                      mann_error *err);
mann_status mni_sync(mni_file *f, mann_error *err);
mann_status mni_close(mni_file *f, mann_error *err);            /* NULL: ok */

/* The whole file into memory (owned, mni_free; one spare zero byte behind the end).
 * Larger than `limit` is MANN_E_LIMIT before anything is allocated. */
mann_status mni_read_file(const mni_vfs *v, const char *path, uint64_t limit,
                          uint8_t **bytes, size_t *n_bytes, mann_error *err);
/* Atomically: temp file in the same folder + sync + rename + sync of the folder. Old or
 * new content is there at any instant, never a mixture. */
mann_status mni_replace_file(const mni_vfs *v, const char *path, const void *bytes,
                             size_t n_bytes, mann_error *err);
/* The same without waiting for the disk: for the thousands of files that one command
 * makes and can make again. After a power cut one of them may be empty or gone. */
mann_status mni_put_file(const mni_vfs *v, const char *path, const void *bytes,
                         size_t n_bytes, mann_error *err);
/* The temp name of `path` that replace_file and the store's writer use: PATH.tmp.PID-N */
mann_status mni_temp_name(const char *path, char *out, size_t size, mann_error *err);
mann_status mni_sync_dir_of(const mni_vfs *v, const char *path, mann_error *err);
/* For the systems: `folder` and then the steps of `path`, without empty ones and ".".
 * MANN_E_LIMIT if it does not fit. */
mann_status mni_path_absolute(const char *folder, const char *path, char *out,
                              size_t size, mann_error *err);

/* --- in memory (tests) -------------------------------------------------------------- */
/* Every path starts absent; folders exist as soon as they are named. */
typedef struct mni_vfs_mem mni_vfs_mem;
mann_status mni_vfs_mem_new(mni_vfs_mem **out, mann_error *err);
void        mni_vfs_mem_free(mni_vfs_mem *m);
const mni_vfs *mni_vfs_mem_vfs(mni_vfs_mem *m);
/* As if the plug were pulled: contents go back to the last sync of each file, names to
 * the last sync of their folder. Open files and mappings must be gone. */
void        mni_vfs_mem_power_cut(mni_vfs_mem *m);
/* The same, but of what was not synced some sectors arrived, drawn by `seed`, and either
 * all or none of the names. */
void        mni_vfs_mem_power_cut_torn(mni_vfs_mem *m, uint64_t seed);

/* --- faulty (tests): forwards to another system and fails on command ---------------- */
typedef enum mni_fault {
    MNI_FAULT_OPEN = 1,
    MNI_FAULT_READ = 2,
    MNI_FAULT_WRITE = 4,
    MNI_FAULT_SYNC = 8,
    MNI_FAULT_MAP = 16,
    MNI_FAULT_RENAME = 32,
    MNI_FAULT_CLOSE = 64,
    MNI_FAULT_TRUNCATE = 128,
    MNI_FAULT_ANY = 255,
    MNI_DID_REMOVE = 256        /* for lie_after alone: removing never fails */
} mni_fault;
typedef struct mni_vfs_faulty {
    mni_vfs vfs;                /* must stay first */
    const mni_vfs *inner;
    unsigned which;             /* mask of mni_fault that counts */
    long fail_in;               /* 0 = the next counted operation fails; -1 = none */
    int sticky;                 /* 1: all later ones fail too */
    int short_write;            /* 1: a failing write first writes half */
    /* Syncs of files whose path contains this say "done" and do nothing; "": syncs of
     * folders; NULL: none. */
    const char *lie_about;
    /* ... only those that come after one of these operations (mask); 0: all. So each
     * place in the code that syncs can be told from the others. */
    unsigned lie_after, last;   /* last: the operation before, of any file */
    long n_lies;                /* told so far */
    int no_locks;               /* 1: a system that cannot lock files */
    long n_counted;             /* operations counted so far */
} mni_vfs_faulty;
void mni_vfs_faulty_init(mni_vfs_faulty *f, const mni_vfs *inner);

#endif
