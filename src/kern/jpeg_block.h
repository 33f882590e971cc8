/* jpeg_block.h - one block of a sequential scan: where a JPEG decoder spends its time.
 * Included once in plain C and once for CPUs with shifts that take their count from any
 * register (BMI2): BLOCK_LEVEL, BLOCK_NAME and SKIP_NAME say which.
 *
 * The processor waits for a chain of three: the top bits of the word, the entry that they
 * point to, the shift by the bits of that entry: 7 cycles for one or two coefficients.
 * All else, the refill too, goes on beside it. SPDX-License-Identifier: MIT */

BLOCK_LEVEL static int BLOCK_NAME(mni_bits *b, const mni_jpeg_huffman *dc_code,
                                  const mni_jpeg_huffman *ac_code, int *dc,
                                  int16_t block[MNI_JPEG_BLOCK])
{
    mni_bits r = *b;                    /* in registers for the length of the block */
    if (!mni_jpeg_next_dc(&r, dc_code, dc)) return -1;
    block[0] = (int16_t)*dc;
    unsigned k = 0;
    while (k < MNI_JPEG_BLOCK - 1) {
        /* Two at once, if the block goes on behind them: a block that ends with its last
         * place has no end mark, and what follows is the next block's. */
        const uint64_t p = ac_code->pairs[r.word >> (64 - MNI_JPEG_LOOK)];
        const unsigned both = k + mni_pair_skip2(p);
        if (both < MNI_JPEG_BLOCK - 1) {
            mni_bits_fill(&r);
            const int second = mni_jpeg_top_number(r.word << (p >> 24 & 63),
                                                   (unsigned)(p >> 56));
            mni_bits_drop(&r, mni_pair_bits(p));
            block[mni_jpeg_place[k + mni_pair_skip1(p)]] = (int16_t)(uint16_t)(p >> 32);
            block[mni_jpeg_place[both]] = (int16_t)second;
            k = both;
            if (p & MNI_PAIR_ENDS) {
                k -= (p & MNI_PAIR_EMPTY) != 0;
                break;
            }
            continue;
        }
        int value;
        const int more = mni_jpeg_next_ac(&r, ac_code, &k, &value);
        if (more < 0) return -1;
        if (!more) break;
        block[mni_jpeg_place[k]] = (int16_t)value;
    }
    *b = r;
    return (int)k;
}

/* The same block, of which only the DC is wanted. */
BLOCK_LEVEL static int SKIP_NAME(mni_bits *b, const mni_jpeg_huffman *dc_code,
                                 const mni_jpeg_huffman *ac_code, int *dc)
{
    mni_bits r = *b;
    if (!mni_jpeg_next_dc(&r, dc_code, dc)) return 0;
    unsigned k = 0;
    while (k < MNI_JPEG_BLOCK - 1) {
        const unsigned e = ac_code->skips[r.word >> (64 - MNI_JPEG_SKIP_LOOK)];
        if (k + (e >> 9) < MNI_JPEG_BLOCK - 1) {
            mni_bits_fill(&r);
            mni_bits_drop(&r, e & 31);
            k += e >> 9;
            if (e & MNI_SKIPS_ENDS) break;
            continue;
        }
        int value;
        const int more = mni_jpeg_next_ac(&r, ac_code, &k, &value);
        if (more < 0) return 0;
        if (!more) break;
    }
    *b = r;
    return 1;
}

#undef BLOCK_LEVEL
#undef BLOCK_NAME
#undef SKIP_NAME
