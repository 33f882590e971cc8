/* nn_oracle.c - see nn_oracle.h. SPDX-License-Identifier: MIT */
#include "nn_oracle.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

static void conv(const mni_layer *l, size_t n, const double *x, const double *w,
                 double *y)
{
    const long k = l->kernel;
    for (size_t b = 0; b < n; b++)
    for (long o = 0; o < (long)l->c_out; o++)
    for (long r = 0; r < (long)l->h_out; r++)
    for (long c = 0; c < (long)l->w_out; c++) {
        double sum = 0;
        for (long i = 0; i < (long)l->c_in; i++)
        for (long u = 0; u < k; u++)
        for (long v = 0; v < k; v++) {
            long h = r * l->stride + u - l->pad, q = c * l->stride + v - l->pad;
            if (h < 0 || q < 0 || h >= l->h_in || q >= l->w_in) continue;
            sum += w[((o * l->c_in + i) * k + u) * k + v] *
                   x[(((long)b * l->c_in + i) * l->h_in + h) * l->w_in + q];
        }
        *y++ = sum;
    }
}

static void norm(const mni_layer *l, size_t n, const double *x, const double *r,
                 const double *weight, const double *bias, double *y)
{
    const size_t places = (size_t)l->h_out * l->w_out, image = l->c_out * places;
    for (size_t c = 0; c < l->c_out; c++) {
        double mean = 0, var = 0;
        for (size_t b = 0; b < n; b++)
            for (size_t p = 0; p < places; p++) mean += x[b * image + c * places + p];
        mean /= (double)(n * places);
        for (size_t b = 0; b < n; b++)
            for (size_t p = 0; p < places; p++)
                var += pow(x[b * image + c * places + p] - mean, 2);
        var /= (double)(n * places);
        for (size_t b = 0; b < n; b++)
            for (size_t p = 0; p < places; p++) {
                size_t i = b * image + c * places + p;
                y[i] = weight[c] * (x[i] - mean) / sqrt(var + (double)1e-5f) + bias[c] +
                       (r ? r[i] : 0);
                if (l->relu && y[i] < 0) y[i] = 0;
            }
    }
}

static void pool(const mni_layer *l, size_t n, const double *x, double *y)
{
    const int top = l->kind == MNI_MAXPOOL;
    const long k = top ? l->kernel : l->h_in, pad = top ? l->pad : 0;
    for (size_t m = 0; m < n * l->c_in; m++, x += (size_t)l->h_in * l->w_in)
        for (long r = 0; r < (long)l->h_out; r++)
            for (long c = 0; c < (long)l->w_out; c++) {
                double best = -INFINITY, sum = 0;
                for (long u = 0; u < k; u++)
                    for (long v = 0; v < k; v++) {
                        long h = r * l->stride + u - pad, w = c * l->stride + v - pad;
                        if (h < 0 || w < 0 || h >= l->h_in || w >= l->w_in) continue;
                        if (x[h * l->w_in + w] > best) best = x[h * l->w_in + w];
                        sum += x[h * l->w_in + w];
                    }
                *y++ = top ? best : sum / (double)(l->h_in * l->w_in);
            }
}

void oracle_layer(const mni_layer *l, size_t n, const double *x, const double *r,
                  const double *weight, const double *bias, double *y)
{
    switch (l->kind) {
    case MNI_CONV: conv(l, n, x, weight, y); break;
    case MNI_NORM: norm(l, n, x, r, weight, bias, y); break;
    case MNI_MAXPOOL: case MNI_AVGPOOL: pool(l, n, x, y); break;
    case MNI_LINEAR:
        for (size_t b = 0; b < n; b++)
            for (size_t o = 0; o < l->c_out; o++) {
                double sum = bias[o];
                for (size_t i = 0; i < l->c_in; i++)
                    sum += x[b * l->c_in + i] * weight[o * l->c_in + i];
                y[b * l->c_out + o] = sum;
            }
        break;
    case MNI_UNIT:
        for (size_t b = 0; b < n; b++) {
            double squares = 0;
            for (size_t i = 0; i < l->c_in; i++) squares += pow(x[b * l->c_in + i], 2);
            for (size_t i = 0; i < l->c_in; i++)
                y[b * l->c_in + i] = x[b * l->c_in + i] / sqrt(squares);
        }
        break;
    }
}

typedef struct run { size_t n; const double *params; double *value[512]; int last; } run;

static void run_layer(void *ctx, const mni_layer *l)
{
    run *k = ctx;
    k->last = l->out;
    k->value[l->out] = mni_alloc(k->n * l->c_out * l->h_out * l->w_out, sizeof(double));
    oracle_layer(l, k->n, k->value[l->in],
                 l->add == MNI_NO_TENSOR ? NULL : k->value[l->add],
                 l->weight == MNI_NOWHERE ? NULL : k->params + l->weight,
                 l->bias == MNI_NOWHERE ? NULL : k->params + l->bias, k->value[l->out]);
}

void oracle_network(const mni_resnet_config *c, size_t n, const double *input,
                    const double *params, double *embeddings)
{
    run k = { n, params, { (double *)input }, 0 };
    mni_resnet_each_layer(c, run_layer, &k);
    memcpy(embeddings, k.value[k.last], n * mni_resnet_dim(c) * sizeof *embeddings);
    for (int i = 1; i <= k.last; i++) mni_free(k.value[i]);
}

void oracle_fill(float *out, size_t n, uint64_t seed)
{
    mni_rng r = mni_rng_at(seed, MNI_FOR_TEST, 7, 0, 0);
    for (size_t i = 0; i < n; i++) out[i] = mni_rng_range(&r, -1.0f, 1.0f);
}

double *oracle_doubles(const float *x, size_t n)
{
    double *d = mni_alloc(n, sizeof *d);
    for (size_t i = 0; i < n; i++) d[i] = x[i];
    return d;
}
