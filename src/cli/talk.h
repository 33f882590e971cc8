/* talk.h - everything the program says to people: standard error, and the --log file.
 *
 * Remarks have three levels; progress is a bar where a person watches (a terminal), a
 * line now and then elsewhere, nothing with -q. The end of a task leaves a phase: what,
 * how many, how long, how fast.
 * --log gets all of it as lines of JSON, whatever is shown.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_CLI_TALK_H
#define MNI_CLI_TALK_H

#include "base/text.h"

typedef struct mni_file mni_file;

enum { MNI_TALK_TASK = 32, MNI_TALK_PHASES = 16 };

typedef struct mni_phase {
    char task[MNI_TALK_TASK];
    uint64_t count;
    double seconds;
    float loss, active;                 /* of a training; 0: of no training */
} mni_phase;

typedef struct mni_talk {
    const char *command;
    int quiet, verbose, tty, colour;
    double start;                       /* mni_clock_seconds at the beginning */
    /* the running task */
    mni_phase now;
    double task_start;                  /* of a task of the command itself */
    double shown, logged; /* when the bar was drawn, when a line was logged */
    int bar;                            /* a bar stands on the line */
    uint64_t n_lines;                   /* warnings shown so far */
    mni_phase phases[MNI_TALK_PHASES];
    size_t n_phases;
    mni_file *log;
    uint64_t log_at;                    /* bytes written */
    int log_failed;
} mni_talk;

void mni_talk_init(mni_talk *t, const char *command, int quiet, int verbose);
mann_status mni_talk_log(mni_talk *t, const char *path, int argc, char **argv,
                         mann_error *err);
/* Ends the bar, prints the phases (-v), writes the last line of the log and closes it. A
 * log that could not be written is MANN_E_IO. */
mann_status mni_talk_end(mni_talk *t, int exit_status, mann_error *err);

/* The two hooks; user is the mni_talk. progress asks to stop once Ctrl-C was pressed. */
int  mni_talk_progress(void *user, const mann_progress *p);
void mni_talk_note(void *user, mann_note_level level, const char *sentence);

void mni_talk_say(mni_talk *t, mann_note_level level, const char *fmt, ...)
    MNI_PRINTF(3, 4);
void mni_talk_clear(
    mni_talk *t); /* takes the bar off the line, before something is printed */
void mni_talk_error(mni_talk *t, const char *sentence);
/* The running task is told otherwise: it does not become a phase. */
void mni_talk_drop(mni_talk *t);
/* A phase that was measured by somebody else. */
void mni_talk_phase(mni_talk *t, const char *task, uint64_t count, double seconds);
/* Progress of work that the command does itself; 1: stop (Ctrl-C). */
int  mni_talk_step(mni_talk *t, const char *task, uint64_t done, uint64_t total);

#endif
