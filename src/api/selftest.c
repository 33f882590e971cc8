/* selftest.c - does this binary compute on this machine what it must? metricann.h,
 * chapter 9.
 *
 * Meant for the box in the field: seconds, no files, one note per check. The full tests
 * are `make test`. SPDX-License-Identifier: MIT */
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "api/api.h"
#include "base/mem.h"
#include "base/rng.h"
#include "image/prep.h"
#include "image/synth.h"
#include "kern/crc32c.h"
#include "kern/kern_dist.h"
#include "nn/model.h"
#include "recog/embed.h"

/* --- checksums and kernels ---------------------------------------------------------- */

static mann_status check_crc(mann_error *err)
{
    uint32_t crc = mni_crc32c(0, "123456789", 9);
    return crc == 0xE3069283u
               ? MANN_OK
               : mni_fail(err, MANN_E_MISMATCH,
                          "CRC32C of \"123456789\" is %08x, wanted e3069283",
                          (unsigned)crc);
}

enum { MOST_DIM = 130 };

static mann_status compare(const char *what, const float *fast, const float *plain,
                           size_t n, double terms, size_t dim, mann_error *err)
{
    double most = (double)(dim + 8) * (double)FLT_EPSILON * terms * 2;
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)fast[i] - (double)plain[i]) <= most))
            return mni_fail(err, MANN_E_MISMATCH,
                            "%s of %zu dimensions at level %s is %.9g, plain C says %.9g",
                            what, dim, mni_kern_dist_best()->name, (double)fast[i],
                            (double)plain[i]);
    return MANN_OK;
}

static mann_status check_kernels(mann_error *err)
{
    enum { ROWS = 7 };
    float q[MOST_DIM], base[ROWS * MOST_DIM], fast[ROWS], plain[ROWS];
    mni_kern_dist scalar;
    const mni_kern_dist *best = mni_kern_dist_best();
    mni_rng r = mni_rng_at(1, MNI_FOR_TEST, 0, 0, 0);
    mni_kern_dist_build(&scalar, 0);
    for (size_t i = 0; i < MOST_DIM; i++) q[i] = mni_rng_range(&r, -1, 1);
    for (size_t i = 0; i < ROWS * MOST_DIM; i++) base[i] = mni_rng_range(&r, -1, 1);
    for (size_t dim = 1; dim <= MOST_DIM; dim++) {
        best->l2_rows(q, base, ROWS, dim, MOST_DIM, fast);
        scalar.l2_rows(q, base, ROWS, dim, MOST_DIM, plain);
        MNI_TRY(compare("L2", fast, plain, ROWS, 4.0 * (double)dim, dim, err));
        best->ip_rows(q, base, ROWS, dim, MOST_DIM, fast);
        scalar.ip_rows(q, base, ROWS, dim, MOST_DIM, plain);
        MNI_TRY(compare("inner product", fast, plain, ROWS, (double)dim, dim, err));
    }
    return MANN_OK;
}

/* --- golden image -> golden vector -------------------------------------------------- */

/* The pixels of synth class 7, view 3, 64 x 64, and the first components of their vector:
 * written down when synth was frozen. A decoder, resizer or preparation that changes
 * moves them. */
static const float golden[8] = { -0.0177796f, 0.1186843f,  -0.0094247f, -0.0052472f,
                                 0.0267800f,  -0.0052472f, -0.0038547f, -0.0122097f };

static mann_status check_golden(mann_error *err)
{
    mann_image im = { 0, 0, 0, NULL };
    mann_synth_config c;
    mni_recipe recipe;
    mni_model *m = NULL;
    mann_synth_config_fill(&c, sizeof c);
    c.size = 64;
    float *v = mni_alloc(1024, sizeof *v);
    mann_status s =
        v ? mni_synth_draw(&im, &c, 7, 3, err) : mni_fail(err, MANN_E_NOMEM, "selftest");
    if (s == MANN_OK) s = mni_model_new(&m, "pixels", 0, 0, err);
    mni_recipe_fill(&recipe, 16);
    if (s == MANN_OK) s = mni_embed_images(m, &recipe, 0, &im, 1, NULL, v, err);
    for (int i = 0; s == MANN_OK && i < 8; i++)
        if (!(fabsf(v[100 * i] - golden[i]) < 1e-5f))
            s = mni_fail(err, MANN_E_MISMATCH,
                         "golden vector: component %d is %.7f, wanted %.7f", 100 * i,
                         (double)v[100 * i], (double)golden[i]);
    mni_model_free(m);
    mann_image_clear(&im);
    mni_free(v);
    return s;
}

/* --- save, open, ask ---------------------------------------------------------------- */

enum { DIM = 32, CLASSES = 12 };

static mann_status fill_gallery(mni_gallery *g, mann_error *err)
{
    for (uint32_t k = 0; k < CLASSES; k++) {
        float v[DIM];
        char name[16];
        mni_rng r = mni_rng_at(7, MNI_FOR_TEST, k, 0, 0);
        for (int i = 0; i < DIM; i++) v[i] = mni_rng_range(&r, -1, 1);
        snprintf(name, sizeof name, "class %u", (unsigned)k);
        mni_new_row row = { .klass = name, .vector = v };
        MNI_TRY(mni_gallery_add(g, &row, 1, NULL, err));
        if (k == CLASSES / 2)
            MNI_TRY(mni_gallery_build(g, NULL, "Flat", 1, NULL, NULL, err));
    }
    return MANN_OK;
}

static mann_status ask_gallery(mni_gallery *g, mann_error *err)
{
    for (uint32_t k = 0; k < CLASSES; k++) {
        float v[DIM];
        mann_hit hit;
        mann_answer answer;
        mann_search search;
        mni_rng r = mni_rng_at(7, MNI_FOR_TEST, k, 0, 0);
        for (int i = 0; i < DIM; i++) v[i] = mni_rng_range(&r, -1, 1);
        mann_search_fill(&search, sizeof search, 1);
        MNI_TRY(mni_gallery_identify(g, (mann_matrix){ v, 1, DIM, DIM }, &search, NULL,
                                     &hit, &answer, err));
        if (hit.id != k || hit.distance != 0.0f)
            return mni_fail(
                err, MANN_E_MISMATCH,
                "a stored row asked again: found %llu at distance %g, wanted %u "
                "at 0",
                (unsigned long long)hit.id, (double)hit.distance, (unsigned)k);
    }
    return mni_gallery_verify(g, NULL, err);
}

static mann_status check_gallery(mann_error *err)
{
    mni_vfs_mem *mem;
    mni_gallery *g = NULL;
    mann_gallery_config c;
    mann_gallery_config_fill(&c, sizeof c);
    c.metric = MANN_COSINE;
    c.dim = DIM;
    MNI_TRY(mni_vfs_mem_new(&mem, err));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    mann_status s = mni_gallery_create(&g, v, "selftest.mann", &c, err);
    if (s == MANN_OK) s = fill_gallery(g, err);
    mni_gallery_free(g);
    g = NULL;
    if (s == MANN_OK)
        s = mni_gallery_open(&g, v, "selftest.mann", MANN_OPEN_READ | MANN_OPEN_VERIFY,
                             err);
    if (s == MANN_OK) s = ask_gallery(g, err);
    mni_gallery_free(g);
    mni_vfs_mem_free(mem);
    return s;
}

/* --- all ---------------------------------------------------------------------------- */

mann_status mann_selftest(const mann_hooks *h, mann_error *err)
{
    static const struct {
        const char *name;
        mann_status (*run)(mann_error *err);
    } checks[] = {
        { "checksum (CRC32C)", check_crc },
        { "distance kernels against plain C", check_kernels },
        { "golden image to golden vector", check_golden },
        { "gallery: add, save, open, ask", check_gallery },
    };
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        char sentence[128];
        mann_status s = checks[i].run(err);
        snprintf(sentence, sizeof sentence, "%-36s %s", checks[i].name,
                 s == MANN_OK ? "ok" : "FAILED");
        if (h && h->note)
            h->note(h->user, s == MANN_OK ? MANN_NOTE_INFO : MANN_NOTE_WARNING, sentence);
        if (s != MANN_OK) return s;
    }
    return MANN_OK;
}
