/* fuzz_deflate.c - bytes as a zlib stream; and as a text that is packed and unpacked
 * again. Packed it is never more than five bytes per block longer than stored.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "fuzz.h"
#include "image/deflate.h"
#include "image/inflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    enum { MOST = 1 << 16 };
    static uint8_t out[MOST];
    mann_error e = { MANN_OK, "" };
    if (n_bytes < 2) return 0;
    const size_t n = 1 + (mni_get16(bytes) & (MOST - 1));
    const mann_status s = mni_zlib_inflate(out, n > MOST ? MOST : n, bytes + 2,
                                           n_bytes - 2, &e);
    FUZZ_CHECK(s == MANN_OK || e.text[0]);
    mni_buf b = { 0 };
    FUZZ_CHECK(mni_deflate_zlib(&b, bytes, n_bytes, &e) == MANN_OK);
    FUZZ_CHECK(b.n_bytes <= n_bytes + 64 + 5 * (n_bytes / 16384 + 1));
    uint8_t *back = mni_alloc(n_bytes, 1);
    FUZZ_CHECK(back);
    FUZZ_CHECK(mni_zlib_inflate(back, n_bytes, b.bytes, b.n_bytes, &e) == MANN_OK);
    FUZZ_CHECK(memcmp(back, bytes, n_bytes) == 0);
    mni_free(back);
    mni_buf_fini(&b);
    return 0;
}
