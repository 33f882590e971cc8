/* talk.c - remarks, and the log. See talk.h; the bar is in progress.c.
 * SPDX-License-Identifier: MIT */
#include "cli/talk.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/progress.h"
#include "os/clock.h"
#include "os/term.h"
#include "os/vfs.h"

enum { STDERR = 2, MANY_WARNINGS = 50 };

void mni_talk_init(mni_talk *t, const char *command, int quiet, int verbose)
{
    *t = (mni_talk){ .command = command, .quiet = quiet, .verbose = verbose };
    t->tty = mni_term_is_tty(STDERR);
    t->colour = mni_term_colour(STDERR);
    t->start = mni_clock_seconds();
}

/* --- the log ------------------------------------------------------------------------ */

static void log_line(mni_talk *t, mni_text *line)
{
    if (!t->log || t->log_failed) return;
    mni_text_char(line, '\n');
    if (line->failed ||
        mni_write(t->log, line->chars, line->n_chars, t->log_at, NULL) != MANN_OK)
        t->log_failed = 1;
    else
        t->log_at += line->n_chars;
}

static void log_begin(mni_talk *t, mni_json *j, mni_text *line, const char *event)
{
    mni_json_init(j, line, 0);
    mni_json_object(j);
    mni_json_key(j, "t");
    mni_json_real(j, mni_clock_seconds() - t->start, 7);
    mni_json_key(j, "event");
    mni_json_string(j, event);
}

static void log_note(mni_talk *t, const char *level, const char *sentence)
{
    if (!t->log) return;
    mni_text line = { 0 };
    mni_json j;
    log_begin(t, &j, &line, "note");
    mni_json_key(&j, "level");
    mni_json_string(&j, level);
    mni_json_key(&j, "text");
    mni_json_string(&j, sentence);
    mni_json_end(&j);
    log_line(t, &line);
    mni_text_fini(&line);
}

void mni_progress_log(mni_talk *t, const char *event, const mni_phase *p, uint64_t total)
{
    if (!t->log) return;
    mni_text line = { 0 };
    mni_json j;
    log_begin(t, &j, &line, event);
    mni_json_key(&j, "task");
    mni_json_string(&j, p->task);
    mni_json_key(&j, "count");
    mni_json_u64(&j, p->count);
    if (total) { mni_json_key(&j, "total"); mni_json_u64(&j, total); }
    mni_json_key(&j, "ms");
    mni_json_real(&j, p->seconds * 1e3, 7);
    if (p->seconds > 0) {
        mni_json_key(&j, "rate");
        mni_json_number(&j, (double)p->count / p->seconds);
    }
    if (p->loss != 0) {
        mni_json_key(&j, "loss");
        mni_json_number(&j, (double)p->loss);
        mni_json_key(&j, "active");
        mni_json_number(&j, (double)p->active);
    }
    mni_json_end(&j);
    log_line(t, &line);
    mni_text_fini(&line);
}

mann_status mni_talk_log(mni_talk *t, const char *path, int argc, char **argv,
                         mann_error *err)
{
    MNI_TRY(mni_open(mni_vfs_posix(), path,
                     MNI_OPEN_WRITE | MNI_OPEN_CREATE | MNI_OPEN_TRUNCATE, &t->log, err));
    mni_text line = { 0 };
    mni_json j;
    log_begin(t, &j, &line, "start");
    mni_json_key(&j, "unix_time");
    mni_json_u64(&j, mni_clock_unix());
    mni_json_key(&j, "arguments");
    mni_json_array(&j);
    for (int i = 1; i < argc; i++) mni_json_string(&j, argv[i]);
    mni_json_end(&j);
    mni_json_end(&j);
    log_line(t, &line);
    mni_text_fini(&line);
    return MANN_OK;
}

/* --- remarks ------------------------------------------------------------------------ */

/* Sentences may hold file names: control characters must not reach the terminal. */
static void put_clean(const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        fputc(c < 0x20 || c == 0x7F ? '?' : c, stderr);
    }
}

static void put_line(mni_talk *t, const char *colour, const char *word,
                     const char *sentence)
{
    mni_progress_clear(t);
    fputs("metricann", stderr);
    if (t->command) { fputc(' ', stderr); fputs(t->command, stderr); }
    fputs(": ", stderr);
    if (*word) {
        if (t->colour) fputs(colour, stderr);
        fputs(word, stderr);
        if (t->colour) fputs("\033[0m", stderr);
        fputs(": ", stderr);
    }
    put_clean(sentence);
    fputc('\n', stderr);
}

void mni_talk_note(void *user, mann_note_level level, const char *sentence)
{
    mni_talk *t = user;
    static const char *const names[] = { "detail", "info", "warning" };
    log_note(t, names[level], sentence);
    if (level == MANN_NOTE_DETAIL && !t->verbose) return;
    if (level == MANN_NOTE_INFO && t->quiet) return;
    if (level != MANN_NOTE_WARNING) { put_line(t, "", "", sentence); return; }
    /* A data set of a million can hold thousands of bad files: the count at the end
     * tells. */
    t->n_lines++;
    if (t->n_lines <= MANY_WARNINGS || t->verbose)
        put_line(t, "\033[33m", "warning", sentence);
    if (t->n_lines == MANY_WARNINGS && !t->verbose)
        put_line(
            t, "", "",
            "more warnings are counted, not shown; -v or --log FILE has all of them");
}

void mni_talk_say(mni_talk *t, mann_note_level level, const char *fmt, ...)
{
    char sentence[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(sentence, sizeof sentence, fmt, ap);
    va_end(ap);
    mni_talk_note(t, level, sentence);
}

void mni_talk_clear(mni_talk *t) { mni_progress_clear(t); }

void mni_talk_error(mni_talk *t, const char *sentence)
{
    log_note(t, "error", sentence);
    put_line(t, "\033[31m", "error", sentence);
}

mann_status mni_talk_end(mni_talk *t, int exit_status, mann_error *err)
{
    mni_progress_finish(t);
    if (t->verbose && !t->quiet) mni_progress_phases(t);
    if (!t->log) return MANN_OK;
    mni_text line = { 0 };
    mni_json j;
    log_begin(t, &j, &line, "end");
    mni_json_key(&j, "exit_status");
    mni_json_u64(&j, (uint64_t)exit_status);
    mni_json_end(&j);
    log_line(t, &line);
    mni_text_fini(&line);
    mann_status s = mni_close(t->log, err);
    t->log = NULL;
    if (s == MANN_OK && t->log_failed)
        s = mni_fail(err, MANN_E_IO, "the log could not be written");
    return s;
}
