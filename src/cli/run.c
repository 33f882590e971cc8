/* run.c - one run of the program, and what its exit status says. See cli.h.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/version.h"
#include "cli/cli.h"
#include "os/term.h"

enum { STDOUT = 1 };

typedef int (*command_fn)(mni_cli *c);

static command_fn function_of(mni_command_id id)
{
    static const command_fn table[] = {
#define COMMAND(id, fn, name, aliases, usage, least, most, summary, about, examples)     \
    mni_cmd_##fn,
#include "cli/commands_list.h"
#undef COMMAND
    };
    return table[id];
}

int mni_exit_of(mni_from from, mann_status s)
{
    switch (s) {
    case MANN_OK:          return MNI_EXIT_OK;
    case MANN_E_CANCELLED: return MNI_EXIT_INTERRUPTED;
    case MANN_E_NOMEM: case MANN_E_BUDGET: return MNI_EXIT_MEMORY;
    case MANN_E_IO: case MANN_E_LOCKED: case MANN_E_READ_ONLY: return MNI_EXIT_IO;
    case MANN_E_ARG:       return MNI_EXIT_USAGE;
    case MANN_E_MISMATCH:
        return from == MNI_FROM_CHECK ? MNI_EXIT_CHECK : MNI_EXIT_MISMATCH;
    case MANN_E_FORMAT: return from == MNI_FROM_CHECK ? MNI_EXIT_CHECK : MNI_EXIT_INPUT;
    default: break; /* version, unsupported, not found, exists, limit */
    }
    return from == MNI_FROM_OUTPUT ? MNI_EXIT_IO
         : from == MNI_FROM_USER ? MNI_EXIT_USAGE : MNI_EXIT_INPUT;
}

int mni_cli_fail(mni_cli *c, mni_from from, mann_status s)
{
    if (s == MANN_E_CANCELLED)
        mni_talk_say(&c->talk, MANN_NOTE_INFO, "interrupted; what was written is kept");
    else mni_talk_error(&c->talk, c->err.text[0] ? c->err.text : mann_status_name(s));
    return mni_exit_of(from, s);
}

int mni_cli_usage(mni_cli *c, const char *fmt, ...)
{
    char sentence[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(sentence, sizeof sentence, fmt, ap);
    va_end(ap);
    mni_talk_error(&c->talk, sentence);
    fprintf(stderr, "'metricann help %s' explains the command\n", c->command->name);
    return MNI_EXIT_USAGE;
}

mann_status mni_cli_pool(mni_cli *c, mann_pool **pool)
{
    if (!c->pool)
        MNI_TRY(
            mann_pool_new(&c->pool, mni_opt_u32(&c->options, MNI_OPT_THREADS), &c->err));
    *pool = c->pool;
    return MANN_OK;
}

static unsigned help_width(void)
{
    return mni_term_is_tty(STDOUT) ? (unsigned)mni_term_width(STDOUT) : 80;
}

static int run_parsed(mni_cli *c, int argc, char **argv)
{
    if (mni_opt_flag(&c->options, MNI_OPT_SHOW_HELP)) {
        mni_help_command(&c->out, c->command, help_width());
        return MNI_EXIT_OK;
    }
    if (mni_opt_flag(&c->options, MNI_OPT_PRINT_CONFIG)) {
        mni_print_config(&c->out, &c->options);
        return MNI_EXIT_OK;
    }
    const char *log = mni_opt_text(&c->options, MNI_OPT_LOG);
    if (log) {
        mann_status s = mni_talk_log(&c->talk, log, argc, argv, &c->err);
        if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_OUTPUT, s);
    }
    return function_of(c->command->id)(c);
}

static int run_command(const mni_command *command, int argc, char **argv)
{
    mni_cli c = { .command = command };
    mni_talk_init(&c.talk, command->name, 0, 0);
    int code;
    mann_status s = mni_options_parse(&c.options, command->id, argc - 2, argv + 2,
                                      &c.err);
    if (s == MANN_E_ARG) {
        code = mni_cli_usage(&c, "%s", c.err.text);
    } else if (s != MANN_OK) {
        code = mni_cli_fail(&c, MNI_FROM_INPUT, s);
    } else {
        mni_talk_init(&c.talk, command->name, mni_cli_quiet(&c),
                      mni_opt_flag(&c.options, MNI_OPT_VERBOSE));
        c.hooks = (mann_hooks){ mni_talk_progress, mni_talk_note, &c.talk };
        code = run_parsed(&c, argc, argv);
    }
    mni_out_flush(&c);
    if (c.out_failed && code == MNI_EXIT_OK) code = MNI_EXIT_IO;
    s = mni_talk_end(&c.talk, code, &c.err);
    if (s != MANN_OK) {
        int log_code = mni_cli_fail(&c, MNI_FROM_OUTPUT, s);
        if (code == MNI_EXIT_OK) code = log_code;
    }
    mann_pool_free(c.pool);
    mni_options_fini(&c.options);
    mni_text_fini(&c.out);
    return code;
}

static int print_at_once(const char *text)
{
    errno = 0;
    if (fputs(text, stdout) >= 0 && fflush(stdout) == 0) return MNI_EXIT_OK;
    if (errno != EPIPE)                 /* head(1) has seen enough: no fuss */
        fprintf(stderr, "metricann: error: cannot write to standard output: %s\n",
                strerror(errno));
    return MNI_EXIT_IO;
}

/* Before there is a command: the overview, the version, or a word that is none. */
static int run_without_command(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : NULL;
    mni_text text = { 0 };
    int code = MNI_EXIT_OK;
    if (word && mni_word_is(word, strlen(word), "--help", "-h -help")) {
        mni_help_overview(&text, help_width());
        code = print_at_once(mni_text_get(&text));
    } else if (word && mni_word_is(word, strlen(word), "--version", "-V")) {
        code = print_at_once("metricann " MNI_VERSION_TEXT "\n");
    } else if (!word) {
        mni_help_overview(&text, help_width());
        fputs(mni_text_get(&text), stderr);
        code = MNI_EXIT_USAGE;
    } else {
        const char *near = word[0] == '-' ? NULL : mni_command_nearest(word);
        mni_text_add(&text, word[0] == '-' ? "metricann: the command comes first; got '"
                                           : "metricann: unknown command '");
        mni_out_name(&text, word);
        mni_text_add(&text, "'\n");
        if (near) mni_text_f(&text, "did you mean 'metricann %s'?\n", near);
        else mni_text_add(&text, "'metricann help' lists the commands\n");
        fputs(mni_text_get(&text), stderr);
        code = MNI_EXIT_USAGE;
    }
    mni_text_fini(&text);
    return code;
}

int mni_cli_run(int argc, char **argv)
{
    mni_term_catch_interrupt();
    const mni_command *command = argc > 1 ? mni_command_find(argv[1]) : NULL;
    return command ? run_command(command, argc, argv) : run_without_command(argc, argv);
}
