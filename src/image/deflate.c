/* deflate.c - compression: find repetitions (LZ77), then give frequent symbols short
 * codes (Huffman).
 *
 *   bytes --> repetitions --> tokens --> per block: the cheapest of --> bits
 *             (hash chains,   literal     stored | fixed codes |
 *              lazy match)    or (length,          dynamic codes
 *                             distance)
 *
 * Read from the bottom (mni_deflate_zlib) upwards, or in this order: tokens and their
 * codes, matches, code lengths, one block. Formats: RFC 1951 (deflate), RFC 1950
 * (wrapper). Length-limited codes by package-merge: Larmore and Hirschberg, "A fast
 * algorithm for optimal length-limited Huffman codes", JACM 37(3), 1990.
 * SPDX-License-Identifier: MIT */
#include "image/deflate.h"

#include <string.h>

#include "base/mem.h"
#include "image/inflate.h"
#include "image/lz77.h"

enum {
    MIN_MATCH = MNI_LZ_MIN,
    MAX_MATCH = MNI_LZ_MAX,
    BLOCK_TOKENS = 1 << 14,
    N_LITERAL = 286,
    N_FIXED = 288,
    N_DISTANCE = 30,
    N_LENGTHS = 19,
    END_OF_BLOCK = 256,
    MAX_CODE = 15,
    MAX_LENGTHS_CODE = 7
};

/* One Huffman code: lengths per symbol, and the bits already reversed, as deflate sends
 * them. */
typedef struct code {
    uint8_t length[N_FIXED];
    uint16_t bits[N_FIXED];
} code;

typedef struct packer {
    const uint8_t *in;
    uint32_t n_in;
    mni_buf *out;
    uint64_t acc; /* bits not yet in out, the oldest lowest */
    unsigned n_acc;
    mni_token tokens[BLOCK_TOKENS];
    uint32_t n_tokens, block_start; /* first input byte of the block */
    uint32_t literal_count[N_LITERAL], distance_count[N_DISTANCE];
    uint8_t length_symbol[MAX_MATCH + 1];       /* minus 257 */
    uint8_t distance_symbol[512];               /* see symbol_of_distance */
    uint8_t length_extra[29], distance_extra[N_DISTANCE];
    unsigned literal_bits;      /* of the last block: mean length in sixteenths */
} packer;

/* --- bits --------------------------------------------------------------------------- */

static void put_bits(packer *p, uint32_t bits, unsigned n)
{
    p->acc |= (uint64_t)bits << p->n_acc;
    p->n_acc += n;
    if (p->n_acc >= 32) {
        mni_buf_u32(p->out, (uint32_t)p->acc);
        p->acc >>= 32;
        p->n_acc -= 32;
    }
}

static void flush_to_byte(packer *p)
{
    for (; p->n_acc > 0; p->n_acc -= p->n_acc < 8 ? p->n_acc : 8, p->acc >>= 8)
        mni_buf_u8(p->out, (uint8_t)p->acc);
    p->acc = 0;
}

/* --- tokens and their symbols ------------------------------------------------------- */

static unsigned log2_floor(uint32_t v) /* v >= 1 */
{
    unsigned n = 0;
    while (v >>= 1) n++;
    return n;
}

/* RFC 1951, 3.2.5: the tables there are regular. From 8 on, every power of two of lengths
 * is cut into four classes, the rest of the number follows as extra bits; 258 has a class
 * of its own. */
static unsigned length_class(unsigned length, uint8_t *extra_bits)
{
    const unsigned l = length - MIN_MATCH;
    *extra_bits = 0;
    if (l < 8) return l;
    if (length == MAX_MATCH) return 28;
    const unsigned k = log2_floor(l);
    *extra_bits = (uint8_t)(k - 2);
    return 4 * (k - 1) + ((l >> (k - 2)) & 3);
}

/* Distances: every power of two is cut into two classes. */
static unsigned distance_class(unsigned distance, uint8_t *extra_bits)
{
    const unsigned d = distance - 1;
    *extra_bits = 0;
    if (d < 4) return d;
    const unsigned k = log2_floor(d);
    *extra_bits = (uint8_t)(k - 1);
    return 2 * k + ((d >> (k - 1)) & 1);
}

/* Distances to 256 are looked up one by one, longer ones by their number of 128s: from
 * there on all classes are multiples of 128 wide. */
static void make_symbols(packer *p)
{
    for (unsigned l = MIN_MATCH; l <= MAX_MATCH; l++) {
        uint8_t extra;
        const unsigned s = length_class(l, &extra);
        p->length_symbol[l] = (uint8_t)s;
        p->length_extra[s] = extra;
    }
    for (unsigned i = 0; i < 512; i++) {
        uint8_t extra;
        const unsigned s = distance_class(i < 256 ? i + 1 : ((i - 256) << 7) + 1, &extra);
        p->distance_symbol[i] = (uint8_t)s;
        p->distance_extra[s] = extra;
    }
}

static inline unsigned symbol_of_distance(const packer *p, unsigned distance)
{
    const unsigned d = distance - 1;
    return p->distance_symbol[d < 256 ? d : 256 + (d >> 7)];
}

/* Counts the symbols of a block; gives the sum of all extra bits. */
static uint64_t count_symbols(packer *p)
{
    uint64_t extra_bits = 0;
    memset(p->literal_count, 0, sizeof p->literal_count);
    memset(p->distance_count, 0, sizeof p->distance_count);
    p->literal_count[END_OF_BLOCK] = 1;
    for (uint32_t i = 0; i < p->n_tokens; i++) {
        const mni_token t = p->tokens[i];
        if (t.distance == 0) {
            p->literal_count[t.length_or_byte]++;
            continue;
        }
        const unsigned l = p->length_symbol[t.length_or_byte],
                       d = symbol_of_distance(p, t.distance);
        p->literal_count[257 + l]++;
        p->distance_count[d]++;
        extra_bits += p->length_extra[l] + p->distance_extra[d];
    }
    return extra_bits;
}

/* --- code lengths ------------------------------------------------------------------- */

/* Sorts the used symbols by count (insertion sort: stable, at most 286 of them). */
static unsigned sort_used(uint16_t *symbol, const uint32_t *count, unsigned n)
{
    unsigned used = 0;
    for (unsigned s = 0; s < n; s++) {
        if (!count[s]) continue;
        unsigned i = used++;
        for (; i > 0 && count[symbol[i - 1]] > count[s]; i--) symbol[i] = symbol[i - 1];
        symbol[i] = (uint16_t)s;
    }
    return used;
}

/* Package-merge. Think of coins: every symbol may be bought once per code bit, at its
 * count. List 1 holds the symbols, cheapest first; list k + 1 merges the symbols with the
 * pairs ("packages") of list k. The cheapest 2n - 2 items of the last list are the
 * optimal code: the length of a symbol is how often it was bought. Only "symbol or
 * package" must be remembered per item, because the first a symbols bought in a list are
 * always the a rarest ones. */
static void code_lengths(uint8_t *length, const uint32_t *count, unsigned n,
                         unsigned limit)
{
    enum { ITEMS = 2 * N_LITERAL };
    uint16_t symbol[N_LITERAL];
    uint8_t is_symbol[MAX_CODE][ITEMS];
    uint64_t cost[2][ITEMS];
    const unsigned used = sort_used(symbol, count, n);
    unsigned n_items = 0;
    memset(length, 0, n);
    for (unsigned level = 0; level < limit; level++) {
        const uint64_t *below = cost[level & 1];
        uint64_t *now = cost[~level & 1];
        const unsigned packages = n_items / 2;
        unsigned s = 0, k = 0, i = 0;
        for (; s < used || k < packages; i++) {
            const uint64_t pair =
                k < packages ? below[2 * k] + below[2 * k + 1] : UINT64_MAX;
            is_symbol[level][i] = s < used && count[symbol[s]] <= pair;
            if (is_symbol[level][i]) now[i] = count[symbol[s++]];
            else {
                now[i] = pair;
                k++;
            }
        }
        n_items = i;
    }
    unsigned take = 2 * used - 2;
    for (unsigned level = limit; level-- > 0;) {
        unsigned symbols = 0;
        for (unsigned i = 0; i < take; i++) symbols += is_symbol[level][i];
        for (unsigned s = 0; s < symbols; s++) length[symbol[s]]++;
        take = 2 * (take - symbols);
    }
}

/* Canonical codes (RFC 1951, 3.2.2), reversed because Huffman bits are sent first bit
 * first. Two arrays and not the struct of both: there GCC 12 for aarch64 works out the
 * place of bits[s] from that of length[s], then forgets that the struct is written to,
 * and leaves out the call. */
static void code_bits(uint16_t *bits, const uint8_t *length, unsigned n)
{
    unsigned count[MAX_CODE + 1] = { 0 }, next[MAX_CODE + 1] = { 0 };
    for (unsigned s = 0; s < n; s++) count[length[s]]++;
    count[0] = 0;
    for (unsigned l = 1; l <= MAX_CODE; l++) next[l] = (next[l - 1] + count[l - 1]) << 1;
    for (unsigned s = 0; s < n; s++) {
        unsigned v = length[s] ? next[length[s]]++ : 0, r = 0;
        for (unsigned i = 0; i < length[s]; i++, v >>= 1) r = r << 1 | (v & 1);
        bits[s] = (uint16_t)r;
    }
}

/* A code needs two symbols to be complete; unused ones are lent a count. */
static void code_make(code *c, uint32_t *count, unsigned n, unsigned limit)
{
    unsigned used = 0;
    for (unsigned s = 0; s < n; s++) used += count[s] != 0;
    for (unsigned s = 0; used < 2 && s < n; s++)
        if (!count[s]) {
            count[s] = 1;
            used++;
        }
    code_lengths(c->length, count, n, limit);
    code_bits(c->bits, c->length, n);
}

/* RFC 1951, 3.2.6. Symbols 286 and 287 are never sent but take part in the
 * construction. */
static void code_fixed(code *literal, code *distance)
{
    for (unsigned s = 0; s < N_FIXED; s++)
        literal->length[s] = s < 144 ? 8 : s < 256 ? 9 : s < 280 ? 7 : 8;
    memset(distance->length, 5, N_DISTANCE);
    code_bits(literal->bits, literal->length, N_FIXED);
    code_bits(distance->bits, distance->length, N_DISTANCE);
}

/* --- one block ---------------------------------------------------------------------- */

/* The lengths of both codes as symbols 0..15 and three kinds of runs (RFC 1951,
 * 3.2.7). */
typedef struct lengths_plan {
    unsigned n_literal, n_distance, n_order, n;
    uint8_t symbol[N_LITERAL + N_DISTANCE], extra[N_LITERAL + N_DISTANCE];
    code code;
    uint32_t count[N_LENGTHS];
    uint64_t n_bits; /* of the whole description */
} lengths_plan;

static const uint8_t LENGTHS_ORDER[N_LENGTHS] = { 16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                  11, 4,  12, 3, 13, 2, 14, 1, 15 };
static unsigned lengths_extra(unsigned symbol)
{
    return symbol == 16 ? 2 : symbol == 17 ? 3 : symbol == 18 ? 7 : 0;
}

static void plan_add(lengths_plan *l, unsigned symbol, unsigned extra)
{
    l->symbol[l->n] = (uint8_t)symbol;
    l->extra[l->n++] = (uint8_t)extra;
    l->count[symbol]++;
}

/* `run` equal lengths: zeros in runs of 11..138 and 3..10, others as one and repeats of
 * 3..6. */
static void plan_run(lengths_plan *l, unsigned length, unsigned run)
{
    if (length) {
        plan_add(l, length, 0);
        run--;
    }
    while (run >= 3) {
        const unsigned most = length ? 6 : 138, n = run < most ? run : most;
        if (length) plan_add(l, 16, n - 3);
        else if (n >= 11) plan_add(l, 18, n - 11);
        else plan_add(l, 17, n - 3);
        run -= n;
    }
    for (; run > 0; run--) plan_add(l, length, 0);
}

static void plan_make(lengths_plan *l, const code *literal, const code *distance)
{
    uint8_t all[N_LITERAL + N_DISTANCE];
    memset(l, 0, sizeof *l);
    for (l->n_literal = N_LITERAL; literal->length[l->n_literal - 1] == 0;)
        l->n_literal--;
    for (l->n_distance = N_DISTANCE; distance->length[l->n_distance - 1] == 0;)
        l->n_distance--;
    memcpy(all, literal->length, l->n_literal);
    memcpy(all + l->n_literal, distance->length, l->n_distance);
    const unsigned total = l->n_literal + l->n_distance;
    for (unsigned i = 0, run; i < total; i += run) {
        for (run = 1; i + run < total && all[i + run] == all[i];) run++;
        plan_run(l, all[i], run);
    }
    code_make(&l->code, l->count, N_LENGTHS, MAX_LENGTHS_CODE);
    for (l->n_order = N_LENGTHS; l->code.length[LENGTHS_ORDER[l->n_order - 1]] == 0;)
        l->n_order--;
    l->n_bits = 14 + 3 * l->n_order;
    for (unsigned i = 0; i < l->n; i++)
        l->n_bits += l->code.length[l->symbol[i]] + lengths_extra(l->symbol[i]);
}

static void plan_write(packer *p, const lengths_plan *l)
{
    put_bits(p, l->n_literal - 257, 5);
    put_bits(p, l->n_distance - 1, 5);
    put_bits(p, l->n_order - 4, 4);
    for (unsigned i = 0; i < l->n_order; i++)
        put_bits(p, l->code.length[LENGTHS_ORDER[i]], 3);
    for (unsigned i = 0; i < l->n; i++) {
        put_bits(p, l->code.bits[l->symbol[i]], l->code.length[l->symbol[i]]);
        put_bits(p, l->extra[i], lengths_extra(l->symbol[i]));
    }
}

static uint64_t cost_of(const packer *p, const code *literal, const code *distance)
{
    uint64_t bits = 0;
    for (unsigned s = 0; s < N_LITERAL; s++)
        bits += (uint64_t)p->literal_count[s] * literal->length[s];
    for (unsigned s = 0; s < N_DISTANCE; s++)
        bits += (uint64_t)p->distance_count[s] * distance->length[s];
    return bits; /* extra bits are the same for all codes */
}

/* Room for n bytes more at the end of the output, or NULL. */
static uint8_t *reserve(mni_buf *b, size_t n)
{
    if (!b->failed && b->cap - b->n_bytes < n &&
        !mni_grow((void **)&b->bytes, &b->cap, b->n_bytes + n, 1))
        b->failed = 1;
    return b->failed ? NULL : b->bytes + b->n_bytes;
}

/* Whole bytes that wait. */
static void flush_bytes(packer *p)
{
    for (; p->n_acc >= 8; p->n_acc -= 8, p->acc >>= 8)
        mni_buf_u8(p->out, (uint8_t)p->acc);
}

/* A token is at most 15 + 5 + 15 + 13 = 48 bits; up to 7 wait from before: eight bytes
 * are written each time, of which the whole ones count. */
static void write_tokens(packer *p, const code *literal, const code *distance,
                         uint64_t n_bits)
{
    flush_bytes(p);
    uint8_t *const start = reserve(p->out, (size_t)(n_bits / 8 + 24)), *to = start;
    if (!start) return;
    uint64_t acc = p->acc;
    unsigned n = p->n_acc;
    for (uint32_t i = 0; i < p->n_tokens; i++) {
        const mni_token t = p->tokens[i];
        if (t.distance == 0) {
            acc |= (uint64_t)literal->bits[t.length_or_byte] << n;
            n += literal->length[t.length_or_byte];
        } else {
            const unsigned l = p->length_symbol[t.length_or_byte],
                           d = symbol_of_distance(p, t.distance);
            const unsigned nl = p->length_extra[l], nd = p->distance_extra[d];
            acc |= (uint64_t)literal->bits[257 + l] << n;
            n += literal->length[257 + l];
            acc |= (uint64_t)((t.length_or_byte - MIN_MATCH) & ((1u << nl) - 1)) << n;
            n += nl;
            acc |= (uint64_t)distance->bits[d] << n;
            n += distance->length[d];
            acc |= (uint64_t)((t.distance - 1u) & ((1u << nd) - 1)) << n;
            n += nd;
        }
        mni_put64(to, acc);
        to += n >> 3;
        acc >>= n & ~7u;
        n &= 7;
    }
    p->out->n_bytes += (size_t)(to - start);
    p->acc = acc;
    p->n_acc = n;
    put_bits(p, literal->bits[END_OF_BLOCK], literal->length[END_OF_BLOCK]);
}

static void write_stored(packer *p, uint32_t end, int last)
{
    uint32_t at = p->block_start;
    do {
        const uint32_t n = end - at < 65535 ? end - at : 65535;
        put_bits(p, last && at + n == end, 1);
        put_bits(p, 0, 2);
        flush_to_byte(p);
        mni_buf_u16(p->out, (uint16_t)n);
        mni_buf_u16(p->out, (uint16_t)~n);
        mni_buf_add(p->out, p->in + at, n);
        at += n;
    } while (at < end);
}

/* What a literal costs now, for the choice between literals and copies in the next
 * block. */
static unsigned mean_literal(const packer *p, const code *literal)
{
    uint64_t bits = 0, n = 0;
    for (unsigned s = 0; s < 256; s++) {
        bits += (uint64_t)p->literal_count[s] * literal->length[s];
        n += p->literal_count[s];
    }
    return n ? (unsigned)(16 * bits / n) : 16 * 8;
}

/* Sends the tokens gathered so far, which stand for the input up to `end`. */
static void write_block(packer *p, uint32_t end, int last)
{
    code literal, distance, fixed_literal, fixed_distance;
    lengths_plan plan;
    const uint64_t extra_bits = count_symbols(p);
    code_fixed(&fixed_literal, &fixed_distance);
    const uint64_t fixed_bits = cost_of(p, &fixed_literal, &fixed_distance);
    code_make(&literal, p->literal_count, N_LITERAL, MAX_CODE);
    code_make(&distance, p->distance_count, N_DISTANCE, MAX_CODE);
    plan_make(&plan, &literal, &distance);
    p->literal_bits = mean_literal(p, &literal);
    const uint64_t dynamic_bits = plan.n_bits + cost_of(p, &literal, &distance);
    const uint64_t n_raw = end - p->block_start;
    const uint64_t stored_bits = 8 * (n_raw + 4 * (n_raw / 65535 + 1)) + 7;
    const uint64_t best =
        (fixed_bits < dynamic_bits ? fixed_bits : dynamic_bits) + extra_bits;

    if (stored_bits < best) {
        write_stored(p, end, last);
    } else {
        put_bits(p, (uint32_t)last, 1);
        put_bits(p, fixed_bits <= dynamic_bits ? 1 : 2, 2);
        if (fixed_bits <= dynamic_bits) {
            write_tokens(p, &fixed_literal, &fixed_distance, best);
        } else {
            plan_write(p, &plan);
            write_tokens(p, &literal, &distance, best);
        }
    }
    p->block_start = end;
}

/* Blocks of tokens until the end; a text of no bytes is one empty block. */
static void write_blocks(packer *p, mni_lz77 *z)
{
    uint32_t end = 0;
    do {
        p->n_tokens = mni_lz77_more(z, p->tokens, BLOCK_TOKENS, p->literal_bits, &end);
        write_block(p, end, end == p->n_in);
    } while (end < p->n_in);
}

mann_status mni_deflate_zlib(mni_buf *out, const void *bytes, size_t n_bytes,
                             mann_error *err)
{
    if (n_bytes > (size_t)1 << 31)
        return mni_fail(err, MANN_E_LIMIT,
                        "deflate: %llu bytes, at most 2^31 can be packed",
                        (unsigned long long)n_bytes);
    packer *p = mni_alloc(1, sizeof *p);
    if (!p) return mni_fail(err, MANN_E_NOMEM, "deflate: tables");
    mni_lz77 *z = mni_lz77_new(bytes, (uint32_t)n_bytes);
    if (!z) {
        mni_free(p);
        return mni_fail(err, MANN_E_NOMEM, "deflate: tables");
    }
    make_symbols(p);
    p->literal_bits = 16 * 8;
    p->in = bytes;
    p->n_in = (uint32_t)n_bytes;
    p->out = out;
    mni_buf_u8(out, 0x78); /* deflate, 32 KiB window */
    mni_buf_u8(out, 0x9C); /* "default" level; makes the two bytes a multiple of 31 */
    write_blocks(p, z);
    mni_lz77_free(z);
    flush_to_byte(p);
    uint8_t sum[4];
    mni_put32be(sum, mni_adler32(bytes, n_bytes));
    mni_buf_add(out, sum, sizeof sum);
    mni_free(p);
    if (out->failed) return mni_fail(err, MANN_E_NOMEM, "deflate: output");
    return MANN_OK;
}
