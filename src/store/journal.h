/* journal.h - the short memory beside a gallery: what changed since its base file was
 * written.
 *
 *   gallery.mann           the base: uuid, generation g
 *   gallery.mann-journal   header (uuid, g) + records, each with length and CRC32C
 *
 * A record counts once it is synced, and only together with all records of its commit. At
 * open, records are replayed in order; a torn or zero-filled end is cut off and reported,
 * never a refusal. A journal of another uuid or generation belongs to a base that is
 * gone: it is ignored and reported. SPDX-License-Identifier: MIT */
#ifndef MNI_STORE_JOURNAL_H
#define MNI_STORE_JOURNAL_H

#include "store/container.h"

typedef struct mni_journal mni_journal;

enum {
    MNI_JOURNAL_RECORD_LIMIT = 64 << 20, /* payload bytes of one record */
    MNI_JOURNAL_GROUP_LIMIT = 1 << 30    /* of one commit, record headers included */
};

typedef struct mni_journal_report {
    uint64_t n_records, n_bytes;        /* replayed; bytes with their headers */
    uint64_t n_cut_bytes;               /* thrown away at the torn end */
    int foreign;                        /* 1: of another base, ignored */
    mni_uuid foreign_uuid;              /* of which one */
    uint64_t foreign_generation;
} mni_journal_report;

/* One record at replay; bytes are borrowed and 8-byte aligned. A status other than
 * MANN_OK ends the replay with it. */
typedef mann_status (*mni_replay_fn)(void *ctx, uint32_t type, const void *bytes,
                                     size_t n_bytes, mann_error *err);

/* Replays PATH without changing anything (for readers). No file: an empty report. A
 * writer may be at work meanwhile: then its last commits are seen or not, each as a
 * whole. MANN_E_VERSION for a journal of a newer format. report may be NULL. */
mann_status mni_journal_replay(const mni_vfs *v, const char *path, mni_uuid uuid,
                               uint64_t generation, mni_replay_fn fn, void *ctx,
                               mni_journal_report *report, mann_error *err);
/* Replays, cuts a torn end, and stays open for appending (for the writer, who holds the
 * base's lock). What was replayed is durable when this returns. The file is made when the
 * first record is committed; a foreign one is then replaced. When the replay fails
 * nothing was changed. */
mann_status mni_journal_open(mni_journal **out, const mni_vfs *v, const char *path,
                             mni_uuid uuid, uint64_t generation, mni_replay_fn fn,
                             void *ctx, mni_journal_report *report, mann_error *err);
/* append buffers; commit writes all that was appended and syncs: after it the records are
 * durable. When commit fails the journal is cut back to the last commit, and nothing of
 * the group counts. (If the medium refuses even the cut, it is tried again before
 * anything else is written; should the process end before, the group may count at the
 * next open, as a whole.) type: anything but 0. append over a limit is MANN_E_LIMIT; what
 * was appended before still stands. */
mann_status mni_journal_append(mni_journal *j, uint32_t type, const void *bytes,
                               size_t n_bytes, mann_error *err);
mann_status mni_journal_commit(mni_journal *j, mann_error *err);
/* Lazy: commit writes but does not sync, for loads that can be begun again. A process
 * that dies loses nothing; a power cut may lose commits from the end, each as a whole,
 * and whatever is left is in order. flush makes all of them durable, as close does (whose
 * failures nobody may see). */
void        mni_journal_be_lazy(mni_journal *j, int lazy);
mann_status mni_journal_flush(mni_journal *j, mann_error *err);
/* forget what was appended but not committed */
void        mni_journal_discard(mni_journal *j);
/* A new base is in place: start over, empty, for (uuid, generation). A failure leaves a
 * journal that belongs to the old base, so that it will be ignored, and this object in
 * order: commit cuts again. */
mann_status mni_journal_reset(mni_journal *j, mni_uuid uuid, uint64_t generation,
                              mann_error *err);
uint64_t    mni_journal_bytes(const mni_journal *j);        /* of committed records */
/* What was appended but not committed is forgotten. */
mann_status mni_journal_close(mni_journal *j, mann_error *err);   /* NULL ok */

#endif
