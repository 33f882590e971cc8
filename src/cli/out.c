/* out.c - the only writer to standard output. See cli.h.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

enum { STEP_BYTES = 1 << 16 };

void mni_out_flush(mni_cli *c)
{
    if (!c->out_failed && c->out.failed) {
        c->out_failed = 1;
        mni_talk_error(&c->talk, "standard output: out of memory");
    }
    if (!c->out_failed && c->out.n_chars) {
        errno = 0;
        size_t put = fwrite(c->out.chars, 1, c->out.n_chars, stdout);
        if (put != c->out.n_chars || fflush(stdout) != 0) {
            c->out_failed = 1;
            char sentence[160];
            snprintf(sentence, sizeof sentence, "cannot write to standard output: %s",
                     strerror(errno));
            if (errno != EPIPE)
                mni_talk_error(&c->talk, sentence); /* head(1) has seen enough: no fuss */
        }
    }
    mni_text_clear(&c->out);
}

int mni_out_step(mni_cli *c)
{
    if (c->out.n_chars >= STEP_BYTES || mni_opt_flag(&c->options, MNI_OPT_JSONL))
        mni_out_flush(c);
    return !c->out_failed;
}

static int shown_as_is(uint32_t cp)
{
    return cp >= 0x20 && cp != 0x7F && !(cp >= 0x80 && cp < 0xA0);
}

void mni_out_name(mni_text *out, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        size_t step = mni_utf8_next(text + i, n - i, &cp);
        if (cp == 0xFFFD && step == 1) mni_text_add(out, "\xEF\xBF\xBD");
        else if (shown_as_is(cp)) mni_text_add_n(out, text + i, step);
        else mni_text_char(out, '?');
        i += step;
    }
}

unsigned mni_out_columns(const char *text)
{
    unsigned columns = 0;
    size_t n = strlen(text);
    for (size_t i = 0; i < n; columns++) {
        uint32_t cp;
        i += mni_utf8_next(text + i, n - i, &cp);
    }
    return columns;
}

void mni_out_padded(mni_text *out, const char *text, unsigned columns)
{
    mni_out_name(out, text);
    for (unsigned at = mni_out_columns(text); at < columns; at++) mni_text_char(out, ' ');
}

void mni_out_json(mni_cli *c, mni_json *j)
{
    mni_json_init(j, &c->out, mni_opt_flag(&c->options, MNI_OPT_JSONL) ? 0 : 2);
}
