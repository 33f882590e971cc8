/* conv_body.h - the convolutions of kern_conv.h, written once for registers of any width.
 * Included by conv_avx512.c and its like with
 *
 *   CV(name)      name with the level's ending       CV_TARGET  its target attribute
 *   CV_VEC        a register of CV_LANES floats (16 / CV_LANES of them hold a block)
 *   CV_LOAD(p) CV_STORE(p, v) CV_SPREAD(p) CV_ZERO() CV_ADD(a, b) CV_MAX(a, b)
 *   CV_FMA(a, b, c)                                  a * b + c
 *   CV_GROUP      blocks of y at once, 1, 2 or 4     CV_WIDE(b)  places at once with b
 *
 * A tile is P places of one row of y times B blocks, all of it in registers for the whole
 * sum. One step of it, for one tap and one input channel (AVX-512, 6 places x 4 blocks):
 *
 *                  w: block 0     block 1     block 2     block 3         4 loads
 *     x of place 0  [16 floats] [16 floats] [16 floats] [16 floats]
 *     ..              each place's x is spread over a register           6 loads
 *     x of place 5  [         ] [         ] [         ] [         ]     24 FMAs
 *
 * Edges: taps above and below the map are left out of the loop over rows; left and right
 * of it only the first and the last place of a row can lie, and for these taps the step
 * is taken with one place less (`span`). So no product with padding is computed.
 * No include guard: included several times on purpose. SPDX-License-Identifier: MIT */

enum { CV(PARTS) = MNI_BLOCK / CV_LANES };

typedef struct CV(tile) {
    const float *x;                 /* tap (0, 0) of the first place; may lie outside */
    const float *w;                 /* of the first block */
    size_t x_block, x_row, w_block; /* floats from one to the next */
    size_t n_blocks, u0, u1, v0, v1, taps;      /* inputs (planar: channels), taps */
    int left, right;                /* has the first / last place a tap outside? */
    size_t y_at, y_block;           /* floats from the start of y (and r) */
    size_t block;                   /* the first, of bias */
} CV(tile);

/* acc += x * w for places [low, high), one tap, `depth` channels. */
CV_TARGET static MNI_INLINE void CV(span)(CV_VEC *acc, const float *x, const float *w,
                                          size_t w_block, const int depth,
                                          const int apart, const int low, const int high,
                                          const int blocks)
{
    enum { N = CV(PARTS) };
    for (int c = 0; c < depth; c++, w += MNI_BLOCK) {
        CV_VEC wv[CV_GROUP * N];
        MNI_UNROLL for (int b = 0; b < blocks; b++)
            MNI_UNROLL for (int i = 0; i < N; i++)
                wv[b * N + i] = CV_LOAD(w + (size_t)b * w_block + i * CV_LANES);
        MNI_UNROLL for (int p = low; p < high; p++) {
            const CV_VEC xv = CV_SPREAD(x + p * apart + c);
            MNI_UNROLL for (int b = 0; b < blocks * N; b++)
                acc[p * blocks * N + b] = CV_FMA(xv, wv[b], acc[p * blocks * N + b]);
        }
    }
}

CV_TARGET static MNI_INLINE void CV(begin)(CV_VEC *acc, const mni_conv_args *a,
                                           const CV(tile) *t, const int places,
                                           const int blocks)
{
    enum { N = CV(PARTS) };
    MNI_UNROLL for (int b = 0; b < blocks * N; b++) {
        const CV_VEC v = a->bias ? CV_LOAD(a->bias + t->block * MNI_BLOCK + b * CV_LANES)
                                 : CV_ZERO();
        MNI_UNROLL for (int p = 0; p < places; p++) acc[p * blocks * N + b] = v;
    }
}

CV_TARGET static MNI_INLINE void CV(end)(CV_VEC *acc, const mni_conv_args *a,
                                         const CV(tile) *t, const int places,
                                         const int blocks)
{
    enum { N = CV(PARTS) };
    if (a->r) {
        const float *r = a->r + t->y_at;
        MNI_UNROLL for (int b = 0; b < blocks; b++, r += t->y_block)
            MNI_UNROLL for (int p = 0; p < places; p++)
                MNI_UNROLL for (int i = 0; i < N; i++)
                    acc[(p * blocks + b) * N + i] =
                        CV_ADD(acc[(p * blocks + b) * N + i],
                               CV_LOAD(r + p * MNI_BLOCK + i * CV_LANES));
    }
    if (a->relu)
        MNI_UNROLL for (int i = 0; i < places * blocks * N; i++)
            acc[i] = CV_MAX(acc[i], CV_ZERO());
    float *y = a->y + t->y_at;
    MNI_UNROLL for (int b = 0; b < blocks; b++, y += t->y_block)
        MNI_UNROLL for (int p = 0; p < places; p++)
            MNI_UNROLL for (int i = 0; i < N; i++)
                CV_STORE(y + p * MNI_BLOCK + i * CV_LANES,
                         acc[(p * blocks + b) * N + i]);
}

/* places, stride, blocks are constants at every call. */
CV_TARGET static MNI_INLINE void CV(blocked_tile)(const mni_conv_args *a,
                                                  const CV(tile) *t, const int places,
                                                  const int stride, const int blocks)
{
    const int apart = stride * MNI_BLOCK;
    CV_VEC acc[CV_MOST];
    CV(begin)(acc, a, t, places, blocks);
    for (size_t b = 0; b < t->n_blocks; b++)
        for (size_t u = t->u0; u < t->u1; u++) {
            const float *x = t->x + b * t->x_block + u * t->x_row;
            const float *w =
                t->w + (b * t->taps + u) * t->taps * MNI_BLOCK * MNI_BLOCK;
            for (size_t v = 0; v < t->taps; v++) {
                const int low = t->left && v == 0, high = t->right && v + 1 == t->taps;
                if (!low && !high)
                    CV(span)(acc, x, w, t->w_block, MNI_BLOCK, apart, 0, places, blocks);
                else if (!high)
                    CV(span)(acc, x, w, t->w_block, MNI_BLOCK, apart, 1, places, blocks);
                else if (!low)
                    CV(span)(acc, x, w, t->w_block, MNI_BLOCK, apart, 0, places - 1,
                             blocks);
                x += MNI_BLOCK;
                w += MNI_BLOCK * MNI_BLOCK;
            }
        }
    CV(end)(acc, a, t, places, blocks);
}

CV_TARGET static MNI_INLINE void CV(planar_tile)(const mni_conv_args *a,
                                                 const CV(tile) *t, const int places,
                                                 const int stride, const int blocks)
{
    CV_VEC acc[CV_MOST];
    CV(begin)(acc, a, t, places, blocks);
    for (size_t i = 0; i < t->n_blocks; i++)
        for (size_t u = t->u0; u < t->u1; u++) {
            const float *x = t->x + i * t->x_block + u * t->x_row + t->v0;
            const float *w = t->w + ((i * t->taps + u) * t->taps + t->v0) * MNI_BLOCK;
            for (size_t v = t->v0; v < t->v1; v++, x++, w += MNI_BLOCK)
                CV(span)(acc, x, w, t->w_block, 1, stride, 0, places, blocks);
        }
    CV(end)(acc, a, t, places, blocks);
}

/* --- a body for every size of tile -------------------------------------------------- */

typedef void (*CV(tile_fn))(const mni_conv_args *a, const CV(tile) *t);

#define CV_BODY(kind, p, s, b)                                                           \
    CV_TARGET static void CV(kind##_##p##_##s##_##b)(const mni_conv_args *a,             \
                                                     const CV(tile) *t)                  \
    {                                                                                    \
        CV(kind##_tile)(a, t, p, s, b);                                                  \
    }
#define CV_NAME(kind, p, s, b) CV(kind##_##p##_##s##_##b)
#define CV_BODIES(kind, p, b) CV_BODY(kind, p, 1, b) CV_BODY(kind, p, 2, b)
#define CV_NAMES(kind, p, b) { CV_NAME(kind, p, 1, b), CV_NAME(kind, p, 2, b) }

CV_ALL(CV_BODIES, blocked)
CV_ALL(CV_BODIES, planar)

/* By places - 1, then stride - 1. */
static const CV(tile_fn) CV(blocked_tiles)[][CV_PLACES][2] = { CV_TABLE(blocked) };
static const CV(tile_fn) CV(planar_tiles)[][CV_PLACES][2] = { CV_TABLE(planar) };

/* --- cutting y into tiles ----------------------------------------------------------- */

/* Taps of output place p along one axis of n inputs. */
CV_TARGET static inline void CV(inside)(const mni_conv_shape *s, size_t p, size_t n,
                                        size_t *t0, size_t *t1)
{
    const size_t at = p * s->stride;
    *t0 = at < s->pad ? s->pad - at : 0;
    *t1 = n + s->pad - at < s->kernel ? n + s->pad - at : s->kernel;
}

/* log2 of the blocks to take next, when `left` are left. */
static inline int CV(step)(size_t left)
{
    return CV_GROUP >= 4 && left >= 4 ? 2 : CV_GROUP >= 2 && left >= 2 ? 1 : 0;
}

/* A 1x1 convolution without stride sees one long row. */
static inline mni_conv_shape CV(flat)(const mni_conv_shape *s, size_t *row, size_t *end)
{
    mni_conv_shape f = *s;
    *row *= s->w_out;
    *end *= s->w_out;
    f.h_in = f.h_out = 1;
    f.w_in = f.w_out = s->h_in * s->w_in;
    return f;
}

/* Columns [c, c_end) of a row, in tiles as equal as can be. */
CV_TARGET static void CV(blocked_row)(const mni_conv_args *a, const mni_conv_shape *s,
                                      CV(tile) *t, int step, size_t c, size_t c_end)
{
    const float *x = t->x;
    const size_t y_at = t->y_at, wide = (size_t)CV_WIDE(step);
    for (size_t n = (c_end - c + wide - 1) / wide; n > 0; n--) {
        const size_t places = (c_end - c + n - 1) / n, last = c + places - 1;
        t->left = c * s->stride < s->pad;
        t->right = last * s->stride + s->kernel > s->w_in + s->pad;
        t->x = x + c * s->stride * MNI_BLOCK;
        t->y_at = y_at + c * MNI_BLOCK;
        CV(blocked_tiles)[step][places - 1][s->stride - 1](a, t);
        c += places;
    }
    t->x = x;
    t->y_at = y_at;
}

CV_TARGET static void CV(direct)(const mni_conv_args *a, size_t block, size_t block_end,
                                 size_t row, size_t row_end)
{
    mni_conv_shape s = a->s;
    size_t c = 0, c_end = s.w_out;
    if (s.kernel == 1 && s.stride == 1) {
        s = CV(flat)(&s, &row, &row_end);
        c = row;
        c_end = row_end;
        row_end = row < row_end;
        row = 0;
    }
    const size_t in = mni_blocks(s.c_in), taps = s.kernel;
    const size_t x_row = (size_t)s.w_in * MNI_BLOCK,
                 y_row = (size_t)s.w_out * MNI_BLOCK;
    CV(tile) t = { .x_block = s.h_in * x_row, .x_row = x_row, .n_blocks = in,
                   .taps = taps, .w_block = in * taps * taps * MNI_BLOCK * MNI_BLOCK,
                   .y_block = s.h_out * y_row };
    while (block < block_end) {
        const int step = CV(step)(block_end - block);
        t.block = block;
        t.w = a->w + block * t.w_block;
        for (size_t r = row; r < row_end; r++) {
            CV(inside)(&s, r, s.h_in, &t.u0, &t.u1);
            /* As a number, because it may stand before the map. */
            t.x = (const float *)((uintptr_t)a->x + r * s.stride * x_row * sizeof *a->x -
                                  s.pad * (x_row + MNI_BLOCK) * sizeof *a->x);
            t.y_at = block * t.y_block + r * y_row;
            CV(blocked_row)(a, &s, &t, step, c, c_end);
        }
        block += (size_t)1 << step;
    }
}

/* One place at the edge, or `places` of them that see all columns of taps. */
CV_TARGET static void CV(planar_places)(const mni_conv_args *a, CV(tile) *t, int step,
                                        size_t row, size_t c, size_t places)
{
    const mni_conv_shape *s = &a->s;
    const size_t x_at = row * s->stride * t->x_row + c * s->stride;
    CV(inside)(s, c, s->w_in, &t->v0, &t->v1);
    t->x = (const float *)((uintptr_t)a->x + x_at * sizeof *a->x -
                           s->pad * (t->x_row + 1) * sizeof *a->x);
    t->y_at = t->block * t->y_block + (row * s->w_out + c) * MNI_BLOCK;
    CV(planar_tiles)[step][places - 1][s->stride - 1](a, t);
}

CV_TARGET static void CV(first)(const mni_conv_args *a, size_t block, size_t block_end,
                                size_t row, size_t row_end)
{
    const mni_conv_shape *s = &a->s;
    const size_t taps = s->kernel, beyond = (size_t)s->w_in + s->pad;
    size_t low = (s->pad + s->stride - 1) / s->stride,
           high = beyond < taps ? 0 : (beyond - taps) / s->stride + 1;
    if (low > s->w_out) low = s->w_out;
    if (high > s->w_out) high = s->w_out;
    if (high < low) high = low;
    CV(tile) t = { .x_block = (size_t)s->h_in * s->w_in, .x_row = s->w_in,
                   .n_blocks = s->c_in, .taps = taps,
                   .w_block = s->c_in * taps * taps * MNI_BLOCK,
                   .y_block = (size_t)s->h_out * s->w_out * MNI_BLOCK };
    while (block < block_end) {
        const int step = CV(step)(block_end - block);
        const size_t wide = (size_t)CV_WIDE(step);
        t.block = block;
        t.w = a->w + block * t.w_block;
        for (size_t r = row; r < row_end; r++) {
            CV(inside)(s, r, s->h_in, &t.u0, &t.u1);
            size_t c = 0;
            for (; c < low; c++) CV(planar_places)(a, &t, step, r, c, 1);
            for (size_t n = (high - c + wide - 1) / wide; n > 0; n--) {
                const size_t places = (high - c + n - 1) / n;
                CV(planar_places)(a, &t, step, r, c, places);
                c += places;
            }
            for (; c < s->w_out; c++) CV(planar_places)(a, &t, step, r, c, 1);
        }
        block += (size_t)1 << step;
    }
}
