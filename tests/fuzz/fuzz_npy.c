/* fuzz_npy.c - bytes as a vector file: as .npy, and as what the last byte says.
 *
 * What was read must be readable to the last number, and written as .npy and read again
 * it must be the same bits. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "fuzz.h"
#include "store/foreign.h"

static void read_as(const mni_vfs *v, const char *path, const uint8_t *bytes, size_t n)
{
    mann_error e = { MANN_OK, "" };
    float *data, *back;
    size_t rows, cols, rows2, cols2;
    FUZZ_CHECK(mni_replace_file(v, path, bytes, n, &e) == MANN_OK);
    mann_status s = mni_vectors_read(v, path, &data, &rows, &cols, &e);
    FUZZ_CHECK((s == MANN_OK) == (data != NULL) && (s == MANN_OK || e.text[0]));
    if (s != MANN_OK) return;
    FUZZ_CHECK(rows * cols <= n);
    FUZZ_CHECK(mni_vectors_write(v, "again.npy", (mann_matrix){ data, rows, cols, 0 },
                                 &e) == MANN_OK);
    FUZZ_CHECK(mni_vectors_read(v, "again.npy", &back, &rows2, &cols2, &e) == MANN_OK);
    FUZZ_CHECK(rows == rows2 && cols == cols2);
    FUZZ_CHECK(rows * cols == 0 || memcmp(data, back, rows * cols * sizeof *data) == 0);
    mni_free(back);
    mni_free(data);
}

int fuzz_npy(const uint8_t *bytes, size_t n_bytes)
{
    static const char *const names[] = { "x.fvecs", "x.bvecs", "x.ivecs", "x.fbin",
                                         "x.u8bin", "x.i8bin", "x.ibin" };
    mann_error e;
    mni_vfs_mem *m;
    FUZZ_CHECK(mni_vfs_mem_new(&m, &e) == MANN_OK);
    read_as(mni_vfs_mem_vfs(m), "x.npy", bytes, n_bytes);
    if (n_bytes)
        read_as(mni_vfs_mem_vfs(m), names[bytes[n_bytes - 1] % 7], bytes, n_bytes - 1);
    mni_vfs_mem_free(m);
    return 0;
}
