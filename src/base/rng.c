/* rng.c - see rng.h. SPDX-License-Identifier: MIT */
#include "base/rng.h"

static const uint64_t GOLDEN = 0x9E3779B97F4A7C15u;      /* 2^64 / golden ratio, odd */

uint64_t mni_mix64(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

mni_rng mni_rng_at(uint64_t seed, mni_purpose purpose, uint64_t epoch, uint64_t step,
                   uint64_t slot)
{
    uint64_t key = mni_mix64(seed + GOLDEN);
    key = mni_mix64(key ^ ((uint64_t)purpose * GOLDEN));
    key = mni_mix64(key + epoch * GOLDEN + 1);
    key = mni_mix64(key + step * GOLDEN + 2);
    key = mni_mix64(key + slot * GOLDEN + 3);
    return (mni_rng){ key, 0 };
}

uint64_t mni_rng_u64(mni_rng *r)
{
    r->at++;
    return mni_mix64(mni_mix64(r->key + r->at * GOLDEN) ^ r->key);
}

/* Lemire, "Fast random integer generation in an interval" (ACM TOMS 2019): multiply
 * instead of divide, and reject the few products that would make some values likelier. */
uint32_t mni_rng_below(mni_rng *r, uint32_t n)
{
    uint64_t product = (mni_rng_u64(r) >> 32) * n;
    if ((uint32_t)product < n) {
        uint32_t floor = (0u - n) % n;
        while ((uint32_t)product < floor) product = (mni_rng_u64(r) >> 32) * n;
    }
    return (uint32_t)(product >> 32);
}

float mni_rng_unit(mni_rng *r) { return (float)(mni_rng_u64(r) >> 40) * 0x1p-24f; }

float mni_rng_range(mni_rng *r, float low, float high)
{
    return low + (high - low) * mni_rng_unit(r);
}

float mni_rng_normal(mni_rng *r)
{
    float sum = -6.0f;
    for (int i = 0; i < 12; i++) sum += mni_rng_unit(r);
    return sum;
}

void mni_rng_shuffle(mni_rng *r, uint32_t *out, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t j = mni_rng_below(r, i + 1);
        if (j != i) out[i] = out[j];
        out[j] = i;
    }
}
