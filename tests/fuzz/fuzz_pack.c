/* fuzz_pack.c - bytes as a packed data set: as they are, and with checksums put right, so
 * that the lists can lie. What is opened is used in every way.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "fuzz.h"
#include "kern/crc32c.h"
#include "store/disk.h"
#include "store/pack.h"

static void sign(uint8_t *file, size_t n)
{
    mni_disk_header h;
    if (n < sizeof h) return;
    memcpy(&h, file, sizeof h);
    const size_t table_bytes = (size_t)h.section_count * sizeof(mni_disk_section);
    if (table_bytes <= n - sizeof h) {
        for (size_t i = 0; i < h.section_count; i++) {
            mni_disk_section e;
            uint8_t *at = file + n - table_bytes + i * sizeof e;
            memcpy(&e, at, sizeof e);
            const uint64_t n_sums = mni_disk_n_sums(e.n_bytes);
            if (!mni_span_fits(e.sums_at, n_sums, 4, n)) continue;
            if (n_sums == 1 && mni_span_fits(e.at, e.n_bytes, 1, n))
                mni_put32(file + e.sums_at,
                          mni_crc32c(0, file + e.at, (size_t)e.n_bytes));
            e.sums_crc = mni_crc32c(0, file + e.sums_at, (size_t)n_sums * 4);
            memcpy(at, &e, sizeof e);
        }
        h.section_crc = mni_crc32c(0, file + n - table_bytes, table_bytes);
    }
    h.file_size = n;
    h.version = MNI_DISK_VERSION;
    h.header_crc = mni_crc32c(0, &h, offsetof(mni_disk_header, header_crc));
    memcpy(file, &h, sizeof h);
}

static void open_and_use(const uint8_t *file, size_t n)
{
    mann_error e = { MANN_OK, "" };
    mni_pack *p;
    uint64_t at;
    size_t name_bytes = 0;
    const mann_status s = mni_pack_open_bytes(&p, file, n, "input", &e);
    FUZZ_CHECK((s == MANN_OK) == (p != NULL) && (s == MANN_OK || e.text[0]));
    if (!p) return;
    for (uint32_t k = 0; k < mni_pack_n_classes(p); k++)
        name_bytes += strlen(mni_pack_class(p, k)) + 1;
    for (uint64_t i = 0; i < mni_pack_n_photos(p); i++) {
        const mni_pack_photo one = mni_pack_at(p, i);
        uint8_t *bytes;
        size_t n_bytes;
        name_bytes += strlen(one.path) + 1;
        FUZZ_CHECK(one.bytes >= file && one.n_bytes <= (size_t)(file + n - one.bytes));
        FUZZ_CHECK(one.klass == MANN_NO_CLASS || one.klass < mni_pack_n_classes(p));
        if (mni_pack_copy(p, i, &bytes, &n_bytes, &e) != MANN_OK) continue;
        FUZZ_CHECK(n_bytes == one.n_bytes && memcmp(bytes, one.bytes, n_bytes) == 0);
        mni_free(bytes);
    }
    FUZZ_CHECK(name_bytes <= n);        /* nothing is told twice */
    if (mni_pack_verify(p, &e) == MANN_OK)
        for (uint64_t i = 0; i < mni_pack_n_photos(p); i++)
            FUZZ_CHECK(mni_pack_find(p, mni_pack_at(p, i).path, &at) && at <= i);
    mni_pack_free(p);
}

int fuzz_pack(const uint8_t *bytes, size_t n_bytes)
{
    uint8_t *file = mni_memdup(bytes, n_bytes);
    if (!file) return 0;
    open_and_use(file, n_bytes);
    sign(file, n_bytes);
    open_and_use(file, n_bytes);
    mni_free(file);
    return 0;
}
