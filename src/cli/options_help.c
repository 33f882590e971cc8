/* options_help.c - the overview and --help, set to the width of the terminal. See
 * options.h. SPDX-License-Identifier: MIT */
#include <string.h>

#include "cli/options.h"

enum {
    NARROW = 40,
    WIDE = 100,
    COLUMN = 30
}; /* COLUMN: where the help sentences start */

static unsigned sane_width(unsigned width)
{
    return width < NARROW ? NARROW : width > WIDE ? WIDE : width;
}

static void blanks(mni_text *out, unsigned n)
{
    while (n--) mni_text_char(out, ' ');
}

void mni_help_wrap(mni_text *out, const char *text, unsigned at, unsigned indent,
                   unsigned width)
{
    int first = 1;
    while (*text) {
        size_t n = strcspn(text, " ");
        if (!first && at + 1 + n > width) {
            mni_text_char(out, '\n');
            blanks(out, indent);
            at = indent;
            first = 1;
        }
        if (!first) { mni_text_char(out, ' '); at++; }
        mni_text_add_n(out, text, n);
        at += (unsigned)n;
        first = 0;
        text += n;
        text += strspn(text, " ");
    }
}

void mni_help_overview(mni_text *out, unsigned width)
{
    width = sane_width(width);
    mni_text_add(
        out, "metricann - recognise things from one to three reference photos each\n\n"
             "usage: metricann COMMAND [options] [files]\n\ncommands:\n");
    for (size_t i = 0; i < MNI_N_COMMANDS; i++) {
        const mni_command *c = mni_command_at((mni_command_id)i);
        mni_text_f(out, "  %-10s ", c->name);
        mni_help_wrap(out, c->summary, 13, 13, width);
        mni_text_char(out, '\n');
    }
    mni_text_add(out, "\nthe short way:\n"
                      "  metricann extract photos/ --model pixels -o vectors.mann\n"
                      "  metricann build vectors.mann -o gallery.mann\n"
                      "  metricann search gallery.mann photo.jpg\n\n");
    mni_help_wrap(out,
                  "metricann help COMMAND explains one. Exit status: 0 ok, 1 a check "
                  "failed, 2 usage, "
                  "3 bad input file, 4 model and gallery do not match, 5 input/output or "
                  "disk full, "
                  "6 out of memory, 130 interrupted.",
                  0, 0, width);
    mni_text_char(out, '\n');
}

static void add_default(mni_text *help, const mni_option *o)
{
    if (o->fallback[0] && o->kind != MNI_KIND_FLAG)
        mni_text_f(help, " [%s]", o->fallback);
}

/* The names of a choice, without its other spellings. */
static void add_choices(mni_text *help, const mni_option *o)
{
    mni_text_add(help, o->kind == MNI_KIND_LIST ? ": list of " : ": ");
    for (const char *at = o->values; *at;) {
        size_t name = strcspn(at, "=|"), group = strcspn(at, "|");
        if (at != o->values) mni_text_add(help, ", ");
        mni_text_add_n(help, at, name);
        at += group;
        at += *at == '|';
    }
}

static int has_choices(const mni_option *o)
{
    return o->kind == MNI_KIND_CHOICE ||
           (o->kind == MNI_KIND_LIST && strchr(o->values, '|'));
}

static const char *metavar(const mni_option *o)
{
    return o->kind == MNI_KIND_CHOICE ? "WORD" : has_choices(o) ? "LIST" : o->values;
}

static void option_line(mni_text *out, const mni_option *o, unsigned width)
{
    mni_text left = { 0 }, help = { 0 };
    if (o->letter && strlen(o->name) == 1) mni_text_f(&left, "  -%c", o->letter);
    else if (o->letter) mni_text_f(&left, "  -%c, --%s", o->letter, o->name);
    else mni_text_f(&left, "      --%s", o->name);
    if (o->kind != MNI_KIND_FLAG) mni_text_f(&left, " %s", metavar(o));
    mni_text_add(&help, o->help);
    if (has_choices(o)) add_choices(&help, o);
    add_default(&help, o);

    mni_text_add(out, mni_text_get(&left));
    unsigned at = (unsigned)left.n_chars, column = width < 60 ? 10 : COLUMN;
    if (at + 2 > column) { mni_text_char(out, '\n'); at = 0; }
    blanks(out, column - at);
    mni_help_wrap(out, mni_text_get(&help), column, column, width);
    mni_text_char(out, '\n');
    if (left.failed || help.failed) out->failed = 1;
    mni_text_fini(&left);
    mni_text_fini(&help);
}

static void option_lines(mni_text *out, const mni_command *cmd, int everywhere,
                         unsigned width)
{
    for (size_t i = 0; mni_option_row(i); i++) {
        const mni_option *o = mni_option_row(i);
        if ((o->commands == UINT64_MAX) == everywhere && (o->commands >> cmd->id & 1))
            option_line(out, o, width);
    }
}

static int has_own_options(const mni_command *cmd)
{
    for (size_t i = 0; mni_option_row(i); i++) {
        const mni_option *o = mni_option_row(i);
        if (o->commands != UINT64_MAX && (o->commands >> cmd->id & 1)) return 1;
    }
    return 0;
}

void mni_help_command(mni_text *out, const mni_command *cmd, unsigned width)
{
    width = sane_width(width);
    mni_text_f(out, "metricann %s - ", cmd->name);
    mni_help_wrap(out, cmd->summary, (unsigned)strlen(cmd->name) + 13, 2, width);
    mni_text_f(out, "\n\nusage: metricann %s [options]%s%s\n", cmd->name,
               *cmd->usage ? " " : "", cmd->usage);
    if (*cmd->aliases) mni_text_f(out, "also called: %s\n", cmd->aliases);
    if (*cmd->about) {
        mni_text_char(out, '\n');
        mni_help_wrap(out, cmd->about, 0, 0, width);
        mni_text_char(out, '\n');
    }
    if (has_own_options(cmd)) {
        mni_text_add(out, "\noptions [default]:\n");
        option_lines(out, cmd, 0, width);
    }
    mni_text_add(out, "\noptions of every command:\n");
    option_lines(out, cmd, 1, width);
    mni_text_add(out, "\nexamples:\n");
    int explanation = 0;
    for (const char *at = cmd->examples; *at; explanation = !explanation) {
        size_t n = strcspn(at, "\n");
        mni_text_add(out, explanation ? "      " : "  ");
        mni_text_add_n(out, at, n);
        mni_text_char(out, '\n');
        at += n + 1;
    }
}
