/* npy.c - see npy.h. The header is the text of a Python dictionary:
 *
 *   \x93NUMPY  major  minor  length  {'descr': '<f4', 'fortran_order': False, ...}   \n
 *   6 bytes    u8     u8     u16 (version 1) or u32 (2, 3)
 *
 * Of Python we understand what NumPy writes there: the three keys in any order and
 * spacing, strings, True and False, a tuple of numbers. Everything else is refused by
 * name; nothing is ever evaluated. SPDX-License-Identifier: MIT */
#include "store/npy.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

typedef struct text { const char *at, *end; const char *name; } text;

static void skip_space(text *t)
{
    while (t->at < t->end &&
           (*t->at == ' ' || *t->at == '\n' || *t->at == '\t' || *t->at == '\r'))
        t->at++;
}

/* 1 and past it if `c` comes next. */
static int take(text *t, char c)
{
    skip_space(t);
    if (t->at == t->end || *t->at != c) return 0;
    t->at++;
    return 1;
}

static int take_word(text *t, const char *word)
{
    size_t n = strlen(word);
    skip_space(t);
    if ((size_t)(t->end - t->at) < n || memcmp(t->at, word, n) != 0) return 0;
    t->at += n;
    return 1;
}

/* 'abc' or "abc", without escapes, into out. */
static int take_string(text *t, char *out, size_t size)
{
    skip_space(t);
    if (t->at == t->end || (*t->at != '\'' && *t->at != '"')) return 0;
    char quote = *t->at++;
    for (size_t n = 0; t->at < t->end; t->at++) {
        if (*t->at == quote) {
            out[n] = '\0';
            t->at++;
            return 1;
        }
        if (n + 1 == size || *t->at < 0x20 || *t->at > 0x7E || *t->at == '\\') return 0;
        out[n++] = *t->at;
    }
    return 0;
}

static int take_number(text *t, uint64_t *out)
{
    skip_space(t);
    const char *begin = t->at;
    *out = 0;
    for (; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++) {
        unsigned digit = (unsigned)(*t->at - '0');
        if (*out > (UINT64_MAX - digit) / 10) return 0;
        *out = *out * 10 + digit;
    }
    if (t->at == begin) return 0;
    if (t->at < t->end && *t->at == 'L') t->at++;       /* as Python 2 wrote them */
    return 1;
}

static mann_status bad(const text *t, mann_error *err, const char *what)
{
    return mni_fail(err, MANN_E_FORMAT, "%s: header of .npy: %s", t->name, what);
}

static mann_status take_descr(text *t, mni_dtype *dtype, mann_error *err)
{
    static const struct { const char *descr; mni_dtype dtype; } known[] = {
        { "<f4", MNI_F32 }, { "<f2", MNI_F16 }, { "<f8", MNI_F64 },
        { "|u1", MNI_U8 },  { "|i1", MNI_I8 },  { "<i4", MNI_I32 },
        { "<i8", MNI_I64 }, { "<u1", MNI_U8 },  { "<i1", MNI_I8 },
    };
    char descr[32];
    skip_space(t);
    if (t->at < t->end && *t->at == '[')
        return mni_fail(err, MANN_E_UNSUPPORTED,
                        "%s: holds records of named fields, wanted plain "
                        "numbers (save one field)",
                        t->name);
    if (!take_string(t, descr, sizeof descr))
        return bad(t, err, "descr is not a short string");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(descr, known[i].descr) == 0) {
            *dtype = known[i].dtype;
            return MANN_OK;
        }
    if (strchr(descr, 'O'))
        return mni_fail(err, MANN_E_UNSUPPORTED,
                        "%s: holds pickled Python objects, wanted numbers "
                        "(save a.astype(\"float32\"))",
                        t->name);
    if (descr[0] == '>')
        return mni_fail(err, MANN_E_UNSUPPORTED,
                        "%s: dtype %s is big-endian, wanted \"<\" (save "
                        "a.astype(\"<f4\"))",
                        t->name, descr);
    return mni_fail(err, MANN_E_UNSUPPORTED,
                    "%s: dtype %s, wanted one of <f4 <f2 <f8 |u1 |i1 <i4 <i8", t->name,
                    descr);
}

static mann_status take_order(text *t, mann_error *err)
{
    if (take_word(t, "False")) return MANN_OK;
    if (take_word(t, "True"))
        return mni_fail(err, MANN_E_UNSUPPORTED,
                        "%s: stored column by column (Fortran order), wanted "
                        "row by row (save np.ascontiguousarray(a))",
                        t->name);
    return bad(t, err, "fortran_order is neither True nor False");
}

static mann_status take_shape(text *t, mni_npy *out, mann_error *err)
{
    uint64_t dims[2] = { 0, 0 }, d;
    unsigned n = 0;
    int closed = 0;
    if (!take(t, '(')) return bad(t, err, "shape is not a tuple");
    while (!(closed = take(t, ')'))) {
        if (!take_number(t, &d))
            return bad(t, err, "shape is not a tuple of numbers below 2^64");
        if (n < 2) dims[n] = d;
        n++;
        if (!take(t, ',')) {
            closed = take(t, ')');
            break;
        }
    }
    if (!closed) return bad(t, err, "shape does not end");
    if (n != 2)
        return mni_fail(err, MANN_E_UNSUPPORTED,
                        "%s: array of %u dimensions, wanted 2 (rows, columns)", t->name,
                        n);
    out->rows = dims[0];
    out->cols = dims[1];
    return MANN_OK;
}

static mann_status take_dictionary(text *t, mni_npy *out, mann_error *err)
{
    static const char *const keys[] = { "descr", "fortran_order", "shape" };
    unsigned seen = 0;
    if (!take(t, '{')) return bad(t, err, "not a dictionary");
    while (!take(t, '}')) {
        char key[32];
        unsigned k = 0;
        if (!take_string(t, key, sizeof key) || !take(t, ':'))
            return bad(t, err, "not a dictionary of short keys");
        while (k < 3 && strcmp(key, keys[k]) != 0) k++;
        if (k == 3)
            return mni_fail(err, MANN_E_FORMAT, "%s: header of .npy: unknown key \"%s\"",
                            t->name, key);
        if (seen >> k & 1) return bad(t, err, "a key is there twice");
        seen |= 1u << k;
        if (k == 0) MNI_TRY(take_descr(t, &out->dtype, err));
        else if (k == 1) MNI_TRY(take_order(t, err));
        else MNI_TRY(take_shape(t, out, err));
        if (!take(t, ',')) {
            if (!take(t, '}')) return bad(t, err, "dictionary does not end");
            break;
        }
    }
    if (seen != 7) return bad(t, err, "descr, fortran_order or shape is missing");
    skip_space(t);
    return t->at == t->end ? MANN_OK : bad(t, err, "something follows the dictionary");
}

mann_status mni_npy_parse(mni_npy *out, const void *bytes, size_t n_bytes,
                          const char *name, mann_error *err)
{
    const uint8_t *b = bytes;
    if (n_bytes < 10 || memcmp(b, "\x93NUMPY", 6) != 0)
        return mni_fail(err, MANN_E_FORMAT,
                        "%s: not a .npy file (no \"\\x93NUMPY\" at its start)", name);
    if (b[6] < 1 || b[6] > 3)
        return mni_fail(err, MANN_E_VERSION, "%s: .npy version %u, wanted 1..3", name,
                        (unsigned)b[6]);
    size_t begin = b[6] == 1 ? 10 : 12;
    if (n_bytes < begin)
        return mni_fail(err, MANN_E_FORMAT, "%s: header of .npy is cut", name);
    uint64_t header_bytes = b[6] == 1 ? mni_get16(b + 8) : mni_get32(b + 8);
    if (header_bytes > MNI_NPY_HEADER_LIMIT - begin)
        return mni_fail(err, MANN_E_LIMIT, "%s: header of %llu bytes, at most %d", name,
                        (unsigned long long)header_bytes, MNI_NPY_HEADER_LIMIT);
    if (header_bytes > n_bytes - begin)
        return mni_fail(err, MANN_E_FORMAT, "%s: header of .npy is cut", name);
    text t = { (const char *)b + begin, (const char *)b + begin + header_bytes, name };
    *out = (mni_npy){ .data_at = begin + (size_t)header_bytes };
    return take_dictionary(&t, out, err);
}

size_t mni_npy_header(char out[128], mni_dtype dtype, uint64_t rows, uint64_t cols)
{
    /* The longest dictionary has 97 letters: always 128. */
    enum { BEFORE = 10, ALL = 128 };
    memset(out, ' ', ALL);
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    mni_put16(out + 8, ALL - BEFORE);
    int n = snprintf(out + BEFORE, ALL - BEFORE,
                     "{'descr': '%s', 'fortran_order': False, 'shape': (%llu, %llu), }",
                     dtype == MNI_I64 ? "<i8" : "<f4", (unsigned long long)rows,
                     (unsigned long long)cols);
    out[BEFORE + n] = ' ';
    out[ALL - 1] = '\n';
    return ALL;
}
