/* ew_body.h - the loops of kern_ew.h, written once. Included by ew.c once per SIMD level,
 * with
 *
 *   EW(name)     name with the level's ending
 *   EW_TARGET    the level's target attribute, or nothing
 *
 * No include guard: included several times on purpose. SPDX-License-Identifier: MIT */

EW_TARGET static double EW(total)(const lanes *v)
{
    double total = 0;
    for (int l = 0; l < LANES; l++) total += (*v)[l];
    return total;
}

EW_TARGET static void EW(row_stats)(const float *x, size_t n, double *mean,
                                    double *squares)
{
    lanes sum = { 0 }, square = { 0 };
    size_t whole = n - n % LANES;
    for (size_t i = 0; i < whole; i += LANES) sum += *(const lanes *)(x + i);
    double total = EW(total)(&sum);
    for (size_t i = whole; i < n; i++) total += x[i];
    *mean = total / (double)n;

    const float m = (float)*mean;
    for (size_t i = 0; i < whole; i += LANES) {
        lanes d = *(const lanes *)(x + i) - m;
        square += d * d;
    }
    total = EW(total)(&square);
    for (size_t i = whole; i < n; i++) total += (double)(x[i] - m) * (x[i] - m);
    *squares = total;
}

EW_TARGET static void EW(affine)(float *y, const float *x, const float *r, float scale,
                                 float shift, int relu, size_t n)
{
    if (r && relu) {
        for (size_t i = 0; i < n; i++) {
            float v = x[i] * scale + shift + r[i];
            y[i] = v > 0.0f ? v : 0.0f;
        }
    } else if (r) {
        for (size_t i = 0; i < n; i++) y[i] = x[i] * scale + shift + r[i];
    } else if (relu) {
        for (size_t i = 0; i < n; i++) {
            float v = x[i] * scale + shift;
            y[i] = v > 0.0f ? v : 0.0f;
        }
    } else {
        for (size_t i = 0; i < n; i++) y[i] = x[i] * scale + shift;
    }
}

EW_TARGET static void EW(norm_sums)(const float *dy, const float *y, const float *x,
                                    float mean, size_t n, double *sum, double *dot)
{
    lanes s = { 0 }, t = { 0 };
    size_t whole = n - n % LANES;
    for (size_t i = 0; i < whole; i += LANES) {
        lanes d = *(const lanes *)(dy + i);
        if (y)
            d = (lanes)((mask)d &
                        (*(const lanes *)(y + i) > 0.0f)); /* all ones where true */
        s += d;
        t += d * (*(const lanes *)(x + i) - mean);
    }
    *sum = EW(total)(&s);
    *dot = EW(total)(&t);
    for (size_t i = whole; i < n; i++) {
        float d = !y || y[i] > 0.0f ? dy[i] : 0.0f;
        *sum += d;
        *dot += (double)d * (x[i] - mean);
    }
}

EW_TARGET static void EW(norm_dx)(float *restrict dx, float *restrict dr, const float *dy,
                                  const float *y, const float *x, float a, float b,
                                  float c, size_t n)
{
    if (y && dr) {
        for (size_t i = 0; i < n; i++) {
            float d = y[i] > 0.0f ? dy[i] : 0.0f;
            dx[i] = a * d + b * x[i] + c;
            dr[i] += d;
        }
    } else if (y) {
        for (size_t i = 0; i < n; i++) {
            float d = y[i] > 0.0f ? dy[i] : 0.0f;
            dx[i] = a * d + b * x[i] + c;
        }
    } else {
        for (size_t i = 0; i < n; i++) dx[i] = a * dy[i] + b * x[i] + c;
        if (dr) for (size_t i = 0; i < n; i++) dr[i] += dy[i];
    }
}

EW_TARGET static void EW(add)(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] += x[i];
}

EW_TARGET static double EW(squares)(const float *x, size_t n)
{
    double total = 0;
    for (size_t at = 0; at < n; at += STRETCH) {
        size_t end = n - at < STRETCH ? n : at + STRETCH,
               whole = at + (end - at) / LANES * LANES;
        lanes s = { 0 };
        for (size_t i = at; i < whole; i += LANES) {
            lanes v = *(const lanes *)(x + i);
            s += v * v;
        }
        total += EW(total)(&s);
        for (size_t i = whole; i < end; i++) total += (double)x[i] * x[i];
    }
    return total;
}

EW_TARGET static void EW(sgd)(float *restrict w, float *restrict v,
                              const float *restrict g, float scale, float decay,
                              float momentum, float rate, int nesterov, size_t n)
{
    if (nesterov) {
        for (size_t i = 0; i < n; i++) {
            float d = scale * g[i] + decay * w[i];
            float u = momentum * v[i] + d;
            v[i] = u;
            w[i] -= rate * (d + momentum * u);
        }
    } else {
        for (size_t i = 0; i < n; i++) {
            float u = momentum * v[i] + (scale * g[i] + decay * w[i]);
            v[i] = u;
            w[i] -= rate * u;
        }
    }
}

EW_TARGET static void EW(fill)(mni_kern_ew *k)
{
    k->row_stats = EW(row_stats);
    k->affine = EW(affine);
    k->norm_sums = EW(norm_sums);
    k->norm_dx = EW(norm_dx);
    k->add = EW(add);
    k->squares = EW(squares);
    k->sgd = EW(sgd);
}
