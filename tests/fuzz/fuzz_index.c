/* fuzz_index.c - bytes as the sections of a bare index, of any kind: opened, asked, and
 * changed where verify finds nothing to say against them. The checksums are put right, so
 * that a fuzzer gets past them (tests/ann_forge.h has the format).
 * SPDX-License-Identifier: MIT */
#include "../ann_forge.h"
#include "fuzz.h"

int fuzz_index(const uint8_t *bytes, size_t n_bytes)
{
    const char *why;
    if (n_bytes > 1 << 18) return 0;
    if (ann_forged(bytes, n_bytes, &why) < 0) {
        fprintf(stderr, "broken promise: %s\n", why);
        abort();
    }
    return 0;
}
