/* kern_img.c - the table of kern_img.h, and both passes in plain C.
 * SPDX-License-Identifier: MIT */
#include "kern/kern_img.h"

#include "os/cpu.h"
#include "os/thread.h"

/* `channels` is a constant at each call below, so that the compiler makes four straight
 * versions of this loop. */
static inline void row_across(uint8_t *out, const uint8_t *in, const mni_taps *t,
                              uint32_t channels)
{
    for (uint32_t i = 0; i < t->n_out; i++) {
        const uint8_t *p = in + (size_t)t->first[i] * channels;
        const int32_t *w = t->weight + (size_t)i * t->n;
        int32_t sum[4] = { 0 };
        for (uint32_t c = 0; c < channels; c++) sum[c] = 1 << (MNI_TAP_BITS - 1);
        for (uint32_t k = 0; k < t->n; k++, p += channels)
            for (uint32_t c = 0; c < channels; c++) sum[c] += w[k] * p[c];
        for (uint32_t c = 0; c < channels; c++) *out++ = mni_tap_byte(sum[c]);
    }
}

void mni_across_c(uint8_t *const out[MNI_ROWS_ACROSS],
                  const uint8_t *const in[MNI_ROWS_ACROSS], const mni_taps *t,
                  uint32_t channels)
{
    for (int r = 0; r < MNI_ROWS_ACROSS; r++) {
        if (r > 0 && out[r] == out[r - 1]) continue;    /* given twice */
        switch (channels) {
        case 1: row_across(out[r], in[r], t, 1); break;
        case 2: row_across(out[r], in[r], t, 2); break;
        case 3: row_across(out[r], in[r], t, 3); break;
        default: row_across(out[r], in[r], t, 4); break;
        }
    }
}

/* Sixty-four columns at a time: the inner loop runs along memory, the sums stay near. */
void mni_down_c(uint8_t *out, const uint8_t *const *rows, const int32_t *weight,
                const uint32_t *pairs, uint32_t n, size_t n_bytes)
{
    enum { PIECE = 64 };
    (void)pairs;
    for (size_t at = 0; at < n_bytes; at += PIECE) {
        const size_t some = n_bytes - at < PIECE ? n_bytes - at : PIECE;
        int32_t sums[PIECE];
        for (size_t x = 0; x < some; x++) sums[x] = 1 << (MNI_TAP_BITS - 1);
        for (uint32_t k = 0; k < n; k++)
            for (size_t x = 0; x < some; x++) sums[x] += weight[k] * rows[k][at + x];
        for (size_t x = 0; x < some; x++) out[at + x] = mni_tap_byte(sums[x]);
    }
}

void mni_kern_img_build(mni_kern_img *k, unsigned cpu)
{
    *k = (mni_kern_img){ "scalar", mni_across_c, mni_down_c };
    if (cpu & MNI_CPU_AVX2) mni_kern_img_add_avx2(k);
    if (cpu & MNI_CPU_AVX512) mni_kern_img_add_avx512(k);
    if (cpu & MNI_CPU_NEON) mni_kern_img_add_neon(k);
}

static mni_once once = MNI_ONCE_INIT;
static mni_kern_img best;

static void build_best(void) { mni_kern_img_build(&best, mni_cpu_allowed()); }

const mni_kern_img *mni_kern_img_best(void)
{
    mni_once_run(&once, build_best);
    return &best;
}
