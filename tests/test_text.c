/* test_text.c - strings, numbers out of text, UTF-8, paths.
 * SPDX-License-Identifier: MIT */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/text.h"
#include "harness.h"

static void text_grows(void)
{
    mni_text t = { 0 };
    char long_text[1000];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    CHECK_STR(mni_text_get(&t), "");
    mni_text_add(&t, "a");
    mni_text_char(&t, 'b');
    mni_text_add_n(&t, "cde", 2);
    mni_text_f(&t, "%d%s", 7, "!");
    CHECK_STR(mni_text_get(&t), "abcd7!");
    mni_text_f(&t, "%s|", long_text);           /* longer than the buffer on the stack */
    CHECK_EQ(t.n_chars, 6 + 999 + 1);
    CHECK(strlen(t.chars) == t.n_chars && t.chars[1005] == '|');
    mni_text_clear(&t);
    CHECK_STR(mni_text_get(&t), "");
    /* Exactly at the border of that buffer. */
    for (int n = 254; n <= 258; n++) {
        mni_text_clear(&t);
        mni_text_f(&t, "%.*s", n, long_text);
        CHECK_EQ(t.n_chars, n);
        CHECK_EQ(strlen(t.chars), n);
    }
    mni_text_fini(&t);
    mni_text_fini(&t);
}

static void text_stays_failed(void)
{
    mni_text t = { 0 };
    char long_text[1000];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    mni_text_add(&t, "kept");
    mni_mem_fail_after(0);
    mni_text_add(&t, long_text);
    mni_mem_fail_after(-1);
    CHECK(t.failed);
    mni_text_add(&t, "x");
    mni_text_f(&t, "%s", long_text);
    mni_text_f(&t, "short");
    CHECK(t.failed && t.n_chars == 4);
    CHECK_STR(mni_text_get(&t), "kept");
    mni_text_fini(&t);
}

static void parse_u64(void)
{
    static const char *const bad[] = { "",
                                       " 1",
                                       "1 ",
                                       "+1",
                                       "-1",
                                       "0x1",
                                       "1.0",
                                       "1e3",
                                       "a",
                                       "18446744073709551616",
                                       "99999999999999999999999" };
    uint64_t v = 77;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (mni_parse_u64(bad[i], &v) || v != 77)
            test_fail(__FILE__, __LINE__, "\"%s\"", bad[i]);
    CHECK(mni_parse_u64("0", &v) && v == 0);
    CHECK(mni_parse_u64("00042", &v) && v == 42);
    CHECK(mni_parse_u64("18446744073709551615", &v) && v == UINT64_MAX);
}

static void parse_double(void)
{
    static const char *const bad[] = { "",     " 1",    "1 ",    "\t1", "0x10", "inf",
                                       "nan",  "-inf",  "1e999", ".",   "+",    "e5",
                                       "1..2", "1.2.3", "1,5",   "--1", "1e",   "1e+" };
    double v = 77;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (mni_parse_double(bad[i], &v) || v != 77)
            test_fail(__FILE__, __LINE__, "\"%s\"", bad[i]);
    CHECK(mni_parse_double("-2.5e-3", &v) && v == -2.5e-3);
    CHECK(mni_parse_double(".5", &v) && v == 0.5);
    CHECK(mni_parse_double("+7.", &v) && v == 7);
    CHECK(mni_parse_double("1e-999", &v) && v == 0);
}

static void parse_size(void)
{
    static const struct { const char *text; uint64_t n; } good[] = {
        { "0", 0 }, { "1536", 1536 }, { "1K", 1024 }, { "1k", 1024 }, { "1.5KiB", 1536 },
        { "2M", 2 << 20 },
        { "3GB", 3ull << 30 }, { "3gib", 3ull << 30 }, { "1T", 1ull << 40 },
        { "12B", 12 }, { "0.5K", 512 },
        { "18446744073709551615", UINT64_MAX }, { "9007199254740993", 9007199254740993u }
    };
    static const char *const bad[] = {
        "",      "K",  "1 K",    "-1",  "1X",           "1KK",
        "1KiBB", "1i", "1.2.3K", "1e3", "99999999999T", "18446744073709551616",
        "."
    };
    uint64_t v = 77;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (mni_parse_size(bad[i], &v) || v != 77)
            test_fail(__FILE__, __LINE__, "\"%s\"", bad[i]);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!mni_parse_size(good[i].text, &v) || v != good[i].n)
            test_fail(__FILE__, __LINE__, "\"%s\"", good[i].text);
}

/* A program that links us may have set a locale whose point is a comma. */
static void comma_locale_changes_nothing(void)
{
    static const char *const names[] = { "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8",
                                         "de_DE" };
    const char *got = NULL;
    for (size_t i = 0; !got && i < sizeof names / sizeof *names; i++)
        got = setlocale(LC_NUMERIC, names[i]);
    if (!got) test_skip("no locale with a decimal comma installed");
    mni_text t = { 0 };
    double v = 0;
    uint64_t size = 0;
    int whole = mni_parse_double("-1.25e2", &v) && mni_parse_size("1.5K", &size);
    int comma = mni_parse_double("1,5", &(double){ 0 }) ||
                mni_parse_double("1.2.3", &(double){ 0 });
    mni_text_real(&t, -2.5e-20, 6);
    setlocale(LC_NUMERIC, "C");
    CHECK(whole && v == -125 && size == 1536);
    CHECK(!comma);
    CHECK_STR(mni_text_get(&t), "-2.5e-20");
    mni_text_fini(&t);
}

static void reals(void)
{
    static const struct { double v; int digits; const char *text; } cases[] = {
        { 0, 6, "0" }, { -0.0, 6, "0" }, { 1, 6, "1" }, { 0.1, 6, "0.1" },
        { 0.1, 17, "0.10000000000000001" },
        { 1e300, 6, "1e+300" }, { -123456789, 6, "-1.23457e+08" }, { 1.0 / 3, 3, "0.333" }
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mni_text t = { 0 };
        mni_text_real(&t, cases[i].v, cases[i].digits);
        CHECK_STR(mni_text_get(&t), cases[i].text);
        mni_text_fini(&t);
    }
    /* 17 digits bring every double back. */
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 0, 0, 1);
    for (int i = 0; i < 2000; i++) {
        uint64_t bits = mni_rng_u64(&r);
        double v, back;
        memcpy(&v, &bits, sizeof v);
        if ((bits >> 52 & 2047) == 2047 || v == 0) continue;
        mni_text t = { 0 };
        mni_text_real(&t, v, 17);
        CHECK(mni_parse_double(mni_text_get(&t), &back) &&
              memcmp(&v, &back, sizeof v) == 0);
        mni_text_fini(&t);
    }
}

/* Encodes by the definition; surrogates as the algorithm would, to be refused. */
static size_t encode(uint32_t cp, char *out)
{
    if (cp < 0x80) { out[0] = (char)cp; return 1; }
    size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, cp >>= 6) out[i] = (char)(0x80 | (cp & 0x3F));
    out[0] = (char)((0xF00u >> n & 0xFF) | cp);
    return n;
}

static void utf8_every_code_point(void)
{
    char b[4];
    for (uint32_t cp = 0; cp < 0x200000; cp++) {
        uint32_t got;
        size_t n = encode(cp, b), step = mni_utf8_next(b, n, &got);
        int valid = cp <= 0x10FFFF && !(cp >= 0xD800 && cp < 0xE000);
        if (valid ? step != n || got != cp : step != 1 || got != 0xFFFD)
            test_fail(__FILE__, __LINE__, "U+%04X: %zu bytes, U+%04X", (unsigned)cp, step,
                      (unsigned)got);
        for (size_t cut = 1; cut < n && cp % 61 == 0; cut++)
            CHECK(mni_utf8_next(b, cut, &got) == 1 && got == 0xFFFD);
    }
}

static void utf8_bad_forms(void)
{
    static const char *const bad[] = { "\x80",
                                       "\xBF",
                                       "\xC0\x80",
                                       "\xC1\xBF",
                                       "\xE0\x80\x80",
                                       "\xE0\x9F\xBF",
                                       "\xF0\x80\x80\x80",
                                       "\xF0\x8F\xBF\xBF",
                                       "\xF4\x90\x80\x80",
                                       "\xF5\x80\x80\x80",
                                       "\xFE",
                                       "\xFF",
                                       "\xED\xA0\x80",
                                       "\xC3",
                                       "\xC3(",
                                       "\xE2\x82",
                                       "\xE2(\xA1",
                                       "\xF0\x9F\x98" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint32_t cp;
        CHECK(mni_utf8_next(bad[i], strlen(bad[i]), &cp) == 1 && cp == 0xFFFD);
        CHECK(mni_utf8_prefix(bad[i], strlen(bad[i])) == 0);
    }
    CHECK_EQ(mni_utf8_prefix("ok\xEF\xBF\xBD \xF0\x9F\x98\x80\xFFz", 12), 10);
    CHECK_EQ(mni_utf8_prefix("", 0), 0);
    CHECK_EQ(mni_utf8_prefix("a\0b", 3), 3);
}

static void compares(void)
{
    CHECK(mni_text_ends("photo.JPG", ".jpg") && mni_text_ends(".jpg", ".jpg") &&
          mni_text_ends("x", ""));
    CHECK(!mni_text_ends("jpg", ".jpg") && !mni_text_ends("a.jpg2", ".jpg"));
    CHECK(mni_text_same("Model_Out", "model-out") && mni_text_same("", ""));
    CHECK(!mni_text_same("a", "ab") && !mni_text_same("ab", "a") &&
          !mni_text_same("a", ""));
}

static void paths(void)
{
    static const struct { const char *path, *dir, *name; } cases[] = {
        { "a/b/c.jpg", "a/b", "c.jpg" }, { "c.jpg", ".", "c.jpg" }, { "/c", "/", "c" },
        { "a/", "a", "" },
        { "", ".", "" }, { "./x", ".", "x" }, { "/a/b", "/a", "b" }
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mni_text t = { 0 };
        mni_path_dir(&t, cases[i].path);
        CHECK_STR(mni_text_get(&t), cases[i].dir);
        CHECK_STR(mni_path_name(cases[i].path), cases[i].name);
        mni_text_fini(&t);
    }
    static const struct { const char *dir, *name, *both; } joins[] = {
        { "a", "b", "a/b" }, { "a/", "b", "a/b" }, { "", "b", "b" }, { ".", "b", "b" },
        { "/", "b", "/b" }
    };
    for (size_t i = 0; i < sizeof joins / sizeof *joins; i++) {
        mni_text t = { 0 };
        mni_path_join(&t, joins[i].dir, joins[i].name);
        CHECK_STR(mni_text_get(&t), joins[i].both);
        mni_text_fini(&t);
    }
}

static void formats(void)
{
    static const struct { uint64_t n; const char *text; } bytes[] = {
        { 0, "0 B" }, { 1023, "1023 B" }, { 1536, "1.5 KiB" }, { 102400, "100 KiB" },
        { 3u << 20, "3.0 MiB" },
        { UINT64_MAX, "16384 PiB" }
    };
    static const struct { double s; const char *text; } times[] = {
        { 0, "0:00" }, { 59.6, "1:00" }, { 65, "1:05" }, { 3725, "1:02:05" }, { -1, "?" },
        { 1e10, "?" }
    };
    char out[16];
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        mni_format_bytes(out, sizeof out, bytes[i].n);
        CHECK_STR(out, bytes[i].text);
    }
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        mni_format_seconds(out, sizeof out, times[i].s);
        CHECK_STR(out, times[i].text);
    }
}

const test_case text_tests[];
const test_case text_tests[] = {
    { "text_grows", text_grows, 0 },
    { "text_stays_failed", text_stays_failed, 0 },
    { "parse_u64", parse_u64, 0 },
    { "parse_double", parse_double, 0 },
    { "parse_size", parse_size, 0 },
    { "comma_locale_changes_nothing", comma_locale_changes_nothing, 0 },
    { "reals", reals, 0 },
    { "utf8_every_code_point", utf8_every_code_point, 0 },
    { "utf8_bad_forms", utf8_bad_forms, 0 },
    { "compares", compares, 0 },
    { "paths", paths, 0 },
    { "formats", formats, 0 },
    { NULL, NULL, 0 }
};
