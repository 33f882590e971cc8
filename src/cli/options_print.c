/* options_print.c - the same tables as settings, as a manual page, as shell completions.
 * See options.h. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/version.h"
#include "cli/options.h"

/* --- settings ----------------------------------------------------------------------- */

static int printed_in_config(mni_option_id id)
{
    return id != MNI_OPT_CONFIG && id != MNI_OPT_PRINT_CONFIG && id != MNI_OPT_SHOW_HELP;
}

/* Quotes keep blanks at the ends and " #"; the reader takes off one pair. */
static void config_value(mni_text *out, const char *text)
{
    size_t n = strlen(text);
    int quote = n && (text[0] == ' ' || text[n - 1] == ' ' || text[0] == '"' ||
                      text[0] == '#' || strstr(text, " #"));
    mni_text_f(out, quote ? "\"%s\"" : "%s", text);
}

void mni_print_config(mni_text *out, const mni_options *o)
{
    static const char *const origin[] = { "", "   # from the settings file",
                                          "   # from the command line" };
    mni_text_f(out, "# metricann %s\n", mni_command_at(o->command)->name);
    for (size_t i = 0; mni_option_row(i); i++) {
        const mni_option *row = mni_option_row(i);
        const mni_value *v = &o->values[row->id];
        if (v->row != row || !printed_in_config(row->id)) continue;
        if (v->n_items == 0) { mni_text_f(out, "# %s =\n", row->name); continue; }
        for (size_t k = 0; k < v->n_items; k++) {
            int joined = row->kind == MNI_KIND_LIST;
            if (k == 0 || !joined) mni_text_f(out, "%s = ", row->name);
            if (k > 0 && joined) mni_text_char(out, ',');
            config_value(out, v->items[k]);
            if (!joined || k + 1 == v->n_items) mni_text_f(out, "%s\n", origin[v->from]);
        }
    }
}

/* --- manual page -------------------------------------------------------------------- */

/* Roff eats backslashes, and a dot or quote that starts a line; minus signs must stay
 * minus signs. */
static void roff(mni_text *out, const char *text)
{
    for (const char *at = text; *at; at++) {
        int line_start = at == text || at[-1] == '\n';
        if (line_start && (*at == '.' || *at == '\'')) mni_text_add(out, "\\&");
        if (*at == '\\') mni_text_add(out, "\\e");
        else if (*at == '-') mni_text_add(out, "\\-");
        else mni_text_char(out, *at);
    }
}

static void man_option(mni_text *out, const mni_option *o)
{
    mni_text_add(out, ".TP\n.B ");
    if (o->letter) mni_text_f(out, "\\-%c", o->letter);
    if (strlen(o->name) > 1 || !o->letter) {
        mni_text_add(out, o->letter ? ", \\-\\-" : "\\-\\-");
        roff(out, o->name);
    }
    if (o->kind == MNI_KIND_CHOICE || o->kind == MNI_KIND_LIST) {
        mni_text_add(out, " \\fI");
        for (const char *at = o->values; *at;) {
            size_t group = strcspn(at, "|");
            mni_text_add_n(out, at, strcspn(at, "=|"));
            at += group;
            if (*at == '|') { mni_text_char(out, '|'); at++; }
        }
        mni_text_add(out, "\\fR");
    } else if (o->kind != MNI_KIND_FLAG) {
        mni_text_f(out, " \\fI%s\\fR", o->values);
    }
    mni_text_char(out, '\n');
    roff(out, o->help);
    mni_text_char(out, '.');
    if (o->fallback[0] && o->kind != MNI_KIND_FLAG) {
        mni_text_add(out, " Default: ");
        roff(out, o->fallback);
        mni_text_char(out, '.');
    }
    mni_text_char(out, '\n');
    if (!*o->aliases) return;
    mni_text_add(out, "Also accepted:");
    for (const char *at = o->aliases; *at;) {
        size_t n = strcspn(at, " ");
        char word[48];
        if (n < sizeof word) {
            memcpy(word, at, n);
            word[n] = '\0';
            mni_text_add(out, " \\-\\-");
            roff(out, word);
        }
        at += n;
        at += *at == ' ';
    }
    mni_text_add(out, ".\n");
}

static void man_command(mni_text *out, const mni_command *c)
{
    mni_text_add(out, ".SS metricann ");
    roff(out, c->name);
    mni_text_f(out, "%s", *c->usage ? " " : "");
    roff(out, c->usage);
    mni_text_char(out, '\n');
    char first = c->summary[0];
    mni_text_char(out, (char)(first >= 'a' && first <= 'z' ? first - 'a' + 'A' : first));
    roff(out, c->summary + 1);
    mni_text_add(out, ".\n");
    if (*c->about) { roff(out, c->about); mni_text_char(out, '\n'); }
    for (size_t i = 0; mni_option_row(i); i++) {
        const mni_option *o = mni_option_row(i);
        if (o->commands != UINT64_MAX && (o->commands >> c->id & 1)) man_option(out, o);
    }
    mni_text_add(out, ".PP\nExamples:\n.nf\n");
    int explanation = 0;
    for (const char *at = c->examples; *at; explanation = !explanation) {
        size_t n = strcspn(at, "\n");
        char line[160];
        if (n < sizeof line) {
            memcpy(line, at, n);
            line[n] = '\0';
            mni_text_add(out, explanation ? "        " : "    ");
            roff(out, line);
            mni_text_char(out, '\n');
        }
        at += n + 1;
    }
    mni_text_add(out, ".fi\n");
}

void mni_print_man(mni_text *out)
{
    mni_text_add(out, ".TH METRICANN 1 \"\" \"metricann " MNI_VERSION_TEXT
                      "\" \"User Commands\"\n"
                      ".SH NAME\nmetricann \\- recognise things from one to three "
                      "reference photos each\n"
                      ".SH SYNOPSIS\n.B metricann\n.I COMMAND\n[options] [files]\n"
                      ".SH DESCRIPTION\n"
                      "Turns photos into vectors, keeps them in a gallery file, and "
                      "answers which class a new photo\n"
                      "shows, how sure that is, or that it is unknown. Classes are added "
                      "and removed at any time.\n"
                      "Data go to standard output, remarks and progress to standard "
                      "error.\n.SH COMMANDS\n");
    for (size_t i = 0; i < MNI_N_COMMANDS; i++)
        man_command(out, mni_command_at((mni_command_id)i));
    mni_text_add(out, ".SH OPTIONS OF EVERY COMMAND\n");
    for (size_t i = 0; mni_option_row(i); i++)
        if (mni_option_row(i)->commands == UINT64_MAX) man_option(out, mni_option_row(i));
    mni_text_add(
        out, ".SH EXIT STATUS\n"
             "0 ok; 1 a check failed; 2 wrong usage; 3 a bad input file; 4 model and "
             "gallery do not match;\n"
             "5 input/output error or disk full; 6 out of memory; 130 interrupted, what "
             "was durable is kept.\n"
             ".SH ENVIRONMENT\n.TP\n.B METRICANN_SIMD\n"
             "Highest instruction set to use: scalar, avx2, avx512, avx512vnni, neon.\n"
             ".TP\n.B NO_COLOR\nNo colours, whatever the terminal can do.\n");
}

/* --- completions -------------------------------------------------------------------- */

static void option_words(mni_text *out, mni_command_id cmd)
{
    for (size_t i = 0; mni_option_row(i); i++) {
        const mni_option *o = mni_option_row(i);
        if (o->commands >> cmd & 1) mni_text_f(out, " --%s", o->name);
    }
}

static void choice_words(mni_text *out, const char *values)
{
    for (const char *at = values; *at;) {
        mni_text_char(out, ' ');
        mni_text_add_n(out, at, strcspn(at, "=|"));
        at += strcspn(at, "|");
        at += *at == '|';
    }
}

static void bash(mni_text *out)
{
    mni_text_add(out,
                 "# bash completion of metricann: source this file\n_metricann()\n{\n"
                 "    local word=${COMP_WORDS[COMP_CWORD]} "
                 "before=${COMP_WORDS[COMP_CWORD-1]} words=\n"
                 "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        words=\"");
    for (size_t i = 0; i < MNI_N_COMMANDS; i++)
        mni_text_f(out, "%s%s", i ? " " : "", mni_command_at((mni_command_id)i)->name);
    mni_text_add(out, "\"\n    else\n        case $before in\n");
    for (size_t i = 0; mni_option_row(i); i++) {
        const mni_option *o = mni_option_row(i);
        if (o->kind != MNI_KIND_CHOICE) continue;
        mni_text_f(out, "        --%s) words=\"", o->name);
        choice_words(out, o->values);
        mni_text_add(out, "\" ;;\n");
    }
    mni_text_add(out, "        *) case $word in -*) case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; i < MNI_N_COMMANDS; i++) {
        mni_text_f(out, "            %s) words=\"",
                   mni_command_at((mni_command_id)i)->name);
        option_words(out, (mni_command_id)i);
        mni_text_add(out, "\" ;;\n");
    }
    mni_text_add(out, "            esac ;; esac ;;\n        esac\n    fi\n"
        "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n}\n"
        "complete -o default -F _metricann metricann\n");
}

/* Apostrophes, brackets and colons mean something to zsh's _arguments; fish knows
 * apostrophes. */
static void without(mni_text *out, const char *text, const char *unwanted)
{
    for (; *text; text++)
        if (!strchr(unwanted, *text)) mni_text_char(out, *text);
}

static void zsh(mni_text *out)
{
    mni_text_add(
        out,
        "#compdef metricann\n_metricann()\n{\n    local -a commands\n    commands=(\n");
    for (size_t i = 0; i < MNI_N_COMMANDS; i++) {
        const mni_command *c = mni_command_at((mni_command_id)i);
        mni_text_f(out, "        '%s:", c->name);
        without(out, c->summary, "':");
        mni_text_add(out, "'\n");
    }
    mni_text_add(
        out,
        "    )\n    if (( CURRENT == 2 )); then _describe command commands; return; fi\n"
        "    local what=$words[2]\n    shift words; (( CURRENT-- ))\n    case $what "
        "in\n");
    for (size_t i = 0; i < MNI_N_COMMANDS; i++) {
        mni_text_f(out, "    %s) _arguments", mni_command_at((mni_command_id)i)->name);
        for (size_t k = 0; mni_option_row(k); k++) {
            const mni_option *o = mni_option_row(k);
            if (!(o->commands >> i & 1)) continue;
            mni_text_f(out, " \\\n        '--%s[", o->name);
            without(out, o->help, "'[]:");
            mni_text_char(out, ']');
            if (o->kind == MNI_KIND_CHOICE) {
                mni_text_f(out, ":%s:(", o->name);
                choice_words(out, o->values);
                mni_text_char(out, ')');
            } else if (o->kind != MNI_KIND_FLAG) {
                mni_text_f(out, ":%s:_files", o->name);
            }
            mni_text_char(out, '\'');
        }
        mni_text_add(out, " \\\n        '*:file:_files' ;;\n");
    }
    mni_text_add(out, "    esac\n}\n_metricann \"$@\"\n");
}

static void fish(mni_text *out)
{
    mni_text_add(out, "# fish completion of metricann\n");
    for (size_t i = 0; i < MNI_N_COMMANDS; i++) {
        const mni_command *c = mni_command_at((mni_command_id)i);
        mni_text_f(out, "complete -c metricann -n __fish_use_subcommand -a %s -d '",
                   c->name);
        without(out, c->summary, "'\\");
        mni_text_add(out, "'\n");
    }
    for (size_t k = 0; mni_option_row(k); k++) {
        const mni_option *o = mni_option_row(k);
        mni_text_add(out, "complete -c metricann -n '__fish_seen_subcommand_from");
        for (size_t i = 0; i < MNI_N_COMMANDS; i++)
            if (o->commands >> i & 1)
                mni_text_f(out, " %s", mni_command_at((mni_command_id)i)->name);
        mni_text_f(out, "' %s %s", strlen(o->name) == 1 && !o->letter ? "-s" : "-l",
                   o->name);
        if (o->letter && strlen(o->name) > 1) mni_text_f(out, " -s %c", o->letter);
        if (o->kind == MNI_KIND_CHOICE) {
            mni_text_add(out, " -x -a '");
            choice_words(out, o->values);
            mni_text_char(out, '\'');
        } else if (o->kind != MNI_KIND_FLAG) {
            mni_text_add(out, o->kind == MNI_KIND_PATH ? " -r" : " -x");
        }
        mni_text_add(out, " -d '");
        without(out, o->help, "'\\");
        mni_text_add(out, "'\n");
    }
}

void mni_print_completion(mni_text *out, const char *shell)
{
    if (strcmp(shell, "bash") == 0) bash(out);
    else if (strcmp(shell, "zsh") == 0) zsh(out);
    else fish(out);
}
