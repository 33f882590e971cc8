/* jpeg_block.h - one block of a sequential scan: where a JPEG decoder spends its time.
 * Included once in plain C and once for CPUs with shifts that take their count from any
 * register (BMI2): BLOCK_LEVEL and BLOCK_NAME say which.
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
            mni_bits_drop(&r, mni_pair_bits(p));
            block[mni_jpeg_place[k + mni_pair_skip1(p)]] = (int16_t)(uint16_t)(p >> 32);
            block[mni_jpeg_place[both]] = (int16_t)(uint16_t)(p >> 48);
            k = both;
            if (mni_pair_ends(p)) break;
            continue;
        }
        const int32_t e = ac_code->look[r.word >> (64 - MNI_JPEG_LOOK)];
        const unsigned skip = mni_look_skip(e), at = k + skip;
        mni_bits_fill(&r);
        mni_bits_drop(&r, mni_look_bits(e));
        if (at < MNI_JPEG_BLOCK) {
            k = at;
            block[mni_jpeg_place[k]] = (int16_t)mni_look_value(e);
            continue;
        }
        int symbol = mni_look_value(e);
        if (skip == MNI_SKIP_END) break;
        if (skip <= 16) {
            if (symbol == 0) break;     /* zeros beyond the block: some writers do that */
            return -1;
        }
        if (skip == MNI_SKIP_LONG) symbol = mni_jpeg_long_symbol(&r, ac_code);
        if (symbol < 0) return -1;
        const unsigned size = (unsigned)symbol & 15;
        if (size == 0 && symbol != 0xF0) break;
        k += ((unsigned)symbol >> 4) + 1;
        if (size == 0) continue;        /* a long code for 16 zeros */
        if (k >= MNI_JPEG_BLOCK) return -1;
        block[mni_jpeg_place[k]] = (int16_t)mni_bits_take_number(&r, size);
    }
    *b = r;
    return (int)k;
}

#undef BLOCK_LEVEL
#undef BLOCK_NAME
