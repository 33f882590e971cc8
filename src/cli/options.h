/* options.h - the command line, out of one table.
 *
 * commands_list.h and options_list.h hold everything; from these rows come the parser,
 * --config,
 * --print-config, --help, the manual page and the completions, so that they cannot
 * disagree.
 *
 *     parse     options_parse.c      values of one run
 *     help      options_help.c       --help for a terminal
 *     print     options_print.c      settings, roff, shell completions
 *
 * SPDX-License-Identifier: MIT */
#ifndef MNI_CLI_OPTIONS_H
#define MNI_CLI_OPTIONS_H

#include "base/text.h"

/* --- commands ----------------------------------------------------------------------- */
typedef struct mni_cli mni_cli;

typedef enum mni_command_id {
#define COMMAND(id, fn, name, aliases, usage, least, most, summary, about, examples)     \
    MNI_CMD_##id,
#include "cli/commands_list.h"
#undef COMMAND
    MNI_N_COMMANDS
} mni_command_id;

typedef struct mni_command {
    mni_command_id id;
    const char *name, *aliases, *usage;
    uint32_t least_files, most_files;
    const char *summary, *about, *examples;
} mni_command;

const mni_command *mni_command_at(mni_command_id id);
/* By name or alias ('_' = '-', case ignored); NULL if there is none. */
const mni_command *mni_command_find(const char *name);
/* The name nearest to a mistyped one, or NULL if none is near. */
const char *mni_command_nearest(const char *name);

/* --- options ------------------------------------------------------------------------ */
typedef enum mni_option_id {
#define OPTION(id, name, letter, kind, values, fallback, low, high, commands, aliases,   \
               help)                                                                     \
    MNI_OPT_##id,
#define OPTION_AGAIN(id, name, letter, kind, values, fallback, low, high, commands,      \
                     aliases, help)
#include "cli/options_list.h"
#undef OPTION
#undef OPTION_AGAIN
    MNI_N_OPTIONS
} mni_option_id;

typedef enum mni_option_kind {
    MNI_KIND_FLAG,
    MNI_KIND_U32,
    MNI_KIND_U64,
    MNI_KIND_FLOAT,
    MNI_KIND_SIZE,
    MNI_KIND_STRING,
    MNI_KIND_PATH,
    MNI_KIND_CHOICE,
    MNI_KIND_LIST,
    MNI_KIND_MANY
} mni_option_kind;

typedef struct mni_option {
    mni_option_id id;
    const char *name;
    char letter;                    /* 0: none */
    mni_option_kind kind;
    const char *values, *fallback;
    double low, high;
    uint64_t commands;              /* bit 1 << mni_command_id */
    const char *aliases, *help;
} mni_option;

/* Rows in the order of the list; NULL behind the last. */
const mni_option *mni_option_row(size_t i);
/* The row of `id` that holds in `cmd`, or NULL. */
const mni_option *mni_option_of(mni_option_id id, mni_command_id cmd);
/* By name or alias, or by a single letter; among the rows of `cmd`. NULL if there is
 * none. */
const mni_option *mni_option_find(mni_command_id cmd, const char *name, size_t n_name);
const mni_option *mni_option_letter(mni_command_id cmd, char letter);
/* In any command: for settings files that serve several. */
const mni_option *mni_option_anywhere(const char *name, size_t n_name);
/* The name nearest to a mistyped one, or NULL. */
const char *mni_option_nearest(mni_command_id cmd, const char *name);
/* Does `word` of n bytes equal `name` or one of the blank-separated `aliases`? */
int mni_word_is(const char *word, size_t n_word, const char *name, const char *aliases);
/* Single-character edits between two words, case ignored; a swap of neighbours is one. */
unsigned mni_edit_distance(const char *a, const char *b);
/* Canonical name of the choice spelled `text` in "a=b=c|d" into out; 0 if it is none of
 * them. */
int mni_choice_find(const char *values, const char *text, char *out, size_t size);

/* --- values of one run -------------------------------------------------------------- */
typedef enum mni_value_from {
    MNI_BY_DEFAULT,
    MNI_BY_FILE,
    MNI_BY_COMMAND_LINE
} mni_value_from;

typedef struct mni_value {
    const mni_option *row;          /* NULL: not an option of this command */
    mni_value_from from;
    char **items; /* canonical texts, owned; the last one counts but for lists */
    size_t n_items, cap;
} mni_value;

typedef struct mni_options {
    mni_command_id command;
    mni_value values[MNI_N_OPTIONS];
    const char **files; /* array owned, strings borrowed from argv or from values */
    size_t n_files, cap_files;
} mni_options;

/* argv without program and command name. Reads the --config file too. MANN_E_ARG with a
 * sentence that names the option, the text found and what was wanted. fini in any case.
 */
mann_status mni_options_parse(mni_options *o, mni_command_id cmd, int argc, char **argv,
                              mann_error *err);
void        mni_options_fini(mni_options *o);
/* Lines of `name = value`; `name` stands in sentences as "name:line: ". */
mann_status mni_options_config(mni_options *o, const char *name, const char *text,
                               mann_error *err);

/* Getters: asking for what the command does not have is a mistake of the caller (assert).
 */
int         mni_opt_given(const mni_options *o, mni_option_id id);   /* not by default */
int         mni_opt_flag(const mni_options *o, mni_option_id id);
uint32_t mni_opt_u32(const mni_options *o,
                     mni_option_id id); /* 0 if neither given nor default */
uint64_t    mni_opt_u64(const mni_options *o, mni_option_id id);
double      mni_opt_float(const mni_options *o, mni_option_id id);
const char *mni_opt_text(const mni_options *o, mni_option_id id);    /* NULL if none */
size_t mni_opt_list(const mni_options *o, mni_option_id id, const char *const **items);
/* A list of words as bits: bit k for words[k], `all` for "all". */
uint32_t mni_opt_mask(const mni_options *o, mni_option_id id, const char *const *words,
                      uint32_t n_words, uint32_t all);

/* --- help (options_help.c), all into `out` ------------------------------------------ */
void mni_help_overview(mni_text *out, unsigned width);
void mni_help_command(mni_text *out, const mni_command *cmd, unsigned width);
/* Words of `text` into lines of `width` columns; every line but the first is indented.
 * `at`: the column where the first one starts. Ends without a line feed. */
void mni_help_wrap(mni_text *out, const char *text, unsigned at, unsigned indent,
                   unsigned width);

/* --- the other prints (options_print.c) --------------------------------------------- */
void mni_print_config(mni_text *out, const mni_options *o);
void mni_print_man(mni_text *out);
void mni_print_completion(mni_text *out, const char *shell);

#endif
