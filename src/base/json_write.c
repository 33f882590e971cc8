/* json_write.c - JSON out. See json.h. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

void mni_json_init(mni_json *j, mni_text *out, int indent)
{
    *j = (mni_json){ .out = out, .indent = indent };
}

static void new_line(mni_json *j)
{
    if (!j->indent) return;
    mni_text_char(j->out, '\n');
    for (int i = 0; i < j->depth * j->indent; i++) mni_text_char(j->out, ' ');
}

/* Everything that starts a value or a key passes here: it writes the comma. */
static void start(mni_json *j)
{
    if (j->after_key) { j->after_key = 0; return; }
    if (j->depth == 0) return;
    if (j->n_in[j->depth - 1]) mni_text_char(j->out, ',');
    j->n_in[j->depth - 1] = 1;
    new_line(j);
}

static void open_with(mni_json *j, char opening, char closing)
{
    start(j);
    mni_text_char(j->out, opening);
    if (j->depth >= MNI_JSON_MAX_DEPTH) { j->out->failed = 1; return; }
    j->n_in[j->depth] = 0;
    j->close[j->depth++] = closing;
}

void mni_json_object(mni_json *j) { open_with(j, '{', '}'); }
void mni_json_array(mni_json *j) { open_with(j, '[', ']'); }

void mni_json_end(mni_json *j)
{
    if (j->depth == 0) return;
    j->depth--;
    if (j->n_in[j->depth]) new_line(j);
    mni_text_char(j->out, j->close[j->depth]);
}

static void quoted(mni_text *out, const char *text)
{
    size_t n = strlen(text);
    mni_text_char(out, '"');
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        size_t step = mni_utf8_next(text + i, n - i, &cp);
        if (cp == '"' || cp == '\\') {
            mni_text_char(out, '\\');
            mni_text_char(out, (char)cp);
        } else if (cp == '\n')
            mni_text_add(out, "\\n");
        else if (cp == '\t') mni_text_add(out, "\\t");
        else if (cp < 0x20 || cp == 0x7F) mni_text_f(out, "\\u%04x", (unsigned)cp);
        else if (cp == 0xFFFD && step == 1) mni_text_add(out, "\xEF\xBF\xBD");
        else mni_text_add_n(out, text + i, step);
        i += step;
    }
    mni_text_char(out, '"');
}

void mni_json_key(mni_json *j, const char *key)
{
    start(j);
    quoted(j->out, key);
    mni_text_add(j->out, j->indent ? ": " : ":");
    j->after_key = 1;
}

void mni_json_string(mni_json *j, const char *text)
{
    start(j);
    if (text) quoted(j->out, text);
    else mni_text_add(j->out, "null");
}

void mni_json_real(mni_json *j, double v, int digits)
{
    start(j);
    if (!isfinite(v)) mni_text_add(j->out, "null");
    else mni_text_real(j->out, v, digits);
}

void mni_json_number(mni_json *j, double v) { mni_json_real(j, v, 6); }

void mni_json_u64(mni_json *j, uint64_t v)
{
    start(j);
    mni_text_f(j->out, "%llu", (unsigned long long)v);
}

void mni_json_bool(mni_json *j, int v)
{
    start(j);
    mni_text_add(j->out, v ? "true" : "false");
}

void mni_json_null(mni_json *j)
{
    start(j);
    mni_text_add(j->out, "null");
}
