/* inflate.c - deflate, decompressed: RFC 1951 (blocks, codes) inside RFC 1950 (frame).
 *
 * A deflate stream is a row of blocks. A block is stored as it is, or is a row of Huffman
 * codes: a literal byte, or "copy `length` bytes from `distance` back", or "end of
 * block". The codes of a block are fixed by the standard or sent in front of it, as the
 * mere lengths of the codes (a canonical code: codes of one length are consecutive
 * numbers, in the order of the symbols).
 *
 * How it is made quick: bits wait in one 64-bit word that is refilled once per symbol
 * pair, and a code is found by one look into a table with the next ROOT bits as the
 * place; codes longer than that lead to a small second table:
 *
 *      next 10 bits ---> | value : 16 | kind or extra : 8 | bits : 8 |
 *                        | where : 16 | SUBTABLE          | root : 8 | ---> 32 entries
 *
 * Read decode_block first, then build_table. SPDX-License-Identifier: MIT */
#include "image/inflate.h"

#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"

enum {
    MAX_CODE = 15,
    LIT_ROOT = 10, DIST_ROOT = 8, PRE_ROOT = 7,
    N_LIT = 288, N_DIST = 32, N_PRE = 19,
    /* Every prefix that needs a second table has two codes or more under it. */
    LIT_ENTRIES = (1 << LIT_ROOT) + N_LIT / 2 * (1 << (MAX_CODE - LIT_ROOT)),
    DIST_ENTRIES = (1 << DIST_ROOT) + N_DIST / 2 * (1 << (MAX_CODE - DIST_ROOT)),
    /* Kinds, in bits 8..15 of an entry; below 16 it is the number of extra bits. */
    LITERAL = 0x40, END = 0x20, BAD = 0x10, SUBTABLE = 0x80
};

typedef struct inflater {
    const uint8_t *in, *in_end;
    uint64_t bits;              /* the next bit is the lowest */
    unsigned n_bits, n_padding; /* of which zeros that were never in the file */
    uint8_t *out, *out_start, *out_end;
    int has_fixed; /* the tables are those of the standard: no need to build again */
    uint32_t lit[LIT_ENTRIES], dist[DIST_ENTRIES];
} inflater;

/* --- bits --------------------------------------------------------------------------- */

/* At least 56 bits afterwards. Eight bytes are put on top at once; those that did not fit
 * whole are put there again, in the same place, by the next call. Past the end come
 * zeros, which are counted: whoever uses them is told by `overrun`. */
static inline void refill(inflater *z)
{
    if (z->in_end - z->in >= 8) {
        z->bits |= mni_get64(z->in) << z->n_bits;
        z->in += (63 - z->n_bits) >> 3;
        z->n_bits |= 56;
        return;
    }
    while (z->n_bits < 56) {
        if (z->in < z->in_end) z->bits |= (uint64_t)*z->in++ << z->n_bits;
        else z->n_padding += 8;
        z->n_bits += 8;
    }
}

static inline void drop(inflater *z, unsigned n)
{
    z->bits >>= n;
    z->n_bits -= n;
}

static inline unsigned take(inflater *z, unsigned n)    /* n <= 16, after a refill */
{
    const unsigned v = (unsigned)(z->bits & ((1u << n) - 1));
    drop(z, n);
    return v;
}

static inline int overrun(const inflater *z) { return z->n_bits < z->n_padding; }

/* --- codes -------------------------------------------------------------------------- */

static const uint16_t length_base[29] = { 3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                          15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                          67, 83, 99, 115, 131, 163, 195, 227, 258 };
static const uint8_t length_extra[29] = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                          2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0 };
static const uint16_t dist_base[30] = { 1,    2,    3,    4,     5,     7,    9,    13,
                                        17,   25,   33,   49,    65,    97,   129,  193,
                                        257,  385,  513,  769,   1025,  1537, 2049, 3073,
                                        4097, 6145, 8193, 12289, 16385, 24577 };

static uint32_t entry(unsigned value, unsigned kind) { return value << 16 | kind << 8; }

static uint32_t lit_entry(unsigned symbol)
{
    if (symbol < 256) return entry(symbol, LITERAL);
    if (symbol == 256) return entry(0, END);
    if (symbol > 285) return entry(0, BAD);
    return entry(length_base[symbol - 257], length_extra[symbol - 257]);
}

static uint32_t dist_entry(unsigned symbol)
{
    if (symbol > 29) return entry(0, BAD);
    return entry(dist_base[symbol], symbol < 4 ? 0 : symbol / 2 - 1);
}

static uint32_t pre_entry(unsigned symbol) { return entry(symbol, LITERAL); }

/* The lowest n bits of v in the other order: codes are numbered from their first bit, but
 * that bit is the lowest in the stream. */
static unsigned reversed(unsigned v, unsigned n)
{
    unsigned r = 0;
    for (unsigned i = 0; i < n; i++) r |= (v >> i & 1u) << (n - 1 - i);
    return r;
}

/* Table of a canonical code from the lengths of its codes (0: symbol not used). Returns 0
 * if no such code exists: more codes than fit, or fewer than fill the space (then some
 * bits would mean nothing). Only a code of at most one symbol, one bit long, may be
 * incomplete. */
static int build_table(uint32_t *table, unsigned root, const uint8_t *lengths, unsigned n,
                       uint32_t (*make)(unsigned symbol))
{
    unsigned count[MAX_CODE + 1] = { 0 }, next[MAX_CODE + 2] = { 0 };
    for (unsigned i = 0; i < n; i++) count[lengths[i]]++;
    count[0] = 0;
    int left = 1;
    unsigned longest = 0;
    for (unsigned l = 1; l <= MAX_CODE; l++) {
        left = left * 2 - (int)count[l];
        if (left < 0) return 0;
        next[l + 1] = (next[l] + count[l]) << 1;
        if (count[l]) longest = l;
    }
    if (left > 0 && longest > 1) return 0;

    for (unsigned i = 0; i < 1u << root; i++) table[i] = entry(0, BAD) | 1;
    const unsigned sub_bits = MAX_CODE - root;
    unsigned used = 1u << root;
    for (unsigned symbol = 0; symbol < n; symbol++) {
        const unsigned l = lengths[symbol];
        if (l == 0) continue;
        const unsigned code = reversed(next[l]++, l);
        if (l <= root) {        /* every place that begins with this code */
            for (unsigned i = code; i < 1u << root; i += 1u << l)
                table[i] = make(symbol) | l;
            continue;
        }
        uint32_t *link = &table[code & ((1u << root) - 1)];
        if (!(*link >> 8 & SUBTABLE)) {
            *link = entry(used, SUBTABLE) | root;
            used += 1u << sub_bits;
        }
        uint32_t *sub = table + (*link >> 16);
        for (unsigned i = code >> root; i < 1u << sub_bits; i += 1u << (l - root))
            sub[i] = make(symbol) | (l - root);
    }
    return 1;
}

/* The next code's entry; its bits are dropped. At least 15 bits must wait. */
static inline uint32_t next_entry(inflater *z, const uint32_t *table, unsigned root)
{
    uint32_t e = table[z->bits & ((1u << root) - 1)];
    if (e >> 8 & SUBTABLE) {
        drop(z, root);
        e = table[(e >> 16) + (z->bits & ((1u << (MAX_CODE - root)) - 1))];
    }
    drop(z, e & 0xFF);
    return e;
}

/* --- blocks ------------------------------------------------------------------------- */

typedef enum outcome {
    GO_ON, FULL, BAD_CODE, BAD_DISTANCE, BAD_TABLES, BAD_STORED, ENDED
} outcome;

/* RFC 1951 3.2.7: the lengths of the two codes are themselves run-length and Huffman
 * coded. */
static outcome read_tables(inflater *z)
{
    static const uint8_t order[N_PRE] = { 16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                          11, 4,  12, 3, 13, 2, 14, 1, 15 };
    uint8_t pre[N_PRE] = { 0 }, lengths[N_LIT + N_DIST] = { 0 };
    z->has_fixed = 0;
    refill(z);
    const unsigned n_lit = take(z, 5) + 257, n_dist = take(z, 5) + 1,
                   n_pre = take(z, 4) + 4;
    if (n_lit > 286 || n_dist > 30) return BAD_TABLES;
    for (unsigned i = 0; i < n_pre; i++) {
        refill(z);
        pre[order[i]] = (uint8_t)take(z, 3);
    }
    uint32_t *table = z->dist;          /* not yet in use: borrowed */
    if (!build_table(table, PRE_ROOT, pre, N_PRE, pre_entry)) return BAD_TABLES;

    for (unsigned i = 0; i < n_lit + n_dist;) {
        refill(z);
        const uint32_t e = next_entry(z, table, PRE_ROOT);
        if (!(e >> 8 & LITERAL)) return BAD_TABLES;
        const unsigned symbol = e >> 16;
        if (symbol < 16) {
            lengths[i++] = (uint8_t)symbol;
            continue;
        }
        if (symbol == 16 && i == 0) return BAD_TABLES;
        const uint8_t value = symbol == 16 ? lengths[i - 1] : 0;
        unsigned run = symbol == 16 ? 3 + take(z, 2) : symbol == 17 ? 3 + take(z, 3)
                                                                    : 11 + take(z, 7);
        if (run > n_lit + n_dist - i) return BAD_TABLES;
        while (run--) lengths[i++] = value;
    }
    if (lengths[256] == 0) return BAD_TABLES;           /* the block could never end */
    return build_table(z->lit, LIT_ROOT, lengths, n_lit, lit_entry) &&
           build_table(z->dist, DIST_ROOT, lengths + n_lit, n_dist, dist_entry)
               ? GO_ON : BAD_TABLES;
}

static void fixed_tables(inflater *z)
{
    uint8_t lengths[N_LIT];
    if (z->has_fixed) return;
    z->has_fixed = 1;
    for (unsigned i = 0; i < N_LIT; i++)
        lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    (void)build_table(z->lit, LIT_ROOT, lengths, N_LIT, lit_entry);
    memset(lengths, 5, N_DIST);
    (void)build_table(z->dist, DIST_ROOT, lengths, N_DIST, dist_entry);
}

/* Copies forward byte for byte in meaning: with distance 1 a run of one byte. From 8 on
 * eight at a time, which may write up to 7 bytes too many: only where the output has room
 * for them, and what is there will be overwritten later. */
static inline void copy_match(uint8_t *to, const uint8_t *from, unsigned n, size_t room)
{
    if (to - from >= 8 && room >= n + 8u) {
        for (unsigned i = 0; i < n; i += 8) memcpy(to + i, from + i, 8);
    } else if (to - from == 1) {
        memset(to, *from, n);
    } else {
        for (unsigned i = 0; i < n; i++) to[i] = from[i];
    }
}

/* Symbols until the end of the block. One refill (56 bits) covers a literal and then a
 * literal or a whole match: 15 + 15 + 5 + 15 would leave too few for the distance's 13
 * extra bits, so a match that comes second gets a refill of its own. */
static outcome decode_block(inflater *z)
{
    for (;;) {
        refill(z);
        uint32_t e = next_entry(z, z->lit, LIT_ROOT);
        if (e >> 8 & LITERAL) {
            if (z->out == z->out_end) return FULL;
            *z->out++ = (uint8_t)(e >> 16);
            e = next_entry(z, z->lit, LIT_ROOT);
            if (e >> 8 & LITERAL) {
                if (z->out == z->out_end) return FULL;
                *z->out++ = (uint8_t)(e >> 16);
                continue;
            }
            refill(z);
        }
        if (e >> 8 & (END | BAD)) return e >> 8 & END ? GO_ON : BAD_CODE;
        const unsigned n = (e >> 16) + take(z, e >> 8 & 0xF);
        const uint32_t d = next_entry(z, z->dist, DIST_ROOT);
        if (d >> 8 & BAD) return BAD_CODE;
        const size_t distance = (d >> 16) + take(z, d >> 8 & 0xF);
        if (distance > (size_t)(z->out - z->out_start)) return BAD_DISTANCE;
        const size_t room = (size_t)(z->out_end - z->out);
        if (n > room) {
            copy_match(z->out, z->out - distance, (unsigned)room, room);
            z->out = z->out_end;
            return FULL;
        }
        copy_match(z->out, z->out - distance, n, room);
        z->out += n;
    }
}

/* Gives whole waiting bytes back to the input and drops the rest of a byte. */
static void to_byte_border(inflater *z)
{
    drop(z, z->n_bits & 7);
    const unsigned n_real = z->n_bits > z->n_padding ? z->n_bits - z->n_padding : 0;
    z->in -= n_real / 8;
    z->bits = 0;
    z->n_bits = z->n_padding = 0;
}

static outcome copy_stored(inflater *z)
{
    to_byte_border(z);
    if (z->in_end - z->in < 4) return ENDED;
    const size_t n = mni_get16(z->in);
    if ((mni_get16(z->in + 2) ^ n) != 0xFFFF) return BAD_STORED;
    z->in += 4;
    if ((size_t)(z->in_end - z->in) < n) return ENDED;
    const size_t room = (size_t)(z->out_end - z->out), fits = n < room ? n : room;
    if (fits) memcpy(z->out, z->in, fits);
    z->in += n;
    z->out += fits;
    return n > room ? FULL : GO_ON;
}

static outcome decode_blocks(inflater *z)
{
    for (int last = 0; !last;) {
        refill(z);
        last = (int)take(z, 1);
        const unsigned type = take(z, 2);
        outcome o = GO_ON;
        if (overrun(z)) return ENDED;
        if (type == 0) {
            o = copy_stored(z);
        } else if (type == 3) {
            o = BAD_TABLES;
        } else {
            if (type == 2) o = read_tables(z);
            else fixed_tables(z);
            if (o == GO_ON) o = decode_block(z);
        }
        if (overrun(z)) return ENDED;       /* whatever was read, it was our own zeros */
        if (o != GO_ON) return o;
    }
    return GO_ON;
}

/* --- the zlib frame ----------------------------------------------------------------- */

uint32_t mni_adler32(const uint8_t *bytes, size_t n_bytes)
{
    /* Two sums modulo 65521. Sixteen bytes at a time with their weights: no chain from
     * byte to byte, so the compiler may use the vector unit. 5,552 bytes cannot overflow
     * 32 bits (RFC 1950 9). */
    enum { MOD = 65521, RUN = 5552, STEP = 16 };
    uint32_t a = 1, b = 0;
    while (n_bytes) {
        size_t run = n_bytes < RUN ? n_bytes : RUN;
        n_bytes -= run;
        for (; run >= STEP; run -= STEP, bytes += STEP) {
            uint32_t sum = 0, weighted = 0;
            for (unsigned i = 0; i < STEP; i++) {
                sum += bytes[i];
                weighted += (STEP - i) * bytes[i];
            }
            b += STEP * a + weighted;
            a += sum;
        }
        while (run--) {
            a += *bytes++;
            b += a;
        }
        a %= MOD;
        b %= MOD;
    }
    return b << 16 | a;
}

static mann_status check_end(inflater *z, const uint8_t *in, mann_error *err)
{
    const unsigned long long got = (unsigned long long)(z->out - z->out_start);
    const unsigned long long want = (unsigned long long)(z->out_end - z->out_start);
    if (got < want)
        return mni_fail(err, MANN_E_FORMAT,
                        "deflate: the stream gives %llu bytes, wanted %llu", got, want);
    to_byte_border(z);
    if (z->in_end - z->in < 4)
        return mni_fail(err, MANN_E_FORMAT,
                        "deflate: cut short in the checksum, at byte %llu",
                        (unsigned long long)(z->in - in));
    const uint32_t found = mni_adler32(z->out_start, (size_t)want),
                   told = mni_get32be(z->in);
    if (found != told)
        return mni_fail(err, MANN_E_FORMAT,
                        "deflate: Adler-32 is %08lx, the stream says %08lx",
                        (unsigned long)found, (unsigned long)told);
    return MANN_OK;
}

static mann_status run(inflater *z, const uint8_t *in, mann_error *err)
{
    static const char *const what[] = {
        [BAD_CODE] = "a code that the table does not have",
        [BAD_DISTANCE] = "a copy from before the beginning",
        [BAD_TABLES] = "an impossible code table or block type",
        [BAD_STORED] = "a stored block whose length is not confirmed",
        [ENDED] = "the end of the data in the middle of the stream",
    };
    const outcome o = decode_blocks(z);
    if (o == FULL) return MANN_OK;
    if (o == GO_ON) return check_end(z, in, err);
    return mni_fail(err, MANN_E_FORMAT,
                    "deflate: %s, near byte %llu, after %llu bytes of output", what[o],
                    (unsigned long long)(z->in - in),
                    (unsigned long long)(z->out - z->out_start));
}

mann_status mni_zlib_inflate(uint8_t *out, size_t n_out, const uint8_t *in, size_t n_in,
                             mann_error *err)
{
    if (n_in < 2) return mni_fail(err, MANN_E_FORMAT, "deflate: no zlib header");
    if ((in[0] & 0x0F) != 8 || in[0] >> 4 > 7 || (in[0] * 256u + in[1]) % 31 != 0 ||
        in[1] & 0x20)
        return mni_fail(err, MANN_E_FORMAT, "deflate: %02x %02x is not a zlib header",
                        in[0], in[1]);
    inflater *z = mni_alloc(1, sizeof *z);
    if (!z) return mni_fail(err, MANN_E_NOMEM, "deflate: tables");
    z->in = in + 2;
    z->in_end = in + n_in;
    z->out = z->out_start = out;
    z->out_end = out + n_out;
    const mann_status s = run(z, in, err);
    mni_free(z);
    return s;
}
