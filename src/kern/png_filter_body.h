/* png_filter_body.h - the writer's row filters as plain C, compiled once per level: there
 * is no chain from byte to byte, so the compiler's own vectors do. LEVEL and NAME as in
 * symbols_body.h. SPDX-License-Identifier: MIT */

/* Differences of one row and the sum of their magnitudes. The first pixel has nothing to
 * its left and is done apart. */
#define DIFFERENCES(first, rest)                                                         \
    do {                                                                                 \
        for (size_t i = 0; i < head; i++) {                                              \
            const int a = 0, b = above[i], c = 0;                                        \
            (void)a; (void)b; (void)c;                                                   \
            to[i] = (uint8_t)(x[i] - (first));                                           \
        }                                                                                \
        for (size_t i = head; i < n; i++) {                                              \
            const int16_t a = x[i - step], b = above[i], c = above[i - step];            \
            (void)a; (void)b; (void)c;                                                   \
            to[i] = (uint8_t)(x[i] - (rest));                                            \
        }                                                                                \
    } while (0)

/* Paeth's guess without branches; see mni_png_unfilter_c. */
LEVEL static MNI_INLINE int16_t NAME(paeth16)(int16_t a, int16_t b, int16_t c)
{
    const int16_t pa = (int16_t)(b > c ? b - c : c - b),
                  pb = (int16_t)(a > c ? a - c : c - a);
    const int16_t both = (int16_t)(a + b - c - c),
                  pc = (int16_t)(both < 0 ? -both : both);
    const int16_t bc = pb <= pc ? b : c, pbc = pb <= pc ? pb : pc;
    return pa <= pbc ? a : bc;
}

LEVEL static uint64_t NAME(magnitudes)(const uint8_t *to, size_t n)
{
    uint64_t sum = 0;
    while (n) {
        const size_t run = n < 4096 ? n : 4096;
        uint32_t part = 0;
        for (size_t i = 0; i < run; i++) {
            const uint8_t other = (uint8_t)(0 - to[i]);
            part += to[i] < other ? to[i] : other;
        }
        sum += part;
        to += run;
        n -= run;
    }
    return sum;
}

LEVEL static MNI_INLINE void NAME(filter_step)(int filter, uint8_t *restrict to,
                                               const uint8_t *x, const uint8_t *above,
                                               size_t n, const size_t step)
{
    const size_t head = n < step ? n : step;
    switch (filter) {
    case MNI_PNG_SUB: DIFFERENCES(0, a); break;
    case MNI_PNG_UP: DIFFERENCES(b, b); break;
    case MNI_PNG_AVERAGE: DIFFERENCES(b >> 1, (a + b) >> 1); break;
    case MNI_PNG_PAETH: DIFFERENCES(b, NAME(paeth16)(a, b, c)); break;
    default: if (n) memcpy(to, x, n); break;
    }
}

LEVEL static uint64_t NAME(filter)(int filter, uint8_t *to, const uint8_t *x,
                                   const uint8_t *above, size_t n, size_t step)
{
    switch (step) {
    case 1: NAME(filter_step)(filter, to, x, above, n, 1); break;
    case 3: NAME(filter_step)(filter, to, x, above, n, 3); break;
    case 4: NAME(filter_step)(filter, to, x, above, n, 4); break;
    default: NAME(filter_step)(filter, to, x, above, n, step); break;
    }
    return NAME(magnitudes)(to, n);
}

#undef DIFFERENCES
