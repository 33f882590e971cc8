/* crc32c.c - CRC with Castagnoli's polynomial, in tables and with the instruction that
 * x86 has for it.
 *
 * A CRC is the remainder of the message, read as one long polynomial over GF(2), divided
 * by a fixed polynomial. One byte is one step of the long division, and what a byte does
 * to the remainder is looked up in 256 entries. Eight tables do eight bytes in one step
 * ("slicing by eight", Kounavis and Berry, "A Systematic Approach to Building High
 * Performance, Software-based, CRC Generators", ISCC 2005): table t says what a byte does
 * that has t more bytes behind it. Bits are reflected: bit 0 of a byte is its highest
 * power. SPDX-License-Identifier: MIT */
#include "kern/crc32c.h"

#include <string.h>

#include "kern/level.h"
#include "os/thread.h"

#if MNI_X86
#include <nmmintrin.h>
#endif

typedef uint32_t (*crc_fn)(uint32_t crc, const uint8_t *at, size_t n);

enum { SLICES = 8 };
static const uint32_t polynomial = 0x82F63B78u;

static mni_once once = MNI_ONCE_INIT;
static uint32_t table[SLICES][256];
static crc_fn best;

static uint32_t crc_tables(uint32_t crc, const uint8_t *at, size_t n)
{
    for (; n >= SLICES; n -= SLICES, at += SLICES) {
        crc ^= (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
               (uint32_t)at[3] << 24;
        crc = table[7][crc & 255] ^ table[6][crc >> 8 & 255] ^
              table[5][crc >> 16 & 255] ^ table[4][crc >> 24] ^
              table[3][at[4]] ^ table[2][at[5]] ^ table[1][at[6]] ^ table[0][at[7]];
    }
    for (; n > 0; n--) crc = crc >> 8 ^ table[0][(crc ^ *at++) & 255];
    return crc;
}

#if MNI_X86
/* The instruction does eight bytes and has its answer after three cycles. One chain of
 * them runs at 8 to 10 GB/s (bench/results/kern-rows.csv): slower than the memory, four
 * times as fast as the tables, and simple. */
MNI_SSE42 static uint32_t crc_sse42(uint32_t crc, const uint8_t *at, size_t n)
{
    uint64_t wide = crc;
    for (; n >= 8; n -= 8, at += 8) {
        uint64_t eight;
        memcpy(&eight, at, 8);
        wide = _mm_crc32_u64(wide, eight);
    }
    crc = (uint32_t)wide;
    for (; n > 0; n--) crc = _mm_crc32_u8(crc, *at++);
    return crc;
}
#endif

static void prepare(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? polynomial : 0);
        table[0][byte] = crc;
    }
    for (int t = 1; t < SLICES; t++)
        for (uint32_t byte = 0; byte < 256; byte++)
            table[t][byte] = table[t - 1][byte] >> 8 ^ table[0][table[t - 1][byte] & 255];
    best = crc_tables;
#if MNI_X86
    if (mni_cpu_allowed() & MNI_CPU_SSE42) best = crc_sse42;
#endif
}

/* The register starts and ends inverted, so that leading zero bytes count. */
uint32_t mni_crc32c(uint32_t crc, const void *bytes, size_t n_bytes)
{
    mni_once_run(&once, prepare);
    return n_bytes ? ~best(~crc, bytes, n_bytes) : crc;
}

uint32_t mni_crc32c_plain(uint32_t crc, const void *bytes, size_t n_bytes)
{
    mni_once_run(&once, prepare);
    return n_bytes ? ~crc_tables(~crc, bytes, n_bytes) : crc;
}
