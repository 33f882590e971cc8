/* sink.c - see sink.h. Why a temp file: a reader has either the old file mapped or the
 * new one, and a power cut leaves one of the two. Why sync before rename: without it the
 * new name may reach the medium before the new bytes, and the old ones are gone.
 * SPDX-License-Identifier: MIT */
#include "store/sink.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* small puts are gathered: one write call per 64 KiB */
enum { PENDING_BYTES = 64 * 1024 };

void mni_sink_fail(mni_sink *s, mann_status code, const char *fmt, ...)
{
    if (s->status != MANN_OK) return;
    va_list ap;
    va_start(ap, fmt);
    s->status = s->why.code = code;
    vsnprintf(s->why.text, sizeof s->why.text, fmt, ap);
    va_end(ap);
}

mann_status mni_sink_open(mni_sink *s, const mni_vfs *v, const char *path,
                          mann_error *err)
{
    *s = (mni_sink){ .vfs = v };
    size_t n = strlen(path) + 1;
    size_t room = 2 * n + 64;           /* 64: ".tmp.", two numbers, the NUL */
    s->path = mni_alloc(room, 1);
    s->pending = mni_alloc(PENDING_BYTES, 1);
    mann_status status = MANN_OK;
    if (!s->path || !s->pending)
        status = mni_fail(err, MANN_E_NOMEM, "%s: buffer of the writer", path);
    if (status == MANN_OK) {
        memcpy(s->path, path, n);
        s->temp = s->path + n;
        status = mni_temp_name(path, s->temp, room - n, err);
    }
    if (status == MANN_OK)
        status = mni_open(v, s->temp,
                          MNI_OPEN_WRITE | MNI_OPEN_CREATE | MNI_OPEN_TRUNCATE, &s->file,
                          err);
    if (status != MANN_OK) mni_sink_abort(s);
    return status;
}

void mni_sink_open_buf(mni_sink *s, mni_buf *buf)
{
    *s = (mni_sink){ .buf = buf, .buf_start = buf->n_bytes };
}

static void flush(mni_sink *s)
{
    if (s->status == MANN_OK && s->n_pending)
        s->status = mni_write(s->file, s->pending, s->n_pending, s->at - s->n_pending,
                              &s->why);
    s->n_pending = 0;
}

void mni_sink_put(mni_sink *s, const void *bytes, size_t n_bytes)
{
    if (s->status != MANN_OK || n_bytes == 0) return;
    if (s->buf) {
        mni_buf_add(s->buf, bytes, n_bytes);
        if (s->buf->failed)
            mni_sink_fail(s, MANN_E_NOMEM, "no memory for a file of %llu bytes",
                          (unsigned long long)(s->at + n_bytes));
        s->at += n_bytes;
        return;
    }
    if (n_bytes > PENDING_BYTES - s->n_pending) flush(s);
    if (n_bytes >= PENDING_BYTES) {
        if (s->status == MANN_OK)
            s->status = mni_write(s->file, bytes, n_bytes, s->at, &s->why);
    } else {
        memcpy(s->pending + s->n_pending, bytes, n_bytes);
        s->n_pending += n_bytes;
    }
    s->at += n_bytes;
}

void mni_sink_pad(mni_sink *s, uint64_t align)
{
    static const uint8_t zeros[64];
    for (uint64_t left = (align - s->at % align) % align; left && s->status == MANN_OK;) {
        size_t step = left < sizeof zeros ? (size_t)left : sizeof zeros;
        mni_sink_put(s, zeros, step);
        left -= step;
    }
}

void mni_sink_patch(mni_sink *s, const void *bytes, size_t n_bytes, uint64_t at)
{
    if (s->buf) {
        if (s->status == MANN_OK)
            memcpy(s->buf->bytes + s->buf_start + at, bytes, n_bytes);
        return;
    }
    flush(s);
    if (s->status == MANN_OK) s->status = mni_write(s->file, bytes, n_bytes, at, &s->why);
}

static void release(mni_sink *s)
{
    mni_free(s->pending);
    mni_free(s->path);
    *s = (mni_sink){ 0 };
}

void mni_sink_abort(mni_sink *s)
{
    if (s->buf) s->buf->n_bytes = s->buf_start;
    if (s->file) {
        mni_close(s->file, NULL);
        s->vfs->ops->remove(s->vfs, s->temp, NULL);
    }
    release(s);
}

mann_status mni_sink_finish(mni_sink *s, mann_error *err)
{
    if (s->file) {
        flush(s);
        if (s->status == MANN_OK) s->status = mni_sync(s->file, &s->why);
        mann_status closed = mni_close(s->file, s->status == MANN_OK ? &s->why : NULL);
        s->file = NULL;
        if (s->status == MANN_OK) s->status = closed;
        if (s->status == MANN_OK)
            s->status = s->vfs->ops->replace(s->vfs, s->temp, s->path, &s->why);
        if (s->status != MANN_OK) s->vfs->ops->remove(s->vfs, s->temp, NULL);
        else s->status = mni_sync_dir_of(s->vfs, s->path, &s->why);
    }
    mann_status status = s->status;
    if (status != MANN_OK && err) *err = s->why;
    if (status != MANN_OK && s->buf) s->buf->n_bytes = s->buf_start;
    release(s);
    return status;
}
