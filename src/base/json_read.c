/* json_read.c - JSON in. See json.h. Recursive descent; unescaped strings are packed into
 * one block that is never larger than the input, because every escape is longer than what
 * it stands for. SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

enum { MAX_BYTES = 64 << 20, MAX_NUMBER = 64 };

typedef struct parser {
    mni_json_doc *doc;
    const char *text;
    size_t n, at;
    char *string_at;
    int depth;
    mann_error *err;
} parser;

static mann_status parse_value(parser *p, uint32_t *index);

static mann_status bad(parser *p, const char *wanted)
{
    return mni_fail(p->err, MANN_E_FORMAT, "json: at byte %zu wanted %s", p->at, wanted);
}

static void skip_space(parser *p)
{
    while (p->at < p->n && strchr(" \t\r\n", p->text[p->at]) && p->text[p->at]) p->at++;
}

static int next_is(parser *p, char c) { return p->at < p->n && p->text[p->at] == c; }

static int hex4(const char *s, uint32_t *out)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        char c = s[i];
        uint32_t d = c >= '0' && c <= '9' ? (uint32_t)(c - '0')
                   : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                   : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10) : 16;
        if (d > 15) return 0;
        v = v << 4 | d;
    }
    *out = v;
    return 1;
}

static void put_utf8(parser *p, uint32_t cp)
{
    char *s = p->string_at;
    if (cp < 0x80) *s++ = (char)cp;
    else if (cp < 0x800) {
        *s++ = (char)(0xC0 | cp >> 6);
        *s++ = (char)(0x80 | (cp & 0x3F));
    } else if (cp < 0x10000) {
        *s++ = (char)(0xE0 | cp >> 12);
        *s++ = (char)(0x80 | (cp >> 6 & 0x3F));
        *s++ = (char)(0x80 | (cp & 0x3F));
    } else {
        *s++ = (char)(0xF0 | cp >> 18);
        *s++ = (char)(0x80 | (cp >> 12 & 0x3F));
        *s++ = (char)(0x80 | (cp >> 6 & 0x3F));
        *s++ = (char)(0x80 | (cp & 0x3F));
    }
    p->string_at = s;
}

/* After "\u": four digits, and for a high surrogate the second half. */
static mann_status parse_unicode(parser *p)
{
    uint32_t cp, low;
    if (p->n - p->at < 4 || !hex4(p->text + p->at, &cp)) return bad(p, "four hex digits");
    p->at += 4;
    if (cp >= 0xD800 && cp < 0xDC00) {
        if (p->n - p->at < 6 || p->text[p->at] != '\\' || p->text[p->at + 1] != 'u' ||
            !hex4(p->text + p->at + 2, &low) || low < 0xDC00 || low > 0xDFFF)
            return bad(p, "the second half of a surrogate pair");
        p->at += 6;
        cp = 0x10000 + ((cp - 0xD800) << 10) + (low - 0xDC00);
    } else if ((cp >= 0xDC00 && cp <= 0xDFFF) || cp == 0) {
        return bad(p, cp ? "a first half before the second of a surrogate pair"
                         : "text without a NUL character");
    }
    put_utf8(p, cp);
    return MANN_OK;
}

static mann_status parse_string(parser *p, const char **out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    p->at++;                                            /* the opening quote */
    *out = p->string_at;
    for (;;) {
        if (p->at >= p->n) return bad(p, "the end of a string");
        char c = p->text[p->at];
        if (c == '"') break;
        if ((unsigned char)c < 0x20)
            return bad(p, "no bare control character in a string");
        if (c != '\\') {
            uint32_t cp;
            size_t step = mni_utf8_next(p->text + p->at, p->n - p->at, &cp);
            if (step == 1 && cp == 0xFFFD) return bad(p, "UTF-8");
            memcpy(p->string_at, p->text + p->at, step);
            p->string_at += step;
            p->at += step;
            continue;
        }
        p->at++;
        char e = p->at < p->n ? p->text[p->at] : '\0';
        const char *hit = e ? strchr(from, e) : NULL;
        if (!hit && e != 'u') return bad(p, "an escape of JSON");
        p->at++;
        if (hit) *p->string_at++ = to[hit - from];
        else MNI_TRY(parse_unicode(p));
    }
    p->at++;
    *p->string_at++ = '\0';
    return MANN_OK;
}

static size_t digits(parser *p)
{
    size_t from = p->at;
    while (p->at < p->n && p->text[p->at] >= '0' && p->text[p->at] <= '9') p->at++;
    return p->at - from;
}

static mann_status parse_number(parser *p, mni_json_node *node)
{
    size_t from = p->at;
    int integer = 1;
    if (next_is(p, '-')) { p->at++; integer = 0; }
    size_t first = p->at;
    size_t n_whole = digits(p);
    if (n_whole == 0 || (n_whole > 1 && p->text[first] == '0')) return bad(p, "a number");
    if (next_is(p, '.')) {
        p->at++;
        integer = 0;
        if (digits(p) == 0) return bad(p, "digits after the point");
    }
    if (next_is(p, 'e') || next_is(p, 'E')) {
        p->at++;
        integer = 0;
        if (next_is(p, '+') || next_is(p, '-')) p->at++;
        if (digits(p) == 0) return bad(p, "digits of an exponent");
    }
    char copy[MAX_NUMBER];
    if (p->at - from >= sizeof copy)
        return bad(p, "a number of fewer than 64 characters");
    memcpy(copy, p->text + from, p->at - from);
    copy[p->at - from] = '\0';
    node->kind = MNI_JSON_NUMBER;
    if (!mni_parse_double(copy, &node->number))
        return bad(p, "a number in the range of double");
    node->is_u64 = integer && mni_parse_u64(copy, &node->u64);
    return MANN_OK;
}

static mann_status parse_word(parser *p, mni_json_node *node)
{
    static const struct {
        const char *word;
        mni_json_kind kind;
        double number;
    } words[] = { { "true", MNI_JSON_BOOL, 1 },
                  { "false", MNI_JSON_BOOL, 0 },
                  { "null", MNI_JSON_NULL, 0 } };
    for (size_t i = 0; i < 3; i++) {
        size_t n = strlen(words[i].word);
        if (p->n - p->at >= n && memcmp(p->text + p->at, words[i].word, n) == 0) {
            p->at += n;
            node->kind = words[i].kind;
            node->number = words[i].number;
            return MANN_OK;
        }
    }
    return bad(p, "a value");
}

/* Members of { } or elements of [ ]: the two differ in the key alone. */
static mann_status parse_list(parser *p, uint32_t parent, int keyed)
{
    char closing = keyed ? '}' : ']';
    uint32_t last = 0;
    p->at++;
    skip_space(p);
    if (next_is(p, closing)) { p->at++; return MANN_OK; }
    for (;;) {
        const char *key = NULL;
        uint32_t child;
        skip_space(p);
        if (keyed) {
            if (!next_is(p, '"')) return bad(p, "a key in quotes");
            MNI_TRY(parse_string(p, &key));
            skip_space(p);
            if (!next_is(p, ':')) return bad(p, "a colon");
            p->at++;
        }
        MNI_TRY(parse_value(p, &child));
        p->doc->nodes[child].key = key;
        if (last) p->doc->nodes[last].next = child;
        else p->doc->nodes[parent].first_child = child;
        last = child;
        skip_space(p);
        if (next_is(p, ',')) { p->at++; continue; }
        if (next_is(p, closing)) { p->at++; return MANN_OK; }
        return bad(p, keyed ? "a comma or }" : "a comma or ]");
    }
}

static mann_status parse_value(parser *p, uint32_t *index)
{
    mni_json_doc *d = p->doc;
    skip_space(p);
    if (p->at >= p->n) return bad(p, "a value");
    if (++p->depth > MNI_JSON_MAX_DEPTH)
        return mni_fail(p->err, MANN_E_LIMIT, "json: nested deeper than %d",
                        MNI_JSON_MAX_DEPTH);
    if (!mni_grow((void **)&d->nodes, &d->cap, d->n_nodes + 1, sizeof *d->nodes))
        return mni_fail(p->err, MANN_E_NOMEM, "json: %zu values", d->n_nodes);
    *index = (uint32_t)d->n_nodes++;
    mni_json_node node = { 0 };
    mann_status s = MANN_OK;
    char c = p->text[p->at];
    if (c == '{' || c == '[') {
        node.kind = c == '{' ? MNI_JSON_OBJECT : MNI_JSON_ARRAY;
        d->nodes[*index] = node;
        MNI_TRY(parse_list(p, *index, c == '{'));
        p->depth--;
        return MANN_OK;
    }
    if (c == '"') { node.kind = MNI_JSON_STRING; s = parse_string(p, &node.text); }
    else if (c == '-' || (c >= '0' && c <= '9')) s = parse_number(p, &node);
    else s = parse_word(p, &node);
    d->nodes[*index] = node;
    p->depth--;
    return s;
}

mann_status mni_json_parse(mni_json_doc *doc, const char *text, size_t n_bytes,
                           mann_error *err)
{
    *doc = (mni_json_doc){ 0 };
    if (n_bytes > MAX_BYTES)
        return mni_fail(err, MANN_E_LIMIT, "json: %zu bytes, at most %d are read",
                        n_bytes, MAX_BYTES);
    doc->strings = mni_alloc(n_bytes + 1, 1);
    if (!doc->strings) return mni_fail(err, MANN_E_NOMEM, "json: %zu bytes", n_bytes);
    parser p = { doc, text, n_bytes, 0, doc->strings, 0, err };
    uint32_t root;
    mann_status s = parse_value(&p, &root);
    skip_space(&p);
    if (s == MANN_OK && p.at != n_bytes) s = bad(&p, "the end");
    if (s != MANN_OK) mni_json_doc_fini(doc);
    return s;
}

void mni_json_doc_fini(mni_json_doc *doc)
{
    mni_free(doc->nodes);
    mni_free(doc->strings);
    *doc = (mni_json_doc){ 0 };
}

const mni_json_node *mni_json_get(const mni_json_doc *doc, const mni_json_node *node,
                                  const char *key)
{
    if (node->kind != MNI_JSON_OBJECT) return NULL;
    for (uint32_t i = node->first_child; i; i = doc->nodes[i].next)
        if (strcmp(doc->nodes[i].key, key) == 0) return &doc->nodes[i];
    return NULL;
}
