/* test_png.c - the PNG decoder against pictures that are built here: every colour type,
 * depth, filter and both row orders, from random samples, with the expected pixels
 * computed beside. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/rng.h"
#include "decode_help.h"
#include "harness.h"
#include "image/inflate.h"

/* --- a writer for tests: slow, and sharing no code with the reader ------------------ */

static uint32_t crc_bitwise(const uint8_t *p, size_t n)
{
    uint32_t c = 0xFFFFFFFFu;
    while (n--) {
        c ^= *p++;
        for (int i = 0; i < 8; i++) c = c >> 1 ^ (c & 1 ? 0xEDB88320u : 0);
    }
    return ~c;
}

static void add_be(mni_buf *b, uint32_t v)
{
    uint8_t bytes[4];
    mni_put32be(bytes, v);
    mni_buf_add(b, bytes, 4);
}

static void add_chunk(mni_buf *b, const char *tag, const void *data, size_t n)
{
    add_be(b, (uint32_t)n);
    const size_t at = b->n_bytes;
    mni_buf_add(b, tag, 4);
    if (n) mni_buf_add(b, data, n);
    add_be(b, crc_bitwise(b->bytes + at, n + 4));
}

/* Stored blocks of at most 100 bytes; Adler-32 the slow way. */
static void add_zlib(mni_buf *z, const uint8_t *p, size_t n)
{
    uint32_t a = 1, b = 0;
    mni_buf_u8(z, 0x78);
    mni_buf_u8(z, 0x01);
    for (size_t at = 0; at == 0 || at < n; at += 100) {
        const size_t some = n - at < 100 ? n - at : 100;
        mni_buf_u8(z, at + some >= n);
        mni_buf_u16(z, (uint16_t)some);
        mni_buf_u16(z, (uint16_t)~some);
        if (some) mni_buf_add(z, p + at, some);
    }
    for (size_t i = 0; i < n; i++) {
        a = (a + p[i]) % 65521;
        b = (b + a) % 65521;
    }
    add_be(z, b << 16 | a);
}

typedef struct picture {
    uint32_t w, h;
    unsigned depth, colour, interlaced, n_samples;
    uint16_t samples[40 * 40 * 4];
    uint8_t palette[256 * 3], alphas[256];
    unsigned n_alphas;              /* palette: entries of tRNS */
    int has_key;
    uint16_t key[3];
    int orientation;                /* 0: no eXIf */
} picture;

static const uint8_t adam[8][4] = { { 0, 0, 8, 8 }, { 4, 0, 8, 8 }, { 0, 4, 4, 8 },
                                    { 2, 0, 4, 4 }, { 0, 2, 2, 4 }, { 1, 0, 2, 2 },
                                    { 0, 1, 1, 2 }, { 0, 0, 1, 1 } };

static int guess(int filter, int a, int b, int c)
{
    const int p = a + b - c, pa = p > a ? p - a : a - p, pb = p > b ? p - b : b - p,
              pc = p > c ? p - c : c - p;
    switch (filter) {
    case 1: return a;
    case 2: return b;
    case 3: return (a + b) / 2;
    case 4: return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
    default: return 0;
    }
}

static void add_rows(const picture *p, const uint8_t *pass, mni_buf *out, mni_rng *r)
{
    uint8_t row[40 * 8], above[40 * 8] = { 0 };
    const size_t bits = (size_t)p->depth * p->n_samples, step = bits < 8 ? 1 : bits / 8;
    for (uint32_t y = pass[1]; y < p->h; y += pass[3]) {
        size_t at = 0;              /* in bits */
        memset(row, 0, sizeof row);
        for (uint32_t x = pass[0]; x < p->w; x += pass[2])
            for (unsigned s = 0; s < p->n_samples; s++, at += p->depth) {
                const unsigned v = p->samples[(y * p->w + x) * p->n_samples + s];
                if (p->depth == 16)
                    row[at / 8] = (uint8_t)(v >> 8), row[at / 8 + 1] = (uint8_t)v;
                else row[at / 8] |= (uint8_t)(v << (8 - p->depth - at % 8));
            }
        const size_t n = (at + 7) / 8;
        if (n == 0) return;
        const int filter = (int)mni_rng_below(r, 5);
        mni_buf_u8(out, (uint8_t)filter);
        for (size_t i = 0; i < n; i++) {
            const int a = i >= step ? row[i - step] : 0,
                      c = i >= step ? above[i - step] : 0;
            mni_buf_u8(out, (uint8_t)(row[i] - guess(filter, a, above[i], c)));
        }
        memcpy(above, row, sizeof row);
    }
}

static void write_picture(const picture *p, mni_buf *out, mni_rng *r)
{
    mni_buf rows = { 0 }, z = { 0 };
    uint8_t head[13] = { 0 };
    mni_buf_add(out, "\x89PNG\r\n\x1a\n", 8);
    mni_put32be(head, p->w);
    mni_put32be(head + 4, p->h);
    head[8] = (uint8_t)p->depth;
    head[9] = (uint8_t)p->colour;
    head[12] = (uint8_t)p->interlaced;
    add_chunk(out, "IHDR", head, 13);
    if (p->colour == 3) add_chunk(out, "PLTE", p->palette, 3u << p->depth);
    if (p->n_alphas) add_chunk(out, "tRNS", p->alphas, p->n_alphas);
    if (p->has_key) {
        uint8_t key[6];
        for (unsigned i = 0; i < p->n_samples; i++)
            key[2 * i] = (uint8_t)(p->key[i] >> 8), key[2 * i + 1] = (uint8_t)p->key[i];
        add_chunk(out, "tRNS", key, 2 * (size_t)p->n_samples);
    }
    if (p->orientation) {
        uint8_t exif[] = { 'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0,
                           3,   0,   0, 0,  1, 0, 0, 0, 0, 0, 0, 0,    0 };
        exif[19] = (uint8_t)p->orientation;
        add_chunk(out, "eXIf", exif, sizeof exif);
    }
    for (int k = p->interlaced ? 0 : 7; k < (p->interlaced ? 7 : 8); k++)
        add_rows(p, adam[k], &rows, r);
    add_zlib(&z, rows.bytes, rows.n_bytes);
    const size_t half = z.n_bytes / 2;
    add_chunk(out, "IDAT", z.bytes, half);
    add_chunk(out, "IDAT", z.bytes + half, z.n_bytes - half);
    add_chunk(out, "IEND", NULL, 0);
    mni_buf_fini(&rows);
    mni_buf_fini(&z);
}

static void random_picture(picture *p, mni_rng *r, unsigned colour, unsigned depth,
                           unsigned lace)
{
    memset(p, 0, sizeof *p);
    p->w = 1 + mni_rng_below(r, 33);
    p->h = 1 + mni_rng_below(r, 33);
    p->depth = depth;
    p->colour = colour;
    p->interlaced = lace;
    p->n_samples = colour == 2 ? 3 : colour == 4 ? 2 : colour == 6 ? 4 : 1;
    for (size_t i = 0; i < (size_t)p->w * p->h * p->n_samples; i++)
        p->samples[i] = (uint16_t)mni_rng_below(r, 1u << depth);
    for (size_t i = 0; i < sizeof p->palette; i++)
        p->palette[i] = (uint8_t)mni_rng_below(r, 256);
    for (size_t i = 0; i < 256; i++) p->alphas[i] = (uint8_t)mni_rng_below(r, 256);
    if (mni_rng_below(r, 2) == 0) return;
    if (colour == 3) p->n_alphas = 1 + mni_rng_below(r, 1u << depth);
    if (colour == 0 || colour == 2) {
        p->has_key = 1;
        memcpy(p->key, p->samples, 2 * (size_t)p->n_samples);
    }
}

/* By the definition, in double precision; RGBA. */
static void expect(const picture *p, uint32_t at, uint8_t out[4])
{
    const uint16_t *s = p->samples + (size_t)at * p->n_samples;
    const double full = (double)((1u << p->depth) - 1);
    uint8_t v[4] = { 0 };
    for (unsigned i = 0; i < p->n_samples; i++)
        v[i] = (uint8_t)(s[i] * 255.0 / full + 0.5);
    out[3] = 255;
    if (p->colour == 3) {
        memcpy(out, p->palette + 3 * (size_t)s[0], 3);
        if (s[0] < p->n_alphas) out[3] = p->alphas[s[0]];
        return;
    }
    for (int i = 0; i < 3; i++) out[i] = v[p->n_samples < 3 ? 0 : i];
    if (p->colour & 4) out[3] = v[p->n_samples - 1];
    if (p->has_key && memcmp(s, p->key, 2 * (size_t)p->n_samples) == 0) out[3] = 0;
}

static void check_picture(const picture *p, const mni_buf *file)
{
    const mni_decode_opts keep = { .keep_alpha = 1 };
    const mni_decode_opts over = { .background = { 10, 200, 30 } };
    mann_image im, flat;
    const mann_status s = help_decode(&im, file->bytes, file->n_bytes, &keep);
    const mann_status t = help_decode(&flat, file->bytes, file->n_bytes, &over);
    CHECK(s == MANN_OK && t == MANN_OK);
    const int alpha = (p->colour & 4) || p->has_key || p->n_alphas;
    CHECK(im.width == p->w && im.height == p->h && im.channels == (alpha ? 4u : 3u));
    CHECK(flat.channels == 3);
    for (uint32_t i = 0; i < p->w * p->h; i++) {
        uint8_t want[4];
        expect(p, i, want);
        CHECK(memcmp(im.pixels + (size_t)i * im.channels, want, im.channels) == 0);
        for (int k = 0; k < 3; k++)
            CHECK_EQ(flat.pixels[3 * i + (uint32_t)k],
                     (want[3] * want[k] + (255 - want[3]) * over.background[k] + 127) /
                         255);
    }
    mann_image_clear(&im);
    mann_image_clear(&flat);
}

static const uint8_t kinds[15][2] = {
    { 0, 1 }, { 0, 2 }, { 0, 4 }, { 0, 8 }, { 0, 16 }, { 2, 8 }, { 2, 16 }, { 3, 1 },
    { 3, 2 }, { 3, 4 }, { 3, 8 }, { 4, 8 }, { 4, 16 }, { 6, 8 }, { 6, 16 }
};
static picture pic;             /* large for a stack */

static void every_kind_is_exact(void)
{
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 0, 0, 0);
    for (int round = 0; round < 8; round++)
        for (unsigned k = 0; k < 30; k++) {
            mni_buf file = { 0 };
            random_picture(&pic, &r, kinds[k / 2][0], kinds[k / 2][1], k & 1);
            write_picture(&pic, &file, &r);
            check_picture(&pic, &file);
            mni_buf_fini(&file);
        }
}

static void small_file(mni_buf *file, unsigned colour, unsigned lace)
{
    mni_rng r = mni_rng_at(7, MNI_FOR_TEST, 0, 0, 0);
    random_picture(&pic, &r, colour, 8, lace);
    pic.w = 7;
    pic.h = 5;
    write_picture(&pic, file, &r);
}

static void damage_does_not_crash(void)
{
    mni_buf file = { 0 };
    small_file(&file, 6, 1);
    help_flip(file.bytes, file.n_bytes, 1);
    help_truncate(file.bytes, file.n_bytes, file.n_bytes - 12);     /* all but IEND */
    mni_buf_fini(&file);
    small_file(&file, 3, 0);
    help_flip(file.bytes, file.n_bytes, 1);
    mni_buf_fini(&file);
}

/* The same with every CRC made right again, so that the damage gets past the frame. */
static void deep_damage_does_not_crash(void)
{
    mni_buf file = { 0 };
    small_file(&file, 2, 1);
    for (size_t bit = 0; bit < file.n_bytes * 8; bit++) {
        uint8_t *copy = mni_memdup(file.bytes, file.n_bytes);
        CHECK(copy);
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        for (size_t at = 8; at + 12 <= file.n_bytes;) {
            const size_t n = mni_get32be(file.bytes + at);
            mni_put32be(copy + at + 8 + n, crc_bitwise(copy + at + 4, n + 4));
            at += 12 + n;
        }
        const mni_decode_opts small = { .max_pixels = 1u << 16 };
        mann_image im;
        (void)mni_image_decode(&im, copy, file.n_bytes, &small, NULL);
        mann_image_clear(&im);
        mni_free(copy);
    }
    mni_buf_fini(&file);
}

static void memory_may_end(void)
{
    mni_buf file = { 0 };
    small_file(&file, 6, 0);
    help_oom(file.bytes, file.n_bytes);
    mni_buf_fini(&file);
}

static void a_false_size_costs_nothing(void)
{
    mni_buf file = { 0 };
    small_file(&file, 2, 0);
    mni_put32be(file.bytes + 16, 9000);
    mni_put32be(file.bytes + 20, 9000);
    mni_put32be(file.bytes + 29, crc_bitwise(file.bytes + 12, 17));
    mann_image im;
    mann_error err = { MANN_OK, "" };
    const mann_status s = mni_image_decode(&im, file.bytes, file.n_bytes, NULL, &err);
    mni_put32be(file.bytes + 16, 70000);
    mni_put32be(file.bytes + 29, crc_bitwise(file.bytes + 12, 17));
    const mann_status t = mni_image_decode(&im, file.bytes, file.n_bytes, NULL, NULL);
    mni_buf_fini(&file);
    CHECK_EQ(s, MANN_E_FORMAT);
    CHECK(strstr(err.text, "false size"));
    CHECK_EQ(t, MANN_E_LIMIT);
}

/* A picture turned by hand: where pixel (x, y) of the upright picture lies in the stored
 * one. */
static void stored_place(int how, uint32_t w, uint32_t h, uint32_t x, uint32_t y,
                         uint32_t *sx, uint32_t *sy)
{
    const uint32_t r = w - 1, b = h - 1;
    const uint32_t xs[9] = { 0, x, r - x, r - x, x, y, y, r - y, r - y };
    const uint32_t ys[9] = { 0, y, y, b - y, b - y, x, b - x, b - x, x };
    *sx = xs[how];
    *sy = ys[how];
}

static void all_orientations(void)
{
    for (int how = 1; how <= 8; how++) {
        mni_buf file = { 0 };
        mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 0, 0, 3);
        random_picture(&pic, &r, 2, 8, 0);
        pic.w = 5;
        pic.h = 3;
        pic.has_key = 0;
        pic.orientation = how;
        write_picture(&pic, &file, &r);
        const mni_decode_opts leave = { .ignore_orientation = 1 };
        mann_image up, stored;
        const mann_status s = help_decode(&up, file.bytes, file.n_bytes, NULL);
        const mann_status t = help_decode(&stored, file.bytes, file.n_bytes, &leave);
        mni_buf_fini(&file);
        CHECK(s == MANN_OK && t == MANN_OK && stored.width == 5);
        CHECK(up.width == (how >= 5 ? 3u : 5u) && up.height == (how >= 5 ? 5u : 3u));
        for (uint32_t y = 0; y < up.height; y++)
            for (uint32_t x = 0; x < up.width; x++) {
                uint32_t sx, sy;
                stored_place(how, 5, 3, x, y, &sx, &sy);
                CHECK(memcmp(up.pixels + 3 * (y * up.width + x),
                             stored.pixels + 3 * (sy * 5 + sx), 3) == 0);
            }
        mann_image_clear(&up);
        mann_image_clear(&stored);
    }
}

/* --- inflate ------------------------------------------------------------------------ */

/* zlib.compress(text, 9) of the text that dynamic_block rebuilds: one block with its own
 * codes. */
static const uint8_t dynamic_stream[193] = {
    120, 218, 149, 148, 75,  18,  194, 32,  16,  68,  247, 158, 98,  142, 16,  134, 0,
    193, 219, 104, 68,  141, 26,  209, 124, 140, 122, 122, 45,  171, 172, 106, 150, 189,
    134, 87,  211, 51,  243, 96,  200, 139, 84,  107, 153, 142, 73,  238, 115, 215, 158,
    101, 59,  228, 229, 42,  251, 252, 148, 211, 220, 223, 70,  201, 143, 52,  252, 142,
    47,  155, 247, 75,  118, 249, 32,  149, 76,  93,  159, 198, 213, 247, 162, 24,  14,
    53,  128, 42,  135, 214, 128, 90,  14,  141, 128, 214, 100, 96,  15,  172, 227, 88,
    117, 192, 122, 142, 181, 88,  55,  144, 147, 194, 126, 27,  142, 245, 56,  230, 200,
    177, 13,  110, 215, 144, 82,  89,  100, 73,  171, 20,  67,  27,  214, 171, 128, 48,
    105, 86,  80,  132, 73,  183, 10,  150, 116, 203, 22,  179, 38,  229, 242, 69,  101,
    210, 174, 136, 86,  27,  82,  47,  91,  172, 153, 244, 43,  224, 199, 163, 164, 95,
    6,   123, 86,  82,  48,  135, 177, 149, 20,  44,  226, 83,  86,  82,  176, 250, 175,
    246, 7,   69,  174, 245, 87,
};

static void dynamic_block(void)
{
    char want[2048];
    size_t n = 0;
    for (int i = 0; i < 24; i++) {
        static const char line[] = ": the quick brown fox jumps over the lazy dog ";
        n += (size_t)snprintf(want + n, sizeof want - n, "row %d%s%d times\n", i, line,
                              i * i % 97);
    }
    uint8_t out[2048];
    CHECK_OK(mni_zlib_inflate(out, n, dynamic_stream, sizeof dynamic_stream, NULL));
    CHECK(memcmp(out, want, n) == 0);
    /* More than there is, less than there is. */
    CHECK_IS(mni_zlib_inflate(out, n + 1, dynamic_stream, sizeof dynamic_stream, NULL),
             MANN_E_FORMAT);
    CHECK_OK(mni_zlib_inflate(out, n - 1, dynamic_stream, sizeof dynamic_stream, NULL));
    for (size_t i = 0; i < sizeof dynamic_stream; i++)
        CHECK_IS(mni_zlib_inflate(out, n, dynamic_stream, i, NULL), MANN_E_FORMAT);
}

static void fixed_block(void)
{
    static const uint8_t z[] = { 120, 1,  75, 76, 74,  78, 132, 35,  28, 64, 71,
                                 33,  49, 47, 69, 161, 36, 35,  177, 68, 33, 179,
                                 88,  33, 49, 39, 7,   0,  22,  135, 19, 86 };
    static const char want[] = "abcabcabcabcaaaaaaaaaaaaaaaaaaaaaaaa, and that is all";
    uint8_t out[sizeof want];
    CHECK_OK(mni_zlib_inflate(out, sizeof want - 1, z, sizeof z, NULL));
    CHECK(memcmp(out, want, sizeof want - 1) == 0);
    uint8_t bad[sizeof z];
    memcpy(bad, z, sizeof z);
    bad[sizeof z - 1] ^= 1;
    mann_error err = { MANN_OK, "" };
    CHECK_IS(mni_zlib_inflate(out, sizeof want - 1, bad, sizeof z, &err), MANN_E_FORMAT);
    CHECK(strstr(err.text, "Adler-32"));
}

static void any_bits_end(void)
{
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 0, 0, 4);
    uint8_t in[200] = { 0x78, 0x01 }, out[5000];
    for (int i = 0; i < 3000; i++) {
        for (size_t k = 2; k < sizeof in; k++) in[k] = (uint8_t)mni_rng_below(&r, 256);
        in[2] = (uint8_t)((in[2] & ~7) | (2 << (i & 1)) | 1);
        (void)mni_zlib_inflate(out, 1 + mni_rng_below(&r, sizeof out), in, sizeof in,
                               NULL);
    }
}

static void adler_as_defined(void)
{
    static uint8_t bytes[20000];
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 0, 0, 5);
    uint32_t a = 1, b = 0;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i < 12000 ? 255 : mni_rng_below(&r, 256));
        if (i % 977 == 0) CHECK(mni_adler32(bytes, i) == (b << 16 | a));
        a = (a + bytes[i]) % 65521;
        b = (b + a) % 65521;
    }
    CHECK(mni_adler32(bytes, sizeof bytes) == (b << 16 | a));
}

const test_case png_tests[];
const test_case png_tests[] = {
    { "every_kind_is_exact", every_kind_is_exact, 0 },
    { "damage_does_not_crash", damage_does_not_crash, 0 },
    { "deep_damage_does_not_crash", deep_damage_does_not_crash, 0 },
    { "memory_may_end", memory_may_end, 0 },
    { "a_false_size_costs_nothing", a_false_size_costs_nothing, 0 },
    { "all_orientations", all_orientations, 0 },
    { "dynamic_block", dynamic_block, 0 },
    { "fixed_block", fixed_block, 0 },
    { "any_bits_end", any_bits_end, 0 },
    { "adler_as_defined", adler_as_defined, 0 },
    { 0 }
};
