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

enum {
    MIN_MATCH = 3,
    MAX_MATCH = 258,
    WINDOW = 32768,
    HASH_BITS = 15,
    HASH_SIZE = 1 << HASH_BITS,
    MAX_CHAIN = 128, /* candidates looked at for one position */
    LAZY_BELOW = 16, /* a match this long is taken without trying the next position */
    NICE = 128,      /* a match this long ends the search */
    FAR = 4096,      /* a match of 3 from farther away costs more than 3 literals */
    BLOCK_TOKENS = 1 << 14,
    N_LITERAL = 286,
    N_FIXED = 288,
    N_DISTANCE = 30,
    N_LENGTHS = 19,
    END_OF_BLOCK = 256,
    MAX_CODE = 15,
    MAX_LENGTHS_CODE = 7
};

/* A token is a literal byte (distance 0) or "copy length bytes from distance back". */
typedef struct token {
    uint16_t length_or_byte, distance;
} token;

/* One Huffman code: lengths per symbol, and the bits already reversed, as deflate sends
 * them. */
typedef struct code {
    uint16_t bits[N_FIXED];
    uint8_t length[N_FIXED];
} code;

typedef struct packer {
    const uint8_t *in;
    uint32_t n_in;
    mni_buf *out;
    uint64_t acc; /* bits not yet in out, the oldest lowest */
    unsigned n_acc;
    uint32_t head[HASH_SIZE]; /* newest position + 1 with this hash; 0 = none */
    uint32_t prev[WINDOW];    /* the one before, by position modulo WINDOW */
    token tokens[BLOCK_TOKENS];
    uint32_t n_tokens, block_start; /* first input byte of the block */
    uint32_t literal_count[N_LITERAL], distance_count[N_DISTANCE];
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
static unsigned length_symbol(unsigned length, unsigned *extra_bits)
{
    const unsigned l = length - MIN_MATCH;
    *extra_bits = 0;
    if (l < 8) return 257 + l;
    if (length == MAX_MATCH) return 285;
    const unsigned k = log2_floor(l);
    *extra_bits = k - 2;
    return 257 + 4 * (k - 1) + ((l >> (k - 2)) & 3);
}

/* Distances: every power of two is cut into two classes. */
static unsigned distance_symbol(unsigned distance, unsigned *extra_bits)
{
    const unsigned d = distance - 1;
    *extra_bits = 0;
    if (d < 4) return d;
    const unsigned k = log2_floor(d);
    *extra_bits = k - 1;
    return 2 * k + ((d >> (k - 1)) & 1);
}

static void write_block(packer *p, uint32_t end, int last);

static void add_token(packer *p, unsigned length_or_byte, unsigned distance)
{
    unsigned extra;
    p->tokens[p->n_tokens++] = (token){ (uint16_t)length_or_byte, (uint16_t)distance };
    if (distance == 0) {
        p->literal_count[length_or_byte]++;
    } else {
        p->literal_count[length_symbol(length_or_byte, &extra)]++;
        p->distance_count[distance_symbol(distance, &extra)]++;
    }
}

/* --- finding repetitions ------------------------------------------------------------ */

/* Enters position `at` into the chain of its three bytes; gives the former newest
 * position + 1. */
static uint32_t chain_insert(packer *p, uint32_t at)
{
    const uint8_t *b = p->in + at;
    const uint32_t three = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16;
    const uint32_t h = (three * 0x9E3779B1u) >> (32 - HASH_BITS);
    const uint32_t old = p->head[h];
    p->prev[at % WINDOW] = old;
    p->head[h] = at + 1;
    return old;
}

static unsigned common_bytes(const uint8_t *a, const uint8_t *b, unsigned limit)
{
    unsigned n = 0;
    while (n < limit && a[n] == b[n]) n++;
    return n;
}

/* The longest earlier copy of what stands at `at` that beats `best`; 0 if there is
 * none. */
static unsigned longest_match(const packer *p, uint32_t at, uint32_t candidate,
                              unsigned best, unsigned *distance)
{
    const uint8_t *here = p->in + at;
    const uint32_t left = p->n_in - at;
    const unsigned limit = left < MAX_MATCH ? left : MAX_MATCH;
    unsigned found = 0;
    if (best >= limit) return 0;
    for (int tries = MAX_CHAIN; candidate && tries > 0; tries--) {
        const uint32_t from = candidate - 1;
        if (from >= at || at - from > WINDOW)
            break; /* an overwritten slot leads anywhere */
        const uint8_t *there = p->in + from;
        if (there[best] == here[best] && there[0] == here[0]) {
            const unsigned n = common_bytes(there, here, limit);
            if (n > best) {
                best = found = n;
                *distance = at - from;
                if (n >= NICE || n == limit) break;
            }
        }
        const uint32_t next = p->prev[from % WINDOW];
        if (next >= candidate) break;
        candidate = next;
    }
    return found;
}

/* Lazy matching: a match is held back for one position; if the next position has a longer
 * one, the held one shrinks to a literal. */
static void make_tokens(packer *p)
{
    unsigned held = 0, held_distance = 0;
    int pending = 0; /* the byte at - 1 is not yet a token */
    uint32_t at = 0;
    while (at < p->n_in) {
        unsigned n = 0, distance = 0;
        if (p->n_in - at >= MIN_MATCH) {
            const uint32_t candidate = chain_insert(p, at);
            if (held < LAZY_BELOW)
                n = longest_match(p, at, candidate, held < 2 ? 2 : held, &distance);
            if (n == MIN_MATCH && distance > FAR) n = 0;
        }
        if (held >= MIN_MATCH && n <= held) {
            add_token(p, held, held_distance);
            const uint32_t end = at - 1 + held;
            for (at++; at < end; at++)
                if (p->n_in - at >= MIN_MATCH) chain_insert(p, at);
            held = 0;
            pending = 0;
        } else {
            if (pending) add_token(p, p->in[at - 1], 0);
            pending = 1;
            held = n;
            held_distance = distance;
            at++;
        }
        if (p->n_tokens >= BLOCK_TOKENS - 1) write_block(p, at - (uint32_t)pending, 0);
    }
    if (pending) add_token(p, p->in[p->n_in - 1], 0);
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
 * first. */
static void code_bits(code *c, unsigned n)
{
    unsigned count[MAX_CODE + 1] = { 0 }, next[MAX_CODE + 1] = { 0 };
    for (unsigned s = 0; s < n; s++) count[c->length[s]]++;
    count[0] = 0;
    for (unsigned l = 1; l <= MAX_CODE; l++) next[l] = (next[l - 1] + count[l - 1]) << 1;
    /* size_t, because with unsigned GCC 12.2 for aarch64 takes this function for one that
     * writes nothing, and leaves out the calls (-O1 and above; -fno-ivopts cures it). */
    for (size_t s = 0; s < n; s++) {
        unsigned v = c->length[s] ? next[c->length[s]]++ : 0, r = 0;
        for (unsigned i = 0; i < c->length[s]; i++, v >>= 1) r = r << 1 | (v & 1);
        c->bits[s] = (uint16_t)r;
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
    code_bits(c, n);
}

/* RFC 1951, 3.2.6. Symbols 286 and 287 are never sent but take part in the
 * construction. */
static void code_fixed(code *literal, code *distance)
{
    for (unsigned s = 0; s < N_FIXED; s++)
        literal->length[s] = s < 144 ? 8 : s < 256 ? 9 : s < 280 ? 7 : 8;
    memset(distance->length, 5, N_DISTANCE);
    code_bits(literal, N_FIXED);
    code_bits(distance, N_DISTANCE);
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

static void write_tokens(packer *p, const code *literal, const code *distance)
{
    for (uint32_t i = 0; i < p->n_tokens; i++) {
        const token t = p->tokens[i];
        unsigned extra, symbol = t.length_or_byte;
        if (t.distance == 0) {
            put_bits(p, literal->bits[symbol], literal->length[symbol]);
            continue;
        }
        symbol = length_symbol(t.length_or_byte, &extra);
        put_bits(p, literal->bits[symbol], literal->length[symbol]);
        put_bits(p, (t.length_or_byte - MIN_MATCH) & ((1u << extra) - 1), extra);
        symbol = distance_symbol(t.distance, &extra);
        put_bits(p, distance->bits[symbol], distance->length[symbol]);
        put_bits(p, (t.distance - 1u) & ((1u << extra) - 1), extra);
    }
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

/* Sends the tokens gathered so far, which stand for the input up to `end`. */
static void write_block(packer *p, uint32_t end, int last)
{
    code literal, distance, fixed_literal, fixed_distance;
    lengths_plan plan;
    p->literal_count[END_OF_BLOCK] = 1;
    uint64_t extra_bits = 0;
    for (uint32_t i = 0; i < p->n_tokens; i++) {
        unsigned a, b;
        if (p->tokens[i].distance == 0) continue;
        (void)length_symbol(p->tokens[i].length_or_byte, &a);
        (void)distance_symbol(p->tokens[i].distance, &b);
        extra_bits += a + b;
    }
    code_fixed(&fixed_literal, &fixed_distance);
    const uint64_t fixed_bits = cost_of(p, &fixed_literal, &fixed_distance);
    code_make(&literal, p->literal_count, N_LITERAL, MAX_CODE);
    code_make(&distance, p->distance_count, N_DISTANCE, MAX_CODE);
    plan_make(&plan, &literal, &distance);
    const uint64_t dynamic_bits = plan.n_bits + cost_of(p, &literal, &distance);
    const uint64_t n_raw = end - p->block_start;
    const uint64_t stored_bits = 8 * (n_raw + 4 * (n_raw / 65535 + 1)) + 7;
    const uint64_t best = fixed_bits < dynamic_bits ? fixed_bits : dynamic_bits;

    if (stored_bits < best + extra_bits) {
        write_stored(p, end, last);
    } else {
        put_bits(p, (uint32_t)last, 1);
        put_bits(p, fixed_bits <= dynamic_bits ? 1 : 2, 2);
        if (fixed_bits <= dynamic_bits) {
            write_tokens(p, &fixed_literal, &fixed_distance);
        } else {
            plan_write(p, &plan);
            write_tokens(p, &literal, &distance);
        }
    }
    p->block_start = end;
    p->n_tokens = 0;
    memset(p->literal_count, 0, sizeof p->literal_count);
    memset(p->distance_count, 0, sizeof p->distance_count);
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
    p->in = bytes;
    p->n_in = (uint32_t)n_bytes;
    p->out = out;
    mni_buf_u8(out, 0x78); /* deflate, 32 KiB window */
    mni_buf_u8(out, 0x9C); /* "default" level; makes the two bytes a multiple of 31 */
    make_tokens(p);
    write_block(p, p->n_in, 1);
    flush_to_byte(p);
    uint8_t sum[4];
    mni_put32be(sum, mni_adler32(bytes, n_bytes));
    mni_buf_add(out, sum, sizeof sum);
    mni_free(p);
    if (out->failed) return mni_fail(err, MANN_E_NOMEM, "deflate: output");
    return MANN_OK;
}
