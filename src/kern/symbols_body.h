/* symbols_body.h - the loop that most of the time of a PNG goes into, as plain C,
 * compiled once per level by whoever defines LEVEL (an attribute) and NAME before the
 * include.
 *
 * What there is to gain on x86 are the shifts of BMI2, which need no special register;
 * the rest is arranged for every CPU:
 *
 *   - 64 bits wait; one refill covers three looks into the table (3 x 11 bits) and leaves
 *     the 20 bits that a length with its extra bits may need.
 *   - a look gives up to two literals, which are stored together.
 *   - code and extra bits of a length are dropped together, so that the next look need
 *     not wait for the extra bits.
 *
 * SPDX-License-Identifier: MIT */

/* Bytes from `distance` back to the end of the output, as if one by one: what is copied
 * may be part of the result. Writes up to 31 bytes more. */
LEVEL static MNI_INLINE void NAME(copy)(uint8_t *to, size_t distance, unsigned n)
{
    const uint8_t *from = to - distance;
    uint8_t *const end = to + n;
    if (distance >= 16) {
        do {
            memcpy(to, from, 16);
            to += 16; from += 16;
        } while (to < end);
    } else if (distance == 1) {
        const uint64_t eight = 0x0101010101010101u * *from;
        do {
            memcpy(to, &eight, 8);
            memcpy(to + 8, &eight, 8);
            to += 16;
        } while (to < end);
    } else if (distance >= 8) {
        do {
            memcpy(to, from, 8);
            to += 8; from += 8;
        } while (to < end);
    } else {
        do *to++ = *from++; while (to < end);
    }
}

LEVEL static MNI_INLINE uint64_t NAME(load)(const uint8_t *p)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++) v |= (uint64_t)p[i] << (8 * i);
    return v;
}

LEVEL static MNI_INLINE void NAME(literals)(uint8_t **out, uint32_t e)
{
    (*out)[0] = (uint8_t)(e >> 8);
    (*out)[1] = (uint8_t)(e >> 16);
    *out += 1 + (e >> 24 & 1);
}

#define REFILL                                                                           \
    do {                                                                                 \
        if (in < in_fast) {                                                              \
            bits |= NAME(load)(in) << n_bits;                                            \
            in += (63 - n_bits) >> 3;                                                    \
            n_bits |= 56;                                                                \
        } else {                                                                         \
            z->in = in; z->bits = bits; z->n_bits = n_bits;                              \
            mni_symbols_refill(z);                                                       \
            in = z->in; bits = z->bits; n_bits = z->n_bits;                              \
        }                                                                                \
    } while (0)
#define DROP(e) (bits >>= (e) & 63, n_bits -= (e) & 63)
#define LOOK (literals[bits & ((1u << MNI_SYM_LITERAL_ROOT) - 1)])
#define IS_LITERAL(e) ((int32_t)(e) < 0)

LEVEL static mni_symbols_end NAME(symbols)(mni_symbols *z)
{
    const uint32_t *const literals = z->literals, *const distances = z->distances;
    const uint8_t *in = z->in;
    const uint8_t *const in_fast = z->in_end - in >= 8 ? z->in_end - 7 : in;
    uint64_t bits = z->bits;
    unsigned n_bits = z->n_bits;
    uint8_t *out = z->out, *const limit = z->out_limit;
    mni_symbols_end why = MNI_SYMBOLS_FULL;
    while (out < limit) {
        REFILL;
        uint32_t e = LOOK;
        if (IS_LITERAL(e)) {
            DROP(e);
            NAME(literals)(&out, e);
            e = LOOK;
            if (IS_LITERAL(e)) {
                DROP(e);
                NAME(literals)(&out, e);
                e = LOOK;
                if (IS_LITERAL(e)) {
                    DROP(e);
                    NAME(literals)(&out, e);
                    continue;
                }
            }
        }
        if (e & MNI_SYM_SUB) {
            e = literals[(e >> 16) + (bits >> MNI_SYM_LITERAL_ROOT & 15)];
            if (IS_LITERAL(e)) {
                DROP(e);
                *out++ = (uint8_t)(e >> 8);
                continue;
            }
        }
        uint64_t were = bits;
        DROP(e);
        if (e & (MNI_SYM_END | MNI_SYM_BAD)) {
            why = e & MNI_SYM_END ? MNI_SYMBOLS_BLOCK : MNI_SYMBOLS_BAD_CODE;
            break;
        }
        const unsigned n = (e >> 16) + (unsigned)((were & (((uint64_t)1 << (e & 63)) - 1))
                                                  >> (e >> 8 & 15));
        REFILL;
        uint32_t d = distances[bits & ((1u << MNI_SYM_DISTANCE_ROOT) - 1)];
        if (d & MNI_SYM_SUB)
            d = distances[(d >> 16) + (bits >> MNI_SYM_DISTANCE_ROOT & 127)];
        were = bits;
        DROP(d);
        if (d & MNI_SYM_BAD) {
            why = MNI_SYMBOLS_BAD_CODE;
            break;
        }
        const size_t distance =
            (d >> 16) + (size_t)((were & (((uint64_t)1 << (d & 63)) - 1))
                                 >> (d >> 8 & 15));
        if (distance > (size_t)(out - z->out_start)) {
            why = MNI_SYMBOLS_BAD_DISTANCE;
            break;
        }
        NAME(copy)(out, distance, n);
        out += n;
    }
    z->in = in;
    z->bits = bits;
    z->n_bits = n_bits;
    z->out = out;
    return why;
}

#undef REFILL
#undef DROP
#undef LOOK
#undef IS_LITERAL
