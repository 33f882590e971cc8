/* gemm.c - the blocked, packed matrix product, after Goto and van de Geijn, "Anatomy of
 * High-Performance Matrix Multiplication", ACM TOMS 34(3), 2008, sections 4 to 6.
 *
 * A product does 2 m n k operations on m k + k n + m n numbers, so each number is wanted
 * many times; the art is to have it near when it is. Four sizes for four places:
 *
 *     registers   an MR x NR tile of C, for a whole block along k  (gemm_avx512.c)
 *     L1          a panel of A: MR rows, KC deep
 *     L2          a slice of B: KC deep, COLS wide; its panels stream past the panel of A
 *     L3          the packed blocks of A (ROWS_MAX x KC) and B (KC x COLS_MAX)
 *
 *               COLS_MAX                      packed B: panel after panel, in each
 *          +---+---+---+---+                  k steps of NR floats
 *       KC | NR| NR|   |   |  B               +----------+----------+--
 *          +---+---+---+---+                  | p=0: NR  | p=1: NR  |    read in one
 *     KC                                      +----------+----------+--  straight line
 *   +----+ +---+---+---+---+
 *   | MR | |   |   |   |   |                  packed A likewise: k steps of MR floats
 *   +----+ +---+---+---+---+
 *   | MR | |   |   |   |   |  C
 *   +----+ +---+---+---+---+
 *     A
 *
 * For every block along k: B is packed, then for every ROWS_MAX rows A is packed and the
 * tiles of C are computed. The three steps are parallel loops over chunks of fixed size;
 * two chunks never write the same tile, and an output's own sum runs along k only, so
 * neither threads nor sizes change its bits. SPDX-License-Identifier: MIT */
#include "kern/kern_nn.h"

#include <stdint.h>
#include <string.h>

#if defined(MNI_BLAS)
#include <cblas.h>
#endif

enum {
    KC = MNI_GEMM_KC,
    ROWS = 192, COLS = 384,         /* one chunk of C: multiples of every mr and nr */
    ROWS_MAX = 16 * ROWS, COLS_MAX = 8 * COLS,
    LINE = 64,                      /* packed blocks start at a cache line */
    SMALL = 1 << 19                 /* products that are not worth waking a thread for */
};

typedef struct work {
    const mni_kern_nn *kern;
    const mni_gemm_args *g;
    float *a, *b;                       /* packed */
    size_t i0, n_rows, j0, n_cols, p0, depth;       /* the block of C, and of k */
} work;

static size_t min_of(size_t a, size_t b) { return a < b ? a : b; }
static size_t round_up(size_t x, size_t to) { return (x + to - 1) / to * to; }

/* One panel: `width` floats a step, `used` of them from `in`. turned: rows of `in` run
 * along k. */
static void pack_panel(const work *w, const float *in, size_t ld, int turned, size_t used,
                       size_t width, float *out)
{
    if (used < width) memset(out, 0, w->depth * width * sizeof *out);
    if (turned) {
        w->kern->turn(in, ld, used, w->depth, width, out);
        return;
    }
    for (size_t p = 0; p < w->depth; p++)
        memcpy(out + p * width, in + p * ld, used * sizeof *out);
}

static void pack_a(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const work *w = ctx;
    const mni_gemm_args *g = w->g;
    const int turned = g->kind != MNI_GEMM_TN;
    const size_t mr = w->kern->mr;
    (void)chunk;
    for (size_t panel = begin; panel < end; panel++) {
        const size_t i = w->i0 + panel * mr;
        const float *in = turned ? g->a + i * g->lda + w->p0 : g->a + w->p0 * g->lda + i;
        pack_panel(w, in, g->lda, turned, min_of(mr, w->i0 + w->n_rows - i), mr,
                   w->a + panel * mr * w->depth);
    }
}

static void pack_b(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const work *w = ctx;
    const mni_gemm_args *g = w->g;
    const int turned = g->kind == MNI_GEMM_NT;
    const size_t nr = w->kern->nr;
    (void)chunk;
    for (size_t panel = begin; panel < end; panel++) {
        const size_t j = w->j0 + panel * nr;
        const float *in = turned ? g->b + j * g->ldb + w->p0 : g->b + w->p0 * g->ldb + j;
        pack_panel(w, in, g->ldb, turned, min_of(nr, w->j0 + w->n_cols - j), nr,
                   w->b + panel * nr * w->depth);
    }
}

/* Chunk `begin` of C: ROWS x COLS. The panel of A stays in L1 while all panels of B pass
 * it. */
static void multiply(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const work *w = ctx;
    const mni_gemm_args *g = w->g;
    const size_t mr = w->kern->mr, nr = w->kern->nr,
                 across = mni_chunk_count(w->n_cols, COLS);
    const size_t i_first = begin / across * ROWS,
                 i_end = min_of(i_first + ROWS, w->n_rows);
    const size_t j_first = begin % across * COLS,
                 j_end = min_of(j_first + COLS, w->n_cols);
    const int add = g->add || w->p0 > 0;
    (void)end;
    (void)chunk;
    for (size_t i = i_first; i < i_end; i += mr)
        for (size_t j = j_first; j < j_end; j += nr)
            w->kern->tile(w->depth, w->a + i * w->depth, w->b + j * w->depth,
                          g->c + (w->i0 + i) * g->ldc + w->j0 + j, g->ldc,
                          min_of(mr, i_end - i), min_of(nr, j_end - j), add);
}

static void run_block(work *w, mni_pool *pool)
{
    const mni_gemm_args *g = w->g;
    const size_t across = mni_chunk_count(w->n_cols, COLS);
    for (w->p0 = 0; w->p0 < g->k; w->p0 += KC) {
        w->depth = min_of(KC, g->k - w->p0);
        mni_parallel_for(pool, mni_chunk_count(w->n_cols, w->kern->nr), 2, pack_b, w);
        for (w->i0 = 0; w->i0 < g->m; w->i0 += ROWS_MAX) {
            w->n_rows = min_of(ROWS_MAX, g->m - w->i0);
            const size_t down = mni_chunk_count(w->n_rows, ROWS);
            mni_parallel_for(pool, mni_chunk_count(w->n_rows, w->kern->mr), 8, pack_a, w);
            mni_parallel_for(pool, down * across, 1, multiply, w);
        }
    }
}

size_t mni_gemm_workspace_bytes_of(const mni_kern_nn *kern, const mni_gemm_args *g)
{
    const size_t rows = min_of(round_up(min_of(g->m, ROWS_MAX), kern->mr), ROWS_MAX);
    const size_t cols = min_of(round_up(min_of(g->n, COLS_MAX), kern->nr), COLS_MAX);
    return (rows + cols) * min_of(g->k, KC) * sizeof(float) + 2 * LINE;
}

/* Sizes of 0 are legal; 1 if nothing is left to do. */
static int done_without_work(const mni_gemm_args *g)
{
    if (g->k == 0 && !g->add)
        for (size_t i = 0; i < g->m; i++)
            memset(g->c + i * g->ldc, 0, g->n * sizeof *g->c);
    return g->m == 0 || g->n == 0 || g->k == 0;
}

void mni_gemm_of(const mni_kern_nn *kern, const mni_gemm_args *g, mni_pool *pool,
                 void *workspace)
{
    if (done_without_work(g)) return;
    if (g->m < SMALL / g->n / g->k) pool = NULL;

    uint8_t *at = workspace;
    at += (LINE - (uintptr_t)at % LINE) % LINE;
    work w = { .kern = kern, .g = g, .b = (float *)(void *)at };
    const size_t cols = round_up(min_of(g->n, COLS_MAX), kern->nr);
    w.a = w.b + round_up(cols * min_of(g->k, KC), LINE / sizeof(float));
    for (w.j0 = 0; w.j0 < g->n; w.j0 += COLS_MAX) {
        w.n_cols = min_of(COLS_MAX, g->n - w.j0);
        run_block(&w, pool);
    }
}

size_t mni_gemm_workspace_bytes(const mni_gemm_args *g)
{
    return mni_gemm_workspace_bytes_of(mni_kern_nn_best(), g);
}

#if defined(MNI_BLAS)
void mni_gemm(const mni_gemm_args *g, mni_pool *pool, void *workspace)
{
    (void)pool; /* OpenBLAS has threads of its own: OPENBLAS_NUM_THREADS */
    (void)workspace;
    if (done_without_work(g)) return;
    cblas_sgemm(CblasRowMajor, g->kind == MNI_GEMM_TN ? CblasTrans : CblasNoTrans,
                g->kind == MNI_GEMM_NT ? CblasTrans : CblasNoTrans, (int)g->m, (int)g->n,
                (int)g->k, 1.0f, g->a, (int)g->lda, g->b, (int)g->ldb,
                g->add ? 1.0f : 0.0f, g->c, (int)g->ldc);
}
#else
void mni_gemm(const mni_gemm_args *g, mni_pool *pool, void *workspace)
{
    mni_gemm_of(mni_kern_nn_best(), g, pool, workspace);
}
#endif
