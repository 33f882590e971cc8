/* norm.c - batch normalisation (Ioffe, Szegedy, ICML 2015, algorithm 1), with the
 * residual's add and the ReLU that follow it in a residual block done in the same pass
 * over memory.
 *
 *   forward    xhat = (x - mean) / sqrt(var + eps)       mean, var over images and places
 * of a channel y    = act(weight * xhat + bias + r)
 *
 *   backward   d    = dy where y > 0                     through the ReLU
 *              dr  += d                                  through the add
 *              dbias += sum d      dweight += sum d xhat
 *              dx   = weight / sqrt(var + eps) * (d - mean(d) - xhat * mean(d xhat))
 *
 * The two means in dx are there because moving one x moves the batch's mean and var, and
 * so every y.
 *
 * Sums are taken per image and channel (in the lanes of kern_ew.h), then over images in
 * order in double: whoever computes an image, the sum is the same to the bit.
 * SPDX-License-Identifier: MIT */
#include "nn/layers.h"

#include <math.h>

static size_t places_of(const mni_layer *l) { return (size_t)l->h_out * l->w_out; }

/* --- the definition ----------------------------------------------------------------- */

void mni_norm_forward_plain(const mni_layer *l, size_t n, const float *x, const float *r,
                            const float *weight, const float *bias, const float *mean,
                            const float *var, float *y)
{
    const size_t places = places_of(l);
    for (size_t b = 0; b < n; b++)
        for (size_t c = 0; c < l->c_out; c++)
            for (size_t p = 0; p < places; p++) {
                size_t i = (b * l->c_out + c) * places + p;
                double xhat = (x[i] - mean[c]) / sqrt((double)var[c] + MNI_NORM_EPSILON);
                double v = weight[c] * xhat + bias[c] + (r ? r[i] : 0.0f);
                y[i] = (float)(l->relu && v < 0 ? 0 : v);
            }
}

void mni_norm_backward_plain(const mni_layer *l, size_t n, const float *x, const float *y,
                             const float *weight, const float *mean, const float *var,
                             const float *dy, float *dx, float *dr, float *dweight,
                             float *dbias)
{
    const size_t places = places_of(l);
    for (size_t c = 0; c < l->c_out; c++) {
        const double scale = 1.0 / sqrt((double)var[c] + MNI_NORM_EPSILON),
                     count = (double)(n * places);
        double sum = 0, dot = 0;
        for (size_t b = 0; b < n; b++)
            for (size_t p = 0; p < places; p++) {
                size_t i = (b * l->c_out + c) * places + p;
                double d = l->relu && !(y[i] > 0.0f) ? 0 : dy[i];
                sum += d;
                dot += d * (x[i] - mean[c]) * scale;
                if (dr) dr[i] += (float)d;
            }
        for (size_t b = 0; b < n; b++)
            for (size_t p = 0; p < places; p++) {
                size_t i = (b * l->c_out + c) * places + p;
                double d = l->relu && !(y[i] > 0.0f) ? 0 : dy[i];
                double xhat = (x[i] - mean[c]) * scale;
                dx[i] += (float)(weight[c] * scale *
                                 (d - sum / count - xhat * dot / count));
            }
        dweight[c] += (float)dot;
        dbias[c] += (float)sum;
    }
}

/* --- forward ------------------------------------------------------------------------ */

void mni_norm_pairs(const mni_layer *l, size_t n, const float *x, double *pairs,
                    const mni_kern_ew *k)
{
    const size_t places = places_of(l);
    for (size_t i = 0; i < n * l->c_out; i++)
        k->row_stats(x + i * places, places, &pairs[2 * i], &pairs[2 * i + 1]);
}

/* Of equal parts with means m_i and sums of squares s_i around them: the mean is the mean
 * of the m_i, the sum of squares is sum s_i + places * sum (m_i - mean)^2. Never a
 * difference of large numbers. */
void mni_norm_gather(const mni_layer *l, size_t n, const double *pairs, float *mean,
                     float *var, float *running_mean, float *running_var)
{
    const double places = (double)places_of(l), count = places * (double)n;
    for (size_t c = 0; c < l->c_out; c++) {
        double m = 0, squares = 0;
        for (size_t b = 0; b < n; b++) m += pairs[2 * (b * l->c_out + c)];
        m /= (double)n;
        for (size_t b = 0; b < n; b++) {
            const double *pair = pairs + 2 * (b * l->c_out + c);
            squares += pair[1] + places * (pair[0] - m) * (pair[0] - m);
        }
        mean[c] = (float)m;
        var[c] = (float)(squares / count);
        if (!running_mean) continue;
        double unbiased = count > 1 ? squares / (count - 1) : squares;
        running_mean[c] += MNI_NORM_MOMENTUM * ((float)m - running_mean[c]);
        running_var[c] += MNI_NORM_MOMENTUM * ((float)unbiased - running_var[c]);
    }
}

void mni_norm_apply(const mni_layer *l, size_t n, const float *x, const float *r,
                    const float *weight, const float *bias, const float *mean,
                    const float *var, float *y, const mni_kern_ew *k)
{
    const size_t places = places_of(l);
    for (size_t b = 0; b < n; b++)
        for (size_t c = 0; c < l->c_out; c++) {
            size_t at = (b * l->c_out + c) * places;
            double scale = weight[c] / sqrt((double)var[c] + MNI_NORM_EPSILON);
            k->affine(y + at, x + at, r ? r + at : NULL, (float)scale,
                      (float)(bias[c] - mean[c] * scale), l->relu, places);
        }
}

/* --- backward ----------------------------------------------------------------------- */

void mni_norm_grad_pairs(const mni_layer *l, size_t n, const float *x, const float *y,
                         const float *dy, const float *mean, double *pairs,
                         const mni_kern_ew *k)
{
    const size_t places = places_of(l);
    for (size_t b = 0; b < n; b++)
        for (size_t c = 0; c < l->c_out; c++) {
            size_t i = b * l->c_out + c, at = i * places;
            k->norm_sums(dy + at, l->relu ? y + at : NULL, x + at, mean[c], places,
                         &pairs[2 * i], &pairs[2 * i + 1]);
        }
}

void mni_norm_grad_gather(const mni_layer *l, size_t n, const double *pairs,
                          const float *weight, const float *mean, const float *var,
                          float *dweight, float *dbias, float *abc)
{
    const double count = (double)places_of(l) * (double)n;
    for (size_t c = 0; c < l->c_out; c++) {
        double sum = 0, dot = 0;                        /* sum d, sum d (x - mean) */
        for (size_t b = 0; b < n; b++) {
            sum += pairs[2 * (b * l->c_out + c)];
            dot += pairs[2 * (b * l->c_out + c) + 1];
        }
        const double scale = 1.0 / sqrt((double)var[c] + MNI_NORM_EPSILON);
        dbias[c] += (float)sum;
        dweight[c] += (float)(dot * scale);
        const double a = weight[c] * scale, b = -a * scale * scale * dot / count;
        abc[3 * c] = (float)a;
        abc[3 * c + 1] = (float)b;
        abc[3 * c + 2] = (float)(-a * sum / count - b * mean[c]);
    }
}

void mni_norm_grad_apply(const mni_layer *l, size_t n, const float *x, const float *y,
                         const float *dy, const float *abc, float *dx, float *dr,
                         const mni_kern_ew *k)
{
    const size_t places = places_of(l);
    for (size_t b = 0; b < n; b++)
        for (size_t c = 0; c < l->c_out; c++) {
            size_t at = (b * l->c_out + c) * places;
            k->norm_dx(dx + at, dr ? dr + at : NULL, dy + at, l->relu ? y + at : NULL,
                       x + at, abc[3 * c], abc[3 * c + 1], abc[3 * c + 2], places);
        }
}
