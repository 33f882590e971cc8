/* jpeg.h - the rooms of the JPEG decoder, and what they hand to each other.
 *
 *   file -> jpeg_markers -> jpeg_scan -> jpeg_huffman -> jpeg_idct -> jpeg_pixels -> RGB
 *           segments,       order of     bits to 64      64 numbers   planes to full
 *           tables          the blocks   coefficients    to 8 x 8     size and colour
 *
 * Sequential files need no storage of coefficients: each block goes straight through the
 * inverse transform into its component's plane. Progressive files send every coefficient
 * in pieces, over many scans: there the blocks wait in mni_jpeg_component.coefs until the
 * last scan is in.
 *
 * ITU-T T.81 (the JPEG standard); JFIF 1.02; Adobe technical note 5116 (APP14).
 * SPDX-License-Identifier: MIT */
#ifndef MNI_IMAGE_JPEG_H
#define MNI_IMAGE_JPEG_H

#include "image/decoders.h"

enum {
    MNI_JPEG_BLOCK = 64,
    MNI_JPEG_LOOK = 9,              /* bits that the first look at a code covers */
    MNI_JPEG_MAX_COMPONENTS = 4
};

/* Place in the block (row * 8 + column) of the k-th coefficient in zigzag order. */
extern const uint8_t mni_jpeg_zigzag[MNI_JPEG_BLOCK];

/* --- bits (jpeg_huffman.c) ---------------------------------------------------------- */

/* The entropy-coded bytes of one restart interval: 0xFF is followed by a 0 to be dropped,
 * anything else behind it is a marker, and the end. Past the end come zeros, which are
 * counted. */
typedef struct mni_jpeg_bits {
    uint64_t bits;                  /* the next bit is the highest */
    int n_bits, n_padding;          /* waiting; of which our own zeros, the last */
    const uint8_t *at, *end;        /* end of the file */
} mni_jpeg_bits;

/* A code as it is sent: how many codes of each length, and their symbols in order. */
typedef struct mni_jpeg_huffman {
    /* For the next LOOK bits: code length | flag | symbol << 8 | value << 16, see
     * jpeg_huffman.c; 0: the code is longer. */
    int32_t look[1 << MNI_JPEG_LOOK];
    uint32_t limit[18];             /* by length: the first 16 bits beyond its codes */
    int32_t first[17];              /* by length: symbol number minus code number */
    uint8_t symbols[256];
    int known;
} mni_jpeg_huffman;

/* counts[0..15]: codes of 1..16 bits, at most 256 in all (the caller has checked); as
 * many symbols. Returns 0 if that many codes do not exist, or if is_dc and a symbol is
 * above 15. */
int mni_jpeg_huffman_build(mni_jpeg_huffman *h, const uint8_t counts[16],
                           const uint8_t *symbols, int is_dc);
/* The code of T.81 annex K that files without tables (frames of Motion JPEG) mean: of
 * brightness (number 0) or colour (1). */
void mni_jpeg_huffman_standard(mni_jpeg_huffman *h, int number, int is_dc);
void mni_jpeg_bits_init(mni_jpeg_bits *b, const uint8_t *at, const uint8_t *end);
/* Were more bits used than there are? */
static inline int mni_jpeg_bits_overrun(const mni_jpeg_bits *b)
{
    return b->n_bits < b->n_padding;
}

/* One block of a sequential scan: coefficients times their quantiser, in row order, into
 * `block` (zeroed by the caller). quant in zigzag order. *dc: the component's prediction.
 * Returns the zigzag place of the last coefficient that was sent (0: only DC), or -1 if
 * the bits make no sense. */
int mni_jpeg_block(mni_jpeg_bits *b, const mni_jpeg_huffman *dc_code,
                   const mni_jpeg_huffman *ac_code, const uint16_t quant[MNI_JPEG_BLOCK],
                   int *dc, int16_t block[MNI_JPEG_BLOCK]);

/* One scan of a progressive file: coefficients from..to of the zigzag order, down to bit
 * `low`; `high` 0: their first bits, else `high` = low + 1 and one more bit each. */
typedef struct mni_jpeg_band {
    int from, to, high, low;
    uint32_t end_run;               /* blocks still to come that have nothing new */
} mni_jpeg_band;

/* The part of one block in a progressive scan, added to `coefs` (zigzag order, not yet
 * multiplied). code: of DC where band->from is 0, else of AC; NULL for a DC refinement.
 * Returns 0 if the bits make no sense. */
int mni_jpeg_block_part(mni_jpeg_bits *b, const mni_jpeg_huffman *code,
                        mni_jpeg_band *band, int *dc, int16_t coefs[MNI_JPEG_BLOCK]);

/* --- the inverse transform (jpeg_idct.c) -------------------------------------------- */

/* 64 coefficients (row order, multiplied) -> 8 x 8 samples at `out`. last: zigzag place
 * of the last coefficient that can be other than 0; a smaller one makes it quicker, never
 * different. */
void mni_jpeg_idct(uint8_t *out, size_t stride, const int16_t block[MNI_JPEG_BLOCK],
                   int last);

/* --- the frame ---------------------------------------------------------------------- */

typedef struct mni_jpeg_component {
    unsigned id, h, v;              /* h, v: sampling factors 1..4 */
    unsigned table;                 /* number of the quantisation table */
    uint32_t width, height;         /* samples that mean something */
    uint32_t blocks_w, blocks_h;    /* blocks with such samples */
    uint32_t padded_w, padded_h;    /* blocks stored: whole MCUs */
    uint16_t quant[MNI_JPEG_BLOCK]; /* zigzag order; as it stood at the first scan */
    int n_scans;                    /* in which it appeared */
    uint8_t *plane;                 /* padded_h * 8 rows of padded_w * 8 samples; owned */
    int16_t *coefs;                 /* progressive: padded_h * padded_w blocks; owned */
    int dc;                         /* prediction, within a restart interval */
    const mni_jpeg_huffman *dc_code, *ac_code;  /* of the present scan */
} mni_jpeg_component;

typedef struct mni_jpeg {
    const mni_source *in;
    size_t at;                      /* next byte to read */
    uint32_t width, height;
    int progressive;
    unsigned n_components, h_max, v_max;
    mni_jpeg_component components[MNI_JPEG_MAX_COMPONENTS];
    uint32_t mcus_w, mcus_h;        /* of an interleaved scan */
    uint16_t quant[4][MNI_JPEG_BLOCK];          /* zigzag order */
    int quant_known[4];
    mni_jpeg_huffman dc_codes[4], ac_codes[4];
    uint32_t restart_interval;      /* in MCUs; 0: none */
    int n_scans;
    int has_jfif, adobe;            /* adobe: transform of APP14, -1: no APP14 */
    int orientation;
} mni_jpeg;

/* One scan: its header (borrowed, behind the SOS marker and its length), then the data
 * from j->at. Afterwards j->at is where the next marker is to be looked for. */
mann_status mni_jpeg_scan(mni_jpeg *j, const uint8_t *header, size_t n_header,
                          mann_error *err);
/* Progressive, after the last scan: coefficients -> planes. */
void mni_jpeg_finish_planes(mni_jpeg *j);
/* Planes -> RGB. */
mann_status mni_jpeg_pixels(const mni_jpeg *j, mann_image *out, mann_error *err);

#endif
