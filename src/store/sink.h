/* sink.h - a file that appears whole or not at all, written front to back in constant
 * memory.
 *
 * Bytes go to a temp file beside the path (or to the end of a buffer). The first failure
 * is remembered and everything after it does nothing, so that writers ask once, at
 * finish. See sink.c. SPDX-License-Identifier: MIT */
#ifndef MNI_STORE_SINK_H
#define MNI_STORE_SINK_H

#include "base/bytes.h"
#include "base/status.h"
#include "os/vfs.h"

typedef struct mni_sink {
    const mni_vfs *vfs;
    mni_file *file;             /* NULL: into `buf` */
    mni_buf *buf;               /* borrowed */
    size_t buf_start;           /* its length before us */
    uint64_t at;                /* bytes put so far */
    uint8_t *pending;           /* the last n_pending of them, not yet written */
    size_t n_pending;
    char *path, *temp;          /* owned, one block */
    mann_status status;
    mann_error why;             /* the first failure */
} mni_sink;

mann_status mni_sink_open(mni_sink *s, const mni_vfs *v, const char *path,
                          mann_error *err);
void        mni_sink_open_buf(mni_sink *s, mni_buf *buf);
void        mni_sink_put(mni_sink *s, const void *bytes, size_t n_bytes);
/* zeros up to a multiple of align */
void        mni_sink_pad(mni_sink *s, uint64_t align);
/* Overwrites n bytes put earlier (a header that is known last). */
void        mni_sink_patch(mni_sink *s, const void *bytes, size_t n_bytes, uint64_t at);
/* Remembers a failure of the caller's own; only the first counts. */
void mni_sink_fail(mni_sink *s, mann_status code, const char *fmt, ...) MNI_PRINTF(3, 4);
/* Sync, rename, sync of the folder. On failure the temp file is gone and the old file is
 * as it was; only when nothing but the sync of the folder failed the new file is there,
 * but may not survive a power cut. Releases the sink in every case. */
mann_status mni_sink_finish(mni_sink *s, mann_error *err);
/* removes the temp file; zeroed ok */
void        mni_sink_abort(mni_sink *s);

#endif
