/* signed.h - bytes as a container, as they are and with checksums put right: left alone a
 * fuzzer never gets past the first CRC. SPDX-License-Identifier: MIT */
#ifndef TESTS_FUZZ_SIGNED_H
#define TESTS_FUZZ_SIGNED_H

#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "kern/crc32c.h"
#include "store/disk.h"

static inline void sign(uint8_t *file, size_t n)
{
    mni_disk_header h;
    if (n < sizeof h) return;
    memcpy(&h, file, sizeof h);
    memcpy(h.magic, MNI_DISK_MAGIC, sizeof h.magic);
    h.version = MNI_DISK_VERSION;
    h.file_size = n;
    size_t table_bytes = (size_t)h.section_count * sizeof(mni_disk_section);
    if (table_bytes <= n - sizeof h) {
        for (size_t i = 0; i < h.section_count; i++) {
            mni_disk_section e;
            uint8_t *at = file + n - table_bytes + i * sizeof e;
            memcpy(&e, at, sizeof e);
            uint64_t n_sums = mni_disk_n_sums(e.n_bytes);
            if (!mni_span_fits(e.sums_at, n_sums, 4, n)) continue;
            if (n_sums == 1 && mni_span_fits(e.at, e.n_bytes, 1, n))
                mni_put32(file + e.sums_at,
                          mni_crc32c(0, file + e.at, (size_t)e.n_bytes));
            e.sums_crc = mni_crc32c(0, file + e.sums_at, (size_t)n_sums * 4);
            memcpy(at, &e, sizeof e);
        }
        h.section_crc = mni_crc32c(0, file + n - table_bytes, table_bytes);
    }
    h.header_crc = mni_crc32c(0, &h, offsetof(mni_disk_header, header_crc));
    memcpy(file, &h, sizeof h);
}

/* `use` on a copy of the input, then on the signed copy. */
static inline int use_and_sign(const uint8_t *bytes, size_t n_bytes,
                               void (*use)(const uint8_t *file, size_t n))
{
    uint8_t *file = mni_memdup(bytes, n_bytes);
    if (!file) return 0;
    use(file, n_bytes);
    sign(file, n_bytes);
    use(file, n_bytes);
    mni_free(file);
    return 0;
}

#endif
