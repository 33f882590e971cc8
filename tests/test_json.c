/* test_json.c - JSON out and in: what is written is read back, what is broken is refused.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"

static void write_all_kinds(mni_text *out, int indent)
{
    mni_json j;
    mni_json_init(&j, out, indent);
    mni_json_object(&j);
    mni_json_key(&j, "n\"ame");
    mni_json_string(&j, "tab\t quote\" back\\ nl\n bell\a \xC3\xA9 bad\xFF end");
    mni_json_key(&j, "list");
    mni_json_array(&j);
    mni_json_number(&j, 0.91);
    mni_json_real(&j, 1.0 / 3, 3);
    mni_json_u64(&j, UINT64_MAX);
    mni_json_bool(&j, 1);
    mni_json_bool(&j, 0);
    mni_json_null(&j);
    mni_json_string(&j, NULL);
    mni_json_number(&j, 1e308 * 10);
    mni_json_object(&j);
    mni_json_end(&j);
    mni_json_array(&j);
    mni_json_end(&j);
    mni_json_end(&j);
    mni_json_key(&j, "last");
    mni_json_number(&j, -0.0);
    mni_json_end(&j);
}

static void writes(void)
{
    mni_text t = { 0 };
    write_all_kinds(&t, 0);
    CHECK_STR(
        mni_text_get(&t),
        "{\"n\\\"ame\":"
        "\"tab\\t quote\\\" back\\\\ nl\\n bell\\u0007 \xC3\xA9 bad\xEF\xBF\xBD end\","
        "\"list\":[0.91,0.333,18446744073709551615,"
        "true,false,null,null,null,{},[]],\"last\":0}");
    mni_text_clear(&t);
    mni_json j;
    mni_json_init(&j, &t, 2);
    mni_json_object(&j);
    mni_json_key(&j, "a");
    mni_json_array(&j);
    mni_json_u64(&j, 1);
    mni_json_u64(&j, 2);
    mni_json_end(&j);
    mni_json_key(&j, "b");
    mni_json_array(&j);
    mni_json_end(&j);
    mni_json_end(&j);
    CHECK_STR(mni_text_get(&t), "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": []\n}");
    mni_text_fini(&t);
}

static void round_trip(void)
{
    for (int indent = 0; indent < 5; indent += 2) {
        mni_text t = { 0 };
        mni_json_doc d;
        mann_error e;
        write_all_kinds(&t, indent);
        CHECK_FINE(mni_json_parse(&d, mni_text_get(&t), t.n_chars, &e), e);
        const mni_json_node *name = mni_json_get(&d, &d.nodes[0], "n\"ame");
        CHECK(name && name->kind == MNI_JSON_STRING);
        CHECK_STR(name->text,
                  "tab\t quote\" back\\ nl\n bell\a \xC3\xA9 bad\xEF\xBF\xBD end");
        const mni_json_node *list = mni_json_get(&d, &d.nodes[0], "list");
        CHECK(list && list->kind == MNI_JSON_ARRAY);
        static const mni_json_kind kinds[] = { MNI_JSON_NUMBER, MNI_JSON_NUMBER,
                                               MNI_JSON_NUMBER, MNI_JSON_BOOL,
                                               MNI_JSON_BOOL,   MNI_JSON_NULL,
                                               MNI_JSON_NULL,   MNI_JSON_NULL,
                                               MNI_JSON_OBJECT, MNI_JSON_ARRAY };
        uint32_t at = list->first_child;
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++, at = d.nodes[at].next) {
            CHECK(at && d.nodes[at].kind == kinds[i] && d.nodes[at].key == NULL);
            if (i == 2) CHECK(d.nodes[at].is_u64 && d.nodes[at].u64 == UINT64_MAX);
            if (i == 3) CHECK(d.nodes[at].number == 1);
        }
        CHECK(at == 0);
        CHECK(mni_json_get(&d, &d.nodes[0], "last")->is_u64);
        CHECK(mni_json_get(&d, &d.nodes[0], "nobody") == NULL);
        CHECK(mni_json_get(&d, list, "0") == NULL);
        mni_json_doc_fini(&d);
        mni_text_fini(&t);
    }
}

static void accepts(void)
{
    static const struct { const char *text; double number; int is_u64; } numbers[] = {
        { "0", 0, 1 }, { " 12\n", 12, 1 }, { "-0", 0, 0 }, { "-5", -5, 0 },
        { "1.5e3", 1500, 0 },
        { "2E-1", 0.2, 0 }, { "1e+2", 100, 0 },
        { "18446744073709551616", 18446744073709551616.0, 0 }
    };
    mni_json_doc d;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        CHECK_OK(mni_json_parse(&d, numbers[i].text, strlen(numbers[i].text), NULL));
        CHECK(d.nodes[0].kind == MNI_JSON_NUMBER &&
              d.nodes[0].number == numbers[i].number);
        CHECK_EQ(d.nodes[0].is_u64, numbers[i].is_u64);
        mni_json_doc_fini(&d);
    }
    static const char escapes[] =
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"";
    CHECK_OK(mni_json_parse(&d, escapes, sizeof escapes - 1, NULL));
    CHECK_STR(d.nodes[0].text, "\"\\/\b\f\n\r\tA\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
    mni_json_doc_fini(&d);
}

static void refuses(void)
{
    static const char *const bad[] = { "",
                                       " ",
                                       "{",
                                       "}",
                                       "[",
                                       "]",
                                       "[1",
                                       "[1,",
                                       "[1,]",
                                       "[,1]",
                                       "[1 2]",
                                       "{\"a\"}",
                                       "{\"a\":}",
                                       "{\"a\":1,}",
                                       "{a:1}",
                                       "{1:1}",
                                       "{\"a\":1 \"b\":2}",
                                       "01",
                                       "-",
                                       "+1",
                                       "1.",
                                       ".5",
                                       "1e",
                                       "1e+",
                                       "0x1",
                                       "1e999",
                                       "nul",
                                       "True",
                                       "truefalse",
                                       "1 1",
                                       "\"",
                                       "\"\\\"",
                                       "\"\\x\"",
                                       "\"\\u12\"",
                                       "\"\\u12G4\"",
                                       "\"\\ud800\"",
                                       "\"\\ud800x\"",
                                       "\"\\ud800\\u0041\"",
                                       "\"\\udc00\"",
                                       "\"\\u0000\"",
                                       "\"\n\"",
                                       "\"\x01\"",
                                       "\"\xFF\"",
                                       "\"\xC3\"",
                                       "'a'",
                                       "[1]]",
                                       "NaN",
                                       "Infinity",
                                       "//x\n1",
                                       "\xEF\xBB\xBF 1" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        mni_json_doc d;
        mann_error e = { MANN_OK, "" };
        mann_status s = mni_json_parse(&d, bad[i], strlen(bad[i]), &e);
        if (s != MANN_E_FORMAT || !strstr(e.text, "json: at byte ") || d.nodes ||
            d.strings)
            test_fail(__FILE__, __LINE__, "'%s': %s, \"%s\"", bad[i], mann_status_name(s),
                      e.text);
    }
    mni_json_doc d;
    CHECK_IS(mni_json_parse(&d, "1\0", 2, NULL), MANN_E_FORMAT);
    CHECK_IS(mni_json_parse(&d, "\"a\0b\"", 5, NULL), MANN_E_FORMAT);
}

static void limits(void)
{
    mni_json_doc d;
    char deep[300];
    for (int n = MNI_JSON_MAX_DEPTH - 1; n <= MNI_JSON_MAX_DEPTH + 1; n++) {
        memset(deep, '[', (size_t)n);
        memset(deep + n, ']', (size_t)n);
        CHECK_IS(mni_json_parse(&d, deep, 2 * (size_t)n, NULL),
                 n <= MNI_JSON_MAX_DEPTH ? MANN_OK : MANN_E_LIMIT);
        mni_json_doc_fini(&d);
    }
    CHECK_IS(mni_json_parse(&d, deep, ((size_t)64 << 20) + 1, NULL), MANN_E_LIMIT);
    memset(deep, '1', sizeof deep);
    CHECK_OK(mni_json_parse(&d, deep, 63, NULL));
    mni_json_doc_fini(&d);
    CHECK_IS(mni_json_parse(&d, deep, 64, NULL), MANN_E_FORMAT);
    mni_text t = { 0 };
    mni_json j;
    mni_json_init(&j, &t, 0);
    for (int i = 0; i < MNI_JSON_MAX_DEPTH; i++) mni_json_array(&j);
    CHECK(!t.failed);
    mni_json_array(&j);
    CHECK(t.failed);
    mni_text_fini(&t);
}

/* Every shorter text is refused, and read from a buffer that ends at a page that cannot
 * be touched. */
static void every_truncation(void)
{
    mni_text t = { 0 };
    mni_json_doc d;
    write_all_kinds(&t, 2);
    for (size_t n = 0; n <= t.n_chars; n++) {
        char *at = test_fence(n, 0);
        if (n) memcpy(at, t.chars, n);
        CHECK_IS(mni_json_parse(&d, at, n, NULL),
                 n == t.n_chars ? MANN_OK : MANN_E_FORMAT);
        mni_json_doc_fini(&d);
        test_fence_free(at, n, 0);
    }
    mni_text_fini(&t);
}

/* Random damage: an answer, whatever it is, and nothing left behind (the sanitizers
 * watch). */
static void damage(void)
{
    mni_text t = { 0 };
    mni_json_doc d;
    write_all_kinds(&t, 0);
    mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 0, 0, 3);
    for (int i = 0; i < 20000; i++) {
        size_t at = mni_rng_below(&r, (uint32_t)t.n_chars);
        char old = t.chars[at];
        static const char likely[] = "{}[]\",:\\u0-1eE.ntf \xC3\xFF";
        t.chars[at] = i & 1 ? (char)mni_rng_below(&r, 256)
                            : likely[mni_rng_below(&r, sizeof likely)];
        mann_status s = mni_json_parse(&d, t.chars, t.n_chars, NULL);
        CHECK(s == MANN_OK || s == MANN_E_FORMAT);
        mni_json_doc_fini(&d);
        if (i % 4 == 0) t.chars[at] = old;
        if (i % 64 == 0) { mni_text_clear(&t); write_all_kinds(&t, 0); }
    }
    mni_text_fini(&t);
}

static mann_status parse_body(void *ctx)
{
    mni_text t = { 0 };
    mni_json_doc d = { 0 };
    (void)ctx;
    write_all_kinds(&t, 1);
    mann_status s =
        t.failed ? MANN_E_NOMEM : mni_json_parse(&d, t.chars, t.n_chars, NULL);
    mni_json_doc_fini(&d);
    mni_text_fini(&t);
    return s;
}

static void memory_runs_out(void) { test_oom(parse_body, NULL, 0); }

const test_case json_tests[];
const test_case json_tests[] = {
    { "writes", writes, 0 },
    { "round_trip", round_trip, 0 },
    { "accepts", accepts, 0 },
    { "refuses", refuses, 0 },
    { "limits", limits, 0 },
    { "every_truncation", every_truncation, 0 },
    { "damage", damage, 0 },
    { "memory_runs_out", memory_runs_out, 0 },
    { NULL, NULL, 0 }
};
