/* options.c - the two tables, and finding rows in them. See options.h.
 * SPDX-License-Identifier: MIT */
#include "cli/options.h"

#include <string.h>

enum { MANY = 0xFFFFFFFF };
#define ALL UINT64_MAX
#define C(id) (UINT64_C(1) << MNI_CMD_##id)

_Static_assert(MNI_N_COMMANDS <= 64, "the mask of commands has 64 bits");

static const mni_command commands[] = {
#define COMMAND(id, fn, name, aliases, usage, least, most, summary, about, examples) \
    { MNI_CMD_##id, name, aliases, usage, least, most, summary, about, examples },
#include "cli/commands_list.h"
#undef COMMAND
};

#define OPTION(id, name, letter, kind, values, fallback, low, high, cmds, aliases, help) \
    { MNI_OPT_##id, name, letter, MNI_KIND_##kind, values, fallback,                     \
      low,          high, cmds,   aliases,         help },
#define OPTION_AGAIN OPTION
static const mni_option options[] = {
#include "cli/options_list.h"
};
#undef OPTION
#undef OPTION_AGAIN

enum { N_ROWS = sizeof options / sizeof options[0] };

const mni_command *mni_command_at(mni_command_id id) { return &commands[id]; }
const mni_option *mni_option_row(size_t i) { return i < N_ROWS ? &options[i] : NULL; }

static char fold(char c)
{
    if (c == '_') return '-';
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* One letter is compared exactly: --M (links) is not -m (model). */
static int same_word(const char *a, size_t n_a, const char *b, size_t n_b)
{
    if (n_a != n_b) return 0;
    if (n_a == 1) return a[0] == b[0];
    for (size_t i = 0; i < n_a; i++)
        if (fold(a[i]) != fold(b[i])) return 0;
    return n_a > 0;
}

int mni_word_is(const char *word, size_t n_word, const char *name, const char *aliases)
{
    if (same_word(word, n_word, name, strlen(name))) return 1;
    while (*aliases) {
        size_t n = strcspn(aliases, " ");
        if (same_word(word, n_word, aliases, n)) return 1;
        aliases += n;
        aliases += *aliases == ' ';
    }
    return 0;
}

const mni_command *mni_command_find(const char *name)
{
    for (size_t i = 0; i < MNI_N_COMMANDS; i++)
        if (mni_word_is(name, strlen(name), commands[i].name, commands[i].aliases))
            return &commands[i];
    return NULL;
}

const mni_option *mni_option_of(mni_option_id id, mni_command_id cmd)
{
    for (size_t i = 0; i < N_ROWS; i++)
        if (options[i].id == id && options[i].commands >> cmd & 1) return &options[i];
    return NULL;
}

const mni_option *mni_option_find(mni_command_id cmd, const char *name, size_t n_name)
{
    for (size_t i = 0; i < N_ROWS; i++)
        if (options[i].commands >> cmd & 1 &&
            mni_word_is(name, n_name, options[i].name, options[i].aliases))
            return &options[i];
    return NULL;
}

const mni_option *mni_option_letter(mni_command_id cmd, char letter)
{
    for (size_t i = 0; i < N_ROWS; i++)
        if (options[i].letter == letter && options[i].commands >> cmd & 1)
            return &options[i];
    return NULL;
}

const mni_option *mni_option_anywhere(const char *name, size_t n_name)
{
    for (size_t i = 0; i < N_ROWS; i++)
        if (mni_word_is(name, n_name, options[i].name, options[i].aliases))
            return &options[i];
    return NULL;
}

/* Optimal string alignment: Levenshtein's table and swaps of neighbours, three rows kept.
 * Words longer than the rows are far from everything. */
unsigned mni_edit_distance(const char *a, const char *b)
{
    enum { LONGEST = 40 };
    unsigned rows[3][LONGEST + 1];
    size_t n_a = strlen(a), n_b = strlen(b);
    if (n_a > LONGEST || n_b > LONGEST) return LONGEST;
    for (size_t j = 0; j <= n_b; j++) rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= n_a; i++) {
        unsigned *now = rows[i % 3], *above = rows[(i - 1) % 3],
                 *two_above = rows[(i + 1) % 3];
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= n_b; j++) {
            unsigned best = above[j - 1] + (fold(a[i - 1]) != fold(b[j - 1]));
            if (above[j] + 1 < best) best = above[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) &&
                fold(a[i - 2]) == fold(b[j - 1]) && two_above[j - 2] + 1 < best)
                best = two_above[j - 2] + 1;
            now[j] = best;
        }
    }
    return rows[n_a % 3][n_b];
}

typedef struct nearest { const char *word, *best; unsigned distance; } nearest;

/* Near enough to be meant: a third of the letters may differ. */
static void consider(nearest *n, const char *word, const char *means)
{
    unsigned d = mni_edit_distance(n->word, word);
    if (d < n->distance && d <= (strlen(word) + 2) / 3) {
        n->distance = d;
        n->best = means;
    }
}

static void consider_row(nearest *n, const char *name, const char *aliases)
{
    consider(n, name, name);
    while (*aliases) {
        char word[40];
        size_t len = strcspn(aliases, " ");
        if (len < sizeof word) {
            memcpy(word, aliases, len);
            word[len] = '\0';
            consider(n, word, name);
        }
        aliases += len;
        aliases += *aliases == ' ';
    }
}

const char *mni_command_nearest(const char *name)
{
    nearest n = { name, NULL, 100 };
    for (size_t i = 0; i < MNI_N_COMMANDS; i++)
        consider_row(&n, commands[i].name, commands[i].aliases);
    return n.best;
}

const char *mni_option_nearest(mni_command_id cmd, const char *name)
{
    nearest n = { name, NULL, 100 };
    for (size_t i = 0; i < N_ROWS; i++)
        if (options[i].commands >> cmd & 1)
            consider_row(&n, options[i].name, options[i].aliases);
    return n.best;
}

int mni_choice_find(const char *values, const char *text, char *out, size_t size)
{
    for (const char *at = values; *at;) {
        size_t n_group = strcspn(at, "|"), n_name = strcspn(at, "=|");
        for (const char *word = at; word < at + n_group;) {
            size_t n = strcspn(word, "=|");
            if (same_word(text, strlen(text), word, n) && n_name < size) {
                memcpy(out, at, n_name);
                out[n_name] = '\0';
                return 1;
            }
            word += n + 1;
        }
        at += n_group;
        at += *at == '|';
    }
    return 0;
}
