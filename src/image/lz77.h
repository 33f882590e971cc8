/* lz77.h - repetitions in a text, found greedily with one step of patience: the first
 * half of deflate. SPDX-License-Identifier: MIT */
#ifndef MNI_IMAGE_LZ77_H
#define MNI_IMAGE_LZ77_H

#include <stddef.h>
#include <stdint.h>

enum { MNI_LZ_MIN = 3, MNI_LZ_MAX = 258, MNI_LZ_WINDOW = 32768 };

/* A literal byte (distance 0) or "copy length bytes from distance back". */
typedef struct mni_token { uint16_t length_or_byte, distance; } mni_token;

typedef struct mni_lz77 mni_lz77;

/* in[0..n) is borrowed. NULL: no memory. Released by mni_lz77_free (accepts NULL). */
mni_lz77 *mni_lz77_new(const uint8_t *in, uint32_t n);
void mni_lz77_free(mni_lz77 *z);

/* The next tokens, at most n_max (at least 2) of them; 0: the text is at its end. *end:
 * how many bytes all tokens so far stand for. literal_bits: what a literal costs at
 * present, in sixteenths of a bit; a copy that costs more than its bytes is left. */
uint32_t mni_lz77_more(mni_lz77 *z, mni_token *tokens, uint32_t n_max,
                       unsigned literal_bits, uint32_t *end);

#endif
