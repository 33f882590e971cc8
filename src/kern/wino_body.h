/* wino_body.h - Winograd's transforms of tiles (kern_wino.h has the idea), written once
 * for registers of any width. Included with the names of conv_body.h, of which it uses
 * CV, CV_TARGET, CV_VEC, CV_LANES, CV_LOAD, CV_STORE, CV_ZERO, CV_ADD, CV_MAX, CV_FMA and
 *
 *   CV_SUB(a, b)  CV_SET(f)            a register full of one number
 *
 * A tile is transformed in two passes, columns then rows; what lies between them, at most
 * 6 x 6 registers, stays in L1. No include guard: included several times on purpose.
 * SPDX-License-Identifier: MIT */

/* t = B^T d for one column or row of 4: points 0, 1, -1, infinity. 4 operations. */
CV_TARGET static MNI_INLINE void CV(in_2)(const CV_VEC d[4], CV_VEC t[4])
{
    t[0] = CV_SUB(d[0], d[2]);
    t[1] = CV_ADD(d[2], d[1]);
    t[2] = CV_SUB(d[2], d[1]);
    t[3] = CV_SUB(d[3], d[1]);
}

/* The same for 6: points 0, a, -a, b, -b, infinity; a a = 1/2, b b = 2. 12 operations. */
CV_TARGET static MNI_INLINE void CV(in_4)(const CV_VEC d[6], CV_VEC t[6])
{
    const CV_VEC a = CV_SET(MNI_WINO_A), b = CV_SET(MNI_WINO_B);
    const CV_VEC two = CV_SET(-2.0f), half = CV_SET(-0.5f), mid = CV_SET(-2.5f);
    const CV_VEC even_a = CV_FMA(two, d[2], d[4]), odd_a = CV_FMA(two, d[1], d[3]);
    const CV_VEC even_b = CV_FMA(half, d[2], d[4]), odd_b = CV_FMA(half, d[1], d[3]);
    t[0] = CV_ADD(CV_FMA(mid, d[2], d[0]), d[4]);
    t[1] = CV_FMA(a, odd_a, even_a);
    t[2] = CV_FMA(CV_SUB(CV_ZERO(), a), odd_a, even_a);
    t[3] = CV_FMA(b, odd_b, even_b);
    t[4] = CV_FMA(CV_SUB(CV_ZERO(), b), odd_b, even_b);
    t[5] = CV_ADD(CV_FMA(mid, d[3], d[1]), d[5]);
}

/* y = A^T m: 4 -> 2. */
CV_TARGET static MNI_INLINE void CV(out_2)(const CV_VEC m[4], CV_VEC y[2])
{
    y[0] = CV_ADD(m[0], CV_ADD(m[1], m[2]));
    y[1] = CV_ADD(CV_SUB(m[1], m[2]), m[3]);
}

/* 6 -> 4. */
CV_TARGET static MNI_INLINE void CV(out_4)(const CV_VEC m[6], CV_VEC y[4])
{
    const CV_VEC a = CV_SET(MNI_WINO_A), b = CV_SET(MNI_WINO_B);
    const CV_VEC a3 = CV_SET(MNI_WINO_A * 0.5f), b3 = CV_SET(MNI_WINO_B * 2.0f);
    const CV_VEC half = CV_SET(0.5f);
    const CV_VEC even_a = CV_ADD(m[1], m[2]), odd_a = CV_SUB(m[1], m[2]);
    const CV_VEC even_b = CV_ADD(m[3], m[4]), odd_b = CV_SUB(m[3], m[4]);
    y[0] = CV_ADD(m[0], CV_ADD(even_a, even_b));
    y[1] = CV_FMA(a, odd_a, CV_FMA(b, odd_b, CV_ZERO()));
    y[2] = CV_FMA(half, even_a, CV_ADD(even_b, even_b));
    y[3] = CV_FMA(a3, odd_a, CV_FMA(b3, odd_b, m[5]));
}

/* --- input tiles -------------------------------------------------------------------- */

/* One tile, 16 channels. x: its first place; row: floats from one row to the next. side
 * is a constant at every call, as below. */
CV_TARGET static MNI_INLINE void CV(in_tile)(const float *x, size_t row, float *to,
                                             size_t step, const int side)
{
    for (int part = 0; part < MNI_BLOCK; part += CV_LANES) {
        CV_VEC mid[6][6], d[6], t[6];
        for (int c = 0; c < side; c++) {
            for (int r = 0; r < side; r++)
                d[r] = CV_LOAD(x + (size_t)r * row + c * MNI_BLOCK + part);
            if (side == 4) CV(in_2)(d, t);
            else CV(in_4)(d, t);
            for (int r = 0; r < side; r++) mid[r][c] = t[r];
        }
        for (int r = 0; r < side; r++) {
            if (side == 4) CV(in_2)(mid[r], t);
            else CV(in_4)(mid[r], t);
            for (int c = 0; c < side; c++)
                CV_STORE(to + (size_t)(r * side + c) * step + part, t[c]);
        }
    }
}

/* A tile that hangs over the border is copied, with zeros outside. h0, w0: its first
 * place in the map. */
CV_TARGET static void CV(in_border)(const mni_conv_shape *s, const float *x, long h0,
                                    long w0, int side, float *patch)
{
    for (int r = 0; r < side; r++)
        for (int c = 0; c < side; c++) {
            const long h = h0 + r, w = w0 + c;
            const int in = h >= 0 && h < (long)s->h_in && w >= 0 && w < (long)s->w_in;
            float *to = patch + (size_t)(r * side + c) * MNI_BLOCK;
            const float *from = x + (h * (long)s->w_in + w) * MNI_BLOCK;
            for (int i = 0; i < MNI_BLOCK; i += CV_LANES)
                CV_STORE(to + i, in ? CV_LOAD(from + i) : CV_ZERO());
        }
}

CV_TARGET static MNI_INLINE void CV(in_tiles)(const mni_wino_part *p, const int m)
{
    const mni_conv_shape *s = &p->a->s;
    const size_t across = (s->w_out + (size_t)m - 1) / (size_t)m;
    const size_t row = (size_t)s->w_in * MNI_BLOCK, blocks = mni_blocks(s->c_in);
    const int side = m + 2;
    float patch[36 * MNI_BLOCK];
    for (size_t b = 0; b < blocks; b++) {
        const float *x = p->a->x + b * s->h_in * row;
        float *to = p->buffer + b * p->width * MNI_BLOCK;
        for (size_t t = p->tile; t < p->tile_end; t++, to += MNI_BLOCK) {
            const long h = (long)(t / across) * m - (long)s->pad,
                       w = (long)(t % across) * m - (long)s->pad;
            if (h >= 0 && w >= 0 && h + side <= (long)s->h_in &&
                w + side <= (long)s->w_in) {
                CV(in_tile)(x + (size_t)h * row + (size_t)w * MNI_BLOCK, row, to, p->step,
                            side);
            } else {
                CV(in_border)(s, x, h, w, side, patch);
                CV(in_tile)(patch, (size_t)side * MNI_BLOCK, to, p->step, side);
            }
        }
    }
}

/* --- output tiles ------------------------------------------------------------------- */

/* One tile, 16 channels; the rows x cols of it that lie in the map are stored. */
CV_TARGET static MNI_INLINE void CV(out_tile)(const mni_conv_args *a, const float *from,
                                              size_t step, const float *bias, size_t at,
                                              int rows, int cols, const int m)
{
    const int side = m + 2;
    const size_t row = (size_t)a->s.w_out * MNI_BLOCK;
    for (int part = 0; part < MNI_BLOCK; part += CV_LANES) {
        CV_VEC mid[4][6], d[6], t[4];
        for (int c = 0; c < side; c++) {
            for (int r = 0; r < side; r++)
                d[r] = CV_LOAD(from + (size_t)(r * side + c) * step + part);
            if (m == 2) CV(out_2)(d, t);
            else CV(out_4)(d, t);
            for (int r = 0; r < m; r++) mid[r][c] = t[r];
        }
        const CV_VEC start = bias ? CV_LOAD(bias + part) : CV_ZERO();
        for (int r = 0; r < rows; r++) {
            const size_t here = at + (size_t)r * row + (size_t)part;
            if (m == 2) CV(out_2)(mid[r], t);
            else CV(out_4)(mid[r], t);
            for (int c = 0; c < m; c++) {
                if (c >= cols) break;
                CV_VEC v = CV_ADD(t[c], start);
                if (a->r) v = CV_ADD(v, CV_LOAD(a->r + here + (size_t)c * MNI_BLOCK));
                if (a->relu) v = CV_MAX(v, CV_ZERO());
                CV_STORE(a->y + here + (size_t)c * MNI_BLOCK, v);
            }
        }
    }
}

CV_TARGET static MNI_INLINE void CV(out_tiles)(const mni_wino_part *p, const int m)
{
    const mni_conv_args *a = p->a;
    const mni_conv_shape *s = &a->s;
    const size_t side = (size_t)m, across = (s->w_out + side - 1) / side;
    for (size_t b = p->block; b < p->block_end; b++) {
        const float *from = p->buffer + b * p->width * MNI_BLOCK;
        const float *bias = a->bias ? a->bias + b * MNI_BLOCK : NULL;
        for (size_t t = p->tile; t < p->tile_end; t++, from += MNI_BLOCK) {
            const size_t h = t / across * side, w = t % across * side;
            const size_t rows = s->h_out - h, cols = s->w_out - w;
            const size_t at = ((b * s->h_out + h) * s->w_out + w) * MNI_BLOCK;
            if (rows >= side && cols >= side)
                CV(out_tile)(a, from, p->step, bias, at, m, m, m);
            else
                CV(out_tile)(a, from, p->step, bias, at, rows < side ? (int)rows : m,
                             cols < side ? (int)cols : m, m);
        }
    }
}

CV_TARGET static void CV(wino_in)(const mni_wino_part *p, int m)
{
    if (m == 2) CV(in_tiles)(p, 2);
    else CV(in_tiles)(p, 4);
}

CV_TARGET static void CV(wino_out)(const mni_wino_part *p, int m)
{
    if (m == 2) CV(out_tiles)(p, 2);
    else CV(out_tiles)(p, 4);
}
