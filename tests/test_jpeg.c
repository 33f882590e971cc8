/* test_jpeg.c - the JPEG decoder: three small real files, each way to refuse one, damage.
 * Real photos and every sampling factor: test_decode.c. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/rng.h"
#include "decode_help.h"
#include "harness.h"
#include "image/jpeg.h"

/* Three files of 19 x 13 pixels, written by cjpeg -optimize -quality 60, without their
 * JFIF segment; and the hash of the pixels that libjpeg-turbo 2.1.5 makes of them. */
static const uint8_t colour_420[334] = {
    255, 216, 255, 219, 0,   67,  0,   13,  9,   10,  11,  10,  8,   13, 11,  10,  11,
    14,  14,  13,  15,  19,  32,  21,  19,  18,  18,  19,  39,  28,  30, 23,  32,  46,
    41,  49,  48,  46,  41,  45,  44,  51,  58,  74,  62,  51,  54,  70, 55,  44,  45,
    64,  87,  65,  70,  76,  78,  82,  83,  82,  50,  62,  90,  97,  90, 80,  96,  74,
    81,  82,  79,  255, 219, 0,   67,  1,   14,  14,  14,  19,  17,  19, 38,  21,  21,
    38,  79,  53,  45,  53,  79,  79,  79,  79,  79,  79,  79,  79,  79, 79,  79,  79,
    79,  79,  79,  79,  79,  79,  79,  79,  79,  79,  79,  79,  79,  79, 79,  79,  79,
    79,  79,  79,  79,  79,  79,  79,  79,  79,  79,  79,  79,  79,  79, 79,  79,  79,
    79,  79,  79,  79,  255, 192, 0,   17,  8,   0,   13,  0,   19,  3,  1,   34,  0,
    2,   17,  1,   3,   17,  1,   255, 196, 0,   23,  0,   0,   3,   1,  0,   0,   0,
    0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   5,   6,   1,  255, 196, 0,
    29,  16,  0,   1,   3,   5,   1,   0,   0,   0,   0,   0,   0,   0,  0,   0,   0,
    0,   0,   3,   4,   34,  1,   2,   5,   33,  49,  18,  255, 196, 0,  22,  1,   1,
    1,   1,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,  0,   4,   2,
    5,   255, 196, 0,   28,  17,  0,   1,   3,   5,   0,   0,   0,   0,  0,   0,   0,
    0,   0,   0,   0,   0,   0,   2,   3,   5,   1,   4,   17,  19,  33, 255, 221, 0,
    4,   0,   1,   255, 218, 0,   12,  3,   1,   0,   2,   17,  3,   17, 0,   63,  0,
    149, 107, 137, 228, 70,  237, 113, 60,  136, 249, 171, 36,  180, 56, 106, 201, 45,
    18,  211, 161, 108, 37,  21,  195, 255, 208, 203, 113, 49,  164, 64, 182, 181, 146,
    94,  104, 2,   118, 155, 20,  148, 86,  15,  255, 217,
};
#define HASH_COLOUR_420 0x09b74a4da383bb5du

static const uint8_t grey[178] = {
    255, 216, 255, 219, 0, 67, 0, 13, 9, 10, 11, 10, 8, 13, 11, 10, 11, 14, 14, 13,
    15, 19, 32, 21, 19, 18, 18, 19, 39, 28, 30, 23, 32, 46, 41, 49, 48, 46, 41, 45,
    44, 51, 58, 74, 62, 51, 54, 70, 55, 44, 45, 64, 87, 65, 70, 76, 78, 82, 83, 82,
    50, 62, 90, 97, 90, 80, 96, 74, 81, 82, 79, 255, 192, 0, 11, 8, 0, 13, 0, 19,
    1, 1, 17, 0, 255, 196, 0, 22, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 5, 4, 6, 255, 196, 0, 29, 16, 0, 1, 3, 5, 1, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 3, 34, 1, 2, 5, 33, 49, 18, 255,
    218, 0, 8, 1, 1, 0, 0, 63, 0, 202, 139, 137, 228, 82, 226, 226, 121, 20, 149, 184,
    152, 210, 42, 193, 66, 107, 73, 129, 66, 107, 73, 43, 66, 107, 205, 23, 255, 217,
};
#define HASH_GREY 0xb1dab14094293cb8u

static const uint8_t progressive[579] = {
    255, 216, 255, 219, 0, 67, 0, 13, 9, 10, 11, 10, 8, 13, 11, 10, 11, 14, 14, 13,
    15, 19, 32, 21, 19, 18, 18, 19, 39, 28, 30, 23, 32, 46, 41, 49, 48, 46, 41, 45,
    44, 51, 58, 74, 62, 51, 54, 70, 55, 44, 45, 64, 87, 65, 70, 76, 78, 82, 83, 82,
    50, 62, 90, 97, 90, 80, 96, 74, 81, 82, 79, 255, 219, 0, 67, 1, 14, 14, 14, 19,
    17, 19, 38, 21, 21, 38, 79, 53, 45, 53, 79, 79, 79, 79, 79, 79, 79, 79, 79, 79,
    79, 79, 79, 79, 79, 79, 79, 79, 79, 79, 79, 79, 79, 79, 79, 79, 79, 79, 79, 79,
    79, 79, 79, 79, 79, 79, 79, 79, 79, 79, 79, 79, 79, 79, 79, 79, 79, 79, 79, 79,
    255, 194, 0, 17, 8, 0, 13, 0, 19, 3, 1, 33, 0, 2, 17, 1, 3, 17, 1, 255,
    196, 0, 23, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    4, 0, 3, 5, 255, 196, 0, 24, 1, 0, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 3, 5, 1, 4, 6, 255, 218, 0, 12, 3, 1, 0, 2, 16, 3,
    16, 0, 0, 1, 229, 46, 72, 152, 204, 118, 101, 92, 226, 98, 177, 255, 196, 0, 25, 16,
    0, 3, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3,
    18, 19, 255, 218, 0, 8, 1, 1, 0, 1, 5, 2, 156, 137, 200, 242, 38, 17, 48, 142,
    17, 255, 196, 0, 25, 17, 0, 3, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 1, 3, 2, 18, 19, 255, 218, 0, 8, 1, 3, 1, 1, 63, 1, 133, 78,
    164, 51, 102, 236, 255, 196, 0, 23, 17, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 1, 2, 17, 255, 218, 0, 8, 1, 2, 1, 1, 63, 1, 172,
    181, 89, 107, 255, 196, 0, 20, 16, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 32, 255, 218, 0, 8, 1, 1, 0, 6, 63, 2, 95, 255, 196, 0, 26,
    16, 0, 2, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 16,
    97, 17, 33, 49, 255, 218, 0, 8, 1, 1, 0, 1, 63, 33, 172, 172, 90, 242, 100, 88,
    15, 255, 218, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 0, 16, 108, 205, 255, 196, 0,
    24, 17, 1, 0, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
    17, 33, 49, 255, 218, 0, 8, 1, 3, 1, 1, 63, 16, 230, 140, 179, 34, 167, 255, 196,
    0, 23, 17, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    1, 16, 17, 255, 218, 0, 8, 1, 2, 1, 1, 63, 16, 175, 51, 79, 255, 196, 0, 23,
    16, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 33, 49,
    17, 255, 218, 0, 8, 1, 1, 0, 1, 63, 16, 192, 192, 128, 141, 27, 140, 255, 217,
};
#define HASH_PROGRESSIVE 0x6148b2afb7a2cb52u

static void has_hash(const uint8_t *bytes, size_t n_bytes, uint64_t want)
{
    mann_image im;
    CHECK_IS(help_decode(&im, bytes, n_bytes, NULL), MANN_OK);
    CHECK(im.width == 19 && im.height == 13 && im.channels == 3);
    const uint64_t found = mni_hash_bytes(im.pixels, 19 * 13 * 3, 0);
    mann_image_clear(&im);
    CHECK(found == want);
}

static void equals_libjpeg(void)
{
    has_hash(colour_420, sizeof colour_420, HASH_COLOUR_420);
    has_hash(grey, sizeof grey, HASH_GREY);
    has_hash(progressive, sizeof progressive, HASH_PROGRESSIVE);
}

static void cut_files_are_refused(void)
{
    /* Without the end mark (2 bytes) a sequential file is whole, a progressive one is
     * not. */
    help_truncate(colour_420, sizeof colour_420, sizeof colour_420 - 3);
    help_truncate(grey, sizeof grey, sizeof grey - 3);
    help_truncate(progressive, sizeof progressive, sizeof progressive);
}

static void damage_does_not_crash(void)
{
    help_flip(colour_420, sizeof colour_420, 1);
    help_flip(grey, sizeof grey, 1);
    help_flip(progressive, sizeof progressive, 1);
}

static void two_wrong_bytes_do_not_crash(void)
{
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 0, 0, 1);
    uint8_t copy[sizeof progressive];
    for (int i = 0; i < 4000; i++) {
        mann_image im;
        memcpy(copy, progressive, sizeof copy);
        for (int k = 0; k < 2; k++)
            copy[mni_rng_below(&r, sizeof copy)] = (uint8_t)mni_rng_below(&r, 256);
        const mni_decode_opts small = { .max_pixels = 1u << 16, .max_side = 4096 };
        (void)mni_image_decode(&im, copy, sizeof copy, &small, NULL);
        mann_image_clear(&im);
    }
}

static void memory_may_end(void)
{
    help_oom(colour_420, sizeof colour_420);
    help_oom(progressive, sizeof progressive);
}

/* Where the frame header of a file stands. */
static uint8_t *frame_of(uint8_t *bytes, size_t n_bytes)
{
    for (size_t i = 0; i + 9 < n_bytes; i++)
        if (bytes[i] == 0xFF && (bytes[i + 1] == 0xC0 || bytes[i + 1] == 0xC2))
            return bytes + i;
    test_fail(__FILE__, __LINE__, "no frame header");
}

static void refused(const uint8_t *bytes, size_t n_bytes, mann_status want,
                    const char *word)
{
    mann_image im;
    mann_error err = { MANN_OK, "" };
    CHECK_IS(mni_image_decode(&im, bytes, n_bytes, NULL, &err), want);
    if (!strstr(err.text, word))
        test_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", err.text, word);
}

static void kinds_are_refused_by_name(void)
{
    static const struct {
        size_t at;
        uint8_t value;
        mann_status want;
        const char *word;
    } cases[] = {
        { 1, 0xC3, MANN_E_UNSUPPORTED, "lossless" },
        { 1, 0xC9, MANN_E_UNSUPPORTED, "arithmetic" },
        { 1, 0xCA, MANN_E_UNSUPPORTED, "arithmetic" },
        { 1, 0xC5, MANN_E_UNSUPPORTED, "hierarchical" },
        { 4, 12, MANN_E_UNSUPPORTED, "12-bit" },
        { 6, 0, MANN_E_UNSUPPORTED, "DNL" },
        { 8, 0, MANN_E_FORMAT, "0 x 13" },
        { 5, 0x7F, MANN_E_FORMAT, "false size" },
        { 11, 0x50, MANN_E_FORMAT, "sampling" },
        { 9, 4, MANN_E_FORMAT, "frame header" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t copy[sizeof colour_420];
        memcpy(copy, colour_420, sizeof copy);
        uint8_t *frame = frame_of(copy, sizeof copy);
        frame[cases[i].at] = cases[i].value;
        refused(copy, sizeof copy, cases[i].want, cases[i].word);
    }
}

static void sentences_say_where(void)
{
    refused(colour_420, sizeof colour_420 - 6, MANN_E_FORMAT, "MCU 2 of 2");
    refused(grey, sizeof grey - 8, MANN_E_FORMAT, "cut short: the data ends");
    refused(grey, 40, MANN_E_FORMAT, "byte");
    uint8_t copy[sizeof colour_420];
    memcpy(copy, colour_420, sizeof copy);
    for (size_t i = 0; i + 1 < sizeof copy; i++)
        if (copy[i] == 0xFF && copy[i + 1] == 0xD0) copy[i + 1] = 0xD3;
    refused(copy, sizeof copy, MANN_E_FORMAT, "wanted restart d0");
}

static void codes_are_checked(void)
{
    mni_jpeg_huffman *h = mni_alloc(1, sizeof *h);
    CHECK(h);
    uint8_t counts[16] = { 3 }, symbols[256] = { 0 };
    const int too_many = mni_jpeg_huffman_build(h, counts, symbols, 0);
    counts[0] = 1;
    counts[1] = 2;
    const int full = mni_jpeg_huffman_build(h, counts, symbols, 0);
    symbols[2] = 16;
    const int bad_dc = mni_jpeg_huffman_build(h, counts, symbols, 1);
    mni_free(h);
    CHECK(!too_many && full && !bad_dc);
}

const test_case jpeg_tests[];
const test_case jpeg_tests[] = {
    { "equals_libjpeg", equals_libjpeg, 0 },
    { "cut_files_are_refused", cut_files_are_refused, 0 },
    { "damage_does_not_crash", damage_does_not_crash, 0 },
    { "two_wrong_bytes_do_not_crash", two_wrong_bytes_do_not_crash, 0 },
    { "memory_may_end", memory_may_end, 0 },
    { "kinds_are_refused_by_name", kinds_are_refused_by_name, 0 },
    { "sentences_say_where", sentences_say_where, 0 },
    { "codes_are_checked", codes_are_checked, 0 },
    { 0 }
};
