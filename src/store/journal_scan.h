/* journal_scan.h - reads a journal front to back as far as it can be believed. See
 * journal.h. SPDX-License-Identifier: MIT */
#ifndef MNI_STORE_JOURNAL_SCAN_H
#define MNI_STORE_JOURNAL_SCAN_H

#include "store/disk.h"
#include "store/journal.h"

/* The header that a journal of (uuid, generation) has; its CRC starts the chain of the
 * records. */
mni_disk_journal mni_journal_header(mni_uuid uuid, uint64_t generation);

typedef struct mni_journal_end {
    uint64_t end;               /* bytes that count: 0, or header and whole groups */
    uint32_t crc;               /* of the last record that counts, or of the header */
    uint64_t n_file_bytes;
    int bad_header; /* 1: the header is damaged, though records after it may count */
} mni_journal_end;

/* Hands every record of every whole group to fn. */
mann_status mni_journal_scan(mni_file *f, const char *path, mni_uuid uuid,
                             uint64_t generation, mni_replay_fn fn, void *ctx,
                             mni_journal_report *report, mni_journal_end *end,
                             mann_error *err);

#endif
