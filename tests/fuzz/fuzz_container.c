/* fuzz_container.c - bytes as a container: as they are, and with checksums put right.
 *
 * Left alone a fuzzer never gets past the first CRC. So the input is tried a second time
 * with header and table signed, which lets it lie about everything else.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "fuzz.h"
#include "kern/crc32c.h"
#include "store/container.h"
#include "store/disk.h"

static void sign(uint8_t *file, size_t n)
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

static volatile uint8_t touched;        /* keeps the reads */

/* Whatever was believed must be readable, byte by byte. */
static void open_and_read(const uint8_t *file, size_t n)
{
    mann_error e = { MANN_OK, "" };
    mni_reader *r;
    mni_section s;
    char tag[5];
    mann_status status = mni_reader_open_bytes(&r, file, n, "input", 0, &e);
    FUZZ_CHECK((status == MANN_OK) == (r != NULL) && (status == MANN_OK || e.text[0]));
    if (!r) return;
    for (uint32_t i = 0; mni_reader_at(r, i, tag, &s); i++) {
        FUZZ_CHECK(s.count * mni_dtype_bytes(s.dtype) == s.n_bytes);
        for (uint64_t b = 0; b < s.n_bytes; b++) touched = ((const uint8_t *)s.data)[b];
        FUZZ_CHECK(mni_reader_find(r, tag, &s));
    }
    mni_reader_free(r);
}

int fuzz_container(const uint8_t *bytes, size_t n_bytes)
{
    uint8_t *file = mni_memdup(bytes, n_bytes);
    if (!file) return 0;
    open_and_read(file, n_bytes);
    sign(file, n_bytes);
    open_and_read(file, n_bytes);
    mni_free(file);
    return 0;
}
