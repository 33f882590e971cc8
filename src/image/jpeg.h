/* jpeg.h - the rooms of the JPEG decoder, and what they hand to each other.
 *
 *   file -> jpeg_markers -> jpeg_scan -> jpeg_huffman -> kern/jpeg_* -> jpeg_pixels ->
 * RGB
 *           segments,       order of     bits to 64      64 numbers     planes to full
 *           tables          the blocks   coefficients    to 8 x 8       size and colour
 *
 * Sequential files need no storage of coefficients: one MCU's blocks go straight through
 * the inverse transform into planes that hold two rows of MCUs, and from there to pixels:
 * all of it stays in the first caches. Progressive files send every coefficient in
 * pieces, over many scans: there the blocks wait in mni_jpeg_component.coefs until the
 * last scan is in. (Sequential files with a scan for each component fill whole planes.)
 *
 * ITU-T T.81 (the JPEG standard); JFIF 1.02; Adobe technical note 5116 (APP14).
 * SPDX-License-Identifier: MIT */
#ifndef MNI_IMAGE_JPEG_H
#define MNI_IMAGE_JPEG_H

#include "image/decoders.h"
#include "kern/jpeg_bits.h"
#include "kern/kern_jpeg.h"

enum { MNI_JPEG_MAX_COMPONENTS = 4 };

/* [from, end): of the file, behind a scan's header or a restart marker. */
void mni_jpeg_bits_init(mni_jpeg_bits *b, mni_unstuff_fn unstuff, const uint8_t *from,
                        const uint8_t *end);

/* The file's bytes [from, end), clean, as far as there is room. */
void mni_jpeg_bits_fetch(mni_jpeg_bits *b);

/* Before every block. 0: the data has ended, and more was asked of it. */
static inline int mni_jpeg_bits_ready(mni_jpeg_bits *b)
{
    if (b->now.at <= b->safe) return 1;
    if (b->ended) return 0;
    mni_jpeg_bits_fetch(b);
    return 1;
}

/* --- codes and blocks (jpeg_huffman.c, jpeg_progressive.c) -------------------------- */

/* counts[0..15]: codes of 1..16 bits, at most 256 in all (the caller has checked); as
 * many symbols. Returns 0 if that many codes do not exist, or if is_dc and a symbol is
 * above 15. */
int mni_jpeg_huffman_build(mni_jpeg_huffman *h, const uint8_t counts[16],
                           const uint8_t *symbols, int is_dc);
/* Fill h->pairs or h->skips, if it was not done; for AC codes of sequential scans. */
void mni_jpeg_huffman_pair(mni_jpeg_huffman *h);
void mni_jpeg_huffman_skip(mni_jpeg_huffman *h);
/* The codes of T.81 annex K, for brightness (number 0) and colour (1): counts of 1..16
 * bits, and the symbols, whose number is returned. */
size_t mni_jpeg_standard_code(int number, int is_dc, const uint8_t **counts,
                              const uint8_t **symbols);
/* The one of them that files without tables (frames of Motion JPEG) mean. */
void mni_jpeg_huffman_standard(mni_jpeg_huffman *h, int number, int is_dc);

/* One scan of a progressive file: coefficients from..to of the zigzag order, down to bit
 * `low`; `high` 0: their first bits, else `high` = low + 1 and one more bit each. */
typedef struct mni_jpeg_band {
    int from, to, high, low;
    uint32_t end_run;               /* blocks still to come that have nothing new */
} mni_jpeg_band;

/* The part of one block in a progressive scan, added to `coefs` (paired order, not yet
 * multiplied). code: of DC where band->from is 0, else of AC. Returns 0 if the bits make
 * no sense or have ended. */
int mni_jpeg_block_part(mni_jpeg_bits *b, const mni_jpeg_huffman *code,
                        mni_jpeg_band *band, int *dc, int16_t coefs[MNI_JPEG_BLOCK]);

/* --- the frame ---------------------------------------------------------------------- */

typedef struct mni_jpeg_component {
    unsigned id, h, v;              /* h, v: sampling factors 1..4 */
    unsigned table;                 /* number of the quantisation table */
    unsigned size;                  /* a block becomes size x size samples: 8, 4, 2, 1 */
    unsigned h_here, v_here;        /* factors of the samples as they are made */
    uint32_t width, height;         /* samples that mean something */
    uint32_t blocks_w, blocks_h;    /* blocks with such samples */
    uint32_t padded_w, padded_h;    /* blocks sent: whole MCUs */
    uint16_t quant[MNI_JPEG_BLOCK]; /* paired order; as it stood at the first scan */
    int n_scans;                    /* in which it appeared */
    uint8_t *plane;                 /* ring of n_rows rows, `stride` bytes each; owned */
    size_t stride;
    uint32_t n_rows;                /* row y of the component is row y % n_rows here */
    mni_idct_fn idct;               /* NULL for size 1 */
    int16_t *coefs;                 /* progressive: padded_h * padded_w blocks; owned */
    int dc;                         /* prediction, within a restart interval */
    const mni_jpeg_huffman *dc_code, *ac_code;  /* of the present scan */
} mni_jpeg_component;

enum { MNI_JPEG_MAX_UNITS = 16 * MNI_JPEG_MAX_COMPONENTS };     /* blocks of an MCU */

typedef struct mni_jpeg {
    const mni_source *in;
    const mni_kern_jpeg *kern;
    size_t at;                      /* next byte to read */
    uint32_t width, height;         /* as the file has them */
    int progressive, band_wise;     /* band_wise: pixels are made while a scan is read */
    unsigned scale;                 /* the picture is made 1, 2, 4 or 8 times smaller */
    uint32_t out_w, out_h;
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
    int cut;                        /* damaged, and what there was is wanted */
    uint32_t rows_done;             /* pixel rows that are made */
    uint8_t *rows;                  /* room for one row of each component; owned */
    mann_image image;               /* owned */
    mni_jpeg_bits bits;
    int16_t blocks[MNI_JPEG_MAX_UNITS][MNI_JPEG_BLOCK];     /* one MCU; zeros between */
} mni_jpeg;

/* One scan: its header (borrowed, behind the SOS marker and its length), then the data
 * from j->at. Afterwards j->at is where the next marker is to be looked for. */
mann_status mni_jpeg_scan(mni_jpeg *j, const uint8_t *header, size_t n_header,
                          mann_error *err);
/* Progressive, after the last scan: coefficients -> planes -> pixels. */
void mni_jpeg_finish(mni_jpeg *j);

/* Room for the picture and for what pixels_until needs. */
mann_status mni_jpeg_pixels_begin(mni_jpeg *j, mann_error *err);
/* Rows [rows_done, until) of the picture, of planes that hold their samples and the row
 * on either side of them. */
void mni_jpeg_pixels_until(mni_jpeg *j, uint32_t until);

#endif
