/* fuzz_pack.c - bytes as a packed data set: as they are, and with checksums put right, so
 * that the lists can lie. What is opened is used in every way.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "fuzz.h"
#include "signed.h"
#include "store/pack.h"

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
    return use_and_sign(bytes, n_bytes, open_and_use);
}
