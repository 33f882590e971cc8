/* foreign_write.c - writes vectors and ids as others read them. See foreign.h.
 *
 * Every file appears whole or not at all (sink.h). A number that the format cannot hold
 * is refused, never bent: rounding is the caller's decision.
 * SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "store/foreign.h"
#include "store/npy.h"
#include "store/sink.h"

enum { AT_ONCE = 1024 };        /* numbers encoded in one step */

typedef unsigned long long ull;

/* Header of the file, or for .vecs (where the header is per row) nothing. */
static mann_status put_header(mni_sink *s, const mni_format *f, mni_dtype dtype,
                              const char *path, uint64_t rows, uint64_t cols,
                              mann_error *err)
{
    char npy[128];
    uint8_t bin[8];
    if (f->layout == MNI_LAYOUT_NPY)
        mni_sink_put(s, npy, mni_npy_header(npy, dtype, rows, cols));
    if (f->layout != MNI_LAYOUT_BIN) return MANN_OK;
    if (rows > UINT32_MAX)
        return mni_fail(err, MANN_E_LIMIT, "%s: %llu rows, the format holds at most %lu",
                        path, (ull)rows, (unsigned long)UINT32_MAX);
    mni_put32(bin, (uint32_t)rows);
    mni_put32(bin + 4, (uint32_t)cols);
    mni_sink_put(s, bin, sizeof bin);
    return MANN_OK;
}

static void put_row_head(mni_sink *s, const mni_format *f, size_t cols)
{
    uint8_t head[4];
    if (f->layout != MNI_LAYOUT_VECS) return;
    mni_put32(head, (uint32_t)cols);
    mni_sink_put(s, head, sizeof head);
}

static mann_status check_size(const char *path, size_t rows, size_t cols, mann_error *err)
{
    if (cols > MNI_VECTORS_MAX_COLS)
        return mni_fail(err, MANN_E_LIMIT, "%s: %zu columns, at most %d", path, cols,
                        MNI_VECTORS_MAX_COLS);
    if (cols == 0 && rows > 0)
        return mni_fail(err, MANN_E_ARG, "%s: %zu rows of 0 columns", path, rows);
    return MANN_OK;
}

/* The common frame of both writers: put_row puts row r, or fails with a sentence. */
typedef mann_status (*put_row_fn)(mni_sink *s, const void *ctx, const char *path,
                                  size_t r, mni_dtype dtype, mann_error *err);

static mann_status write_all(const mni_vfs *v, const char *path, const mni_format *f,
                             mni_dtype dtype, size_t rows, size_t cols,
                             put_row_fn put_row, const void *ctx, mann_error *err)
{
    mni_sink s;
    MNI_TRY(check_size(path, rows, cols, err));
    MNI_TRY(mni_sink_open(&s, v, path, err));
    mann_status status = put_header(&s, f, dtype, path, rows, cols, err);
    for (size_t r = 0; r < rows && status == MANN_OK && s.status == MANN_OK; r++) {
        put_row_head(&s, f, cols);
        status = put_row(&s, ctx, path, r, dtype, err);
    }
    if (status == MANN_OK) return mni_sink_finish(&s, err);
    mni_sink_abort(&s);
    return status;
}

/* --- vectors ---------------------------------------------------------------------- */

/* Smallest and largest value of an integer format, both exact in double. */
static void range_of(mni_dtype dtype, double *low, double *high)
{
    *low = dtype == MNI_U8 ? 0.0 : dtype == MNI_I8 ? -128.0 : -2147483648.0;
    *high = dtype == MNI_U8 ? 255.0 : dtype == MNI_I8 ? 127.0 : 2147483647.0;
}

static mann_status put_vector(mni_sink *s, const void *ctx, const char *path, size_t r,
                              mni_dtype dtype, mann_error *err)
{
    const mann_matrix *m = ctx;
    const float *x = m->data + r * (m->stride ? m->stride : m->cols);
    uint8_t bytes[AT_ONCE * 4];
    double low, high;
    uint32_t bits;
    size_t n = 0, item = mni_dtype_bytes(dtype);
    range_of(dtype, &low, &high);
    for (size_t c = 0; c < m->cols; c++) {
        if (dtype != MNI_F32 && !(x[c] >= low && x[c] <= high && floorf(x[c]) == x[c]))
            return mni_fail(err, MANN_E_ARG,
                            "%s: row %zu, column %zu is %g, the format holds integers "
                            "%.0f..%.0f",
                            path, r, c, (double)x[c], low, high);
        if (dtype == MNI_F32) memcpy(&bits, &x[c], sizeof bits);
        else bits = (uint32_t)(int32_t)x[c];
        if (item == 4) mni_put32(bytes + 4 * n, bits);
        else bytes[n] = (uint8_t)bits;
        if (++n == AT_ONCE || c + 1 == m->cols) {
            mni_sink_put(s, bytes, n * item);
            n = 0;
        }
    }
    return MANN_OK;
}

mann_status mni_vectors_write(const mni_vfs *v, const char *path, mann_matrix m,
                              mann_error *err)
{
    const mni_format *f;
    MNI_TRY(mni_format_of(&f, path, err));
    return write_all(v, path, f, f->dtype, m.rows, m.cols, put_vector, &m, err);
}

/* --- ids -------------------------------------------------------------------------- */

typedef struct id_table { const uint64_t *ids; size_t cols; } id_table;

static mann_status put_ids(mni_sink *s, const void *ctx, const char *path, size_t r,
                           mni_dtype dtype, mann_error *err)
{
    const id_table *t = ctx;
    const uint64_t *ids = t->ids + r * t->cols,
                   most = dtype == MNI_I64 ? INT64_MAX : INT32_MAX;
    uint8_t bytes[8];
    for (size_t c = 0; c < t->cols; c++) {
        if (ids[c] > most && ids[c] != UINT64_MAX)
            return mni_fail(err, MANN_E_LIMIT,
                            "%s: row %zu, column %zu: id %llu, the format holds at "
                            "most %llu",
                            path, r, c, (ull)ids[c], (ull)most);
        mni_put64(bytes, ids[c]);           /* ~0 is -1 in any width */
        mni_sink_put(s, bytes, mni_dtype_bytes(dtype));
    }
    return MANN_OK;
}

mann_status mni_ids_write(const mni_vfs *v, const char *path, const uint64_t *ids,
                          size_t rows, size_t cols, mann_error *err)
{
    const mni_format *f;
    const id_table t = { ids, cols };
    MNI_TRY(mni_format_of(&f, path, err));
    if (f->layout != MNI_LAYOUT_NPY && f->dtype != MNI_I32)
        return mni_fail(err, MANN_E_UNSUPPORTED,
                        "%s: ids are written as .npy, .ivecs or .ibin", path);
    mni_dtype dtype = f->layout == MNI_LAYOUT_NPY ? MNI_I64 : MNI_I32;
    return write_all(v, path, f, dtype, rows, cols, put_ids, &t, err);
}
