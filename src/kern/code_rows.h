/* code_rows.h - the loop over rows that the code_*.c files share: four rows at a time, so
 * that their sums are folded together and their memory is fetched together.
 *
 * Included once by each of them, after #define LEVEL, the attribute of its functions; the
 * file then defines `four` and `one_pair`, and its entries with MNI_CODE_ENTRY and
 * MNI_PAIR_ENTRY. No include guard: it is a part of a .c file.
 * SPDX-License-Identifier: MIT */

enum kind { NEAR8, NEAR4, AWAY8, AWAY4 };

/* Brings the whole code of a row on its way. */
static MNI_INLINE void fetch(const uint8_t *row, size_t bytes)
{
    for (size_t j = 0; j < bytes; j += 64) __builtin_prefetch(row + j, 0, 3);
}

LEVEL static MNI_INLINE void four(enum kind kind, const uint8_t *query,
                                  const uint8_t *const row[4], size_t bytes,
                                  uint32_t out[4]);

LEVEL static MNI_INLINE void all_rows(enum kind kind, const uint8_t *query,
                                      const uint8_t *codes, size_t bytes,
                                      const uint32_t *nodes, size_t n, uint32_t *out)
{
    for (size_t i = 0; i < n; i += 4) {
        const uint8_t *row[4];
        uint32_t sums[4];
        const size_t left = n - i < 4 ? n - i : 4;
        for (size_t u = 0; u < 4; u++)
            row[u] = codes + nodes[i + (u < left ? u : left - 1)] * bytes;
        for (size_t u = i + 4; u < i + 8 && u < n; u++)
            fetch(codes + nodes[u] * bytes, bytes);
        four(kind, query, row, bytes, sums);
        for (size_t u = 0; u < left; u++)
            out[i + u] = kind == AWAY8 || kind == AWAY4 ? 0x80000000u - sums[u] : sums[u];
    }
}

#define MNI_CODE_ENTRY(name, kind)                                                       \
    LEVEL static void name(const uint8_t *query, const uint8_t *codes, size_t bytes,     \
                           const uint32_t *nodes, size_t n, uint32_t *out)               \
    {                                                                                    \
        all_rows(kind, query, codes, bytes, nodes, n, out);                              \
    }

/* Prefetched like codes. */
#define MNI_PAIR_ENTRY                                                                   \
    LEVEL static void pairs(const int8_t *query, const int8_t *rows, size_t dim,         \
                            const uint32_t *nodes, size_t n, int32_t *out)               \
    {                                                                                    \
        for (size_t i = 0; i < n; i++) {                                                 \
            if (i + 4 < n) fetch((const uint8_t *)rows + nodes[i + 4] * dim, dim);       \
            one_pair(query, rows + nodes[i] * dim, dim, out + 2 * i);                    \
        }                                                                                \
    }
