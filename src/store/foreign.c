/* foreign.c - reads vector files of others. See foreign.h.
 *
 * Two steps. First the shape: what the header says, compared with the file's length
 * before anything is allocated. Then the rows, in pieces, each number through one
 * conversion to f32. The layouts differ in the first step only, but for the .vecs family,
 * which repeats its number of columns before every row. SPDX-License-Identifier: MIT */
#include "store/foreign.h"

#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/text.h"
#include "store/npy.h"

enum { PIECE_BYTES = 256 * 1024 };

typedef unsigned long long ull;

typedef struct shape {
    mni_dtype dtype;
    uint64_t rows, cols, data_at;
    unsigned row_head;          /* bytes before each row: 4 for .vecs, else 0 */
} shape;

static const mni_format formats[] = {
    { ".npy",   MNI_LAYOUT_NPY,  MNI_F32 },
    { ".fvecs", MNI_LAYOUT_VECS, MNI_F32 },
    { ".bvecs", MNI_LAYOUT_VECS, MNI_U8 },
    { ".ivecs", MNI_LAYOUT_VECS, MNI_I32 },
    { ".fbin",  MNI_LAYOUT_BIN,  MNI_F32 },
    { ".u8bin", MNI_LAYOUT_BIN,  MNI_U8 },
    { ".i8bin", MNI_LAYOUT_BIN,  MNI_I8 },
    { ".ibin",  MNI_LAYOUT_BIN,  MNI_I32 },
};

mann_status mni_format_of(const mni_format **out, const char *path, mann_error *err)
{
    *out = NULL;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (mni_text_ends(path, formats[i].suffix)) {
            *out = &formats[i];
            return MANN_OK;
        }
    return mni_fail(err, MANN_E_UNSUPPORTED,
                    "%s: its name ends in none of .npy .fvecs .bvecs .ivecs "
                    ".fbin .u8bin .i8bin .ibin",
                    path);
}

/* --- the shape -------------------------------------------------------------------- */

/* The header's claim against the file's length; after this every size fits into
 * size_t. */
static mann_status check_shape(const shape *s, uint64_t file_bytes, const char *path,
                               mann_error *err)
{
    if (s->cols > MNI_VECTORS_MAX_COLS)
        return mni_fail(err, MANN_E_LIMIT, "%s: %llu columns, at most %d", path,
                        (ull)s->cols, MNI_VECTORS_MAX_COLS);
    if (s->cols == 0 && s->rows > 0)
        return mni_fail(err, MANN_E_FORMAT, "%s: %llu rows of 0 columns", path,
                        (ull)s->rows);
    uint64_t row_bytes = s->row_head + s->cols * mni_dtype_bytes(s->dtype);
    if (!mni_span_fits(s->data_at, s->rows, row_bytes, file_bytes) ||
        s->data_at + s->rows * row_bytes != file_bytes)
        return mni_fail(err, MANN_E_FORMAT,
                        "%s: %llu bytes do not hold %llu rows of %llu bytes after "
                        "a header of %llu",
                        path, (ull)file_bytes, (ull)s->rows, (ull)row_bytes,
                        (ull)s->data_at);
    if (s->rows > SIZE_MAX / 4 / (s->cols ? s->cols : 1))
        return mni_fail(err, MANN_E_LIMIT,
                        "%s: %llu x %llu numbers are too many for this machine", path,
                        (ull)s->rows, (ull)s->cols);
    return MANN_OK;
}

static mann_status npy_shape(mni_file *f, uint64_t file_bytes, const char *path, shape *s,
                             mann_error *err)
{
    mni_npy npy;
    size_t want = file_bytes < MNI_NPY_HEADER_LIMIT ? (size_t)file_bytes
                                                    : MNI_NPY_HEADER_LIMIT,
           got;
    uint8_t *head = mni_alloc(want, 1);
    if (!head) return mni_fail(err, MANN_E_NOMEM, "%s: header of %zu bytes", path, want);
    mann_status status = mni_read(f, head, want, 0, &got, err);
    if (status == MANN_OK) status = mni_npy_parse(&npy, head, got, path, err);
    mni_free(head);
    if (status == MANN_OK) *s = (shape){ npy.dtype, npy.rows, npy.cols, npy.data_at, 0 };
    return status;
}

static mann_status find_shape(mni_file *f, uint64_t file_bytes, const char *path,
                              shape *s, mann_error *err)
{
    const mni_format *format;
    uint8_t head[8] = { 0 };
    size_t got;
    MNI_TRY(mni_format_of(&format, path, err));
    if (format->layout == MNI_LAYOUT_NPY) {
        MNI_TRY(npy_shape(f, file_bytes, path, s, err));
        return check_shape(s, file_bytes, path, err);
    }
    *s = (shape){ .dtype = format->dtype };
    MNI_TRY(mni_read(f, head, sizeof head, 0, &got, err));
    if (format->layout == MNI_LAYOUT_BIN) {
        if (got < 8)
            return mni_fail(err, MANN_E_FORMAT, "%s: %zu bytes, wanted a header of 8",
                            path, got);
        s->rows = mni_get32(head);
        s->cols = mni_get32(head + 4);
        s->data_at = 8;
        return check_shape(s, file_bytes, path, err);
    }
    if (file_bytes == 0) return MANN_OK; /* no row, and no word on columns */
    if (got < 4)
        return mni_fail(err, MANN_E_FORMAT, "%s: %zu bytes, wanted at least 4", path,
                        got);
    s->row_head = 4;
    s->cols = mni_get32(head);
    if (s->cols == 0 || s->cols > MNI_VECTORS_MAX_COLS)
        return mni_fail(err, MANN_E_FORMAT,
                        "%s: first row has %llu columns, wanted 1..%d", path,
                        (ull)s->cols, MNI_VECTORS_MAX_COLS);
    s->rows = file_bytes / (4 + s->cols * mni_dtype_bytes(s->dtype));
    return check_shape(s, file_bytes, path, err);
}

/* --- the numbers ------------------------------------------------------------------ */

/* n numbers at b (not aligned) to f32. Doubles beyond f32 become infinities, as IEEE 754
 * has it. */
static void convert(float *out, const uint8_t *b, size_t n, mni_dtype dtype)
{
    uint32_t u;
    uint64_t w;
    double d;
    for (size_t i = 0; i < n; i++)
        switch (dtype) {
        case MNI_F32: u = mni_get32(b + 4 * i); memcpy(&out[i], &u, sizeof u); break;
        case MNI_F16: out[i] = mni_f32_from_f16(mni_get16(b + 2 * i)); break;
        case MNI_F64:
            w = mni_get64(b + 8 * i);
            memcpy(&d, &w, sizeof w);
            out[i] = (float)d;
            break;
        case MNI_U8:  out[i] = (float)b[i]; break;
        case MNI_I8:  out[i] = (float)(int8_t)b[i]; break;
        case MNI_I32: out[i] = (float)(int32_t)mni_get32(b + 4 * i); break;
        default:      out[i] = (float)(int64_t)mni_get64(b + 8 * i); break;
        }
}

/* Rows [first, first + n) through `piece`. */
static mann_status read_piece(mni_file *f, const char *path, const shape *s,
                              uint64_t first, size_t n, uint8_t *piece, float *out,
                              mann_error *err)
{
    size_t item = mni_dtype_bytes(s->dtype), cols = (size_t)s->cols;
    size_t row_bytes = s->row_head + cols * item, got;
    MNI_TRY(mni_read(f, piece, n * row_bytes, s->data_at + first * row_bytes, &got, err));
    if (got < n * row_bytes)
        return mni_fail(err, MANN_E_IO, "%s: became shorter while it was read", path);
    if (s->row_head == 0) {
        convert(out, piece, n * cols, s->dtype);
        return MANN_OK;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t here = mni_get32(piece + i * row_bytes);
        if (here != s->cols)
            return mni_fail(err, MANN_E_FORMAT,
                            "%s: row %llu has %u columns, wanted %llu as the first", path,
                            (ull)(first + i), (unsigned)here, (ull)s->cols);
        convert(out + i * cols, piece + i * row_bytes + 4, cols, s->dtype);
    }
    return MANN_OK;
}

static mann_status read_rows(mni_file *f, const char *path, const shape *s, float *out,
                             mann_error *err)
{
    size_t row_bytes = s->row_head + (size_t)s->cols * mni_dtype_bytes(s->dtype);
    size_t step = row_bytes < PIECE_BYTES ? PIECE_BYTES / (row_bytes ? row_bytes : 1) : 1;
    if (step > s->rows) step = (size_t)s->rows;
    uint8_t *piece = mni_alloc(step, row_bytes);
    if (!piece) return mni_fail(err, MANN_E_NOMEM, "%s: buffer of %zu rows", path, step);
    mann_status status = MANN_OK;
    for (uint64_t row = 0; row < s->rows && status == MANN_OK; row += step) {
        if (step > s->rows - row) step = (size_t)(s->rows - row);
        status = read_piece(f, path, s, row, step, piece,
                            out + (size_t)row * (size_t)s->cols, err);
    }
    mni_free(piece);
    return status;
}

mann_status mni_vectors_read(const mni_vfs *v, const char *path, float **data,
                             size_t *rows, size_t *cols, mann_error *err)
{
    const mni_format *format;
    mni_file *f;
    shape s = { .row_head = 0 };
    uint64_t file_bytes;
    float *out = NULL;
    *data = NULL;
    *rows = *cols = 0;
    MNI_TRY(mni_format_of(&format, path, err));         /* before the disk is asked */
    MNI_TRY(mni_open(v, path, MNI_OPEN_READ, &f, err));
    mann_status status = v->ops->size(f, &file_bytes, err);
    if (status == MANN_OK) status = find_shape(f, file_bytes, path, &s, err);
    if (status == MANN_OK && !(out = mni_alloc((size_t)(s.rows * s.cols), sizeof *out)))
        status = mni_fail(err, MANN_E_NOMEM, "%s: %llu x %llu numbers", path, (ull)s.rows,
                          (ull)s.cols);
    if (status == MANN_OK) status = read_rows(f, path, &s, out, err);
    mni_close(f, NULL);
    if (status != MANN_OK) { mni_free(out); return status; }
    *data = out;
    *rows = (size_t)s.rows;
    *cols = (size_t)s.cols;
    return MANN_OK;
}
