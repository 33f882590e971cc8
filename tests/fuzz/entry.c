/* entry.c - libFuzzer's entry of the target that -DFUZZ_ENTRY names: fuzz_gallery, ...
 * SPDX-License-Identifier: MIT */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
    return FUZZ_ENTRY(bytes, n_bytes);
}
