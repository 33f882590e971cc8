/* fuzz_model.c - bytes as the sections of a model file (forge.h): opened, and what is
 * attached to it read (recipe, calibration, golden vectors). A model that was believed
 * makes an embedding of finite length and can be written and read again with the same
 * fingerprint. SPDX-License-Identifier: MIT */
#include <string.h>

#include "api/golden.h"
#include "base/mem.h"
#include "eval/calib.h"
#include "../forge.h"
#include "fuzz.h"
#include "image/prep.h"
#include "nn/model.h"

static void read_attached(const mni_model *m)
{
    size_t n;
    mni_recipe recipe;
    mni_calib calib = { 0 };
    mann_error e = { MANN_OK, "" };
    const void *prep = mni_model_attached(m, MNI_RECIPE_TAG, &n);
    if (prep && mni_recipe_decode(&recipe, prep, n, &e) != MANN_OK) FUZZ_CHECK(e.text[0]);
    FUZZ_CHECK(mni_golden_count(m) <= 64);
    const void *tails = mni_model_attached(m, MNI_CALIB_TAG, &n);
    if (!tails || mni_calib_decode(&calib, tails, n, &e) != MANN_OK) return;
    for (uint32_t classes = 1; classes < 1000000; classes *= 10) {
        const float t = mni_calib_threshold(&calib, classes, 0.01f);
        FUZZ_CHECK(t != t || (t > -1e30f && t < 1e30f));
    }
}

static void again(const mni_vfs *v, const mni_model *m)
{
    mni_writer *w;
    mni_model *copy;
    mann_error e = { MANN_OK, "" };
    FUZZ_CHECK(mni_writer_new(&w, v, "again", MNI_FILE_MODEL, mni_uuid_from(1, 2), 0,
                              &e) == MANN_OK);
    mni_model_write(m, w);
    FUZZ_CHECK(mni_writer_finish(w, &e) == MANN_OK);
    FUZZ_CHECK(mni_model_open(&copy, v, "again", &e) == MANN_OK);
    FUZZ_CHECK(mni_model_fingerprint(copy) == mni_model_fingerprint(m));
    mni_model_free(copy);
}

int fuzz_model(const uint8_t *bytes, size_t n_bytes)
{
    mni_vfs_mem *memory;
    mni_model *m;
    mann_error e = { MANN_OK, "" };
    if (n_bytes > 1 << 18 || mni_vfs_mem_new(&memory, NULL) != MANN_OK) return 0;
    const mni_vfs *v = mni_vfs_mem_vfs(memory);
    if (forge_file(v, "m", MNI_FILE_MODEL, bytes, n_bytes) == MANN_OK) {
        const mann_status s = mni_model_open(&m, v, "m", &e);
        FUZZ_CHECK((s == MANN_OK) == (m != NULL) && (s == MANN_OK || e.text[0]));
        if (m) {
            read_attached(m);
            again(v, m);
        }
        mni_model_free(m);
    }
    mni_vfs_mem_free(memory);
    return 0;
}
