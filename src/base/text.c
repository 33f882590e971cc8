/* text.c - see text.h. SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void mni_text_add_n(mni_text *t, const char *chars, size_t n)
{
    if (t->failed) return;
    if (n > SIZE_MAX / 2 - t->n_chars ||
        !mni_grow((void **)&t->chars, &t->cap, t->n_chars + n + 1, 1)) {
        t->failed = 1;
        return;
    }
    if (n) memcpy(t->chars + t->n_chars, chars, n);
    t->n_chars += n;
    t->chars[t->n_chars] = '\0';
}

void mni_text_add(mni_text *t, const char *chars)
{
    mni_text_add_n(t, chars, strlen(chars));
}
void mni_text_char(mni_text *t, char c) { mni_text_add_n(t, &c, 1); }

void mni_text_f(mni_text *t, const char *fmt, ...)
{
    char small[256];
    va_list ap;
    if (t->failed) return;
    va_start(ap, fmt);
    int n = vsnprintf(small, sizeof small, fmt, ap);
    va_end(ap);
    if (n < 0) { t->failed = 1; return; }
    if ((size_t)n < sizeof small) { mni_text_add_n(t, small, (size_t)n); return; }
    if (!mni_grow((void **)&t->chars, &t->cap, t->n_chars + (size_t)n + 1, 1)) {
        t->failed = 1;
        return;
    }
    va_start(ap, fmt);
    vsnprintf(t->chars + t->n_chars, (size_t)n + 1, fmt, ap);
    va_end(ap);
    t->n_chars += (size_t)n;
}

void mni_text_clear(mni_text *t)
{
    t->n_chars = 0;
    t->failed = 0;
    if (t->chars) t->chars[0] = '\0';
}

void mni_text_fini(mni_text *t)
{
    mni_free(t->chars);
    *t = (mni_text){ 0 };
}

int mni_parse_u64(const char *text, uint64_t *out)
{
    uint64_t v = 0;
    if (!*text) return 0;
    for (; *text; text++) {
        if (*text < '0' || *text > '9') return 0;
        uint64_t digit = (uint64_t)(*text - '0');
        if (v > (UINT64_MAX - digit) / 10) return 0;
        v = v * 10 + digit;
    }
    *out = v;
    return 1;
}

/* strtod and printf use the point of the locale of the program that links us, "3,5" for
 * many. Asking printf is the one portable and thread-safe way to learn it. */
static void locale_point(char out[16])
{
    char half[24];
    int n = snprintf(half, sizeof half, "%.1f", 0.5);
    snprintf(out, 16, "%.*s", n - 2, half + 1);
}

int mni_parse_double(const char *text, double *out)
{
    size_t n = strlen(text);
    /* no hex, inf, nan, space */
    if (n == 0 || strspn(text, "+-.0123456789eE") != n) return 0;
    char *end;
    double v = strtod(text, &end);
    if (*end == '.') {
        mni_text local = { 0 };
        char point[16];
        locale_point(point);
        mni_text_add_n(&local, text, (size_t)(end - text));
        mni_text_add(&local, point);
        mni_text_add(&local, end + 1);
        v = strtod(mni_text_get(&local), &end);
        int whole = !local.failed && !*end;
        mni_text_fini(&local);
        if (!whole || !isfinite(v)) return 0;
    } else if (*end || !isfinite(v)) {
        return 0;
    }
    *out = v;
    return 1;
}

void mni_text_real(mni_text *t, double v, int digits)
{
    char c[64];
    int n = snprintf(c, sizeof c, "%.*g", digits, v == 0 ? 0.0 : v);        /* no "-0" */
    for (int i = 0; i < n;) {
        int run = (int)strspn(c + i, "+-0123456789einfa");
        mni_text_add_n(t, c + i, (size_t)run);
        i += run;
        if (i >= n) break;
        mni_text_char(t, '.');                   /* whatever the locale calls its point */
        i += (int)strcspn(c + i, "+-0123456789e");
    }
}

int mni_parse_size(const char *text, uint64_t *out)
{
    char number[32];
    size_t n = strspn(text, "0123456789.");
    double v;
    if (mni_parse_u64(text, out)) return 1;         /* exact, also above 2^53 */
    if (n == 0 || n >= sizeof number) return 0;
    memcpy(number, text, n);
    number[n] = '\0';
    if (!mni_parse_double(number, &v)) return 0;
    const char *unit = text + n;
    static const char letters[] = "KMGT";
    const char *hit =
        *unit ? strchr(letters, *unit >= 'a' ? *unit - 'a' + 'A' : *unit) : NULL;
    if (hit) {
        for (int i = 0; i <= hit - letters; i++) v *= 1024.0;
        unit++;
        if (*unit == 'i') unit++;
    }
    if (*unit == 'B' || *unit == 'b') unit++;
    if (*unit || v < 0 || v >= 18446744073709551616.0) return 0;
    *out = (uint64_t)v;
    return 1;
}

/* Table 3-7 of the Unicode standard: well-formed byte sequences. */
size_t mni_utf8_next(const char *bytes, size_t n_bytes, uint32_t *cp)
{
    const uint8_t *b = (const uint8_t *)bytes;
    *cp = 0xFFFD;
    if (n_bytes == 0) return 1;
    if (b[0] < 0x80) { *cp = b[0]; return 1; }
    size_t need = b[0] >= 0xF0 ? 4 : b[0] >= 0xE0 ? 3 : 2;
    if (b[0] < 0xC2 || b[0] > 0xF4 || n_bytes < need) return 1;
    uint32_t v = b[0] & (0x7Fu >> need);
    for (size_t i = 1; i < need; i++) {
        if ((b[i] & 0xC0u) != 0x80u) return 1;
        v = v << 6 | (b[i] & 0x3Fu);
    }
    static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
    if (v < least[need] || v > 0x10FFFF || (v >= 0xD800 && v <= 0xDFFF)) return 1;
    *cp = v;
    return need;
}

size_t mni_utf8_prefix(const char *bytes, size_t n_bytes)
{
    size_t at = 0;
    while (at < n_bytes) {
        uint32_t cp;
        size_t n = mni_utf8_next(bytes + at, n_bytes - at, &cp);
        if (n == 1 && cp == 0xFFFD) break;
        at += n;
    }
    return at;
}

static char lower(char c) { return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c); }

int mni_text_ends(const char *text, const char *suffix_lower)
{
    size_t n = strlen(text), m = strlen(suffix_lower);
    if (m > n) return 0;
    for (size_t i = 0; i < m; i++)
        if (lower(text[n - m + i]) != suffix_lower[i]) return 0;
    return 1;
}

int mni_text_same(const char *a, const char *b)
{
    for (;; a++, b++) {
        char x = *a == '_' ? '-' : lower(*a), y = *b == '_' ? '-' : lower(*b);
        if (x != y) return 0;
        if (!x) return 1;
    }
}

const char *mni_path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

void mni_path_join(mni_text *out, const char *dir, const char *name)
{
    size_t n = strlen(dir);
    if (n && strcmp(dir, ".") != 0) {
        mni_text_add(out, dir);
        if (dir[n - 1] != '/') mni_text_char(out, '/');
    }
    mni_text_add(out, name);
}

void mni_path_dir(mni_text *out, const char *path)
{
    const char *name = mni_path_name(path);
    if (name == path) mni_text_add(out, ".");
    else if (name == path + 1) mni_text_add(out, "/");
    else mni_text_add_n(out, path, (size_t)(name - path) - 1);
}

void mni_format_bytes(char *out, size_t size, uint64_t n_bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
    double v = (double)n_bytes;
    unsigned u = 0;
    while (v >= 1024.0 && u < 5) { v /= 1024.0; u++; }
    snprintf(out, size, u && v < 100 ? "%.1f %s" : "%.0f %s", v, units[u]);
}

void mni_format_seconds(char *out, size_t size, double seconds)
{
    if (!(seconds >= 0) || seconds > 1e9) { snprintf(out, size, "?"); return; }
    unsigned long s = (unsigned long)(seconds + 0.5);
    if (s >= 3600) snprintf(out, size, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
    else snprintf(out, size, "%lu:%02lu", s / 60, s % 60);
}
