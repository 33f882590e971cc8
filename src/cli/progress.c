/* progress.c - the bar and the phases. See talk.h, progress.h.
 * SPDX-License-Identifier: MIT */
#include "cli/progress.h"

#include <stdio.h>
#include <string.h>

#include "os/clock.h"
#include "os/term.h"

enum { STDERR = 2, BAR_WIDEST = 30, BAR_LEAST = 5 };
static const double redraw = 0.1, plain_line = 10.0,
                    log_line = 1.0; /* seconds between two */

void mni_progress_bar(mni_text *out, const mni_phase *p, uint64_t total, unsigned width)
{
    char left[160], eta[24];
    double rate = p->seconds > 0 ? (double)p->count / p->seconds : 0;
    int n = total ? snprintf(left, sizeof left, " %llu/%llu",
                             (unsigned long long)p->count, (unsigned long long)total)
                  : snprintf(left, sizeof left, " %llu", (unsigned long long)p->count);
    if (rate > 0)
        n += snprintf(left + n, sizeof left - (size_t)n,
                      rate < 10 ? "  %.1f/s" : "  %.0f/s", rate);
    if (rate > 0 && total > p->count) {
        mni_format_seconds(eta, sizeof eta, (double)(total - p->count) / rate);
        n += snprintf(left + n, sizeof left - (size_t)n, "  %s left", eta);
    }
    if (p->loss != 0)
        n += snprintf(left + n, sizeof left - (size_t)n, "  loss %.4f, %.0f%% active",
                      (double)p->loss, 100 * (double)p->active);
    mni_text line = { 0 };
    mni_text_add(&line, p->task);
    int room = (int)width - (int)strlen(p->task) - n - 4;
    if (total && room >= BAR_LEAST) {
        unsigned wide = room > BAR_WIDEST ? BAR_WIDEST : (unsigned)room;
        unsigned done = (unsigned)((double)wide * (double)p->count / (double)total);
        if (done > wide) done = wide;
        mni_text_add(&line, " [");
        for (unsigned i = 0; i < wide; i++)
            mni_text_char(&line, i < done ? '=' : i == done ? '>' : ' ');
        mni_text_char(&line, ']');
    }
    mni_text_add(&line, left);
    mni_text_add_n(out, mni_text_get(&line), line.n_chars > width ? width : line.n_chars);
    if (line.failed) out->failed = 1;
    mni_text_fini(&line);
}

void mni_progress_clear(mni_talk *t)
{
    if (!t->bar) return;
    fputs("\r\033[K", stderr);
    t->bar = 0;
}

static void draw(mni_talk *t, uint64_t total, double now)
{
    if (t->quiet || now - t->shown < (t->tty ? redraw : plain_line)) return;
    t->shown = now;
    mni_text line = { 0 };
    mni_progress_bar(&line, &t->now, total,
                     t->tty ? (unsigned)mni_term_width(STDERR) - 1 : 79);
    if (t->tty) fprintf(stderr, "\r%s\033[K", mni_text_get(&line));
    else fprintf(stderr, "%s\n", mni_text_get(&line));
    fflush(stderr);
    t->bar = t->tty;
    mni_text_fini(&line);
}

void mni_progress_finish(mni_talk *t)
{
    mni_progress_clear(t);
    if (!t->now.task[0]) return;
    mni_talk_phase(t, t->now.task, t->now.count, t->now.seconds);
    t->now = (mni_phase){ .count = 0 };
}

void mni_talk_drop(mni_talk *t)
{
    mni_progress_clear(t);
    t->now = (mni_phase){ .count = 0 };
}

int mni_talk_progress(void *user, const mann_progress *p)
{
    mni_talk *t = user;
    double now = mni_clock_seconds();
    if (strncmp(t->now.task, p->task, sizeof t->now.task - 1) != 0) {
        mni_progress_finish(t);
        snprintf(t->now.task, sizeof t->now.task, "%s", p->task);
        t->shown = t->tty ? 0 : now;
        t->logged = 0;
    }
    t->now.count = p->done;
    t->now.seconds = p->seconds;
    t->now.loss = p->loss;
    t->now.active = p->active;
    draw(t, p->total, now);
    if (now - t->logged >= log_line) {
        mni_progress_log(t, "progress", &t->now, p->total);
        t->logged = now;
    }
    return mni_term_interrupted();
}

int mni_talk_step(mni_talk *t, const char *task, uint64_t done, uint64_t total)
{
    double now = mni_clock_seconds();
    if (done == 0 || strncmp(t->now.task, task, sizeof t->now.task - 1) != 0)
        t->task_start = now;
    mann_progress p = { .task = task, .done = done, .total = total,
                        .seconds = now - t->task_start };
    return mni_talk_progress(t, &p);
}

/* Work that comes in several pieces (embed, search, embed, search, ...) is one phase
 * each. */
void mni_talk_phase(mni_talk *t, const char *task, uint64_t count, double seconds)
{
    size_t i = 0;
    while (i < t->n_phases && strcmp(t->phases[i].task, task) != 0) i++;
    if (i == MNI_TALK_PHASES) return;
    mni_phase *p = &t->phases[i];
    if (i == t->n_phases) {
        *p = (mni_phase){ .count = 0 };
        snprintf(p->task, sizeof p->task, "%s", task);
        t->n_phases++;
    }
    p->count += count;
    p->seconds += seconds;
}

void mni_progress_phase_line(mni_text *out, const mni_phase *p)
{
    mni_text_f(out, "%-10s %8llu  ", p->task, (unsigned long long)p->count);
    if (p->seconds < 1) mni_text_f(out, "%7.1f ms", p->seconds * 1e3);
    else if (p->seconds < 100) mni_text_f(out, "%7.2f s ", p->seconds);
    else mni_text_f(out, "%7.0f s ", p->seconds);
    if (p->seconds > 0 && p->count)
        mni_text_f(out, "  (%.0f/s)", (double)p->count / p->seconds);
}

void mni_progress_phases(mni_talk *t)
{
    for (size_t i = 0; i < t->n_phases; i++) {
        mni_text line = { 0 };
        mni_progress_phase_line(&line, &t->phases[i]);
        fprintf(stderr, "  %s\n", mni_text_get(&line));
        mni_text_fini(&line);
    }
}
