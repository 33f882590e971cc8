/* kern_grad.h - what training adds to kern_conv.h: the gradients of a convolution on
 * channel-blocked maps.
 *
 *     dw[o][i][u][v] = sum over images and places of dy[o][place] * x[i][place + tap]
 *     dx = every dy, carried back along the taps it was made from
 *
 * dx of stride 1 is itself a convolution, of dy with the filters turned by 180 degrees
 * and in and out exchanged (mni_grad_pack_turned), so kern_conv.h's kernels do it. With
 * stride 2 only every second place was read from, and dx falls apart into four small
 * convolutions by the parity of row and column:
 *
 *     taps that reach an input place      even column     odd column
 *     even row                            centre          left, right
 *     odd row                             up, down        the four corners
 *
 * Error: as in kern_conv.h. Bits depend on the shape, the number of images of a call
 * and the level alone. SPDX-License-Identifier: MIT */
#ifndef MNI_KERN_KERN_GRAD_H
#define MNI_KERN_KERN_GRAD_H

#include "kern/kern_conv.h"

/* dw, packed as the weights are, += what rows [row, row_end) of dy say, over n images
 * that lie x_image and dy_image floats apart. */
typedef struct mni_dw_args {
    mni_conv_shape s;
    size_t n, x_image, dy_image, row, row_end;
    const float *x, *dy;
    float *dw;
} mni_dw_args;

/* dx = w^T dy + r, rows [row, row_end) of dx of one image, for stride 2. w:
 * mni_grad_pack_turned. r may be NULL and may be dx. */
typedef struct mni_dx_args {
    mni_conv_shape s;           /* of the forward convolution; not planar */
    size_t row, row_end;
    const float *dy, *w, *r;
    float *dx;
} mni_dx_args;

/* --- the pieces that differ between levels ------------------------------------------ */

/* A tap of a 16 x 16 block of dw: acc[i][o] += sum x[i] dy[o] over n images, rows and
 * cols. Steps in floats; the step of dy from column to column is 16. */
typedef struct mni_dw_tap {
    const float *x, *dy;
    size_t n, rows, cols;
    size_t x_image, x_row, x_col, dy_image, dy_row;
    float *acc;
} mni_dw_tap;
typedef void (*mni_dw_tap_fn)(const mni_dw_tap *t);

/* A row of taps of one plane: acc[v][o] += sum x[v] dy[o], v < taps <= MNI_DW_TAPS. The
 * columns of x are x_col apart, its rows x_row. acc of the next block of dy is acc_block
 * floats on; blocks is 1 or 2. */
enum { MNI_DW_TAPS = 7 };
typedef struct mni_dw_plane {
    const float *x, *dy;
    size_t rows, cols, taps, x_row, x_col, dy_row, dy_block, blocks, acc_block;
    float *acc;
} mni_dw_plane;
typedef void (*mni_dw_plane_fn)(const mni_dw_plane *t);

/* A run of `cols` places of `blocks` blocks of output as the sum over blocks of input
 * and over a list of taps. Tap t reads the places x + off[t], and only for columns
 * [low[t], high[t]). */
enum { MNI_RUN_TAPS = 9 };
typedef struct mni_run {
    size_t cols, blocks, in_blocks, n_taps;
    const float *x, *w, *r;
    float *y;
    size_t x_block, x_col;              /* steps of x in floats */
    size_t w_in, w_out;                 /* steps of w per block of input, of output */
    size_t y_block, y_col;              /* steps of y, and of r */
    ptrdiff_t off[MNI_RUN_TAPS];
    uint32_t tap[MNI_RUN_TAPS], low[MNI_RUN_TAPS], high[MNI_RUN_TAPS];
} mni_run;
typedef void (*mni_run_fn)(const mni_run *run);

typedef struct mni_kern_grad {
    const char *name;
    mni_dw_tap_fn dw_tap;
    mni_dw_plane_fn dw_plane;
    mni_wino_fn wino_dy;        /* dy, which is a->r, to the points of tiles of 4 x 4 */
    mni_run_fn run;     /* cols <= run_cols, blocks <= run_blocks; low[t] <= 1 and high[t]
                           == cols, or low[t] == 0 and high[t] >= cols - 1 */
    size_t run_cols, run_blocks;
} mni_kern_grad;

void mni_kern_grad_build(mni_kern_grad *k, unsigned cpu);       /* pure */
const mni_kern_grad *mni_kern_grad_best(void);
void mni_kern_grad_add_c(mni_kern_grad *k);
void mni_kern_grad_add_avx2(mni_kern_grad *k);
void mni_kern_grad_add_avx512(mni_kern_grad *k);
void mni_kern_grad_add_neon(mni_kern_grad *k);

/* --- whole convolutions (conv_grad.c) ----------------------------------------------- */

void mni_grad_dw(const mni_kern_grad *k, const mni_dw_args *a);
/* The same for 3x3 of stride 1 at Winograd's points, tiles of 4 x 4: as
 *     y = A^T [ (G w G^T) * (B^T x B) ] A,
 * so is
 *     dw = G^T [ sum over tiles of (A dy A^T) * (B^T x B) ] G,
 * with 36 products where there were 144. dw: 36 blocks of 16 x 16 where mni_grad_dw
 * has 9; row is a multiple of 4, row_end too or the last; with n > 1 all rows.
 * mni_grad_from_points is the G at the end. scratch: mni_grad_wino_floats for up to n
 * images. */
size_t mni_grad_wino_floats(const mni_conv_shape *s, size_t n);
void   mni_grad_dw_wino(const mni_kern_grad *k, const mni_kern_conv *c,
                        const mni_dw_args *a, float *scratch);
/* Blocks [block, block_end) of c_out, from dw at the points to dw packed. */
void   mni_grad_from_points(const mni_conv_shape *s, const float *points, size_t block,
                            size_t block_end, float *packed);

/* Planar input, with zeros put round every plane first, so that no tap leaves it; x of
 * mni_grad_dw_first is what mni_grad_pad made, of mni_grad_padded_floats floats. */
size_t mni_grad_padded_floats(const mni_conv_shape *s);
void mni_grad_pad(const mni_conv_shape *s, const float *planes, float *padded);
void mni_grad_dw_first(const mni_kern_grad *k, const mni_dw_args *a);
void mni_grad_dx_strided(const mni_kern_grad *k, const mni_dx_args *a);

/* Packed weights of blocks [block, block_end) of c_in, in and out exchanged:
 * [block of 16 in][block of 16 out][row][column][16 out][16 in]; `turn`: taps in reverse
 * order, for stride 1. w: [c_out][c_in][kernel][kernel]. */
void mni_grad_pack_turned(const mni_conv_shape *s, const float *w, int turn,
                          size_t block, size_t block_end, float *packed);
/* As mni_conv_pack_weights, for blocks [block, block_end) of c_out. */
void mni_grad_pack(const mni_conv_shape *s, const float *w, size_t block,
                   size_t block_end, float *packed);
/* Packed weights of blocks [block, block_end) of c_out to Winograd's points
 * (kern_wino.h), in floats: for weights that change with every step. */
void mni_grad_points(const mni_conv_shape *s, int m, const float *packed, size_t block,
                     size_t block_end, float *points);
/* dw += packed, for blocks [block, block_end) of c_out; dw: [c_out][c_in][k][k]. */
void mni_grad_unpack(const mni_conv_shape *s, const float *packed, size_t block,
                     size_t block_end, float *dw);

#endif
