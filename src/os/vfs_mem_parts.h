/* vfs_mem_parts.h - what the files of the file system in memory share; see vfs_mem.c.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_OS_VFS_MEM_PARTS_H
#define MNI_OS_VFS_MEM_PARTS_H

#include "base/bytes.h"
#include "base/mem.h"
#include "os/thread.h"
#include "os/vfs.h"

typedef struct mni_mem_file mni_mem_file;

typedef struct mni_mem_node {
    uint64_t inode, mtime;
    mni_buf now;                /* as written */
    mni_buf safe;               /* as of the last sync */
    int dirty;                  /* now differs from safe */
    unsigned n_refs;            /* names, live and durable, and open handles */
    const mni_mem_file *holder;     /* of the lock; NULL: free */
} mni_mem_node;

typedef struct mni_mem_entry {
    char *path;                 /* owned, normal form */
    mni_mem_node *live, *durable;   /* NULL: no such file; of a folder both are NULL */
    uint64_t folder_inode;      /* > 0: this is a folder */
} mni_mem_entry;

struct mni_mem_file {
    mni_file base;
    mni_vfs_mem *disk;
    mni_mem_node *node;
    int writable;
    char path[];                /* as the caller spelt it, for messages */
};

struct mni_vfs_mem {
    mni_vfs vfs;                /* first: a mni_vfs * is cast back */
    mni_mutex lock;             /* guards all that follows and every mni_mem_node */
    mni_mem_entry *entries;
    size_t n_entries, cap;
    uint64_t next_inode, time;
};

/* --- under the lock ----------------------------------------------------------------- */
void mni_mem_drop(mni_mem_node *n);                 /* one reference less; NULL ok */
void mni_mem_point(mni_mem_node **slot, mni_mem_node *n);
/* Forgets names that lead nowhere. Invalidates entry pointers. */
void mni_mem_sweep(mni_vfs_mem *m);

#endif
