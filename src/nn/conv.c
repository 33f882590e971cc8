/* conv.c - convolution: the definition in seven loops, and the same as matrix products.
 *
 * Lowering ("im2col": Chellapilla, Puri, Simard, IWFHR 2006). Write under each output
 * place the inputs it sees, as a column; then one product gives all output channels of
 * all places:
 *
 *        w: c_out x K              columns: K x places                y: c_out x places
 *      +-------------+     +----+----+----+-------------+        +----+----+----+-----
 *      | filter 0    |     |what| the|next|             |        | y0 | y1 | y2 |
 *      | filter 1    |  x  |y0  | one|    |     ...     |   =    |    |    |    |
 *      | ...         |     |sees|    |    |             |        |    |    |    |
 *      +-------------+     +----+----+----+-------------+        +----+----+----+-----
 *                                                   K = c_in * kernel * kernel
 *
 * All columns of a batch would fill memory, so a tile of a few hundred of them is made,
 * used and thrown away: some rows of one image where maps are large, some whole images
 * where they are small. Backward is the same picture twice: dw = dy columns^T, and
 * dcolumns = w^T dy, which col2im then adds back to the places the columns were read
 * from. SPDX-License-Identifier: MIT */
#include "nn/layers.h"

#include <string.h>

#include "nn/product.h"

/* --- the definition ----------------------------------------------------------------- */

/* Index of x[n][i][r * stride + u - pad][c * stride + v - pad], or -1 in the padding
 * (which is 0). */
static long place(const mni_layer *l, size_t n, size_t i, size_t r, size_t u, size_t c,
                  size_t v)
{
    long h = (long)(r * l->stride + u) - (long)l->pad,
         w = (long)(c * l->stride + v) - (long)l->pad;
    if (h < 0 || h >= (long)l->h_in || w < 0 || w >= (long)l->w_in) return -1;
    return ((long)(n * l->c_in + i) * (long)l->h_in + h) * (long)l->w_in + w;
}

void mni_conv_forward_plain(const mni_layer *l, size_t n, const float *x, const float *w,
                            float *y)
{
    const size_t k = l->kernel;
    for (size_t b = 0; b < n; b++)
    for (size_t o = 0; o < l->c_out; o++)
    for (size_t r = 0; r < l->h_out; r++)
    for (size_t c = 0; c < l->w_out; c++) {
        float sum = 0;
        for (size_t i = 0; i < l->c_in; i++)
        for (size_t u = 0; u < k; u++)
        for (size_t v = 0; v < k; v++) {
            long at = place(l, b, i, r, u, c, v);
            if (at >= 0) sum += w[((o * l->c_in + i) * k + u) * k + v] * x[at];
        }
        y[((b * l->c_out + o) * l->h_out + r) * l->w_out + c] = sum;
    }
}

/* Every product w * x of the forward pass is visited again: x says how much w mattered, w
 * how much x did. */
void mni_conv_backward_plain(const mni_layer *l, size_t n, const float *x, const float *w,
                             const float *dy, float *dx, float *dw)
{
    const size_t k = l->kernel;
    for (size_t b = 0; b < n; b++)
    for (size_t o = 0; o < l->c_out; o++)
    for (size_t r = 0; r < l->h_out; r++)
    for (size_t c = 0; c < l->w_out; c++) {
        const float d = dy[((b * l->c_out + o) * l->h_out + r) * l->w_out + c];
        for (size_t i = 0; i < l->c_in; i++)
        for (size_t u = 0; u < k; u++)
        for (size_t v = 0; v < k; v++) {
            long at = place(l, b, i, r, u, c, v);
            size_t wat = ((o * l->c_in + i) * k + u) * k + v;
            if (at < 0) continue;
            dw[wat] += d * x[at];
            if (dx) dx[at] += d * w[wat];
        }
    }
}

/* --- tiles -------------------------------------------------------------------------- */

/* Either whole images (n_rows == h_out), or rows of one image. */
typedef struct tile { size_t image, n_images, row, n_rows, cols; } tile;

enum { TILE_FLOATS = 160 * 1024, TILE_MIN = 96, TILE_MAX = 1024 };

/* Columns that a tile aims at: TILE_FLOATS of columns, which fit the second cache, within
 * bounds that keep the product worth its packing. */
static size_t tile_cols(const mni_layer *l)
{
    size_t cols = TILE_FLOATS / ((size_t)l->c_in * l->kernel * l->kernel);
    return cols < TILE_MIN ? TILE_MIN : cols > TILE_MAX ? TILE_MAX : cols;
}

static size_t tile_rows(const mni_layer *l)         /* h_out: tiles are of whole images */
{
    size_t rows = (tile_cols(l) + l->w_out / 2) / l->w_out;
    return rows < 1 ? 1 : rows > l->h_out ? l->h_out : rows;
}

static size_t tile_images(const mni_layer *l)
{
    size_t places = (size_t)l->h_out * l->w_out;
    return places < tile_cols(l) ? tile_cols(l) / places : 1;
}

/* The tile that begins at (image, row) of n images; 0 when there is none. */
static int tile_at(const mni_layer *l, size_t n, size_t image, size_t row, tile *t)
{
    if (image >= n) return 0;
    size_t rows = tile_rows(l), images = tile_images(l);
    *t = (tile){ image, 1, row, rows, 0 };
    if (rows == l->h_out) t->n_images = n - image < images ? n - image : images;
    else if (l->h_out - row < rows) t->n_rows = l->h_out - row;
    t->cols = t->n_images * t->n_rows * l->w_out;
    return 1;
}

static int tile_next(const mni_layer *l, size_t n, tile *t)
{
    if (t->row + t->n_rows < l->h_out)
        return tile_at(l, n, t->image, t->row + t->n_rows, t);
    return tile_at(l, n, t->image + t->n_images, 0, t);
}

static size_t most_cols(const mni_layer *l)
{
    size_t whole = tile_images(l) * l->h_out * l->w_out;
    return tile_rows(l) == l->h_out ? whole : tile_rows(l) * l->w_out;
}

/* A 1x1 convolution without stride needs no columns: the map itself is the matrix. */
static int is_plain_product(const mni_layer *l)
{
    return l->kernel == 1 && l->stride == 1 && l->pad == 0;
}

static size_t depth_of(const mni_layer *l)
{
    return (size_t)l->c_in * l->kernel * l->kernel;
}

/* Scratch is cut into four: columns, their gradient, a tile of y or dy, and the products'
 * workspace. */
typedef struct parts { float *col, *dcol, *packed, *work; } parts;

static parts parts_of(const mni_layer *l, float *scratch)
{
    const size_t cols = most_cols(l), depth = depth_of(l);
    return (parts){ scratch, scratch + cols * depth, scratch + 2 * cols * depth,
                    scratch + cols * (2 * depth + l->c_out) };
}

size_t mni_conv_scratch(const mni_layer *l)
{
    const size_t cols = most_cols(l), depth = depth_of(l);
    size_t work = mni_product_floats(MNI_GEMM_NN, l->c_out, cols, depth);
    size_t dw = mni_product_floats(MNI_GEMM_NT, l->c_out, depth, cols);
    size_t dx = mni_product_floats(MNI_GEMM_TN, depth, cols, l->c_out);
    if (work < dw) work = dw;
    if (work < dx) work = dx;
    return cols * (2 * depth + l->c_out) + work;
}

/* --- columns ------------------------------------------------------------------------ */

/* For tap v: output columns [*low, *high) read inside the map; the others read
 * padding. */
static void inside(const mni_layer *l, size_t v, size_t *low, size_t *high)
{
    size_t s = l->stride, end = l->w_in + l->pad; /* c * s + v must lie in [pad, end) */
    *low = v >= l->pad ? 0 : (l->pad - v + s - 1) / s;
    *high = end > v ? (end - v + s - 1) / s : 0;
    if (*high > l->w_out) *high = l->w_out;
    if (*low > *high) *low = *high;
}

/* Output rows [*first, *last) of the n_rows from `row` whose tap u reads inside the
 * map. */
static void inside_rows(const mni_layer *l, size_t u, size_t row, size_t n_rows,
                        size_t *first, size_t *last)
{
    *first = 0;
    while (*first < n_rows && (row + *first) * l->stride + u < l->pad) ++*first;
    *last = n_rows;
    while (*last > *first &&
           (row + *last - 1) * l->stride + u >= (size_t)l->h_in + l->pad)
        --*last;
}

/* Column by column, because a loop along a row of one or two becomes a call of memset. */
static void zero_columns(float *at, size_t n_rows, size_t w, size_t low, size_t high)
{
    for (size_t c = low; c < high; c++)
        for (size_t r = 0; r < n_rows; r++) at[r * w + c] = 0.0f;
}

/* Where in x (one map) the first column of output row r reads for taps u, v, if it is
 * inside. */
static size_t source(const mni_layer *l, size_t r, size_t u, size_t v, size_t low)
{
    return (r * l->stride + u - l->pad) * l->w_in + (low * l->stride + v - l->pad);
}

/* Does the next row of a map begin where the last one's columns end? Then a tap's columns
 * are one run, but for the border columns, where the run holds the neighbouring row's
 * end. */
static int is_one_run(const mni_layer *l)
{
    return l->stride == 1 && l->w_in == l->w_out;
}

/* Columns of one image's rows [row, row + n_rows) to col, row stride ld. */
static void im2col(const mni_layer *l, const float *x, size_t row, size_t n_rows,
                   float *col, size_t ld)
{
    const size_t k = l->kernel, w = l->w_out;
    for (size_t i = 0; i < l->c_in; i++, x += (size_t)l->h_in * l->w_in)
        for (size_t u = 0; u < k; u++)
            for (size_t v = 0; v < k; v++, col += ld) {
                size_t low, high, first, last;
                inside(l, v, &low, &high);
                inside_rows(l, u, row, n_rows, &first, &last);
                if (first == last || low == high) {
                    memset(col, 0, n_rows * w * sizeof *col);
                    continue;
                }
                if (first) memset(col, 0, first * w * sizeof *col);
                if (last < n_rows)
                    memset(col + last * w, 0, (n_rows - last) * w * sizeof *col);
                if (is_one_run(l)) {
                    memcpy(col + first * w + low, x + source(l, row + first, u, v, low),
                           ((last - first) * w - (w - high) - low) * sizeof *col);
                } else {
                    for (size_t r = first; r < last; r++) {
                        const float *from = x + source(l, row + r, u, v, low);
                        for (size_t c = low; c < high; c++, from += l->stride)
                            col[r * w + c] = *from;
                    }
                }
                zero_columns(col + first * w, last - first, w, 0, low);
                zero_columns(col + first * w, last - first, w, high, w);
            }
}

/* The way back: what im2col copied from a place is added to it. The border of `col` is
 * overwritten. */
static void col2im(const mni_layer *l, float *dx, size_t row, size_t n_rows, float *col,
                   size_t ld, const mni_kern_ew *k)
{
    const size_t taps = l->kernel, w = l->w_out;
    for (size_t i = 0; i < l->c_in; i++, dx += (size_t)l->h_in * l->w_in)
        for (size_t u = 0; u < taps; u++)
            for (size_t v = 0; v < taps; v++, col += ld) {
                size_t low, high, first, last;
                inside(l, v, &low, &high);
                inside_rows(l, u, row, n_rows, &first, &last);
                if (first == last || low == high) continue;
                if (is_one_run(l)) {
                    zero_columns(col + first * w, last - first, w, 0, low);
                    zero_columns(col + first * w, last - first, w, high, w);
                    k->add(dx + source(l, row + first, u, v, low), col + first * w + low,
                           (last - first) * w - (w - high) - low);
                    continue;
                }
                for (size_t r = first; r < last; r++) {
                    float *to = dx + source(l, row + r, u, v, low);
                    for (size_t c = low; c < high; c++, to += l->stride)
                        *to += col[r * w + c];
                }
            }
}

static size_t in_floats(const mni_layer *l)
{
    return (size_t)l->c_in * l->h_in * l->w_in;
}
static size_t places_of(const mni_layer *l) { return (size_t)l->h_out * l->w_out; }

/* The columns of a tile: made in `col`, or the map itself. */
static mni_mat columns(const mni_layer *l, const tile *t, const float *x, float *col)
{
    x += t->image * in_floats(l);
    if (is_plain_product(l) && t->n_images == 1)
        return (mni_mat){ x + t->row * l->w_out, places_of(l) };
    for (size_t i = 0; i < t->n_images; i++)
        im2col(l, x + i * in_floats(l), t->row, t->n_rows, col + i * places_of(l),
               t->cols);
    return (mni_mat){ col, t->cols };
}

/* --- the products ------------------------------------------------------------------- */

static void after_tile(const mni_layer *l, const tile *t, mni_after after, float *y,
                       const mni_kern_ew *k)
{
    const size_t places = places_of(l), n = t->n_rows * l->w_out;
    for (size_t i = 0; i < t->n_images; i++)
        for (size_t o = 0; o < l->c_out; o++) {
            size_t at = ((t->image + i) * l->c_out + o) * places + t->row * l->w_out;
            k->affine(y + at, y + at, after.r ? after.r + at : NULL, 1.0f, after.bias[o],
                      after.relu, n);
        }
}

void mni_conv_forward(const mni_layer *l, size_t n, const float *x, const float *w,
                      mni_after after, float *y, float *scratch)
{
    const size_t depth = depth_of(l), places = places_of(l);
    const mni_kern_ew *k = mni_kern_ew_best();
    const mni_mat filters = { w, depth };
    const parts p = parts_of(l, scratch);
    tile t;
    for (int more = tile_at(l, n, 0, 0, &t); more; more = tile_next(l, n, &t)) {
        const mni_mat col = columns(l, &t, x, p.col);
        float *to = y + t.image * l->c_out * places + t.row * l->w_out;
        if (t.n_images == 1) {
            mni_product(MNI_GEMM_NN, l->c_out, t.cols, depth, filters, col, to, places, 0,
                        p.work);
        } else { /* the product has images side by side; y has them one below the other */
            mni_product(MNI_GEMM_NN, l->c_out, t.cols, depth, filters, col, p.packed,
                        t.cols, 0, p.work);
            for (size_t i = 0; i < t.n_images; i++)
                for (size_t o = 0; o < l->c_out; o++)
                    memcpy(to + (i * l->c_out + o) * places,
                           p.packed + o * t.cols + i * places, places * sizeof *to);
        }
        if (after.bias) after_tile(l, &t, after, y, k);
    }
}

/* dy of a tile as c_out x cols. */
static mni_mat tile_of_dy(const mni_layer *l, const tile *t, const float *dy,
                          float *packed)
{
    const size_t places = places_of(l);
    dy += t->image * l->c_out * places + t->row * l->w_out;
    if (t->n_images == 1) return (mni_mat){ dy, places };
    for (size_t i = 0; i < t->n_images; i++)
        for (size_t o = 0; o < l->c_out; o++)
            memcpy(packed + o * t->cols + i * places, dy + (i * l->c_out + o) * places,
                   places * sizeof *packed);
    return (mni_mat){ packed, t->cols };
}

void mni_conv_backward(const mni_layer *l, size_t n, const float *x, const float *w,
                       const float *dy, float *dx, float *dw, float *scratch)
{
    const size_t depth = depth_of(l), places = places_of(l);
    const mni_kern_ew *k = mni_kern_ew_best();
    const mni_mat filters = { w, depth };
    const parts p = parts_of(l, scratch);
    tile t;
    for (int more = tile_at(l, n, 0, 0, &t); more; more = tile_next(l, n, &t)) {
        const mni_mat col = columns(l, &t, x, p.col);
        const mni_mat d = tile_of_dy(l, &t, dy, p.packed);
        mni_product(MNI_GEMM_NT, l->c_out, depth, t.cols, d, col, dw, depth, 1, p.work);
        if (!dx) continue;
        float *to = dx + t.image * in_floats(l);
        if (is_plain_product(l) && t.n_images == 1) {
            mni_product(MNI_GEMM_TN, depth, t.cols, l->c_out, filters, d,
                        to + t.row * l->w_out, places, 1, p.work);
            continue;
        }
        mni_product(MNI_GEMM_TN, depth, t.cols, l->c_out, filters, d, p.dcol, t.cols, 0,
                    p.work);
        for (size_t i = 0; i < t.n_images; i++)
            col2im(l, to + i * in_floats(l), t.row, t.n_rows, p.dcol + i * places, t.cols,
                   k);
    }
}
