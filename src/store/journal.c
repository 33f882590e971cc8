/* journal.c - appending to the journal. See journal.h; README.md of this folder draws the
 * states.
 *
 * The one rule: bytes behind `end` never count. Whenever some may be there (a commit that
 * failed, a torn end, a foreign journal), `must_cut` is set, and nothing is written
 * before the file was cut to `end` and the cut was synced.
 * SPDX-License-Identifier: MIT */
#include "store/journal.h"

#include <string.h>

#include "base/mem.h"
#include "kern/crc32c.h"
#include "store/disk.h"
#include "store/journal_scan.h"

struct mni_journal {
    const mni_vfs *vfs;
    char *path;
    mni_uuid uuid;
    uint64_t generation;
    mni_file *file;             /* NULL: none there, or a foreign one */
    uint64_t end;               /* bytes that count; 0: not even the header is written */
    uint32_t crc;               /* of the last record that counts, or of the header */
    int must_cut;               /* there may be bytes behind `end` */
    int name_is_safe;           /* the folder was synced with the file in it */
    int lazy, unsynced;         /* lazy: commits are not synced; unsynced: some are not */
    mni_buf group; /* appended, not committed; CRCs and the last flag are still missing */
    size_t last_at;             /* where its last record begins */
};

/* --- replay ----------------------------------------------------------------------- */

mann_status mni_journal_replay(const mni_vfs *v, const char *path, mni_uuid uuid,
                               uint64_t generation, mni_replay_fn fn, void *ctx,
                               mni_journal_report *report, mann_error *err)
{
    mni_journal_report own;
    mni_journal_end end;
    mni_file *f;
    if (!report) report = &own;
    *report = (mni_journal_report){ 0 };
    mann_status s = mni_open(v, path, MNI_OPEN_READ, &f, err);
    if (s == MANN_E_NOT_FOUND) return MANN_OK;
    if (s != MANN_OK) return s;
    s = mni_journal_scan(f, path, uuid, generation, fn, ctx, report, &end, err);
    mni_close(f, NULL);
    return s;
}

/* Cuts the file to what counts and makes the cut durable. */
static mann_status cut(mni_journal *j, mann_error *err)
{
    j->must_cut = 1;
    MNI_TRY(j->vfs->ops->truncate(j->file, j->end, err));
    MNI_TRY(mni_sync(j->file, err));
    j->must_cut = 0;
    if (j->name_is_safe) j->unsynced = 0;       /* the sync was of all that counts */
    return MANN_OK;
}

/* Brings an existing file into order: torn end away, header as it should be, everything
 * synced. */
static mann_status settle(mni_journal *j, const mni_journal_end *end, mann_error *err)
{
    const mni_disk_journal header = mni_journal_header(j->uuid, j->generation);
    j->end = end->end;
    j->crc = end->crc;
    if (j->end && end->bad_header)
        MNI_TRY(mni_write(j->file, &header, sizeof header, 0, err));
    if (end->n_file_bytes > j->end) MNI_TRY(cut(j, err));
    else MNI_TRY(mni_sync(j->file, err));
    MNI_TRY(mni_sync_dir_of(j->vfs, j->path, err));
    j->name_is_safe = 1;
    return MANN_OK;
}

static mann_status open_existing(mni_journal *j, mni_replay_fn fn, void *ctx,
                                 mni_journal_report *report, mann_error *err)
{
    mni_journal_end end;
    mann_status s = mni_open(j->vfs, j->path, MNI_OPEN_WRITE, &j->file, err);
    if (s == MANN_E_NOT_FOUND) return MANN_OK;
    if (s != MANN_OK) return s;
    MNI_TRY(mni_journal_scan(j->file, j->path, j->uuid, j->generation, fn, ctx, report,
                             &end, err));
    if (!report->foreign) return settle(j, &end, err);
    /* Not ours: not touched before there is something to put in its place. */
    mni_close(j->file, NULL);
    j->file = NULL;
    j->must_cut = 1;
    return MANN_OK;
}

mann_status mni_journal_open(mni_journal **out, const mni_vfs *v, const char *path,
                             mni_uuid uuid, uint64_t generation, mni_replay_fn fn,
                             void *ctx, mni_journal_report *report, mann_error *err)
{
    mni_journal_report own;
    *out = NULL;
    if (!report) report = &own;
    *report = (mni_journal_report){ 0 };
    MNI_TRY(mni_disk_machine_ok(path, err));
    mni_journal *j = mni_alloc(1, sizeof *j);
    if (j) j->path = mni_strdup(path);
    if (!j || !j->path) {
        mni_free(j);
        return mni_fail(err, MANN_E_NOMEM, "%s: journal", path);
    }
    j->vfs = v;
    j->uuid = uuid;
    j->generation = generation;
    mann_status s = open_existing(j, fn, ctx, report, err);
    if (s != MANN_OK) {
        j->must_cut = 0; /* close must not touch what we could not put in order */
        mni_journal_close(j, NULL);
        return s;
    }
    *out = j;
    return MANN_OK;
}

/* --- append and commit ------------------------------------------------------------ */

mann_status mni_journal_append(mni_journal *j, uint32_t type, const void *bytes,
                               size_t n_bytes, mann_error *err)
{
    if (type == 0) return mni_fail(err, MANN_E_ARG, "%s: record of type 0", j->path);
    if (n_bytes > MNI_JOURNAL_RECORD_LIMIT)
        return mni_fail(err, MANN_E_LIMIT, "%s: record of %zu bytes, at most %d", j->path,
                        n_bytes, MNI_JOURNAL_RECORD_LIMIT);
    mni_disk_record rec = { .type = type, .n_bytes = (uint32_t)n_bytes };
    size_t total = sizeof rec + (size_t)mni_disk_round(n_bytes, MNI_JOURNAL_ALIGN);
    mni_buf *g = &j->group;
    if (total > MNI_JOURNAL_GROUP_LIMIT - g->n_bytes)
        return mni_fail(err, MANN_E_LIMIT, "%s: %zu bytes in one commit, at most %d",
                        j->path, g->n_bytes + total, MNI_JOURNAL_GROUP_LIMIT);
    if (!mni_grow((void **)&g->bytes, &g->cap, g->n_bytes + total, 1))
        return mni_fail(err, MANN_E_NOMEM, "%s: %zu bytes to commit", j->path,
                        g->n_bytes + total);
    uint8_t *at = g->bytes + g->n_bytes;
    memset(at, 0, total);
    memcpy(at, &rec, sizeof rec);
    if (n_bytes) memcpy(at + sizeof rec, bytes, n_bytes);
    j->last_at = g->n_bytes;
    g->n_bytes += total;
    return MANN_OK;
}

void mni_journal_discard(mni_journal *j) { j->group.n_bytes = 0; }

/* Marks the last record and gives all of them their CRC, each continuing the one
 * before. */
static uint32_t sign(mni_journal *j, uint32_t crc)
{
    mni_disk_record rec;
    for (size_t at = 0; at < j->group.n_bytes;) {
        uint8_t *p = j->group.bytes + at;
        memcpy(&rec, p, sizeof rec);
        rec.flags = at == j->last_at ? MNI_JOURNAL_LAST : 0;
        size_t total = sizeof rec +
                       (size_t)mni_disk_round(rec.n_bytes, MNI_JOURNAL_ALIGN);
        memcpy(p, &rec, sizeof rec);
        crc = rec.crc = mni_crc32c(crc, p + 4, total - 4);
        memcpy(p, &rec, sizeof rec);
        at += total;
    }
    return crc;
}

static mann_status write_group(mni_journal *j, uint64_t *end, uint32_t *crc,
                               mann_error *err)
{
    const mni_disk_journal header = mni_journal_header(j->uuid, j->generation);
    *end = j->end;
    *crc = j->crc;
    if (*end == 0) {
        MNI_TRY(mni_write(j->file, &header, sizeof header, 0, err));
        *end = sizeof header;
        *crc = header.header_crc;
    }
    *crc = sign(j, *crc);
    MNI_TRY(mni_write(j->file, j->group.bytes, j->group.n_bytes, *end, err));
    *end += j->group.n_bytes;
    j->unsynced = 1;
    return j->lazy ? MANN_OK : mni_journal_flush(j, err);
}

void mni_journal_be_lazy(mni_journal *j, int lazy) { j->lazy = lazy; }

mann_status mni_journal_flush(mni_journal *j, mann_error *err)
{
    if (!j->unsynced) return MANN_OK;
    MNI_TRY(mni_sync(j->file, err));
    if (!j->name_is_safe) MNI_TRY(mni_sync_dir_of(j->vfs, j->path, err));
    j->name_is_safe = 1;
    j->unsynced = 0;
    return MANN_OK;
}

mann_status mni_journal_commit(mni_journal *j, mann_error *err)
{
    uint64_t end;
    uint32_t crc;
    mann_status s = MANN_OK;
    if (j->group.n_bytes == 0) return MANN_OK;
    if (!j->file)
        s = mni_open(j->vfs, j->path, MNI_OPEN_WRITE | MNI_OPEN_CREATE, &j->file, err);
    if (s == MANN_OK && j->must_cut) s = cut(j, err);
    if (s == MANN_OK) {
        s = write_group(j, &end, &crc, err);
        if (s == MANN_OK) {
            j->end = end;
            j->crc = crc;
        } else cut(j, NULL);            /* if that fails, must_cut stays */
    }
    mni_journal_discard(j);
    return s;
}

mann_status mni_journal_reset(mni_journal *j, mni_uuid uuid, uint64_t generation,
                              mann_error *err)
{
    mni_journal_discard(j);
    j->uuid = uuid;
    j->generation = generation;
    j->end = 0;
    /* A foreign journal on the disk goes too: it might be one of the new generation, left
     * from a base that was put back from a copy. */
    if (!j->file && j->must_cut) {
        mann_status s = mni_open(j->vfs, j->path, MNI_OPEN_WRITE, &j->file, err);
        if (s != MANN_OK && s != MANN_E_NOT_FOUND) return s;
    }
    return j->file ? cut(j, err) : MANN_OK;
}

uint64_t mni_journal_bytes(const mni_journal *j)
{
    return j->end ? j->end - sizeof(mni_disk_journal) : 0;
}

mann_status mni_journal_close(mni_journal *j, mann_error *err)
{
    if (!j) return MANN_OK;
    mann_status s = j->file && j->must_cut ? cut(j, err) : MANN_OK;
    if (s == MANN_OK && j->lazy) s = mni_journal_flush(j, err);
    mann_status closed = mni_close(j->file, s == MANN_OK ? err : NULL);
    mni_buf_fini(&j->group);
    mni_free(j->path);
    mni_free(j);
    return s == MANN_OK ? closed : s;
}
