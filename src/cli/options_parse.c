/* options_parse.c - from argv and settings files to values. See options.h.
 *
 * Every value is kept as text in its canonical form (the first spelling of a choice),
 * checked when it is set: getters cannot fail. A value from the command line is never
 * overwritten by one from a file. SPDX-License-Identifier: MIT */
#include "cli/options.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "os/vfs.h"

enum { CONFIG_LIMIT = 1 << 20 };        /* bytes of a settings file */

/* --- one value ---------------------------------------------------------------------- */

static void drop_items(mni_value *v)
{
    for (size_t i = 0; i < v->n_items; i++) mni_free(v->items[i]);
    v->n_items = 0;
}

static mann_status keep(mni_value *v, const char *text, size_t n, mann_error *err)
{
    char *copy = mni_alloc(n + 1, 1);
    if (!copy ||
        !mni_grow((void **)&v->items, &v->cap, v->n_items + 1, sizeof *v->items)) {
        mni_free(copy);
        return mni_fail(err, MANN_E_NOMEM, "--%s: value", v->row->name);
    }
    memcpy(copy, text, n);
    v->items[v->n_items++] = copy;
    return MANN_OK;
}

static mann_status bad_number(const mni_option *o, const char *text, const char *what,
                              mann_error *err)
{
    if (o->high > 0 && o->high < 1e15)
        return mni_fail(err, MANN_E_ARG, "--%s: '%s', wanted %s from %.9g to %.9g",
                        o->name, text, what, o->low, o->high);
    return mni_fail(err, MANN_E_ARG, "--%s: '%s', wanted %s", o->name, text, what);
}

static mann_status check_number(const mni_option *o, const char *text, mann_error *err)
{
    uint64_t u;
    double d;
    if (o->kind == MNI_KIND_FLOAT) {
        if (!mni_parse_double(text, &d) || (o->high > 0 && (d < o->low || d > o->high)))
            return bad_number(o, text, "a number", err);
        return MANN_OK;
    }
    int ok = o->kind == MNI_KIND_SIZE ? mni_parse_size(text, &u)
                                      : mni_parse_u64(text, &u);
    if (ok && o->kind == MNI_KIND_U32 && u > UINT32_MAX) ok = 0;
    if (ok && o->high > 0 && ((double)u < o->low || (double)u > o->high)) ok = 0;
    if (ok) return MANN_OK;
    return bad_number(o, text,
                      o->kind == MNI_KIND_SIZE ? "a size such as 512M" : "a whole number",
                      err);
}

static mann_status bad_choice(const mni_option *o, const char *text, mann_error *err)
{
    char names[160];
    size_t n = 0;
    for (const char *at = o->values; *at && n + 2 < sizeof names;) {
        size_t name = strcspn(at, "=|"), group = strcspn(at, "|");
        if (n) { names[n++] = ','; names[n++] = ' '; }
        for (size_t i = 0; i < name && n + 3 < sizeof names; i++) names[n++] = at[i];
        at += group;
        at += *at == '|';
    }
    names[n] = '\0';
    return mni_fail(err, MANN_E_ARG, "--%s: '%s', wanted %s%s", o->name, text,
                    o->kind == MNI_KIND_LIST ? "a list of " : "one of ", names);
}

static int truth(const char *text, int *out)
{
    char name[8];
    if (!mni_choice_find("yes=true=on=1|no=false=off=0", text, name, sizeof name))
        return 0;
    *out = name[0] == 'y';
    return 1;
}

static mann_status add_list(mni_value *v, const char *text, mann_error *err)
{
    const mni_option *o = v->row;
    while (*text) {
        char word[64], name[64];
        size_t n = strcspn(text, ",");
        if (n >= sizeof word)
            return mni_fail(err, MANN_E_ARG, "--%s: item of %zu letters", o->name, n);
        memcpy(word, text, n);
        word[n] = '\0';
        text += n;
        text += *text == ',';
        if (n == 0) continue;
        if (o->high > 0) {
            MNI_TRY(check_number(o, word, err));
        } else if (strchr(o->values, '|')) {
            if (!mni_choice_find(o->values, word, name, sizeof name))
                return bad_choice(o, word, err);
            MNI_TRY(keep(v, name, strlen(name), err));
            continue;
        }
        MNI_TRY(keep(v, word, n, err));
    }
    return MANN_OK;
}

static int is_list(const mni_option *o)
{
    return o->kind == MNI_KIND_LIST || o->kind == MNI_KIND_MANY;
}

/* Checks always, stores if nothing of higher standing is there. */
static mann_status set(mni_value *v, const char *text, mni_value_from from,
                       mann_error *err)
{
    const mni_option *o = v->row;
    mni_value fresh = { .row = o };
    mann_status s = MANN_OK;
    char name[64];
    int yes;
    switch (o->kind) {
    case MNI_KIND_FLAG:
        if (!truth(text, &yes))
            return mni_fail(err, MANN_E_ARG, "--%s: '%s', wanted yes or no", o->name,
                            text);
        s = keep(&fresh, yes ? "yes" : "no", yes ? 3 : 2, err);
        break;
    case MNI_KIND_U32: case MNI_KIND_U64: case MNI_KIND_FLOAT: case MNI_KIND_SIZE:
        MNI_TRY(check_number(o, text, err));
        s = keep(&fresh, text, strlen(text), err);
        break;
    case MNI_KIND_CHOICE:
        if (!mni_choice_find(o->values, text, name, sizeof name))
            return bad_choice(o, text, err);
        s = keep(&fresh, name, strlen(name), err);
        break;
    case MNI_KIND_LIST:
        s = add_list(&fresh, text, err);
        break;
    case MNI_KIND_STRING: case MNI_KIND_PATH: case MNI_KIND_MANY:
        if (!*text) return mni_fail(err, MANN_E_ARG, "--%s: empty", o->name);
        s = keep(&fresh, text, strlen(text), err);
        break;
    }
    if (s == MANN_OK && from >= v->from) {
        if (!is_list(o) || from > v->from) drop_items(v);
        for (size_t i = 0; i < fresh.n_items && s == MANN_OK; i++)
            s = keep(v, fresh.items[i], strlen(fresh.items[i]), err);
        v->from = from;
    }
    drop_items(&fresh);
    mni_free(fresh.items);
    return s;
}

/* --- the command line --------------------------------------------------------------- */

static mann_status add_file(mni_options *o, const char *path, mann_error *err)
{
    if (!mni_grow((void **)&o->files, &o->cap_files, o->n_files + 1, sizeof *o->files))
        return mni_fail(err, MANN_E_NOMEM, "list of files");
    o->files[o->n_files++] = path;
    return MANN_OK;
}

static mann_status unknown(const mni_options *o, const char *word, mann_error *err)
{
    char name[48];
    size_t n = strcspn(word, "=");
    if (n >= sizeof name) n = sizeof name - 1;
    memcpy(name, word, n);
    name[n] = '\0';
    const char *near = mni_option_nearest(o->command, name);
    if (near)
        return mni_fail(err, MANN_E_ARG, "unknown option --%s; did you mean --%s?", name,
                        near);
    return mni_fail(err, MANN_E_ARG, "unknown option --%s", name);
}

/* --name, --name=value, --name value, --no-name for flags. *i moves over a value taken
 * from argv. */
static mann_status long_option(mni_options *o, int argc, char **argv, int *i,
                               mann_error *err)
{
    const char *word = argv[*i] + 2, *equals = strchr(word, '=');
    size_t n = equals ? (size_t)(equals - word) : strlen(word);
    const mni_option *row = mni_option_find(o->command, word, n);
    const char *text = equals ? equals + 1 : NULL;
    if (!row && n > 3 && (strncmp(word, "no-", 3) == 0 || strncmp(word, "no_", 3) == 0)) {
        row = mni_option_find(o->command, word + 3, n - 3);
        if (row && row->kind == MNI_KIND_FLAG && !text) text = "no";
        else row = NULL;
    }
    if (!row) return unknown(o, word, err);
    if (!text && row->kind == MNI_KIND_FLAG) text = "yes";
    if (!text) {
        if (*i + 1 >= argc)
            return mni_fail(err, MANN_E_ARG, "--%s: its value is missing", row->name);
        text = argv[++*i];
    }
    return set(&o->values[row->id], text, MNI_BY_COMMAND_LINE, err);
}

/* -k 5, -k5, -k=5, -qv. */
static mann_status letters(mni_options *o, int argc, char **argv, int *i, mann_error *err)
{
    for (const char *at = argv[*i] + 1; *at; at++) {
        const mni_option *row = mni_option_letter(o->command, *at);
        if (!row) {
            if (at == argv[*i] + 1 && mni_option_find(o->command, at, strcspn(at, "=")))
                return mni_fail(err, MANN_E_ARG, "unknown option %s; did you mean -%s?",
                                argv[*i], argv[*i]);
            return mni_fail(err, MANN_E_ARG, "unknown option -%c", *at);
        }
        if (row->kind == MNI_KIND_FLAG) {
            MNI_TRY(set(&o->values[row->id], "yes", MNI_BY_COMMAND_LINE, err));
            continue;
        }
        const char *text = at[1] == '=' ? at + 2 : at + 1;
        if (!at[1]) {
            if (*i + 1 >= argc)
                return mni_fail(err, MANN_E_ARG, "-%c: its value is missing", *at);
            text = argv[++*i];
        }
        return set(&o->values[row->id], text, MNI_BY_COMMAND_LINE, err);
    }
    return MANN_OK;
}

/* --- settings files ----------------------------------------------------------------- */

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t\r");
}

/* Cuts the comment and the blanks at the end; one pair of quotes protects both. */
static char *config_value(char *text)
{
    char *last = strrchr(text, '"');
    if (text[0] == '"' && last > text) {
        *last = '\0';
        return text + 1;
    }
    char *comment = text[0] == '#' ? text : strstr(text, " #");
    if (comment) *comment = '\0';
    size_t n = strlen(text);
    while (n && strchr(" \t\r", text[n - 1])) text[--n] = '\0';
    return text;
}

/* One line, NUL-terminated, changed in place. Empty lines and # comments are fine. */
static mann_status config_line(mni_options *o, char *line, mann_error *err)
{
    const char *name = skip_blanks(line);
    if (!*name || *name == '#') return MANN_OK;
    size_t n_name = strcspn(name, "= \t");
    const char *value = skip_blanks(name + n_name);
    if (*value != '=')
        return mni_fail(err, MANN_E_ARG, "'%.40s', wanted 'option = value'", name);
    char *text = config_value(line + (skip_blanks(value + 1) - line));

    const mni_option *row = mni_option_find(o->command, name, n_name);
    if (row && (row->id == MNI_OPT_CONFIG || row->id == MNI_OPT_SHOW_HELP))
        return mni_fail(err, MANN_E_ARG, "'%s' has no place in a settings file",
                        row->name);
    if (row) return set(&o->values[row->id], text, MNI_BY_FILE, err);
    if (mni_option_anywhere(name, n_name)) return MANN_OK;      /* of another command */
    char word[48];
    if (n_name >= sizeof word) n_name = sizeof word - 1;
    memcpy(word, name, n_name);
    word[n_name] = '\0';
    const char *near = mni_option_nearest(o->command, word);
    return mni_fail(err, MANN_E_ARG, near ? "unknown option '%s'; did you mean '%s'?"
                                          : "unknown option '%s'", word, near);
}

mann_status mni_options_config(mni_options *o, const char *name, const char *text,
                               mann_error *err)
{
    char *copy = mni_strdup(text);
    if (!copy) return mni_fail(err, MANN_E_NOMEM, "%s", name);
    mann_status s = MANN_OK;
    unsigned number = 1;
    for (char *line = copy; line && s == MANN_OK; number++) {
        char *end = strchr(line, '\n');
        if (end) *end = '\0';
        s = config_line(o, line, err);
        if (s != MANN_OK) mni_fail_prefix(err, s, "%s:%u", name, number);
        line = end ? end + 1 : NULL;
    }
    mni_free(copy);
    return s;
}

static mann_status read_config(mni_options *o, mann_error *err)
{
    const char *path = mni_opt_text(o, MNI_OPT_CONFIG);
    if (!path) return MANN_OK;
    uint8_t *bytes;
    size_t n;
    MNI_TRY(mni_read_file(mni_vfs_posix(), path, CONFIG_LIMIT, &bytes, &n, err));
    mann_status s = memchr(bytes, 0, n)
                        ? mni_fail(err, MANN_E_ARG, "%s: not a text file", path)
                        : mni_options_config(o, path, (const char *)bytes, err);
    mni_free(bytes);
    return s;
}

/* --- the whole ---------------------------------------------------------------------- */

static mann_status set_defaults(mni_options *o, mann_error *err)
{
    for (size_t i = 0; mni_option_row(i); i++) {
        const mni_option *row = mni_option_row(i);
        if (!(row->commands >> o->command & 1)) continue;
        mni_value *v = &o->values[row->id];
        v->row = row;
        if (row->fallback[0]) MNI_TRY(set(v, row->fallback, MNI_BY_DEFAULT, err));
    }
    return MANN_OK;
}

/* --gallery goes before the files, --data behind them. */
static mann_status options_as_files(mni_options *o, mann_error *err)
{
    if (o->values[MNI_OPT_GALLERY].row && mni_opt_given(o, MNI_OPT_GALLERY)) {
        MNI_TRY(add_file(o, "", err));
        memmove(o->files + 1, o->files, (o->n_files - 1) * sizeof *o->files);
        o->files[0] = mni_opt_text(o, MNI_OPT_GALLERY);
    }
    if (o->values[MNI_OPT_DATA].row) {
        const char *const *items;
        size_t n = mni_opt_list(o, MNI_OPT_DATA, &items);
        for (size_t i = 0; i < n; i++) MNI_TRY(add_file(o, items[i], err));
    }
    return MANN_OK;
}

static mann_status count_files(const mni_options *o, mann_error *err)
{
    const mni_command *c = mni_command_at(o->command);
    if (mni_opt_flag(o, MNI_OPT_SHOW_HELP) || mni_opt_flag(o, MNI_OPT_PRINT_CONFIG))
        return MANN_OK;
    if (o->n_files < c->least_files)
        return mni_fail(err, MANN_E_ARG, "%s is missing; usage: metricann %s %s",
                        o->n_files ? "a file" : "what to work on", c->name, c->usage);
    if (o->n_files > c->most_files)
        return mni_fail(err, MANN_E_ARG,
                        "'%s' is one argument too many; usage: metricann %s%s%s",
                        o->files[c->most_files], c->name, *c->usage ? " " : "", c->usage);
    return MANN_OK;
}

mann_status mni_options_parse(mni_options *o, mni_command_id cmd, int argc, char **argv,
                              mann_error *err)
{
    *o = (mni_options){ .command = cmd };
    MNI_TRY(set_defaults(o, err));
    int only_files = 0;
    for (int i = 0; i < argc; i++) {
        if (only_files || argv[i][0] != '-' || !argv[i][1])
            MNI_TRY(add_file(o, argv[i], err));
        else if (strcmp(argv[i], "--") == 0) only_files = 1;
        else if (argv[i][1] == '-') MNI_TRY(long_option(o, argc, argv, &i, err));
        else MNI_TRY(letters(o, argc, argv, &i, err));
    }
    MNI_TRY(read_config(o, err));
    MNI_TRY(options_as_files(o, err));
    return count_files(o, err);
}

void mni_options_fini(mni_options *o)
{
    for (size_t i = 0; i < MNI_N_OPTIONS; i++) {
        drop_items(&o->values[i]);
        mni_free(o->values[i].items);
    }
    mni_free(o->files);
    *o = (mni_options){ 0 };
}

/* --- getters ------------------------------------------------------------------------ */

static const mni_value *value_of(const mni_options *o, mni_option_id id)
{
    assert(o->values[id].row);
    return &o->values[id];
}

int mni_opt_given(const mni_options *o, mni_option_id id)
{
    return value_of(o, id)->from != MNI_BY_DEFAULT;
}

const char *mni_opt_text(const mni_options *o, mni_option_id id)
{
    const mni_value *v = value_of(o, id);
    return v->n_items ? v->items[v->n_items - 1] : NULL;
}

int mni_opt_flag(const mni_options *o, mni_option_id id)
{
    const char *text = mni_opt_text(o, id);
    return text && text[0] == 'y';
}

uint64_t mni_opt_u64(const mni_options *o, mni_option_id id)
{
    const char *text = mni_opt_text(o, id);
    uint64_t v = 0;
    if (text) mni_parse_size(text, &v);
    if (text) mni_parse_u64(text, &v);      /* exact above 2^53 */
    return v;
}

uint32_t mni_opt_u32(const mni_options *o, mni_option_id id)
{
    return (uint32_t)mni_opt_u64(o, id);
}

double mni_opt_float(const mni_options *o, mni_option_id id)
{
    const char *text = mni_opt_text(o, id);
    double v = 0;
    if (text) mni_parse_double(text, &v);
    return v;
}

size_t mni_opt_list(const mni_options *o, mni_option_id id, const char *const **items)
{
    const mni_value *v = value_of(o, id);
    *items = (const char *const *)v->items;
    return v->n_items;
}

uint32_t mni_opt_mask(const mni_options *o, mni_option_id id, const char *const *words,
                      uint32_t n_words, uint32_t all)
{
    const char *const *items;
    const size_t n = mni_opt_list(o, id, &items);
    uint32_t mask = 0;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(items[i], "all") == 0) mask |= all;
        for (uint32_t k = 0; k < n_words; k++)
            if (strcmp(items[i], words[k]) == 0) mask |= 1u << k;
    }
    return mask;
}
