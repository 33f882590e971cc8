/* cli.h - what the commands share: one run of the program.
 *
 * run.c makes an mni_cli, parses the options into it and calls one function of the table;
 * the function returns the exit status. Everything for standard output is appended to
 * `out`, which out.c writes; everything for people goes through talk.h. Commands use
 * metricann.h, base/ and os/, nothing else: that they can is the proof that the public
 * API is complete. SPDX-License-Identifier: MIT */
#ifndef MNI_CLI_CLI_H
#define MNI_CLI_CLI_H

#include "base/json.h"
#include "cli/options.h"
#include "cli/talk.h"

enum mni_exit {
    MNI_EXIT_OK = 0,
    MNI_EXIT_CHECK = 1,
    MNI_EXIT_USAGE = 2,
    MNI_EXIT_INPUT = 3,
    MNI_EXIT_MISMATCH = 4,
    MNI_EXIT_IO = 5,
    MNI_EXIT_MEMORY = 6,
    MNI_EXIT_INTERRUPTED = 130
};

struct mni_cli {
    const mni_command *command;
    mni_options options;
    mni_talk talk;
    mann_hooks hooks;           /* lead to talk */
    mni_text out;               /* waits for mni_out_flush */
    int out_failed; /* standard output is closed or full: nothing more is written */
    mann_pool *pool;            /* made when first asked for */
    mann_error err;             /* of the call that failed last */
};

#define COMMAND(id, fn, name, aliases, usage, least, most, summary, about, examples)     \
    int mni_cmd_##fn(mni_cli *c);
#include "cli/commands_list.h"
#undef COMMAND

/* --- running (run.c) ---------------------------------------------------------------- */
/* The whole program; argv as main has it. */
int mni_cli_run(int argc, char **argv);

/* Where a failed call got its data from decides what the same status means to the caller
 * of the program: "not found" is a bad input file (3) or a folder that cannot be written
 * to (5). */
typedef enum mni_from {
    MNI_FROM_INPUT,
    MNI_FROM_OUTPUT,
    MNI_FROM_CHECK,
    MNI_FROM_USER
} mni_from;
int mni_exit_of(mni_from from, mann_status s);
/* Prints c->err and returns the exit status. */
int mni_cli_fail(mni_cli *c, mni_from from, mann_status s);
/* A mistake of the user: prints the sentence and where help is; returns MNI_EXIT_USAGE.
 */
int mni_cli_usage(mni_cli *c, const char *fmt, ...) MNI_PRINTF(2, 3);
/* The same file or folder, by whatever names? 0 if either is not there. */
int mni_cli_same_file(const char *a, const char *b);
mann_status mni_cli_pool(mni_cli *c, mann_pool **pool);
static inline int mni_cli_json(const mni_cli *c)
{
    return mni_opt_flag(&c->options, MNI_OPT_JSON) ||
           mni_opt_flag(&c->options, MNI_OPT_JSONL);
}
static inline int mni_cli_quiet(const mni_cli *c)
{
    return mni_opt_flag(&c->options, MNI_OPT_QUIET);
}

/* 1 photo, 2 photos; 1 class, 2 classes. */
static inline const char *mni_s(uint64_t n) { return n == 1 ? "" : "s"; }
static inline const char *mni_es(uint64_t n) { return n == 1 ? "" : "es"; }

/* --- standard output (out.c) -------------------------------------------------------- */
/* Writes what waits in c->out. A closed pipe or full disk is remembered; the exit status
 * becomes 5. */
void mni_out_flush(mni_cli *c);
/* Flush when much has gathered; 1 if writing goes on, 0 if nobody reads any more. */
int  mni_out_step(mni_cli *c);
/* `text` with control characters and broken UTF-8 replaced, so that a file name cannot
 * talk to the terminal. */
void mni_out_name(mni_text *out, const char *text);
/* The same, filled with blanks up to `columns` letters. */
void mni_out_padded(mni_text *out, const char *text, unsigned columns);
unsigned mni_out_columns(const char *text);     /* letters in `text` */
/* Starts a JSON document in c->out: --json is indented, --jsonl is one line. The caller
 * adds "\n". */
void mni_out_json(mni_cli *c, mni_json *j);

/* `plan --backbone` (cmd_train.c). */
int mni_cmd_plan_training(mni_cli *c);

/* --- opening things (common.c) ------------------------------------------------------ */
/* MODEL as the options say it: "pixels" or a file. */
mann_status mni_cli_model(mni_cli *c, const char *name, mann_model **out);
/* The gallery, with --model given to it if the command has that option and it was used.
 */
mann_status mni_cli_gallery(mni_cli *c, const char *path, uint32_t flags,
                            mann_gallery **out);
/* --sync off? */
int mni_cli_lazy(const mni_cli *c);
/* ef, nprobe, aggregate, ... of the options into s; k from --k. */
void mni_cli_search(const mni_cli *c, mann_search *s);
/* Is it a file of vectors, going by its name? */
int mni_is_vector_file(const char *path);
int mni_is_image_file(const char *path);
/* The file's first 8 bytes are those of a gallery, model or index. */
int mni_is_container(const char *path);
/* A file that 'pack' wrote? */
int mni_is_packed_set(const char *path);
/* Whole numbers of a vector file, as ids (owned, mni_free). */
mann_status mni_cli_ids(mni_cli *c, const char *path, uint64_t **ids, size_t *n);
const char *mni_metric_name(uint32_t metric);
const char *mni_store_name(uint32_t store);
const char *mni_precision_word(uint32_t precision);
/* MANN_E_NOT_FOUND, with the nearest name in the sentence, if no record has that class.
 */
mann_status mni_cli_need_class(mni_cli *c, mann_gallery *g, const char *name);

#endif
