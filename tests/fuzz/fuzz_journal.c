/* fuzz_journal.c - bytes as a journal, as they are and with the chain of CRCs put right.
 *
 * Whatever the file holds: a reader and the writer see the same records, the writer can
 * go on behind them, and then there is exactly one record more.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "fuzz.h"
#include "kern/crc32c.h"
#include "store/disk.h"
#include "store/journal.h"
#include "store/journal_scan.h"

static mann_status add_up(void *ctx, uint32_t type, const void *bytes, size_t n,
                          mann_error *err)
{
    uint64_t *sum = ctx;
    (void)err;
    FUZZ_CHECK(type != 0 && (uintptr_t)bytes % 8 == 0);
    *sum = mni_hash_bytes(bytes, n, *sum + type);
    return MANN_OK;
}

static void sign(uint8_t *file, size_t n, mni_uuid uuid)
{
    mni_disk_journal h = mni_journal_header(uuid, 1);
    mni_disk_record rec;
    uint32_t crc = h.header_crc;
    if (n < sizeof h) return;
    memcpy(file, &h, sizeof h);
    for (size_t at = sizeof h; n - at >= sizeof rec;) {
        memcpy(&rec, file + at, sizeof rec);
        uint64_t total = sizeof rec + mni_disk_round(rec.n_bytes, MNI_JOURNAL_ALIGN);
        if (total > n - at) break;
        crc = mni_crc32c(crc, file + at + 4, (size_t)total - 4);
        mni_put32(file + at, crc);
        at += (size_t)total;
    }
}

static void live(const uint8_t *file, size_t n, mni_uuid uuid)
{
    const char *path = "d/j";
    mann_error e;
    mni_vfs_mem *m;
    mni_journal *j;
    mni_journal_report seen, again;
    uint64_t a = 0, b = 0;
    FUZZ_CHECK(mni_vfs_mem_new(&m, &e) == MANN_OK);
    const mni_vfs *v = mni_vfs_mem_vfs(m);
    FUZZ_CHECK(mni_replace_file(v, path, file, n, &e) == MANN_OK);
    mann_status s = mni_journal_replay(v, path, uuid, 1, add_up, &a, &seen, &e);
    FUZZ_CHECK(s == MANN_OK || s == MANN_E_VERSION);
    if (s == MANN_OK) {
        FUZZ_CHECK(mni_journal_open(&j, v, path, uuid, 1, add_up, &b, &again, &e) ==
                   MANN_OK);
        FUZZ_CHECK(a == b && seen.n_records == again.n_records &&
                   seen.foreign == again.foreign);
        FUZZ_CHECK(mni_journal_append(j, 5, "more", 4, &e) == MANN_OK);
        FUZZ_CHECK(mni_journal_commit(j, &e) == MANN_OK);
        FUZZ_CHECK(mni_journal_close(j, &e) == MANN_OK);
        FUZZ_CHECK(mni_journal_replay(v, path, uuid, 1, add_up, &b, &again, &e) ==
                   MANN_OK);
        FUZZ_CHECK(again.n_records == seen.n_records + 1 && again.n_cut_bytes == 0);
    }
    mni_vfs_mem_free(m);
}

int fuzz_journal(const uint8_t *bytes, size_t n_bytes)
{
    const mni_uuid uuid = mni_uuid_from(3, 4);
    uint8_t *file = mni_memdup(bytes, n_bytes);
    if (!file) return 0;
    live(file, n_bytes, uuid);
    sign(file, n_bytes, uuid);
    live(file, n_bytes, uuid);
    mni_free(file);
    return 0;
}
