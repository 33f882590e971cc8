/* test_base.c - rooms base and os: what everything else stands on. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/rng.h"
#include "harness.h"

static void rng_below_is_in_range(void)
{
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 0, 0, 0);
    for (uint32_t n = 1; n < 100; n++)
        for (int i = 0; i < 100; i++) CHECK(mni_rng_below(&r, n) < n);
}

const test_case base_tests[];
const test_case base_tests[] = { { "rng_below_is_in_range", rng_below_is_in_range, 0 }, { 0 } };
