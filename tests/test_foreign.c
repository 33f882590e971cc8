/* test_foreign.c - vector files of others: as NumPy has them, and as nobody should.
 * SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "harness.h"
#include "store/foreign.h"
#include "store/npy.h"

enum { ROWS = 5, COLS = 7 };
static const char *const script = "tests/oracle_npy.py";

static float value(size_t r, size_t c) { return (float)((r * 37 + c * 11) % 251); }

static mni_vfs_mem *new_disk(void)
{
    mann_error e;
    mni_vfs_mem *m;
    CHECK_FINE(mni_vfs_mem_new(&m, &e), e);
    return m;
}

static void put_file(mni_vfs_mem *m, const char *path, const void *bytes, size_t n)
{
    mann_error e;
    CHECK_FINE(mni_replace_file(mni_vfs_mem_vfs(m), path, bytes, n, &e), e);
}

static mann_status read_status(const mni_vfs *v, const char *path, mann_error *err)
{
    float *data;
    size_t rows, cols;
    mann_status s = mni_vectors_read(v, path, &data, &rows, &cols, err);
    CHECK((s == MANN_OK) == (data != NULL));
    CHECK(s == MANN_OK || (rows == 0 && cols == 0 && err->text[0]));
    mni_free(data);
    return s;
}

/* --- NumPy's opinion -------------------------------------------------------------- */

static void run_script(const char *what, const char *dir)
{
    char command[1024];
    struct stat st;
    if (stat(script, &st) != 0) test_skip("no %s from here", script);
    if (stat("/usr/bin/python3", &st) != 0) test_skip("no /usr/bin/python3");
    snprintf(command, sizeof command, "/usr/bin/python3 %s %s %s", script, what, dir);
    int status = system(command);
    if (status != -1 && (status >> 8 & 255) == 77) test_skip("no NumPy");
    CHECK_EQ(status, 0);
}

static void check_values(const char *dir, const char *name, float factor, float shift)
{
    char path[600];
    mann_error e;
    float *data;
    size_t rows, cols;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    CHECK_FINE(mni_vectors_read(mni_vfs_posix(), path, &data, &rows, &cols, &e), e);
    CHECK(rows == ROWS && cols == COLS);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t c = 0; c < COLS; c++)
            if (data[r * COLS + c] != value(r, c) * factor + shift)
                test_fail(__FILE__, __LINE__, "%s [%zu, %zu] = %g", name, r, c,
                          (double)data[r * COLS + c]);
    mni_free(data);
}

static void check_refused(const char *dir, const char *name, const char *sentence)
{
    char path[600];
    mann_error e;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    CHECK_IS(read_status(mni_vfs_posix(), path, &e), MANN_E_UNSUPPORTED);
    if (!strstr(e.text, sentence)) test_fail(__FILE__, __LINE__, "%s: %s", name, e.text);
}

static void numpy_writes_we_read(void)
{
    static const char *const eighths[] = { "f4.npy", "f2.npy", "f8.npy",  "v1.npy",
                                           "v2.npy", "v3.npy", "a.fvecs", "a.fbin" };
    static const char *const thousands[] = { "i4.npy", "i8.npy", "a.ivecs", "a.ibin" };
    const char *dir = test_dir();
    char path[600];
    mann_error e;
    float *data;
    size_t rows, cols;
    run_script("make", dir);
    for (size_t i = 0; i < 8; i++) check_values(dir, eighths[i], 0.125f, -3.0f);
    for (size_t i = 0; i < 4; i++) check_values(dir, thousands[i], 1000.0f, -7.0f);
    check_values(dir, "u1.npy", 1.0f, 0.0f);
    check_values(dir, "a.bvecs", 1.0f, 0.0f);
    check_values(dir, "a.u8bin", 1.0f, 0.0f);
    check_values(dir, "i1.npy", 1.0f, -125.0f);
    check_values(dir, "a.i8bin", 1.0f, -125.0f);
    snprintf(path, sizeof path, "%s/empty.npy", dir);
    CHECK_FINE(mni_vectors_read(mni_vfs_posix(), path, &data, &rows, &cols, &e), e);
    CHECK(rows == 0 && cols == COLS && data);
    mni_free(data);
    check_refused(dir, "fortran.npy", "Fortran order");
    check_refused(dir, "big.npy", "big-endian");
    check_refused(dir, "object.npy", "Python objects");
    check_refused(dir, "fields.npy", "named fields");
    check_refused(dir, "one.npy", "1 dimensions");
    check_refused(dir, "three.npy", "3 dimensions");
    check_refused(dir, "complex.npy", "dtype <c8");
}

static void write_as(const char *dir, const char *name, mann_matrix m)
{
    char path[600];
    mann_error e;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    CHECK_FINE(mni_vectors_write(mni_vfs_posix(), path, m, &e), e);
}

static void we_write_numpy_reads(void)
{
    const char *dir = test_dir();
    float plain[ROWS * COLS], small[ROWS * COLS], wide[ROWS][COLS + 3];
    uint64_t ids[ROWS * COLS];
    char path[600];
    mann_error e;
    for (size_t r = 0; r < ROWS; r++)
        for (size_t c = 0; c < COLS; c++) {
            plain[r * COLS + c] = value(r, c);
            small[r * COLS + c] = value(r, c) - 125.0f;
            wide[r][c] = value(r, c) / 8.0f - 3.0f;
            ids[r * COLS + c] = (uint64_t)value(r, c) * 3;
        }
    wide[1][2] = NAN;
    wide[2][3] = -INFINITY;
    const mann_matrix m = { plain, ROWS, COLS, 0 }, i8 = { small, ROWS, COLS, COLS };
    const mann_matrix f = { &wide[0][0], ROWS, COLS, COLS + 3 },
                      none = { NULL, 0, COLS, 0 };
    write_as(dir, "w.npy", f);
    write_as(dir, "w.fvecs", f);
    write_as(dir, "w.fbin", f);
    write_as(dir, "w.bvecs", m);
    write_as(dir, "w.u8bin", m);
    write_as(dir, "w.i8bin", i8);
    write_as(dir, "w.ivecs", m);
    write_as(dir, "w.ibin", m);
    write_as(dir, "empty.npy", none);
    ids[0] = UINT64_MAX;
    snprintf(path, sizeof path, "%s/ids.ivecs", dir);
    CHECK_FINE(mni_ids_write(mni_vfs_posix(), path, ids, ROWS, COLS, &e), e);
    snprintf(path, sizeof path, "%s/ids.ibin", dir);
    CHECK_FINE(mni_ids_write(mni_vfs_posix(), path, ids, ROWS, COLS, &e), e);
    ids[ROWS * COLS - 1] = UINT64_C(1) << 40;
    snprintf(path, sizeof path, "%s/ids.npy", dir);
    CHECK_FINE(mni_ids_write(mni_vfs_posix(), path, ids, ROWS, COLS, &e), e);
    run_script("check", dir);
}

/* --- without NumPy ---------------------------------------------------------------- */

static const char *const all_names[] = { "a.npy",  "a.fvecs", "a.bvecs", "a.ivecs",
                                         "a.fbin", "a.u8bin", "a.i8bin", "a.IBIN" };
enum { N_NAMES = 8 };

static void every_format_comes_back(void)
{
    enum { MANY = 3000, WIDE = 120 };           /* 360,000 numbers: several pieces */
    mann_error e;
    mni_vfs_mem *m = new_disk();
    const mni_vfs *v = mni_vfs_mem_vfs(m);
    float *data = mni_alloc(MANY * WIDE, sizeof *data), *back;
    size_t rows, cols;
    CHECK(data);
    for (size_t i = 0; i < MANY * WIDE; i++) data[i] = (float)(i * 7 % 128);
    for (int i = 0; i < N_NAMES; i++) {
        CHECK_FINE(
            mni_vectors_write(v, all_names[i], (mann_matrix){ data, MANY, WIDE, 0 }, &e),
            e);
        CHECK_FINE(mni_vectors_read(v, all_names[i], &back, &rows, &cols, &e), e);
        CHECK(rows == MANY && cols == WIDE);
        CHECK(memcmp(back, data, MANY * WIDE * sizeof *data) == 0);
        mni_free(back);
        /* No rows: .vecs has no place for the columns. */
        CHECK_FINE(
            mni_vectors_write(v, all_names[i], (mann_matrix){ NULL, 0, WIDE, 0 }, &e), e);
        CHECK_FINE(mni_vectors_read(v, all_names[i], &back, &rows, &cols, &e), e);
        CHECK(rows == 0 && cols == (strstr(all_names[i], "vecs") ? 0 : WIDE));
        mni_free(back);
    }
    mni_free(data);
    mni_vfs_mem_free(m);
}

static void odd_numbers_pass(void)
{
    const float odd[6] = { NAN, INFINITY, -0.0f, 1e-45f, -3.4e38f, 0.1f };
    mann_error e;
    mni_vfs_mem *m = new_disk();
    float *back;
    size_t rows, cols;
    const char *const names[] = { "x.npy", "x.fvecs", "x.fbin" };
    for (int i = 0; i < 3; i++) {
        CHECK_FINE(mni_vectors_write(mni_vfs_mem_vfs(m), names[i],
                                     (mann_matrix){ odd, 2, 3, 0 }, &e),
                   e);
        CHECK_FINE(
            mni_vectors_read(mni_vfs_mem_vfs(m), names[i], &back, &rows, &cols, &e), e);
        CHECK(rows == 2 && cols == 3 && memcmp(back, odd, sizeof odd) == 0);
        mni_free(back);
    }
    mni_vfs_mem_free(m);
}

static void what_does_not_fit_is_refused(void)
{
    static const struct { const char *name; float value; mann_status want; } cases[] = {
        { "x.bvecs", 256.0f, MANN_E_ARG }, { "x.bvecs", -1.0f, MANN_E_ARG },
        { "x.u8bin", 0.5f, MANN_E_ARG },   { "x.u8bin", NAN, MANN_E_ARG },
        { "x.u8bin", 255.0f, MANN_OK },    { "x.i8bin", 128.0f, MANN_E_ARG },
        { "x.i8bin", -128.0f, MANN_OK },   { "x.i8bin", -129.0f, MANN_E_ARG },
        { "x.ivecs", 2147483648.0f, MANN_E_ARG }, { "x.ivecs", -2147483648.0f, MANN_OK },
        { "x.ibin", INFINITY, MANN_E_ARG }, { "x.txt", 1.0f, MANN_E_UNSUPPORTED },
    };
    mann_error e;
    mni_vfs_mem *m = new_disk();
    const mni_vfs *v = mni_vfs_mem_vfs(m);
    uint64_t ids[2] = { 1, UINT64_C(1) << 31 };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const float row[3] = { 1.0f, 2.0f, cases[i].value };
        CHECK_IS(mni_vectors_write(v, cases[i].name, (mann_matrix){ row, 1, 3, 0 }, &e),
                 cases[i].want);
        if (cases[i].want == MANN_E_ARG) CHECK(strstr(e.text, "row 0, column 2"));
    }
    CHECK_IS(mni_vectors_write(v, "x.npy", (mann_matrix){ NULL, 3, 0, 0 }, &e),
             MANN_E_ARG);
    CHECK_IS(
        mni_vectors_write(v, "x.npy", (mann_matrix){ NULL, 0, (1 << 20) + 1, 0 }, &e),
        MANN_E_LIMIT);
    CHECK_IS(mni_ids_write(v, "x.ivecs", ids, 1, 2, &e), MANN_E_LIMIT);
    CHECK_IS(mni_ids_write(v, "x.ibin", ids, 2, 1, &e), MANN_E_LIMIT);
    CHECK(strstr(e.text, "row 1, column 0"));
    CHECK_IS(mni_ids_write(v, "x.fvecs", ids, 2, 1, &e), MANN_E_UNSUPPORTED);
    ids[0] = UINT64_C(1) << 63;
    CHECK_IS(mni_ids_write(v, "x.npy", ids, 2, 1, &e), MANN_E_LIMIT);
    CHECK_IS(read_status(v, "x.txt", &e), MANN_E_UNSUPPORTED);
    CHECK_IS(read_status(v, "gone.npy", &e), MANN_E_NOT_FOUND);
    mni_vfs_mem_free(m);
}

/* --- headers of .npy -------------------------------------------------------------- */

/* A version 1 file around a dictionary, with n_data bytes of data. */
static size_t npy_of(uint8_t *out, const char *dictionary, size_t n_data)
{
    size_t n = strlen(dictionary);
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    mni_put16(out + 8, (uint16_t)n);
    memcpy(out + 10, dictionary, n);
    memset(out + 10 + n, 0, n_data);
    return 10 + n + n_data;
}

static void npy_headers(void)
{
    static const struct {
        const char *dictionary;
        size_t n_data;
        mann_status want;
    } cases[] = {
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", 24, MANN_OK },
        { "{'shape':(2,3),'fortran_order':False,'descr':'<f4'}", 24, MANN_OK },
        { " { \"descr\" : \"|u1\" , 'fortran_order' : False , 'shape' : ( 2L , 3L , ) } "
          "\n ",
          6, MANN_OK },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 0), }", 0, MANN_OK },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 23,
          MANN_E_FORMAT },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 25,
          MANN_E_FORMAT },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (5, 0), }", 0,
          MANN_E_FORMAT },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551615, 4), "
          "}",
          16, MANN_E_FORMAT },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }",
          0, MANN_E_FORMAT },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551616, 4), "
          "}",
          0, MANN_E_FORMAT },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 1048577), }", 0,
          MANN_E_LIMIT },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 3), }", 24,
          MANN_E_FORMAT },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (2 3), }", 24,
          MANN_E_FORMAT },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3, }", 24,
          MANN_E_FORMAT },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)", 24, MANN_E_FORMAT },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': [2, 3], }", 24,
          MANN_E_FORMAT },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (), }", 4,
          MANN_E_UNSUPPORTED },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }", 24,
          MANN_E_UNSUPPORTED },
        { "{'descr': '<f4', 'fortran_order': 0, 'shape': (2, 3), }", 24, MANN_E_FORMAT },
        { "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", 24,
          MANN_E_UNSUPPORTED },
        { "{'descr': '<f4', 'fortran_order': False, }", 24, MANN_E_FORMAT },
        { "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", 24,
          MANN_E_FORMAT },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'x': 1}", 24,
          MANN_E_FORMAT },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } # x", 24,
          MANN_E_FORMAT },
        { "{'descr': '<f4", 24, MANN_E_FORMAT },
        { "{'descr': __import__('os'), 'fortran_order': False, 'shape': (2, 3), }", 24,
          MANN_E_FORMAT },
        { "{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }", 24,
          MANN_E_UNSUPPORTED },
        { "{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (2, 3), }", 24,
          MANN_E_UNSUPPORTED },
        { "", 24, MANN_E_FORMAT },
    };
    mann_error e;
    mni_vfs_mem *m = new_disk();
    uint8_t file[512];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_file(m, "x.npy", file, npy_of(file, cases[i].dictionary, cases[i].n_data));
        mann_status s = read_status(mni_vfs_mem_vfs(m), "x.npy", &e);
        if (s != cases[i].want)
            test_fail(__FILE__, __LINE__, "%s + %zu bytes: %s (%s)", cases[i].dictionary,
                      cases[i].n_data, mann_status_name(s), s == MANN_OK ? "" : e.text);
    }
    size_t n = npy_of(file, cases[0].dictionary, 24);
    file[6] = 4;
    put_file(m, "x.npy", file, n);
    CHECK_IS(read_status(mni_vfs_mem_vfs(m), "x.npy", &e), MANN_E_VERSION);
    file[6] = 2; /* its length now has four bytes: "{'" reads as 10 k */
    put_file(m, "x.npy", file, n);
    CHECK_IS(read_status(mni_vfs_mem_vfs(m), "x.npy", &e), MANN_E_LIMIT);
    mni_vfs_mem_free(m);
}

/* Our own header of the longest shape still parses. */
static void npy_header_of_any_shape(void)
{
    static const uint64_t sizes[] = { 0, 1, 9, 1000000, UINT64_MAX };
    char head[128];
    mann_error e;
    mni_npy npy;
    for (size_t i = 0; i < 5; i++)
        for (size_t k = 0; k < 5; k++) {
            size_t n = mni_npy_header(head, i % 2 ? MNI_F32 : MNI_I64, sizes[i],
                                      sizes[k]);
            CHECK(n == 128 && head[127] == '\n');
            CHECK_FINE(mni_npy_parse(&npy, head, n, "head", &e), e);
            CHECK(npy.rows == sizes[i] && npy.cols == sizes[k] && npy.data_at == 128);
            CHECK_EQ(npy.dtype, i % 2 ? MNI_F32 : MNI_I64);
        }
}

/* --- damage ----------------------------------------------------------------------- */

/* Every truncation is refused, but where a .vecs file is cut between rows; every flip in
 * what is not a number gives some status, and memory never grows beyond the file's size
 * by more than its factor 4. */
static void truncations_and_flips(void)
{
    float data[12];
    for (size_t i = 0; i < 12; i++) data[i] = (float)i;
    for (int i = 0; i < N_NAMES; i++) {
        mann_error e;
        mni_vfs_mem *m = new_disk();
        const mni_vfs *v = mni_vfs_mem_vfs(m);
        const char *name = all_names[i];
        uint8_t *bytes;
        size_t n;
        CHECK_FINE(mni_vectors_write(v, name, (mann_matrix){ data, 4, 3, 0 }, &e), e);
        CHECK_FINE(mni_read_file(v, name, 4096, &bytes, &n, &e), e);
        for (size_t cut = 0; cut < n; cut++) {
            put_file(m, name, bytes, cut);
            int row = strstr(name, "vecs") && cut % (n / 4) == 0;
            CHECK_IS(read_status(v, name, &e), row ? MANN_OK : MANN_E_FORMAT);
        }
        for (size_t bit = 0; bit < n * 8; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            put_file(m, name, bytes, n);
            mann_status s = read_status(v, name, &e);
            CHECK(s == MANN_OK || s == MANN_E_FORMAT || s == MANN_E_LIMIT ||
                  s == MANN_E_VERSION || s == MANN_E_UNSUPPORTED);
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        mni_free(bytes);
        mni_vfs_mem_free(m);
    }
}

static void liars(void)
{
    mann_error e;
    mni_vfs_mem *m = new_disk();
    const mni_vfs *v = mni_vfs_mem_vfs(m);
    uint8_t file[64] = { 0 };
    mni_put32(file, UINT32_MAX);                /* .fbin: 2^32 - 1 rows of 2^20 columns */
    mni_put32(file + 4, 1 << 20);
    put_file(m, "x.fbin", file, sizeof file);
    CHECK_IS(read_status(v, "x.fbin", &e), MANN_E_FORMAT);
    mni_put32(file + 4, UINT32_MAX);
    put_file(m, "x.fbin", file, sizeof file);
    CHECK_IS(read_status(v, "x.fbin", &e), MANN_E_LIMIT);
    put_file(m, "x.fvecs", file, sizeof file);  /* -1 columns */
    CHECK_IS(read_status(v, "x.fvecs", &e), MANN_E_FORMAT);
    memset(file, 0, sizeof file);
    put_file(m, "x.fvecs", file, sizeof file);  /* 0 columns */
    CHECK_IS(read_status(v, "x.fvecs", &e), MANN_E_FORMAT);
    mni_put32(file, 1);                         /* rows of 1, 1, 2 columns */
    mni_put32(file + 8, 1);
    mni_put32(file + 16, 2);
    put_file(m, "x.fvecs", file, 24);
    CHECK_IS(read_status(v, "x.fvecs", &e), MANN_E_FORMAT);
    CHECK(strstr(e.text, "row 2 has 2 columns"));
    mni_vfs_mem_free(m);
}

/* --- failures --------------------------------------------------------------------- */

static void every_fault(void)
{
    const float one[4] = { 1, 2, 3, 4 }, two[4] = { 5, 6, 7, 8 };
    for (int i = 0; i < N_NAMES; i++)
        for (long n = 0;; n++) {
            mann_error e;
            mni_vfs_faulty f;
            mni_vfs_mem *m = new_disk();
            const mni_vfs *v = mni_vfs_mem_vfs(m);
            float *back = NULL;
            size_t rows, cols;
            CHECK_FINE(
                mni_vectors_write(v, all_names[i], (mann_matrix){ one, 2, 2, 0 }, &e), e);
            mni_vfs_faulty_init(&f, v);
            f.which = MNI_FAULT_ANY;
            f.fail_in = n;
            mann_status s = mni_vectors_write(&f.vfs, all_names[i],
                                              (mann_matrix){ two, 2, 2, 0 }, &e);
            long n_write = f.n_counted;
            int done = s == MANN_OK && f.fail_in >= 0;
            CHECK_FINE(mni_vectors_read(v, all_names[i], &back, &rows, &cols, &e), e);
            CHECK(memcmp(back, two, sizeof two) == 0 ||
                  (s != MANN_OK && memcmp(back, one, sizeof one) == 0));
            mni_free(back);
            CHECK(s == MANN_OK || n < n_write);
            f.which = MNI_FAULT_OPEN | MNI_FAULT_READ;
            f.fail_in = n;
            if (n < 2) CHECK_IS(read_status(&f.vfs, all_names[i], &e), MANN_E_IO);
            mni_vfs_mem_free(m);
            if (done) break;
        }
}

static mann_status write_and_read(void *ctx)
{
    const char *name = ctx;
    const float data[6] = { 1, 2, 3, 4, 5, 6 };
    mann_error e;
    mni_vfs_mem *m;
    float *back;
    size_t rows, cols;
    MNI_TRY(mni_vfs_mem_new(&m, &e));
    mann_status s = mni_vectors_write(mni_vfs_mem_vfs(m), name,
                                      (mann_matrix){ data, 2, 3, 0 }, &e);
    if (s == MANN_OK)
        s = mni_vectors_read(mni_vfs_mem_vfs(m), name, &back, &rows, &cols, &e);
    if (s == MANN_OK) mni_free(back);
    mni_vfs_mem_free(m);
    return s;
}

static void out_of_memory(void)
{
    char npy[] = "x.npy", vecs[] = "x.fvecs", bin[] = "x.u8bin";
    test_oom(write_and_read, npy, 0);
    test_oom(write_and_read, vecs, 0);
    test_oom(write_and_read, bin, 0);
}

const test_case foreign_tests[];
const test_case foreign_tests[] = {
    { "numpy_writes_we_read", numpy_writes_we_read, 0 },
    { "we_write_numpy_reads", we_write_numpy_reads, 0 },
    { "every_format_comes_back", every_format_comes_back, 0 },
    { "odd_numbers_pass", odd_numbers_pass, 0 },
    { "what_does_not_fit_is_refused", what_does_not_fit_is_refused, 0 },
    { "npy_headers", npy_headers, 0 },
    { "npy_header_of_any_shape", npy_header_of_any_shape, 0 },
    { "truncations_and_flips", truncations_and_flips, 0 },
    { "liars", liars, 0 },
    { "every_fault", every_fault, 0 },
    { "out_of_memory", out_of_memory, 0 },
    { 0 }
};
