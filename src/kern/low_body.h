/* low_body.h - the convolutions of kern_low.h, written once for registers of any width.
 * Included by low_*.c once per level with
 *
 *   LOW(name)        name with the level's ending        LOW_TARGET  its target attribute
 *   LOW_ACC          a register of sums                  LOW_PARTS   so many hold a block
 *   LOW_W            a register of weights               LOW_LOAD(p) the next of them
 *   LOW_W_BYTES      bytes of packed weights behind one LOW_W
 *   LOW_X            a word of x, spread                 LOW_SPREAD(p)
 *   LOW_STEP(acc, x, w)                                  the new sum
 *   LOW_ZERO()       LOW_END(a, acc, o, at)              scales and stores a block: its
 *                                                        first output channel, its place
 *   LOW_SIZE         bytes of an element of y
 *   LOW_PLACES       places of a tile                    LOW_BLOCKS  and its blocks, at
 * most
 *
 * A tile (AVX-512, 6 places x 4 blocks of 16 channels) in one step of the sum, four
 * channels (u8) or two (bf16) deep:
 *
 *                      w: block 0     block 1     block 2     block 3       4 loads
 *     4 bytes of place 0 [16 sums  ] [16 sums  ] [16 sums  ] [16 sums  ]
 *     ..                   each place's word is spread over a register     6 loads
 *     4 bytes of place 5 [         ] [         ] [         ] [         ]  24 products
 *
 * Places of a tile may lie in different rows: each has a pointer of its own, all taps are
 * at the same distance from it. No include guard: included several times on purpose.
 * SPDX-License-Identifier: MIT */

/* places, blocks and words are constants at every call. w_block: bytes from one step's
 * weights to the next step's, and y_at: where the places go. */
LOW_TARGET static MNI_INLINE void LOW(tile)(const mni_low_conv *a,
                                            const uint8_t *const *x, const uint8_t *w,
                                            size_t w_step, const size_t *y_at,
                                            size_t block, const size_t words,
                                            const int places,
                                            const int blocks)
{
    LOW_ACC acc[LOW_PLACES][LOW_BLOCKS * LOW_PARTS];
    const uint8_t *xp[LOW_PLACES];
    for (int p = 0; p < places; p++) {
        xp[p] = x[p];
        for (int v = 0; v < blocks * LOW_PARTS; v++) acc[p][v] = LOW_ZERO();
    }
    for (size_t b = 0; b < a->n_blocks; b++)
        for (size_t u = 0; u < a->kernel; u++) {
            size_t off = b * a->x_block + u * a->x_row;
            for (size_t t = 0; t < a->kernel; t++, off += a->x_pixel)
                for (size_t word = 0; word < words; word++, w += w_step) {
                    LOW_W wv[LOW_BLOCKS * LOW_PARTS];
                    for (int v = 0; v < blocks * LOW_PARTS; v++)
                        wv[v] = LOW_LOAD(w + (size_t)v * LOW_W_BYTES);
                    for (int p = 0; p < places; p++) {
                        const LOW_X xv = LOW_SPREAD(xp[p] + off + 4 * word);
                        for (int v = 0; v < blocks * LOW_PARTS; v++)
                            acc[p][v] = LOW_STEP(acc[p][v], xv, wv[v]);
                    }
                }
        }
    for (int p = 0; p < places; p++)
        for (int v = 0; v < blocks; v++)
            LOW_END(a, &acc[p][v * LOW_PARTS], (block + (size_t)v) * MNI_LOW_BLOCK,
                    y_at[p] + (block + (size_t)v) * a->y_block);
}

LOW_TARGET static MNI_INLINE void LOW(words)(const mni_low_conv *a,
                                             const uint8_t *const *x, const uint8_t *w,
                                             size_t w_step, const size_t *y_at,
                                             size_t block, const int places,
                                             const int blocks)
{
    enum { WHOLE = LOW_SIZE * MNI_LOW_BLOCK / 4 };
    if (a->words == WHOLE) LOW(tile)(a, x, w, w_step, y_at, block, WHOLE, places, blocks);
    else LOW(tile)(a, x, w, w_step, y_at, block, a->words, places, blocks);
}

typedef void (*LOW(tile_fn))(const mni_low_conv *a, const uint8_t *const *x,
                             const uint8_t *w, size_t w_step, const size_t *y_at,
                             size_t block);

#define LOW_TILE(places, blocks)                                                         \
    LOW_TARGET static void LOW(tile_##places##_##blocks)(                                \
        const mni_low_conv *a, const uint8_t *const *x, const uint8_t *w, size_t w_step, \
        const size_t *y_at, size_t block)                                                \
    {                                                                                    \
        LOW(words)(a, x, w, w_step, y_at, block, places, blocks);                        \
    }
LOW_ALL(LOW_TILE)
static const LOW(tile_fn) LOW(tiles)[LOW_PLACES][LOW_BLOCKS] = LOW_TABLE;

/* Tiles of as equal a size as possible: 49 places are 5 of 6 and 4 of 5 ... not 8 of 6
 * and a lonely one that waits for its own sums. */
LOW_TARGET static void LOW(conv)(const mni_low_conv *a, size_t group, size_t place,
                                 size_t place_end)
{
    const size_t blocks = mni_low_blocks_of(a, group), n = place_end - place,
                 n_tiles = (n + LOW_PLACES - 1) / LOW_PLACES,
                 w_step = blocks * 4 * MNI_LOW_BLOCK;
    const uint8_t *w = a->w + group * MNI_LOW_GROUP * mni_low_weight_block(a);
    size_t row = place / a->w_out, column = place % a->w_out;
    for (size_t t = 0, done = 0; t < n_tiles; t++) {
        const size_t end = n * (t + 1) / n_tiles, places = end - done;
        const uint8_t *x[LOW_PLACES];
        size_t y_at[LOW_PLACES];
        for (size_t p = 0; p < places; p++) {
            x[p] = a->x + (row * a->x_row + column * a->x_pixel) * a->stride;
            y_at[p] = row * a->y_row + column * MNI_LOW_BLOCK * LOW_SIZE;
            if (++column == a->w_out) {
                column = 0;
                row++;
            }
        }
        for (size_t v = 0; v < blocks; v += LOW_BLOCKS) {
            const size_t some = blocks - v < LOW_BLOCKS ? blocks - v : LOW_BLOCKS;
            LOW(tiles)[places - 1][some - 1](a, x, w + v * 4 * MNI_LOW_BLOCK, w_step,
                                             y_at, group * MNI_LOW_GROUP + v);
        }
        done = end;
    }
}
