/* kern_conv.h - convolution forward on channel-blocked maps, the kernels of inference and
 * of the training pass.
 *
 * Layout. A map of C channels is kept in CB = ceil(C / 16) blocks of 16 channels, the 16
 * of one place side by side (a cache line, one AVX-512 register); lanes beyond C are 0:
 *
 *     block 0                                  block 1
 *     +----------------+----------------+--    +--
 *     | place 0: c0-15 | place 1: c0-15 | ...  | place 0: c16-31 | ...
 *     +----------------+----------------+--    +--
 *     float of channel c at row h, column w:  ((c / 16 * H + h) * W + w) * 16 + c % 16
 *
 * It is the same at every SIMD level. The network's input stays planar (C x H x W): the
 * first convolution reads planes and writes blocks.
 *
 * Packed weights: [block of 16 out][block of 16 in][row][column][16 in][16 out]; of a
 * planar convolution [block of 16 out][in][row][column][16 out]. Zeros where channels
 * are absent.
 *
 * Error: every output is one chain of multiply-adds that starts at the bias: within
 * (n + 8) * FLT_EPSILON * sum |terms| of a double-precision sum, n = c_in * kernel^2.
 * Its bits depend on the shape and the level, not on how the work is cut or shared out.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_KERN_KERN_CONV_H
#define MNI_KERN_KERN_CONV_H

#include <stddef.h>
#include <stdint.h>

enum { MNI_BLOCK = 16 };            /* channels of a block */

static inline size_t mni_blocks(size_t channels)
{
    return (channels + MNI_BLOCK - 1) / MNI_BLOCK;
}

/* One convolution on one image. planar: the input is planes (the first layer). Square
 * kernels; blocked ones are 1x1 without padding or 3x3 with padding 1, stride 1 or 2;
 * planar ones have any kernel, padding < kernel, stride 1 or 2. */
typedef struct mni_conv_shape {
    uint32_t c_in, h_in, w_in, c_out, h_out, w_out;
    uint32_t kernel, stride, pad;
    int planar;
} mni_conv_shape;

/* y = act(bias + x * w + r); act is ReLU if relu. r has the shape of y, may be NULL and
 * may be y itself. bias: 16 floats for every block of y, zero in absent lanes, or NULL.
 * All arrays 4-byte aligned at least; 64 is faster. */
typedef struct mni_conv_args {
    mni_conv_shape s;
    const float *x, *w, *bias, *r;
    float *y;
    int relu;
} mni_conv_args;

/* Computes rows [row, row_end) of blocks [block, block_end) of y, on one thread. Ranges
 * may be empty. Nothing outside them is written. */
typedef void (*mni_conv_fn)(const mni_conv_args *a, size_t block, size_t block_end,
                            size_t row, size_t row_end);

/* Tiles [tile, tile_end) of one image on their way into or out of Winograd's points
 * (kern_wino.h): point p, block b, tile t at buffer + p * step + (b * width + t - tile) *
 * 16. */
typedef struct mni_wino_part {
    const mni_conv_args *a;
    size_t tile, tile_end, width, step;
    size_t block, block_end;    /* of y, on the way out */
    float *buffer;
} mni_wino_part;
typedef void (*mni_wino_fn)(const mni_wino_part *p, int m);         /* m: 2 or 4 */

typedef struct mni_kern_conv {
    const char *name;           /* level of the best entry */
    mni_conv_fn direct;         /* blocked input */
    mni_conv_fn first;          /* planar input */
    size_t group;               /* blocks of y that `direct` computes at once: cutting y
                                   between threads at multiples of it loses nothing */
    mni_wino_fn wino_in, wino_out;
    mni_conv_fn max_pool;       /* uses shape (c_in == c_out), x and y; the input holds no
                                   NaN */
    void (*average)(const float *x, size_t places, size_t blocks, float *y);
} mni_kern_conv;

/* As in kern_dist.h: build is pure, best is capped by $METRICANN_SIMD and built once. */
void mni_kern_conv_build(mni_kern_conv *k, unsigned cpu);
const mni_kern_conv *mni_kern_conv_best(void);
void mni_kern_conv_add_avx2(mni_kern_conv *k);
void mni_kern_conv_add_avx512(mni_kern_conv *k);
void mni_kern_conv_add_neon(mni_kern_conv *k);

/* --- packing (conv_pack.c; plain C, same at every level) ---------------------------- */

size_t mni_conv_weight_floats(const mni_conv_shape *s);         /* packed */
/* w: [c_out][c_in][kernel][kernel]. */
void   mni_conv_pack_weights(const mni_conv_shape *s, const float *w, float *packed);
/* n floats and zeros up to a whole block. */
void   mni_conv_pack_bias(const float *bias, size_t n, float *packed);
/* Block `block` of c_out alone. scale: 16 factors for its channels, multiplied in double
 * and rounded once, or NULL. */
void   mni_conv_pack_block(const mni_conv_shape *s, size_t block, const float *w,
                           const double *scale, float *packed);
/* One image, planes <-> blocks; places = h * w. */
size_t mni_blocked_floats(size_t channels, size_t places);
void   mni_blocked_from_planes(const float *planes, size_t channels, size_t places,
                               float *blocked);
void   mni_planes_from_blocked(const float *blocked, size_t channels, size_t places,
                               float *planes);

/* --- plain C: the definition -------------------------------------------------------- */
void mni_conv_direct_c(const mni_conv_args *a, size_t block, size_t block_end, size_t row,
                       size_t row_end);
void mni_conv_first_c(const mni_conv_args *a, size_t block, size_t block_end, size_t row,
                      size_t row_end);
void mni_conv_max_pool_c(const mni_conv_args *a, size_t block, size_t block_end,
                         size_t row, size_t row_end);
void mni_conv_average_c(const float *x, size_t places, size_t blocks, float *y);
void mni_wino_in_c(const mni_wino_part *p, int m);
void mni_wino_out_c(const mni_wino_part *p, int m);

#endif
