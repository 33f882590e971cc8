/* calib_use.c - reading the table: the threshold for C classes and a stated rate; its
 * form in files.
 *
 * Between measured sizes and rates: linear on the scale of calib_scale.h in log C and log
 * rate. Beyond the last size: along a line fitted to the last four sizes, from the last
 * measured point on. Where the true curve bends, it bends flatter (the nearer, the
 * fewer), so that the line errs to the strict side. SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "eval/calib.h"
#include "eval/calib_scale.h"

enum { FIT = 4, HEADER_BYTES = 5 * 4 };

/* y of one measured size at any rate; beyond the strictest rate along its last two. */
static double y_of_row(mann_metric metric, const float score[MNI_CALIB_RATES],
                       double rate)
{
    if (rate >= mni_calib_rates[0]) return mni_y_of_score(metric, score[0]);
    int r = 1;
    while (r + 1 < MNI_CALIB_RATES && rate < mni_calib_rates[r]) r++;
    double x0 = log(mni_calib_rates[r - 1]), x1 = log(mni_calib_rates[r]);
    double y0 = mni_y_of_score(metric, score[r - 1]),
           y1 = mni_y_of_score(metric, score[r]);
    return y0 + (y1 - y0) * (log(rate) - x0) / (x1 - x0);
}

/* The same, never rising with the size: beyond the strictest rate, lines of neighbours
 * may cross. */
static double y_at_rate(const mni_calib *c, uint32_t size, double rate)
{
    double y = INFINITY;
    for (uint32_t s = 0; s <= size; s++)
        y = fmin(y, y_of_row((mann_metric)c->metric, c->impostor[s], rate));
    return y;
}

static double x_of(const mni_calib *c, uint32_t size)
{
    return log(mni_calib_size(c, size));
}

/* Slope of y in log C over the last measured sizes, by least squares. */
static double slope_at_rate(const mni_calib *c, double rate)
{
    const uint32_t n = c->n_sizes < FIT ? c->n_sizes : FIT, first = c->n_sizes - n;
    double mean_x = 0, mean_y = 0, xy = 0, xx = 0;
    for (uint32_t s = first; s < c->n_sizes; s++) {
        mean_x += x_of(c, s) / n;
        mean_y += y_at_rate(c, s, rate) / n;
    }
    for (uint32_t s = first; s < c->n_sizes; s++) {
        double x = x_of(c, s) - mean_x;
        xy += x * (y_at_rate(c, s, rate) - mean_y);
        xx += x * x;
    }
    return xx > 0 ? xy / xx : 0;
}

/* Tails that are power laws have one slope for all rates, and common rates are measured
 * best: the mean over three of them serves every rate, so that thresholds of two rates
 * never cross. Never upwards. */
static double slope_at_end(const mni_calib *c)
{
    double slope = (slope_at_rate(c, 0.01) + slope_at_rate(c, 0.02) +
                    slope_at_rate(c, 0.04)) /
                   3;
    return slope < 0 ? slope : 0;
}

float mni_calib_threshold(const mni_calib *c, uint64_t n_classes, float false_accept)
{
    if (c->n_sizes == 0 || !(false_accept > 0)) return NAN;
    const double x = n_classes > 1 ? log((double)n_classes) : 0;
    const uint32_t last = c->n_sizes - 1;
    double y;
    if (x >= x_of(c, last)) {
        y = y_at_rate(c, last, false_accept) + slope_at_end(c) * (x - x_of(c, last));
    } else {
        uint32_t s = 0;
        while (x >= x_of(c, s + 1)) s++;
        double part = (x - x_of(c, s)) / (x_of(c, s + 1) - x_of(c, s));
        double y0 = y_at_rate(c, s, false_accept), y1 = y_at_rate(c, s + 1, false_accept);
        y = y0 + (y1 - y0) * part;
    }
    return mni_score_of_y((mann_metric)c->metric, y);
}

float mni_calib_decide(const mni_calib *own, const mni_calib *model, uint64_t n_classes,
                       uint64_t n_rows, float false_accept)
{
    const float mine = mni_calib_threshold(own, n_classes, false_accept);
    if (own->n_sizes && own->n_classes >= MNI_CALIB_OWN) return mine;
    const uint64_t crowd = mni_calib_crowd(n_classes, n_rows);
    return fmaxf(mine, mni_calib_threshold(model, crowd, false_accept)); /* one is NaN:
                                                                            the other */
}

float mni_calib_fnmr(const mni_calib *c, float threshold)
{
    if (c->n_sizes == 0 || c->n_genuine == 0) return NAN;
    const int last = MNI_CALIB_GENUINE - 1;
    int i = 0;
    if (threshold <= c->genuine[0]) return 0.0f;
    if (threshold > c->genuine[last]) return 1.0f;
    while (i + 1 < last && threshold > c->genuine[i + 1]) i++;
    float low = c->genuine[i], high = c->genuine[i + 1];
    float part = high > low ? (threshold - low) / (high - low) : 1.0f;
    return ((float)i + part) / (float)last;
}

/* --- in files ----------------------------------------------------------------------- */

/* u32: n_sizes, n_queries, n_classes, n_genuine, metric; then the two tables as f32, rows
 * of sizes. */
size_t mni_calib_bytes(void)
{
    return HEADER_BYTES + 4 * (MNI_CALIB_SIZES * MNI_CALIB_RATES + MNI_CALIB_GENUINE);
}

static uint8_t *put_float(uint8_t *at, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    mni_put32(at, bits);
    return at + 4;
}

void mni_calib_encode(const mni_calib *c, uint8_t *out)
{
    const uint32_t header[] = { c->n_sizes, c->n_queries, c->n_classes, c->n_genuine,
                                c->metric };
    for (int i = 0; i < 5; i++, out += 4) mni_put32(out, header[i]);
    for (int s = 0; s < MNI_CALIB_SIZES; s++)
        for (int r = 0; r < MNI_CALIB_RATES; r++) out = put_float(out, c->impostor[s][r]);
    for (int i = 0; i < MNI_CALIB_GENUINE; i++) out = put_float(out, c->genuine[i]);
}

int mni_calib_is_sane(const mni_calib *c)
{
    for (uint32_t s = 0; s < MNI_CALIB_SIZES; s++)
        for (uint32_t r = 0; r < MNI_CALIB_RATES; r++) {
            float v = c->impostor[s][r];
            if (s >= c->n_sizes) {
                if (v != 0.0f) return 0;        /* NaN lands here as well */
            } else if (!isfinite(v) || (s > 0 && v < c->impostor[s - 1][r])
                       || (r > 0 && v < c->impostor[s][r - 1])) {
                return 0;
            }
        }
    for (int i = 0; i < MNI_CALIB_GENUINE && c->n_genuine > 0; i++)
        if (!isfinite(c->genuine[i]) || (i > 0 && c->genuine[i] < c->genuine[i - 1]))
            return 0;
    return 1;
}

mann_status mni_calib_decode(mni_calib *c, const void *bytes, size_t n_bytes,
                             mann_error *err)
{
    *c = (mni_calib){ 0 };
    if (n_bytes != mni_calib_bytes())
        return mni_fail(err, MANN_E_FORMAT, "calibration: %llu bytes, wanted %llu",
                        (unsigned long long)n_bytes,
                        (unsigned long long)mni_calib_bytes());
    mni_cursor at = mni_cursor_of(bytes, n_bytes);
    mni_calib t = { 0 };
    t.n_sizes = mni_cursor_u32(&at);
    t.n_queries = mni_cursor_u32(&at);
    t.n_classes = mni_cursor_u32(&at);
    t.n_genuine = mni_cursor_u32(&at);
    t.metric = mni_cursor_u32(&at);
    for (int s = 0; s < MNI_CALIB_SIZES; s++)
        for (int r = 0; r < MNI_CALIB_RATES; r++) t.impostor[s][r] = mni_cursor_f32(&at);
    for (int i = 0; i < MNI_CALIB_GENUINE; i++) t.genuine[i] = mni_cursor_f32(&at);
    if (t.n_sizes > MNI_CALIB_SIZES)
        return mni_fail(err, MANN_E_FORMAT, "calibration: %u sizes, wanted at most %d",
                        (unsigned)t.n_sizes, MNI_CALIB_SIZES);
    if (t.n_sizes > 0 && (t.metric < MANN_L2 || t.metric > MANN_COSINE))
        return mni_fail(err, MANN_E_FORMAT, "calibration: metric %u is none",
                        (unsigned)t.metric);
    if (!mni_calib_is_sane(&t))
        return mni_fail(err, MANN_E_FORMAT,
                        "calibration: scores that are not finite or do not rise");
    *c = t;
    return MANN_OK;
}
