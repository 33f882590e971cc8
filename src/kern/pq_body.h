/* pq_body.h - the float loops of kern_pq.h, written once. Included by pq_c.c once per
 * SIMD level, with
 *
 *   PQ(name)     name with the level's ending
 *   PQ_TARGET    the level's target attribute, or nothing
 *
 * No include guard: included several times on purpose. SPDX-License-Identifier: MIT */

/* Values of `yes` where the mask is set, else of `no`. (A function that takes or gives
 * such wide values would have another calling convention at each level.) */
#define PQ_CHOOSE(m, yes, no) ((lanes)(((m) & (mask)(yes)) | (~(m) & (mask)(no))))

PQ_TARGET static void PQ(products)(const float *x, const float *book, size_t n,
                                   size_t width, float *out, float *low, float *high)
{
    lanes least = (lanes){ 0 } + INFINITY, most = -least;
    for (size_t j = 0; j < width; j += MNI_PQ_LANES) {
        lanes sum = { 0 };
        for (size_t d = 0; d < n; d++)
            sum += x[d] * *(const lanes *)(book + d * width + j);
        *(lanes *)(out + j) = sum;
        least = PQ_CHOOSE(sum < least, sum, least);
        most = PQ_CHOOSE(sum > most, sum, most);
    }
    *low = INFINITY;
    *high = -INFINITY;
    for (int l = 0; l < MNI_PQ_LANES; l++) {
        if (least[l] < *low) *low = least[l];
        if (most[l] > *high) *high = most[l];
    }
}

PQ_TARGET static void PQ(bytes)(const float *in, size_t width, float low, float by,
                                uint8_t *out)
{
    const lanes zero = { 0 }, top = zero + 255.0f;
    for (size_t j = 0; j < width; j += MNI_PQ_LANES) {
        lanes v = (*(const lanes *)(in + j) - low) * by + 0.5f;
        v = PQ_CHOOSE(v > zero, v, zero);
        v = PQ_CHOOSE(v < top, v, top);
        const mask whole = __builtin_convertvector(v, mask);
        *(small *)(out + j) = __builtin_convertvector(whole, small);
    }
}

PQ_TARGET static uint32_t PQ(nearest)(const float *x, const float *book,
                                      const float *half, size_t n, size_t width)
{
    lanes least = (lanes){ 0 } + INFINITY;
    mask where = { 0 };
    for (size_t j = 0; j < width; j += MNI_PQ_LANES) {
        lanes sum = { 0 };
        for (size_t d = 0; d < n; d++)
            sum += x[d] * *(const lanes *)(book + d * width + j);
        const lanes v = *(const lanes *)(half + j) - sum;
        const mask m = v < least;
        least = PQ_CHOOSE(m, v, least);
        where = (m & (int32_t)j) | (~m & where);
    }
    uint32_t best = 0;
    float value = INFINITY;
    for (uint32_t l = 0; l < MNI_PQ_LANES; l++) {
        const uint32_t at = (uint32_t)where[l] + l;
        if (least[l] < value || (least[l] == value && least[l] < INFINITY && at < best)) {
            value = least[l];
            best = at;
        }
    }
    return best;
}

PQ_TARGET static void PQ(fill)(mni_kern_pq *k)
{
    k->products = PQ(products);
    k->bytes = PQ(bytes);
    k->nearest = PQ(nearest);
}
#undef PQ_CHOOSE
