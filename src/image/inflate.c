/* inflate.c - deflate, decompressed: RFC 1951 (blocks, codes) inside RFC 1950 (frame).
 *
 * A deflate stream is a row of blocks. A block is stored as it is, or is a row of Huffman
 * codes: a literal byte, or "copy `length` bytes from `distance` back", or "end of
 * block". The codes of a block are fixed by the standard or sent in front of it, as the
 * mere lengths of the codes (a canonical code: codes of one length are consecutive
 * numbers, in the order of the symbols).
 *
 * Here are the frame, the blocks and the tables; the loop over the symbols, where the
 * time goes, is kern/symbols_body.h, and the form of a table's entries is drawn in
 * kern/kern_png.h. Work can stop after any symbol and go on later: a picture is inflated
 * in pieces that fit the cache. Read build_table first. SPDX-License-Identifier: MIT */
#include "image/inflate.h"

#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "kern/kern_png.h"

enum {
    MAX_CODE = MNI_SYM_MAX_CODE,
    LIT_ROOT = MNI_SYM_LITERAL_ROOT, DIST_ROOT = MNI_SYM_DISTANCE_ROOT, PRE_ROOT = 7,
    N_LIT = 288, N_DIST = 32, N_PRE = 19, PIECE = 1 << 17
};
_Static_assert((int)MNI_INFLATE_SLACK >= (int)MNI_SYM_SLACK, "room behind the end");

typedef enum where { AT_BLOCK, IN_STORED, IN_CODES, AT_END } where;

struct mni_inflater {
    mni_symbols s;
    const uint8_t *in_start;
    const mni_kern_png *kern;
    where where;
    int is_last, has_fixed;     /* has_fixed: the tables are those of the standard */
    size_t n_stored;            /* bytes of a stored block still to come */
    uint64_t n_out;
};

typedef enum outcome {
    GO_ON, FULL, BAD_CODE, BAD_DISTANCE, BAD_TABLES, BAD_STORED, ENDED
} outcome;

/* --- bits --------------------------------------------------------------------------- */

static inline void drop(mni_symbols *z, unsigned n)
{
    z->bits >>= n;
    z->n_bits -= n;
}

static inline unsigned take(mni_symbols *z, unsigned n)    /* n <= 16, after a refill */
{
    const unsigned v = (unsigned)(z->bits & ((1u << n) - 1));
    drop(z, n);
    return v;
}

/* Were bits used that never were in the file? */
static inline int overrun(const mni_symbols *z) { return z->n_bits < z->n_padding; }

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

/* The entry of a symbol whose code has so many bits (in this table). */
typedef uint32_t (*make_fn)(unsigned symbol, unsigned n_bits);

static uint32_t with_extra(unsigned base, unsigned extra, unsigned n_bits)
{
    return base << 16 | n_bits << 8 | (n_bits + extra);
}

static uint32_t lit_entry(unsigned symbol, unsigned n_bits)
{
    if (symbol < 256) return MNI_SYM_LITERAL | symbol << 8 | n_bits;
    if (symbol == 256) return MNI_SYM_END | n_bits;
    if (symbol > 285) return MNI_SYM_BAD | n_bits;
    return with_extra(length_base[symbol - 257], length_extra[symbol - 257], n_bits);
}

static uint32_t dist_entry(unsigned symbol, unsigned n_bits)
{
    if (symbol > 29) return MNI_SYM_BAD | n_bits;
    return with_extra(dist_base[symbol], symbol < 4 ? 0 : symbol / 2 - 1, n_bits);
}

static uint32_t pre_entry(unsigned symbol, unsigned n_bits)
{
    return symbol << 16 | n_bits;
}

/* The lowest n bits of v in the other order: codes are numbered from their first bit, but
 * that bit is the lowest in the stream. */
static unsigned reversed(unsigned v, unsigned n)
{
    v = (v & 0x5555) << 1 | (v >> 1 & 0x5555);
    v = (v & 0x3333) << 2 | (v >> 2 & 0x3333);
    v = (v & 0x0F0F) << 4 | (v >> 4 & 0x0F0F);
    v = (v & 0x00FF) << 8 | v >> 8;
    return v >> (16 - n);
}

/* Counts of the lengths, and the first code of each. Returns 0 if no such code exists:
 * more codes than fit, or fewer than fill the space (then some bits would mean nothing).
 * Only a code of at most one symbol, one bit long, may be incomplete: *is_full 0. */
static int first_codes(unsigned next[MAX_CODE + 2], int *is_full, const uint8_t *lengths,
                       unsigned n)
{
    unsigned count[MAX_CODE + 1] = { 0 };
    for (unsigned i = 0; i < n; i++) count[lengths[i]]++;
    int left = 1;
    unsigned longest = 0;
    next[0] = next[1] = 0;
    for (unsigned l = 1; l <= MAX_CODE; l++) {
        left = left * 2 - (int)count[l];
        if (left < 0) return 0;
        next[l + 1] = (next[l] + count[l]) << 1;
        if (count[l]) longest = l;
    }
    *is_full = left == 0;
    return left == 0 || longest <= 1;
}

/* Table of a canonical code from the lengths of its codes (0: symbol not used). */
static int build_table(uint32_t *table, unsigned root, const uint8_t *lengths, unsigned n,
                       make_fn make)
{
    unsigned next[MAX_CODE + 2];
    int is_full;
    if (!first_codes(next, &is_full, lengths, n)) return 0;
    const unsigned sub_bits = MAX_CODE - root;
    unsigned used = 1u << root;
    if (!is_full)
        for (unsigned i = 0; i < 1u << root; i++) table[i] = MNI_SYM_BAD | 1;
    /* Where a second table begins is told by its entry; no old one may be taken for
     * it. */
    uint8_t has_sub[1 << MNI_SYM_LITERAL_ROOT] = { 0 };
    for (unsigned symbol = 0; symbol < n; symbol++) {
        const unsigned l = lengths[symbol];
        if (l == 0) continue;
        const unsigned code = reversed(next[l]++, l);
        if (l <= root) {        /* every place that begins with this code */
            const uint32_t e = make(symbol, l);
            for (unsigned i = code; i < 1u << root; i += 1u << l) table[i] = e;
            continue;
        }
        const unsigned prefix = code & ((1u << root) - 1);
        if (!has_sub[prefix]) {
            has_sub[prefix] = 1;
            table[prefix] = used << 16 | MNI_SYM_SUB | root;
            used += 1u << sub_bits;
        }
        /* All `l` bits are dropped at once: the loop looks with the root still there. */
        uint32_t *sub = table + (table[prefix] >> 16);
        const uint32_t e = make(symbol, l);
        for (unsigned i = code >> root; i < 1u << sub_bits; i += 1u << (l - root))
            sub[i] = e;
    }
    return 1;
}

/* Where a literal's code leaves room in the look for a second whole literal, both go into
 * one entry. Downwards: what is looked up lies below and must still be single. */
static void pair_literals(uint32_t *table)
{
    for (unsigned i = (1u << LIT_ROOT) - 1; i > 0; i--) {
        const uint32_t e = table[i], n = e & 63;
        if (!(e & MNI_SYM_LITERAL)) continue;
        const uint32_t f = table[i >> n];
        if ((f & MNI_SYM_LITERAL) && n + (f & 63) <= LIT_ROOT)
            table[i] = MNI_SYM_LITERAL | MNI_SYM_TWO | (f & 0xFF00) << 8 | (e & 0xFF00) |
                       (n + (f & 63));
    }
}

/* --- blocks ------------------------------------------------------------------------- */

/* RFC 1951 3.2.7: the lengths of the two codes are themselves run-length and Huffman
 * coded. */
static outcome read_lengths(mni_symbols *z, const uint32_t *table, uint8_t *lengths,
                            unsigned n)
{
    for (unsigned i = 0; i < n;) {
        mni_symbols_refill(z);
        const uint32_t e = table[z->bits & ((1u << PRE_ROOT) - 1)];
        if (e & MNI_SYM_BAD) return BAD_TABLES;
        drop(z, e & 63);
        const unsigned symbol = e >> 16;
        if (symbol < 16) {
            lengths[i++] = (uint8_t)symbol;
            continue;
        }
        if (symbol == 16 && i == 0) return BAD_TABLES;
        const uint8_t value = symbol == 16 ? lengths[i - 1] : 0;
        unsigned run = symbol == 16 ? 3 + take(z, 2) : symbol == 17 ? 3 + take(z, 3)
                                                                    : 11 + take(z, 7);
        if (run > n - i) return BAD_TABLES;
        while (run--) lengths[i++] = value;
    }
    return GO_ON;
}

static outcome read_tables(mni_inflater *f)
{
    static const uint8_t order[N_PRE] = { 16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                          11, 4,  12, 3, 13, 2, 14, 1, 15 };
    mni_symbols *z = &f->s;
    uint8_t pre[N_PRE] = { 0 }, lengths[N_LIT + N_DIST] = { 0 };
    f->has_fixed = 0;
    mni_symbols_refill(z);
    const unsigned n_lit = take(z, 5) + 257, n_dist = take(z, 5) + 1,
                   n_pre = take(z, 4) + 4;
    if (n_lit > 286 || n_dist > 30) return BAD_TABLES;
    for (unsigned i = 0; i < n_pre; i++) {
        mni_symbols_refill(z);
        pre[order[i]] = (uint8_t)take(z, 3);
    }
    uint32_t *table = z->distances;     /* not yet in use: borrowed */
    if (!build_table(table, PRE_ROOT, pre, N_PRE, pre_entry)) return BAD_TABLES;
    if (read_lengths(z, table, lengths, n_lit + n_dist) != GO_ON) return BAD_TABLES;
    if (lengths[256] == 0) return BAD_TABLES;           /* the block could never end */
    if (!build_table(z->literals, LIT_ROOT, lengths, n_lit, lit_entry) ||
        !build_table(z->distances, DIST_ROOT, lengths + n_lit, n_dist, dist_entry))
        return BAD_TABLES;
    pair_literals(z->literals);
    return GO_ON;
}

static void fixed_tables(mni_inflater *f)
{
    uint8_t lengths[N_LIT];
    if (f->has_fixed) return;
    f->has_fixed = 1;
    for (unsigned i = 0; i < N_LIT; i++)
        lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    (void)build_table(f->s.literals, LIT_ROOT, lengths, N_LIT, lit_entry);
    pair_literals(f->s.literals);
    memset(lengths, 5, N_DIST);
    (void)build_table(f->s.distances, DIST_ROOT, lengths, N_DIST, dist_entry);
}

/* Gives whole waiting bytes back to the input and drops the rest of a byte. */
static void to_byte_border(mni_symbols *z)
{
    drop(z, z->n_bits & 7);
    const unsigned n_real = z->n_bits > z->n_padding ? z->n_bits - z->n_padding : 0;
    z->in -= n_real / 8;
    z->bits = 0;
    z->n_bits = z->n_padding = 0;
}

static outcome begin_stored(mni_inflater *f)
{
    mni_symbols *z = &f->s;
    to_byte_border(z);
    if (z->in_end - z->in < 4) return ENDED;
    f->n_stored = mni_get16(z->in);
    if ((mni_get16(z->in + 2) ^ f->n_stored) != 0xFFFF) return BAD_STORED;
    z->in += 4;
    f->where = IN_STORED;
    return GO_ON;
}

static outcome copy_stored(mni_inflater *f)
{
    mni_symbols *z = &f->s;
    size_t n = f->n_stored;
    if (n > (size_t)(z->out_limit - z->out)) n = (size_t)(z->out_limit - z->out);
    if ((size_t)(z->in_end - z->in) < n) return ENDED;
    if (n) memcpy(z->out, z->in, n);
    z->in += n;
    z->out += n;
    f->n_stored -= n;
    return f->n_stored ? FULL : GO_ON;
}

static outcome begin_block(mni_inflater *f)
{
    mni_symbols *z = &f->s;
    if (f->is_last) {
        f->where = AT_END;
        return GO_ON;
    }
    mni_symbols_refill(z);
    f->is_last = (int)take(z, 1);
    const unsigned type = take(z, 2);
    if (overrun(z)) return ENDED;
    if (type == 0) return begin_stored(f);
    if (type == 3) return BAD_TABLES;
    if (type == 1) fixed_tables(f);
    else if (read_tables(f) != GO_ON) return overrun(z) ? ENDED : BAD_TABLES;
    f->where = IN_CODES;
    return GO_ON;
}

static outcome decode_codes(mni_inflater *f)
{
    static const outcome outcomes[] = { [MNI_SYMBOLS_BLOCK] = GO_ON,
                                        [MNI_SYMBOLS_FULL] = FULL,
                                        [MNI_SYMBOLS_BAD_CODE] = BAD_CODE,
                                        [MNI_SYMBOLS_BAD_DISTANCE] = BAD_DISTANCE };
    const outcome o = outcomes[f->kern->symbols(&f->s)];
    return overrun(&f->s) ? ENDED : o;      /* whatever was read, it was our own zeros */
}

static outcome decode(mni_inflater *f)
{
    while (f->where != AT_END && f->s.out < f->s.out_limit) {
        outcome o = GO_ON;
        if (f->where == AT_BLOCK) {
            o = begin_block(f);
        } else {
            o = f->where == IN_STORED ? copy_stored(f) : decode_codes(f);
            if (o == GO_ON) f->where = AT_BLOCK;
        }
        if (o != GO_ON && o != FULL) return o;
    }
    return GO_ON;
}

mann_status mni_inflate_more(mni_inflater *f, uint8_t **now, const uint8_t *start,
                             uint8_t *at, uint8_t *end, mann_error *err)
{
    static const char *const what[] = {
        [BAD_CODE] = "a code that the table does not have",
        [BAD_DISTANCE] = "a copy from before the beginning",
        [BAD_TABLES] = "an impossible code table or block type",
        [BAD_STORED] = "a stored block whose length is not confirmed",
        [ENDED] = "the end of the data in the middle of the stream",
    };
    f->s.out = at;
    f->s.out_start = start;
    f->s.out_limit = end;
    const outcome o = decode(f);
    f->n_out += (uint64_t)(f->s.out - at);
    *now = f->s.out;
    if (o == GO_ON) return MANN_OK;
    return mni_fail(err, MANN_E_FORMAT,
                    "deflate: %s, near byte %llu, after %llu bytes of output", what[o],
                    (unsigned long long)(f->s.in - f->in_start),
                    (unsigned long long)f->n_out);
}

/* --- the zlib frame ----------------------------------------------------------------- */

mann_status mni_inflate_new(mni_inflater **out, const uint8_t *in, size_t n_in,
                            mann_error *err)
{
    *out = NULL;
    if (n_in < 2) return mni_fail(err, MANN_E_FORMAT, "deflate: no zlib header");
    if ((in[0] & 0x0F) != 8 || in[0] >> 4 > 7 || (in[0] * 256u + in[1]) % 31 != 0 ||
        in[1] & 0x20)
        return mni_fail(err, MANN_E_FORMAT, "deflate: %02x %02x is not a zlib header",
                        in[0], in[1]);
    mni_inflater *f = mni_alloc(1, sizeof *f);
    if (!f) return mni_fail(err, MANN_E_NOMEM, "deflate: tables");
    f->in_start = in;
    f->s.in = in + 2;
    f->s.in_end = in + n_in;
    f->kern = mni_kern_png_best();
    *out = f;
    return MANN_OK;
}

void mni_inflate_free(mni_inflater *f) { mni_free(f); }

mann_status mni_inflate_check(mni_inflater *f, uint32_t adler, mann_error *err)
{
    uint8_t none[1 + MNI_INFLATE_SLACK], *now;
    mni_symbols *z = &f->s;
    if (f->where != AT_END) {
        /* All bytes are there; is what follows the end? One more byte, and it is not. */
        z->out = none;
        z->out_start = none;
        z->out_limit = none + 1;
        const outcome o = decode(f);
        now = z->out;
        if (o == ENDED)
            return mni_fail(err, MANN_E_FORMAT, "deflate: cut short at its end");
        if (o != GO_ON || f->where != AT_END || now != none) return MANN_OK;
    }
    to_byte_border(z);
    if (z->in_end - z->in < 4)
        return mni_fail(err, MANN_E_FORMAT,
                        "deflate: cut short in the checksum, at byte %llu",
                        (unsigned long long)(z->in - f->in_start));
    const uint32_t told = mni_get32be(z->in);
    if (adler != told)
        return mni_fail(err, MANN_E_FORMAT,
                        "deflate: Adler-32 is %08lx, the stream says %08lx",
                        (unsigned long)adler, (unsigned long)told);
    return MANN_OK;
}

uint32_t mni_adler32(const uint8_t *bytes, size_t n_bytes)
{
    return mni_kern_png_best()->adler32(1, bytes, n_bytes);
}

/* Piece by piece through a buffer of our own, because the output has no slack. */
static mann_status inflate_all(mni_inflater *f, uint8_t *buffer, uint8_t *out,
                               size_t n_out, mann_error *err)
{
    uint8_t *at = buffer, *now = buffer;
    size_t done = 0;
    while (done < n_out) {
        const size_t kept = (size_t)(at - buffer), left = n_out - done;
        const size_t piece = left < PIECE ? left : PIECE;
        MNI_TRY(mni_inflate_more(f, &now, buffer, at, at + piece, err));
        size_t n = (size_t)(now - at);
        if (n == 0)
            return mni_fail(err, MANN_E_FORMAT,
                            "deflate: the stream gives %llu bytes, wanted %llu",
                            (unsigned long long)done, (unsigned long long)n_out);
        if (n > left) {
            memcpy(out + done, at, left);
            return MANN_OK;
        }
        memcpy(out + done, at, n);
        done += n;
        const size_t keep = kept + n < MNI_INFLATE_WINDOW ? kept + n : MNI_INFLATE_WINDOW;
        memmove(buffer, now - keep, keep);
        at = buffer + keep;
    }
    return mni_inflate_check(f, mni_adler32(out, n_out), err);
}

mann_status mni_zlib_inflate(uint8_t *out, size_t n_out, const uint8_t *in, size_t n_in,
                             mann_error *err)
{
    mni_inflater *f;
    MNI_TRY(mni_inflate_new(&f, in, n_in, err));
    uint8_t *buffer = mni_alloc(MNI_INFLATE_WINDOW + PIECE + MNI_INFLATE_SLACK, 1);
    const mann_status s = buffer ? inflate_all(f, buffer, out, n_out, err)
                                 : mni_fail(err, MANN_E_NOMEM, "deflate: window");
    mni_free(buffer);
    mni_inflate_free(f);
    return s;
}
