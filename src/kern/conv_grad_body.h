/* conv_grad_body.h - the three loops of kern_grad.h, written once. Included by
 * conv_grad_{c,avx2,avx512}.c with
 *
 *   CG_FN                   target attribute of the level
 *   VEC, NV                 a vector, and how many make a block of 16 channels
 *   V_ZERO() V_LOAD(p) V_STORE(p, v) V_SPREAD(p) V_SET(f) V_ADD(a, b)
 *   V_FMA(a, b, c) = a * b + c,  V_FNMA(a, b, c) = c - a * b
 *   DW_IN                   channels of x whose 16 sums stay in registers together
 *   RUN_COLS, RUN_BLOCKS    places times blocks whose sums stay in registers together
 *   RUN_BODIES(X)           X(cols, blocks) for all up to these
 *
 * No include guard: it belongs to the one file that includes it.
 * SPDX-License-Identifier: MIT */

enum { WIDTH = MNI_BLOCK / NV };

/* --- dw: one tap, 16 x 16 sums ------------------------------------------------------ */

/* in: how many channels of x, a constant. One vector of dy serves all of them:
 *
 *              dy: 16 channels of one place
 *     x[0]  *  [ . . . . . . . . . . . . . . . . ]  -> acc[0]
 *     x[1]  *  [             same                ]  -> acc[1]    ...                 */
CG_FN static MNI_INLINE void dw_some(const mni_dw_tap *t, size_t from, const int in)
{
    VEC acc[MNI_BLOCK][NV];
    MNI_UNROLL for (int i = 0; i < in; i++)
        MNI_UNROLL for (int v = 0; v < NV; v++)
            acc[i][v] = V_LOAD(t->acc + (from + i) * MNI_BLOCK + v * WIDTH);
    const size_t x_col = t->x_col;
    for (size_t n = 0; n < t->n; n++)
        for (size_t r = 0; r < t->rows; r++) {
            const float *x = t->x + n * t->x_image + r * t->x_row + from,
                        *dy = t->dy + n * t->dy_image + r * t->dy_row;
            for (size_t c = t->cols; c > 0; c--, x += x_col, dy += MNI_BLOCK) {
                VEC d[NV];
                MNI_UNROLL for (int v = 0; v < NV; v++) d[v] = V_LOAD(dy + v * WIDTH);
                MNI_UNROLL for (int i = 0; i < in; i++) {
                    const VEC one = V_SPREAD(x + i);
                    MNI_UNROLL for (int v = 0; v < NV; v++)
                        acc[i][v] = V_FMA(one, d[v], acc[i][v]);
                }
            }
        }
    MNI_UNROLL for (int i = 0; i < in; i++)
        MNI_UNROLL for (int v = 0; v < NV; v++)
            V_STORE(t->acc + (from + i) * MNI_BLOCK + v * WIDTH, acc[i][v]);
}

CG_FN static void dw_tap(const mni_dw_tap *t)
{
    size_t i = 0;
    for (; i + DW_IN <= MNI_BLOCK; i += DW_IN) dw_some(t, i, DW_IN);
#if MNI_BLOCK_REST
    dw_some(t, i, MNI_BLOCK_REST);
#endif
}

/* --- dw of the first layer: a row of taps of one plane ------------------------------ */

CG_FN static MNI_INLINE void dw_plane_some(const mni_dw_plane *t, const float *dy0,
                                           float *to, const int taps, const int blocks)
{
    VEC acc[MNI_DW_TAPS][2][NV];
    MNI_UNROLL for (int i = 0; i < taps; i++)
        MNI_UNROLL for (int b = 0; b < blocks; b++)
            MNI_UNROLL for (int v = 0; v < NV; v++)
                acc[i][b][v] = V_LOAD(to + b * t->acc_block + i * MNI_BLOCK + v * WIDTH);
    const size_t x_col = t->x_col;
    for (size_t r = 0; r < t->rows; r++) {
        const float *x = t->x + r * t->x_row, *dy = dy0 + r * t->dy_row;
        for (size_t c = t->cols; c > 0; c--, x += x_col, dy += MNI_BLOCK) {
            VEC d[2][NV];
            MNI_UNROLL for (int b = 0; b < blocks; b++)
                MNI_UNROLL for (int v = 0; v < NV; v++)
                    d[b][v] = V_LOAD(dy + b * t->dy_block + v * WIDTH);
            MNI_UNROLL for (int i = 0; i < taps; i++) {
                const VEC one = V_SPREAD(x + i);
                MNI_UNROLL for (int b = 0; b < blocks; b++)
                    MNI_UNROLL for (int v = 0; v < NV; v++)
                        acc[i][b][v] = V_FMA(one, d[b][v], acc[i][b][v]);
            }
        }
    }
    MNI_UNROLL for (int i = 0; i < taps; i++)
        MNI_UNROLL for (int b = 0; b < blocks; b++)
            MNI_UNROLL for (int v = 0; v < NV; v++)
                V_STORE(to + b * t->acc_block + i * MNI_BLOCK + v * WIDTH, acc[i][b][v]);
}

#if NV == 1
enum { PLANE_BLOCKS = 2 };
#else
enum { PLANE_BLOCKS = 1 };
#endif

CG_FN static MNI_INLINE void dw_plane_taps(const mni_dw_plane *t, const int taps)
{
    size_t b = 0;
    for (; b + PLANE_BLOCKS <= t->blocks; b += PLANE_BLOCKS)
        dw_plane_some(t, t->dy + b * t->dy_block, t->acc + b * t->acc_block, taps,
                      PLANE_BLOCKS);
    for (; b < t->blocks; b++)
        dw_plane_some(t, t->dy + b * t->dy_block, t->acc + b * t->acc_block, taps, 1);
}

CG_FN static void dw_plane(const mni_dw_plane *t)
{
    if (t->taps == 3) { dw_plane_taps(t, 3); return; }
    mni_dw_plane one = *t;
    if (t->taps == 7) {
        one.taps = 4;
        dw_plane_taps(&one, 4);
        one.x += 4;
        one.acc += 4 * MNI_BLOCK;
        one.taps = 3;
        dw_plane_taps(&one, 3);
        return;
    }
    for (size_t i = 0; i < t->taps; i++, one.x++, one.acc += MNI_BLOCK)
        dw_plane_taps(&one, 1);
}

/* --- dy at Winograd's points -------------------------------------------------------- */

/* t = A d, 4 -> 6: the output transform of kern_wino.h turned round. */
CG_FN static MNI_INLINE void dy_points(const VEC d[4], VEC t[6])
{
    const VEC a = V_SET(MNI_WINO_A), b = V_SET(MNI_WINO_B), half = V_SET(0.5f),
              two = V_SET(2.0f);
    const VEC even_a = V_FMA(half, d[2], d[0]), odd_a = V_FMA(half, d[3], d[1]);
    const VEC even_b = V_FMA(two, d[2], d[0]), odd_b = V_FMA(two, d[3], d[1]);
    t[0] = d[0];
    t[1] = V_FMA(a, odd_a, even_a);
    t[2] = V_FNMA(a, odd_a, even_a);
    t[3] = V_FMA(b, odd_b, even_b);
    t[4] = V_FNMA(b, odd_b, even_b);
    t[5] = d[3];
}

/* One tile of 16 channels, of which rows x cols lie in the map. */
CG_FN static MNI_INLINE void dy_tile(const float *dy, size_t row, float *to, size_t step,
                                     const int rows, const int cols)
{
    for (int part = 0; part < MNI_BLOCK; part += WIDTH) {
        VEC mid[6][4], d[4], t[6];
        for (int c = 0; c < 4; c++) {
            for (int r = 0; r < 4; r++)
                d[r] = r < rows && c < cols
                           ? V_LOAD(dy + (size_t)r * row + c * MNI_BLOCK + part)
                           : V_ZERO();
            dy_points(d, t);
            for (int r = 0; r < 6; r++) mid[r][c] = t[r];
        }
        for (int r = 0; r < 6; r++) {
            dy_points(mid[r], t);
            for (int c = 0; c < 6; c++)
                V_STORE(to + (size_t)(r * 6 + c) * step + part, t[c]);
        }
    }
}

CG_FN static void wino_dy(const mni_wino_part *p, int m)
{
    const mni_conv_shape *s = &p->a->s;
    const size_t across = (s->w_out + 3u) / 4, row = (size_t)s->w_out * MNI_BLOCK;
    (void)m;
    for (size_t b = 0; b < mni_blocks(s->c_out); b++) {
        float *to = p->buffer + b * p->width * MNI_BLOCK;
        for (size_t t = p->tile; t < p->tile_end; t++, to += MNI_BLOCK) {
            const size_t h = t / across * 4, w = t % across * 4, rows = s->h_out - h,
                         cols = s->w_out - w;
            const float *dy = p->a->r + ((b * s->h_out + h) * s->w_out + w) * MNI_BLOCK;
            if (rows >= 4 && cols >= 4)
                dy_tile(dy, row, to, p->step, 4, 4);
            else
                dy_tile(dy, row, to, p->step, rows < 4 ? (int)rows : 4,
                        cols < 4 ? (int)cols : 4);
        }
    }
}

/* --- a run of places over a list of taps -------------------------------------------- */

/* One tap, one block of input: 16 channels one after the other. Places [low, high) of
 * the `cols`, all constants, so that acc stays in registers. */
CG_FN static MNI_INLINE void run_tap(VEC *acc, const float *x, size_t x_col,
                                     const float *w, size_t w_out, const int cols,
                                     const int blocks, const int low, const int high)
{
    for (size_t i = 0; i < MNI_BLOCK; i++, x++, w += MNI_BLOCK) {
        VEC f[RUN_BLOCKS][NV];
        MNI_UNROLL for (int b = 0; b < blocks; b++)
            MNI_UNROLL for (int v = 0; v < NV; v++)
                f[b][v] = V_LOAD(w + b * w_out + v * WIDTH);
        MNI_UNROLL for (int c = low; c < high; c++) {
            const VEC one = V_SPREAD(x + (size_t)c * x_col);
            MNI_UNROLL for (int b = 0; b < blocks; b++)
                MNI_UNROLL for (int v = 0; v < NV; v++) {
                    VEC *const to = acc + (b * cols + c) * NV + v;
                    *to = V_FMA(one, f[b][v], *to);
                }
        }
    }
}

CG_FN static MNI_INLINE void run_some(const mni_run *r, const int cols, const int blocks)
{
    VEC acc[RUN_COLS * RUN_BLOCKS * NV];
    MNI_UNROLL for (int i = 0; i < cols * blocks * NV; i++) acc[i] = V_ZERO();
    for (size_t k = 0; k < r->in_blocks; k++)
        for (size_t t = 0; t < r->n_taps; t++) {
            const float *x = r->x + k * r->x_block + r->off[t],
                        *w = r->w + k * r->w_in +
                             (size_t)r->tap[t] * MNI_BLOCK * MNI_BLOCK;
            if (r->low[t])
                run_tap(acc, x, r->x_col, w, r->w_out, cols, blocks, 1, cols);
            else if (r->high[t] < r->cols)
                run_tap(acc, x, r->x_col, w, r->w_out, cols, blocks, 0, cols - 1);
            else
                run_tap(acc, x, r->x_col, w, r->w_out, cols, blocks, 0, cols);
        }
    MNI_UNROLL for (int b = 0; b < blocks; b++)
        MNI_UNROLL for (int c = 0; c < cols; c++)
            MNI_UNROLL for (int v = 0; v < NV; v++) {
                const size_t at = b * r->y_block + c * r->y_col + v * WIDTH;
                VEC s = acc[(b * cols + c) * NV + v];
                if (r->r) s = V_ADD(s, V_LOAD(r->r + at));
                V_STORE(r->y + at, s);
            }
}

#define RUN_FN(cols, blocks)                                                             \
    CG_FN static void run_##cols##_##blocks(const mni_run *r)                            \
    {                                                                                    \
        run_some(r, cols, blocks);                                                       \
    }
RUN_BODIES(RUN_FN)

#define RUN_ENTRY(cols, blocks) [(cols) - 1][(blocks) - 1] = run_##cols##_##blocks,
static const mni_run_fn run_bodies[RUN_COLS][RUN_BLOCKS] = { RUN_BODIES(RUN_ENTRY) };

static void run_any(const mni_run *r) { run_bodies[r->cols - 1][r->blocks - 1](r); }

static void fill(mni_kern_grad *k, const char *name)
{
    *k = (mni_kern_grad){ name, dw_tap, dw_plane, wino_dy, run_any, RUN_COLS,
                          RUN_BLOCKS };
}
