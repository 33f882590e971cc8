/* fuzz_container.c - bytes as a container: as they are, and with checksums put right.
 *
 * Left alone a fuzzer never gets past the first CRC. So the input is tried a second time
 * with header and table signed, which lets it lie about everything else.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "fuzz.h"
#include "signed.h"
#include "store/container.h"

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
    return use_and_sign(bytes, n_bytes, open_and_read);
}
