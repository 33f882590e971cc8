/* journal_scan.c - see journal_scan.h; README.md of this folder draws format and states.
 *
 * Groups are read into memory, checked to their last record, and only then handed out:
 * half a group is no group. Every record's CRC continues that of the record before, and
 * the first one's that of the header, which holds uuid and generation. So a record left
 * over from an older life of the file, even with a right CRC of its own, is never taken
 * for one of ours (SQLite's write-ahead log does the same).
 *
 * The chain also makes the header dispensable: we know which one it must be. If it is
 * damaged but the records continue the one that we expect, they are ours, and nothing is
 * lost.
 *
 * Read, not mapped: the writer may cut the file while another process replays it, and a
 * mapping that is cut kills its reader. SPDX-License-Identifier: MIT */
#include "store/journal_scan.h"

#include <string.h>

#include "base/mem.h"
#include "kern/crc32c.h"

enum { READ_AHEAD = 256 * 1024 };

typedef struct scan {
    mni_file *file;
    const char *path;
    uint64_t at, size;          /* of the group at hand; of the file */
    uint8_t *bytes;             /* window: bytes[start] is the file's byte `at` */
    size_t cap, start, end;
} scan;

typedef struct group { size_t n_bytes; uint64_t n_records; uint32_t crc; } group;

mni_disk_journal mni_journal_header(mni_uuid uuid, uint64_t generation)
{
    mni_disk_journal h = { .magic = MNI_JOURNAL_MAGIC, .version = MNI_JOURNAL_VERSION,
                           .generation = generation };
    memcpy(h.uuid, uuid.bytes, sizeof h.uuid);
    h.header_crc = mni_crc32c(0, &h, offsetof(mni_disk_journal, header_crc));
    return h;
}

/* Brings the first n bytes of the group into the window. *whole = 0 if the file has no
 * such many, perhaps no longer: it may have been cut since we asked for its size. */
static mann_status load(scan *s, size_t n, int *whole, mann_error *err)
{
    size_t have = s->end - s->start, got = 0;
    uint64_t left = s->size - s->at;
    *whole = n <= left;
    if (!*whole || n <= have) return MANN_OK;
    if (have) memmove(s->bytes, s->bytes + s->start, have);
    s->start = 0;
    s->end = have;
    size_t want = n < READ_AHEAD ? READ_AHEAD : n;
    if (want > left) want = (size_t)left;
    if (!mni_grow((void **)&s->bytes, &s->cap, want, 1))
        return mni_fail(err, MANN_E_NOMEM, "%s: %zu bytes of records", s->path, want);
    MNI_TRY(mni_read(s->file, s->bytes + have, want - have, s->at + have, &got, err));
    s->end += got;
    *whole = s->end >= n;
    return MANN_OK;
}

/* Checks the group at s->at, whose first record continues `crc`. *whole = 0: it is torn,
 * garbage, or there is none. */
static mann_status read_group(scan *s, uint32_t crc, group *g, int *whole,
                              mann_error *err)
{
    mni_disk_record rec;
    *g = (group){ .crc = crc };
    do {
        MNI_TRY(load(s, g->n_bytes + sizeof rec, whole, err));
        if (!*whole) return MANN_OK;
        memcpy(&rec, s->bytes + s->start + g->n_bytes, sizeof rec);
        *whole = rec.type != 0 && rec.flags <= MNI_JOURNAL_LAST &&
                 rec.n_bytes <= MNI_JOURNAL_RECORD_LIMIT;
        if (!*whole) return MANN_OK;
        size_t total = sizeof rec +
                       (size_t)mni_disk_round(rec.n_bytes, MNI_JOURNAL_ALIGN);
        *whole = total <= MNI_JOURNAL_GROUP_LIMIT - g->n_bytes;
        if (*whole) MNI_TRY(load(s, g->n_bytes + total, whole, err));
        if (!*whole) return MANN_OK;
        g->crc = mni_crc32c(g->crc, s->bytes + s->start + g->n_bytes + 4, total - 4);
        *whole = g->crc == rec.crc;
        g->n_bytes += total;
        g->n_records++;
    } while (*whole && !(rec.flags & MNI_JOURNAL_LAST));
    return MANN_OK;
}

static mann_status hand_out(const scan *s, const group *g, mni_replay_fn fn, void *ctx,
                            mann_error *err)
{
    mni_disk_record rec;
    const uint8_t *at = s->bytes + s->start;
    for (uint64_t i = 0; i < g->n_records; i++) {
        memcpy(&rec, at, sizeof rec);
        MNI_TRY(fn(ctx, rec.type, at + sizeof rec, rec.n_bytes, err));
        at += sizeof rec + mni_disk_round(rec.n_bytes, MNI_JOURNAL_ALIGN);
    }
    return MANN_OK;
}

static mann_status scan_groups(scan *s, mni_replay_fn fn, void *ctx,
                               mni_journal_report *report, mni_journal_end *end,
                               mann_error *err)
{
    group g;
    int whole;
    for (s->at = sizeof(mni_disk_journal);;) {
        MNI_TRY(read_group(s, end->crc, &g, &whole, err));
        if (!whole) return MANN_OK;
        MNI_TRY(hand_out(s, &g, fn, ctx, err));
        s->at += g.n_bytes;
        s->start += g.n_bytes;
        end->end = s->at;
        end->crc = g.crc;
        report->n_records += g.n_records;
        report->n_bytes += g.n_bytes;
    }
}

mann_status mni_journal_scan(mni_file *f, const char *path, mni_uuid uuid,
                             uint64_t generation, mni_replay_fn fn, void *ctx,
                             mni_journal_report *report, mni_journal_end *end,
                             mann_error *err)
{
    const mni_disk_journal want = mni_journal_header(uuid, generation);
    mni_disk_journal h = { .version = 0 };
    size_t got;
    scan s = { .file = f, .path = path };
    *report = (mni_journal_report){ 0 };
    *end = (mni_journal_end){ .crc = want.header_crc };
    MNI_TRY(mni_disk_machine_ok(path, err));
    MNI_TRY(f->vfs->ops->size(f, &s.size, err));
    MNI_TRY(mni_read(f, &h, sizeof h, 0, &got, err));
    end->n_file_bytes = s.size;
    end->bad_header = memcmp(&h, &want, sizeof h) != 0;
    if (got < sizeof h) {
        report->n_cut_bytes = s.size;
        return MANN_OK;
    }
    int signed_other = end->bad_header &&
                       memcmp(h.magic, want.magic, sizeof h.magic) == 0 &&
                       mni_crc32c(0, &h, offsetof(mni_disk_journal, header_crc)) ==
                           h.header_crc;
    if (signed_other && h.version != MNI_JOURNAL_VERSION)
        return mni_fail(err, MANN_E_VERSION,
                        "%s: journal version %u, this program reads %u", path,
                        (unsigned)h.version, (unsigned)MNI_JOURNAL_VERSION);
    if (signed_other) {
        report->foreign = 1;
        report->foreign_generation = h.generation;
        memcpy(report->foreign_uuid.bytes, h.uuid, sizeof h.uuid);
        return MANN_OK;
    }
    mann_status status = scan_groups(&s, fn, ctx, report, end, err);
    mni_free(s.bytes);
    uint64_t header_bytes = end->bad_header && !end->end ? 0 : sizeof h;
    report->n_cut_bytes = s.size - header_bytes - report->n_bytes;
    return status;
}
