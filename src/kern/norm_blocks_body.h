/* norm_blocks_body.h - the loops of kern_norm.h, written once. Included by norm_blocks.c
 * once per level with NB(name) and NB_TARGET, as ew_body.h is. A strip of places is
 * summed in four chains of floats, strips in double.
 *
 * No include guard: included several times on purpose. SPDX-License-Identifier: MIT */

#define AT(p, i) (*(const lanes *)((p) + (i) * LANES))
#define PUT(p, i) (*(lanes *)((p) + (i) * LANES))

/* Vectors go by address: how one is passed by value depends on the level. */
NB_TARGET static void NB(empty)(double *to, const lanes *s)
{
    for (int l = 0; l < LANES; l++) to[l] += (*s)[l];
}

NB_TARGET static void NB(stats)(const float *z, size_t places, double *mean,
                                double *squares)
{
    lanes m;
    for (int l = 0; l < LANES; l++) mean[l] = squares[l] = 0;
    for (size_t from = 0; from < places; from += STRIP) {
        const size_t end = places - from < STRIP ? places : from + STRIP;
        lanes s[4] = { { 0 } };
        size_t i = from;
        for (; i + 4 <= end; i += 4) {
            s[0] += AT(z, i);
            s[1] += AT(z, i + 1);
            s[2] += AT(z, i + 2);
            s[3] += AT(z, i + 3);
        }
        for (; i < end; i++) s[0] += AT(z, i);
        s[0] = (s[0] + s[1]) + (s[2] + s[3]);
        NB(empty)(mean, &s[0]);
    }
    for (int l = 0; l < LANES; l++) m[l] = (float)(mean[l] /= (double)places);
    for (size_t from = 0; from < places; from += STRIP) {
        const size_t end = places - from < STRIP ? places : from + STRIP;
        lanes s[4] = { { 0 } };
        size_t i = from;
        for (; i + 4 <= end; i += 4)
            for (int j = 0; j < 4; j++) {
                const lanes d = AT(z, i + j) - m;
                s[j] += d * d;
            }
        for (; i < end; i++) s[0] += (AT(z, i) - m) * (AT(z, i) - m);
        s[0] = (s[0] + s[1]) + (s[2] + s[3]);
        NB(empty)(squares, &s[0]);
    }
}

NB_TARGET static void NB(act)(const mni_norm_act *a, size_t places)
{
    const lanes scale = AT(a->scale, 0), shift = AT(a->shift, 0), zero = { 0 };
    const float *z = a->z, *r = a->r;
    float *y = a->y;
    if (!r) {
        for (size_t i = 0; i < places; i++) {
            const lanes v = AT(z, i) * scale + shift;
            PUT(y, i) = (lanes)((mask)v & (v > zero));
        }
    } else if (!a->r_scale) {
        for (size_t i = 0; i < places; i++) {
            const lanes v = AT(z, i) * scale + shift + AT(r, i);
            PUT(y, i) = (lanes)((mask)v & (v > zero));
        }
    } else {
        const lanes r_scale = AT(a->r_scale, 0), both = shift + AT(a->r_shift, 0);
        for (size_t i = 0; i < places; i++) {
            const lanes v = AT(z, i) * scale + both + AT(r, i) * r_scale;
            PUT(y, i) = (lanes)((mask)v & (v > zero));
        }
    }
}

NB_TARGET static void NB(mask_one)(const mni_norm_mask *m, size_t places)
{
    const lanes mean = AT(m->mean, 0), zero = { 0 };
    for (size_t from = 0; from < places; from += STRIP) {
        const size_t end = places - from < STRIP ? places : from + STRIP;
        lanes s = { 0 }, t = { 0 };
        for (size_t i = from; i < end; i++) {
            const lanes d = (lanes)((mask)AT(m->dy, i) & (AT(m->y, i) > zero));
            PUT(m->d, i) = d;
            s += d;
            t += d * (AT(m->z, i) - mean);
        }
        NB(empty)(m->sum, &s);
        NB(empty)(m->dot, &t);
    }
}

NB_TARGET static void NB(mask_two)(const mni_norm_mask *m, size_t places)
{
    const lanes mean = AT(m->mean, 0), mean2 = AT(m->mean2, 0), zero = { 0 };
    for (size_t from = 0; from < places; from += STRIP) {
        const size_t end = places - from < STRIP ? places : from + STRIP;
        lanes s = { 0 }, t = { 0 }, u = { 0 };
        for (size_t i = from; i < end; i++) {
            const lanes d = (lanes)((mask)AT(m->dy, i) & (AT(m->y, i) > zero));
            PUT(m->d, i) = d;
            s += d;
            t += d * (AT(m->z, i) - mean);
            u += d * (AT(m->z2, i) - mean2);
        }
        NB(empty)(m->sum, &s);
        NB(empty)(m->dot, &t);
        NB(empty)(m->dot2, &u);
    }
}

NB_TARGET static void NB(mask)(const mni_norm_mask *m, size_t places)
{
    if (m->z2) NB(mask_two)(m, places);
    else NB(mask_one)(m, places);
}

NB_TARGET static void NB(grad)(const float *d, const float *z, const float *a,
                               const float *b, const float *c, size_t places, float *dz)
{
    const lanes va = AT(a, 0), vb = AT(b, 0), vc = AT(c, 0);
    for (size_t i = 0; i < places; i++)
        PUT(dz, i) = va * AT(d, i) + vb * AT(z, i) + vc;
}

NB_TARGET static void NB(fill)(mni_kern_norm *k, const char *name)
{
    *k = (mni_kern_norm){ name, NB(stats), NB(act), NB(mask), NB(grad) };
}

#undef AT
#undef PUT
