/* gif.c - GIF, the first frame.
 *
 *      "GIF89a" | screen: width, height, flags, background, aspect : 7 | palette |
 *      blocks: 21 extension ... | 2C frame: x, y, width, height, flags : 9 | palette |
 *      LZW | 3B end
 *
 * All that is longer than a header lies in sub-blocks: a length byte and so many bytes,
 * up to a length of 0. A frame's places in the palette are coded by LZW (Welch, "A
 * Technique for High-Performance Data Compression", IEEE Computer 17(6), 1984) in codes
 * of growing width:
 *
 *      0 .. n-1   one place        n  begin anew       n+1  end        n+2 ..  strings
 *
 * Each code is a string; each code but the first also makes a new one: the string before
 * and the first byte of this. A string is kept as (the string without its last byte, its
 * last byte), and written from its end backwards. What lies outside of the
 * first frame is transparent, or colour 0 where nothing is, as in Pillow; GIF89a
 * specification, CompuServe 1990. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/bytes.h"
#include "image/decoders.h"

enum { MAX_CODES = 4096, SCREEN_BYTES = 13, FRAME_BYTES = 9 };

typedef struct gif {
    mni_cursor c;
    uint32_t width, height;                 /* of the screen */
    uint32_t x, y, frame_width, frame_height;
    int interlaced, transparent;            /* transparent: a place, or -1 */
    const uint8_t *palette;                 /* n_palette times RGB */
    unsigned n_palette;
} gif;

/* --- blocks ------------------------------------------------------------------------- */

static void skip_blocks(mni_cursor *c)
{
    for (unsigned n = mni_cursor_u8(c); n && !c->bad; n = mni_cursor_u8(c))
        (void)mni_cursor_take(c, n);
}

static void read_palette(gif *g, unsigned flags)
{
    if (!(flags & 0x80)) return;
    const unsigned n = 2u << (flags & 7);
    const uint8_t *p = mni_cursor_take(&g->c, 3 * (size_t)n);
    if (!p) return;
    g->palette = p;
    g->n_palette = n;
}

/* F9 says which place of the palette is transparent; all other extensions are passed. */
static void read_extension(gif *g)
{
    const unsigned label = mni_cursor_u8(&g->c);
    if (label == 0xF9 && mni_cursor_left(&g->c) >= 6 && g->c.bytes[g->c.at] == 4) {
        const uint8_t *b = g->c.bytes + g->c.at + 1;
        g->transparent = b[0] & 1 ? b[3] : -1;
    }
    skip_blocks(&g->c);
}

/* Everything in front of the pixels of the first frame. */
static mann_status read_header(gif *g, mann_error *err)
{
    const uint8_t *b = mni_cursor_take(&g->c, SCREEN_BYTES);
    if (!b) return mni_fail(err, MANN_E_FORMAT, "gif: cut short in the header");
    g->width = mni_get16(b + 6);
    g->height = mni_get16(b + 8);
    g->transparent = -1;
    read_palette(g, b[10]);
    for (;;) {
        const unsigned kind = mni_cursor_u8(&g->c);
        if (g->c.bad) break;
        if (kind == 0x2C) {
            const uint8_t *f = mni_cursor_take(&g->c, FRAME_BYTES);
            if (!f) break;
            g->x = mni_get16(f);
            g->y = mni_get16(f + 2);
            g->frame_width = mni_get16(f + 4);
            g->frame_height = mni_get16(f + 6);
            g->interlaced = f[8] >> 6 & 1;
            read_palette(g, f[8]);
            if (g->c.bad) break;
            return MANN_OK;
        }
        if (kind == 0x3B)
            return mni_fail(err, MANN_E_FORMAT, "gif: there is no frame in it");
        if (kind == 0x21) read_extension(g);
        /* Anything else is a byte too many: pass on, as other readers do. */
    }
    return mni_fail(err, MANN_E_FORMAT, "gif: cut short at byte %llu, before a frame",
                    (unsigned long long)g->c.n_bytes);
}

/* --- LZW ---------------------------------------------------------------------------- */

typedef struct lzw {
    mni_cursor *c;
    unsigned in_block;                  /* bytes left of the sub-block */
    uint32_t bits, n_bits;
    unsigned first_width, width, n_codes, clear;
    int before;                         /* the string before, or -1 */
    uint16_t prefix[MAX_CODES], length[MAX_CODES];
    uint8_t last[MAX_CODES], first[MAX_CODES];
} lzw;

static void begin_anew(lzw *z)
{
    z->width = z->first_width + 1;
    z->n_codes = z->clear + 2;
    z->before = -1;
}

/* The next code, or -1 where the sub-blocks end. */
static int next_code(lzw *z)
{
    while (z->n_bits < z->width) {
        if (z->in_block == 0) {
            z->in_block = mni_cursor_u8(z->c);
            if (z->in_block == 0 || z->c->bad) return -1;
        }
        z->bits |= (uint32_t)mni_cursor_u8(z->c) << z->n_bits;
        z->n_bits += 8;
        z->in_block--;
        if (z->c->bad) return -1;
    }
    const unsigned code = z->bits & ((1u << z->width) - 1);
    z->bits >>= z->width;
    z->n_bits -= z->width;
    return (int)code;
}

static void add_string(lzw *z, unsigned prefix, uint8_t last)
{
    const unsigned n = z->n_codes;
    if (n >= MAX_CODES) return;                 /* full: it stays as it is */
    z->prefix[n] = (uint16_t)prefix;
    z->last[n] = last;
    z->first[n] = z->first[prefix];
    z->length[n] = (uint16_t)(z->length[prefix] + 1);
    z->n_codes++;
    if (z->n_codes == 1u << z->width && z->width < 12) z->width++;
}

/* All strings one after the other into to[0..n_to); gives how many bytes there were. */
static mann_status decode(lzw *z, uint8_t *to, size_t n_to, size_t *n_out,
                          mann_error *err)
{
    size_t n = 0;
    begin_anew(z);
    while (n < n_to) {
        const int code = next_code(z);
        if (code < 0 || (unsigned)code == z->clear + 1) break;
        if ((unsigned)code == z->clear) {
            begin_anew(z);
            continue;
        }
        /* The string that this code itself makes: the one before and its first byte. */
        if (z->before >= 0 && (unsigned)code == z->n_codes)
            add_string(z, (unsigned)z->before, z->first[z->before]);
        else if ((unsigned)code < z->n_codes && z->before >= 0)
            add_string(z, (unsigned)z->before, z->first[code]);
        if ((unsigned)code >= z->n_codes)
            return mni_fail(err, MANN_E_FORMAT, "gif: code %d of %u at byte %llu", code,
                            z->n_codes, (unsigned long long)z->c->at);
        unsigned s = (unsigned)code;
        size_t at = n + z->length[s];
        n = at;
        while (at > n_to) {                     /* the end of the last string is cut */
            s = z->prefix[s];
            at--;
        }
        for (unsigned left = z->length[s]; left > 0; left--, s = z->prefix[s])
            to[--at] = z->last[s];
        z->before = code;
    }
    *n_out = n < n_to ? n : n_to;
    return MANN_OK;
}

static mann_status read_places(gif *g, lzw *z, uint8_t *places, mann_error *err)
{
    const size_t n = (size_t)g->frame_width * g->frame_height;
    size_t got = 0;
    z->c = &g->c;
    z->first_width = mni_cursor_u8(&g->c);
    if (g->c.bad || z->first_width < 1 || z->first_width > 11)
        return mni_fail(err, MANN_E_FORMAT, "gif: codes of %u bits, wanted 2..8",
                        z->first_width);
    z->clear = 1u << z->first_width;
    for (unsigned i = 0; i < z->clear; i++) {
        z->first[i] = z->last[i] = (uint8_t)i;
        z->length[i] = 1;
    }
    MNI_TRY(decode(z, places, n, &got, err));
    if (got == n) return MANN_OK;
    return mni_fail(err, MANN_E_FORMAT, "gif: cut at byte %llu: %llu of %llu pixels",
                    (unsigned long long)g->c.at, (unsigned long long)got,
                    (unsigned long long)n);
}

/* --- pixels ------------------------------------------------------------------------- */

/* The picture's row of row i of the file: interlaced rows come as every 8th, every 8th
 * from 4, every 4th from 2, every 2nd from 1. */
static uint32_t row_of(const gif *g, uint32_t i)
{
    const uint32_t h = g->frame_height, a = (h + 7) / 8, b = (h + 3) / 8, c = (h + 1) / 4;
    if (!g->interlaced) return i;
    if (i < a) return 8 * i;
    if (i < a + b) return 4 + 8 * (i - a);
    if (i < a + b + c) return 2 + 4 * (i - a - b);
    return 1 + 2 * (i - a - b - c);
}

static void paint(const gif *g, const uint8_t *places, mann_image *im)
{
    uint8_t colours[256][4];
    for (unsigned i = 0; i < 256; i++) {
        if (i < g->n_palette) memcpy(colours[i], g->palette + 3 * (size_t)i, 3);
        else memset(colours[i], g->n_palette ? 0 : (int)i, 3);  /* none: grey */
        colours[i][3] = (int)i == g->transparent ? 0 : 255;
    }
    const uint8_t *around = colours[g->transparent >= 0 ? g->transparent : 0];
    if (g->frame_width < im->width || g->frame_height < im->height)
        for (size_t i = 0; i < (size_t)im->width * im->height; i++)
            memcpy(im->pixels + i * im->channels, around, im->channels);
    for (uint32_t i = 0; i < g->frame_height; i++, places += g->frame_width) {
        const uint32_t y = g->y + row_of(g, i);
        if (y >= im->height) continue;
        for (uint32_t x = 0; x < g->frame_width && g->x + x < im->width; x++)
            memcpy(im->pixels + ((size_t)y * im->width + g->x + x) * im->channels,
                   colours[places[x]], im->channels);
    }
}

mann_status mni_gif_read(mann_image *out, const mni_source *in, mann_error *err)
{
    gif g = { .c = mni_cursor_of(in->bytes, in->n_bytes) };
    mann_image im;
    MNI_TRY(read_header(&g, err));
    /* A frame that sticks out makes the picture larger, as in Pillow. */
    if (g.x + g.frame_width > g.width) g.width = g.x + g.frame_width;
    if (g.y + g.frame_height > g.height) g.height = g.y + g.frame_height;
    MNI_TRY(mni_source_size(in, "gif", g.width, g.height, err));
    const uint64_t n = (uint64_t)g.frame_width * g.frame_height;
    if (n == 0) return mni_fail(err, MANN_E_FORMAT, "gif: the first frame is empty");
    /* 12 bits give a string of 4,096 at most. */
    MNI_TRY(mni_source_holds("gif", mni_cursor_left(&g.c), n / 2730, err));
    MNI_TRY(mni_source_work(in, "gif", (uint64_t)g.width * g.height, err));
    lzw *z = mni_arena_get(in->arena, 1, sizeof *z);
    uint8_t *places = mni_arena_get(in->arena, (size_t)n, 1);
    if (!z || !places) return mni_fail(err, MANN_E_NOMEM, "gif: %llu pixels",
                                       (unsigned long long)n);
    MNI_TRY(read_places(&g, z, places, err));
    MNI_TRY(mni_image_new(&im, g.width, g.height, g.transparent >= 0 ? 4 : 3, err));
    paint(&g, places, &im);
    *out = im;
    return MANN_OK;
}
