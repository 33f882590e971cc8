/* model_precision.c - a model that answers in 8 or 16 bits, and the ranges it wants for
 * it. SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "nn/model_parts.h"

enum { HEAD = 8 };

void mni_model_drop_low(mni_model *m)
{
    if (m->low) mni_low_fini(m->low);
    mni_free(m->low);
    m->low = NULL;
}

/* "RANG": u64 hash of the weights that the ranges belong to, then the ranges. */
static const uint8_t *ranges_at(const mni_model *m, size_t *n)
{
    size_t n_bytes;
    const uint8_t *bytes = mni_model_attached(m, "RANG", &n_bytes);
    *n = n_bytes > HEAD ? (n_bytes - HEAD) / 4 : 0;
    return *n && n_bytes == HEAD + 4 * *n && mni_get64(bytes) == m->weights_hash
        ? bytes + HEAD : NULL;
}

/* Owned; NULL and no failure if they are not there or not sensible. */
static mann_status get_ranges(const mni_model *m, float **out, mann_error *err)
{
    size_t n;
    const uint8_t *bytes = ranges_at(m, &n);
    *out = NULL;
    if (!bytes) return MANN_OK;
    const size_t wanted = mni_low_n_ranges(&m->config);
    if (wanted && wanted != n) return MANN_OK;
    float *r = mni_alloc(n, sizeof *r);
    if (!r || !wanted) {
        mni_free(r);
        return mni_fail(err, MANN_E_NOMEM, "model: its ranges");
    }
    int fine = 1;
    for (size_t i = 0; i < n; i++) {
        const uint32_t bits = mni_get32(bytes + 4 * i);
        memcpy(&r[i], &bits, sizeof bits);
        fine = fine && fabsf(r[i]) <= 1e30f && (i == 0 || r[i] >= 0);
    }
    if (fine && r[0] <= 0) *out = r;
    else mni_free(r);
    return MANN_OK;
}

/* The weights with their norms folded in: owned. */
static float *folded_weights(const mni_model *m)
{
    float *folded = mni_alloc(m->n_params, sizeof *folded);
    if (folded) mni_low_fold(&m->config, m->params, m->stats, folded);
    return folded;
}

static mann_status make_low(mni_model *m, mni_precision p, mni_low **out, mann_error *err)
{
    float *ranges = NULL;
    *out = NULL;
    if (p == MNI_PRECISION_INT8) {
        MNI_TRY(get_ranges(m, &ranges, err));
        if (!ranges)
            return mni_fail(err, MANN_E_ARG, "model: %s is not measured for int8",
                            m->architecture);
    }
    mni_low *low = mni_alloc(1, sizeof *low);
    float *folded = folded_weights(m);
    mann_status s = low && folded
        ? mni_low_init(low, &m->config, p, folded, ranges, err)
        : mni_fail(err, MANN_E_NOMEM, "model: weights in another precision");
    mni_free(folded);
    mni_free(ranges);
    if (s == MANN_OK) *out = low;
    else mni_free(low);
    return s;
}

mann_status mni_model_set_precision(mni_model *m, mni_precision p, mann_error *err)
{
    uint8_t bytes[4];
    mni_low *low = NULL;
    if (p != MNI_PRECISION_F32) {
        if (!m->is_resnet)
            return mni_fail(err, MANN_E_ARG, "model: %s has no weights to be rounded",
                            m->architecture);
        MNI_TRY(make_low(m, p, &low, err));
    }
    mni_put32(bytes, (uint32_t)p);
    const mann_status s = mni_model_attach(m, "PREC", bytes, low ? sizeof bytes : 0, err);
    if (s != MANN_OK) {
        if (low) mni_low_fini(low);
        mni_free(low);
        return s;
    }
    mni_model_drop_low(m);
    m->low = low;
    return MANN_OK;
}

mni_precision mni_model_precision(const mni_model *m)
{
    return m->low ? m->low->precision : MNI_PRECISION_F32;
}

mann_status mni_model_measure(mni_model *m, const float *input, size_t n, mann_error *err)
{
    if (!m->is_resnet)
        return mni_fail(err, MANN_E_ARG, "model: %s has no ranges", m->architecture);
    if (mni_model_precision(m) == MNI_PRECISION_INT8)
        return mni_fail(err, MANN_E_ARG, "model: measured in f32, not while it is int8");
    const size_t n_ranges = mni_low_n_ranges(&m->config);
    float *ranges = mni_alloc(n_ranges + 1, sizeof *ranges), *folded = folded_weights(m);
    uint8_t *bytes = mni_alloc(HEAD + 4 * n_ranges, 1);
    mann_status s = ranges && folded && bytes && n_ranges
        ? mni_low_measure(&m->config, folded, input, n, ranges, err)
        : mni_fail(err, MANN_E_NOMEM, "model: its ranges");
    if (s == MANN_OK) {
        mni_put64(bytes, m->weights_hash);
        for (size_t i = 0; i < n_ranges; i++) {
            uint32_t bits;
            memcpy(&bits, &ranges[i], sizeof bits);
            mni_put32(bytes + HEAD + 4 * i, bits);
        }
        s = mni_model_attach(m, "RANG", bytes, HEAD + 4 * n_ranges, err);
    }
    mni_free(folded);
    mni_free(ranges);
    mni_free(bytes);
    return s;
}

int mni_model_measured(const mni_model *m)
{
    size_t n;
    return m->is_resnet && ranges_at(m, &n) != NULL;
}

void mni_model_keep_ranges(mni_model *m)
{
    size_t n_bytes;
    uint8_t *bytes = (uint8_t *)(uintptr_t)mni_model_attached(m, "RANG", &n_bytes);
    if (bytes && n_bytes >= HEAD) mni_put64(bytes, m->weights_hash);
}
