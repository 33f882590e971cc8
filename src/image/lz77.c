/* lz77.c - finding repetitions (Ziv and Lempel, 1977) by hash chains.
 *
 * Positions are filed by a hash of the four bytes that begin there; positions with the
 * same hash form a chain, newest first. A chain is walked for a while only; a candidate
 * is looked at closely if the four bytes that would make it longer than the best one so
 * far are the same. Three bytes have a table of their own with only the newest position:
 * so short a copy pays only when it is near.
 *
 *      head[hash] ---> newest ---delta---> older ---delta---> ...    (deltas: 16 bits)
 *
 * A match is held back for one byte: if the next position has a longer one, the held one
 * shrinks to a literal ("lazy matching"). SPDX-License-Identifier: MIT */
#include "image/lz77.h"

#include "base/bytes.h"
#include "base/mem.h"

enum {
    HASH_BITS = 15, HASH3_BITS = 13,
    MOST_TRIES = 12,    /* candidates looked at for one position */
    GOOD = 8,           /* with a match this long in hand, a quarter of them */
    LAZY_BELOW = 24,    /* a match this long is taken without trying the next position */
    NICE = 96           /* a match this long ends the search */
};

struct mni_lz77 {
    const uint8_t *in;
    uint32_t n, at;
    unsigned held, held_distance;
    int pending;                        /* the byte at - 1 is not yet a token */
    unsigned literal_bits;
    uint32_t head[1 << HASH_BITS];      /* newest position + 1 with this hash; 0: none */
    uint32_t head3[1 << HASH3_BITS];
    uint16_t delta[MNI_LZ_WINDOW];      /* to the one before; 0: none in the window */
};

mni_lz77 *mni_lz77_new(const uint8_t *in, uint32_t n)
{
    mni_lz77 *z = mni_alloc(1, sizeof *z);
    if (!z) return NULL;
    z->in = in;
    z->n = n;
    return z;
}

void mni_lz77_free(mni_lz77 *z) { mni_free(z); }

static inline uint32_t hash(uint32_t bytes, unsigned n_bits)
{
    return (bytes * 0x9E3779B1u) >> (32 - n_bits);
}

/* Enters position `at`; gives the former newest position + 1 with these four bytes. */
static inline uint32_t enter(mni_lz77 *z, uint32_t at, uint32_t four)
{
    uint32_t *const head = &z->head[hash(four, HASH_BITS)];
    const uint32_t old = *head, back = at + 1 - old;
    z->delta[at % MNI_LZ_WINDOW] = (uint16_t)(old && back <= MNI_LZ_WINDOW ? back : 0);
    *head = at + 1;
    return old;
}

static inline unsigned common_bytes(const uint8_t *a, const uint8_t *b, unsigned from,
                                    unsigned limit)
{
    unsigned n = from;
    for (; n + 8 <= limit; n += 8) {
        uint64_t x = mni_get64(a + n) ^ mni_get64(b + n);
        if (!x) continue;
        for (; !(x & 255); x >>= 8) n++;
        return n;
    }
    while (n < limit && a[n] == b[n]) n++;
    return n;
}

static unsigned log2_floor(uint32_t v) /* v >= 1 */
{
    unsigned n = 0;
    for (unsigned step = 8; step; step /= 2)
        if (v >> (n + step)) n += step;
    return n;
}

/* A copy's codes are some 11 bits and the extra bits of the distance. */
static int pays(const mni_lz77 *z, unsigned length, unsigned distance)
{
    return length * z->literal_bits > 16 * (11 + log2_floor(distance));
}

/* The longest earlier copy of what stands at `at` that beats `best` (at least 3). */
static unsigned longest_match(const mni_lz77 *z, uint32_t at, uint32_t candidate,
                              unsigned best, int tries, unsigned *distance)
{
    const uint8_t *const here = z->in + at;
    const uint32_t left = z->n - at, four = mni_get32(here);
    const unsigned limit = left < MNI_LZ_MAX ? left : MNI_LZ_MAX;
    unsigned found = 0;
    if (best >= limit || !candidate) return 0;
    uint32_t from = candidate - 1, end = mni_get32(here + best - 3);
    while (at - from <= MNI_LZ_WINDOW) {
        const uint8_t *const there = z->in + from;
        if (mni_get32(there + best - 3) == end && mni_get32(there) == four) {
            const unsigned n = common_bytes(there, here, 4, limit);
            if (n > best && (n > 5 || pays(z, n, at - from))) {
                best = found = n;
                *distance = at - from;
                if (n >= NICE || n == limit) break;
                end = mni_get32(here + best - 3);
            }
        }
        const unsigned back = z->delta[from % MNI_LZ_WINDOW];
        if (!back || back > from || --tries == 0) break;
        from -= back;
    }
    return found;
}

static unsigned short_match(mni_lz77 *z, uint32_t at, uint32_t three, uint32_t old,
                            unsigned *distance)
{
    if (!old || at - (old - 1) > 4096) return 0;
    const uint8_t *const there = z->in + old - 1;
    if ((there[0] | there[1] << 8 | (uint32_t)there[2] << 16) != three) return 0;
    *distance = at - (old - 1);
    return pays(z, 3, *distance) ? 3 : 0;
}

/* The best match at z->at that beats the held one; 0: none. Enters the position. */
static unsigned match_here(mni_lz77 *z, unsigned *distance)
{
    const uint32_t at = z->at;
    if (z->n - at < 4) return 0;
    const uint32_t four = mni_get32(z->in + at), three = four & 0xFFFFFF;
    const uint32_t candidate = enter(z, at, four);
    uint32_t *const head3 = &z->head3[hash(three, HASH3_BITS)];
    const uint32_t old3 = *head3;
    *head3 = at + 1;
    if (z->held >= LAZY_BELOW) return 0;
    const int tries = z->held >= GOOD ? MOST_TRIES / 4 : MOST_TRIES;
    const unsigned n = longest_match(z, at, candidate, z->held < 3 ? 3 : z->held, tries,
                                     distance);
    return n || z->held >= 3 ? n : short_match(z, at, three, old3, distance);
}

/* Passes over what a match stands for; the positions are entered all the same. */
static void pass(mni_lz77 *z, uint32_t end)
{
    const uint32_t last = z->n < 4 ? 0 : z->n - 3;
    for (z->at++; z->at < end && z->at < last; z->at++)
        (void)enter(z, z->at, mni_get32(z->in + z->at));
    z->at = end;
}

uint32_t mni_lz77_more(mni_lz77 *z, mni_token *tokens, uint32_t n_max,
                       unsigned literal_bits, uint32_t *end)
{
    uint32_t n = 0;
    z->literal_bits = literal_bits;
    while (z->at < z->n && n < n_max) {
        unsigned distance = 0;
        const unsigned length = match_here(z, &distance);
        if (z->held >= MNI_LZ_MIN && length <= z->held) {
            tokens[n++] = (mni_token){ (uint16_t)z->held, (uint16_t)z->held_distance };
            pass(z, z->at - 1 + z->held);
            z->held = 0;
            z->pending = 0;
        } else {
            if (z->pending) tokens[n++] = (mni_token){ z->in[z->at - 1], 0 };
            z->pending = 1;
            z->held = length;
            z->held_distance = distance;
            z->at++;
        }
    }
    if (z->at == z->n && z->pending && n < n_max) {
        if (z->held >= MNI_LZ_MIN)      /* cannot be: a match would lead past the end */
            z->held = 0;
        tokens[n++] = (mni_token){ z->in[z->n - 1], 0 };
        z->pending = 0;
    }
    *end = z->at - (uint32_t)z->pending;
    return n;
}
