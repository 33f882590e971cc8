/* test_cli.c - the table of options, its parser, settings files, help, bar, input lists.
 * What the commands do is tested from outside by tests/cli. SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/inputs.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "harness.h"
#include "os/vfs.h"

/* --- the table ---------------------------------------------------------------------- */

static size_t word_at(const char *list, size_t at, char *out, size_t size)
{
    size_t n = strcspn(list + at, " ");
    CHECK(n < size);
    memcpy(out, list + at, n);
    out[n] = '\0';
    return at + n + (list[at + n] == ' ');
}

/* A spelling must lead to its own row in every command that has the row. */
static void check_leads_to(const char *word, const mni_option *row)
{
    for (int cmd = 0; cmd < MNI_N_COMMANDS; cmd++) {
        if (!(row->commands >> cmd & 1)) continue;
        const mni_option *found = mni_option_find((mni_command_id)cmd, word,
                                                  strlen(word));
        if (found != row)
            test_fail(__FILE__, __LINE__, "--%s of '%s' leads to --%s", word,
                      mni_command_at((mni_command_id)cmd)->name,
                      found ? found->name : "nothing");
    }
}

static void every_spelling_leads_to_one_row(void)
{
    char word[64];
    for (size_t i = 0; mni_option_row(i); i++) {
        const mni_option *row = mni_option_row(i);
        check_leads_to(row->name, row);
        for (size_t at = 0; row->aliases[at];) {
            at = word_at(row->aliases, at, word, sizeof word);
            CHECK(word[0]);                 /* no two blanks */
            check_leads_to(word, row);
        }
        for (int cmd = 0; row->letter && cmd < MNI_N_COMMANDS; cmd++)
            if (row->commands >> cmd & 1)
                CHECK(mni_option_letter((mni_command_id)cmd, row->letter) == row);
    }
}

static void rows_of_one_id_share_no_command(void)
{
    for (size_t i = 0; mni_option_row(i); i++)
        for (size_t k = 0; k < i; k++) {
            const mni_option *a = mni_option_row(i), *b = mni_option_row(k);
            if (a->id != b->id) continue;
            CHECK_STR(a->name, b->name);
            CHECK((a->commands & b->commands) == 0);
        }
}

static void texts_are_whole(void)
{
    for (size_t i = 0; mni_option_row(i); i++) {
        const mni_option *row = mni_option_row(i);
        CHECK(row->help[0] && row->help[strlen(row->help) - 1] != '.');
        CHECK((row->kind == MNI_KIND_FLAG) == (row->values[0] == '\0'));
    }
    for (int i = 0; i < MNI_N_COMMANDS; i++) {
        const mni_command *c = mni_command_at((mni_command_id)i);
        int lines = 0;
        CHECK(c->id == (mni_command_id)i && c->summary[0] &&
              c->least_files <= c->most_files);
        for (const char *at = c->examples; *at; at++) lines += *at == '\n';
        /* two examples or three, a line of explanation each */
        CHECK(lines == 4 || lines == 6);
        CHECK(mni_command_find(c->name) == c);
        char word[64];
        for (size_t at = 0; c->aliases[at];) {
            at = word_at(c->aliases, at, word, sizeof word);
            CHECK(mni_command_find(word) == c);
        }
    }
}

static void commands_by_other_names(void)
{
    CHECK_STR(mni_command_find("build_index")->name, "build");
    CHECK_STR(mni_command_find("updater")->name, "add");
    CHECK_STR(mni_command_find("stats")->name, "info");
    CHECK(mni_command_find("train-it") == NULL);
    CHECK_STR(mni_command_nearest("serach"), "search");
    CHECK_STR(mni_command_nearest("evla"), "eval");
    CHECK(mni_command_nearest("xyzzyplugh") == NULL);
}

static void edit_distances(void)
{
    CHECK_EQ(mni_edit_distance("", ""), 0);
    CHECK_EQ(mni_edit_distance("abc", ""), 3);
    CHECK_EQ(mni_edit_distance("kitten", "sitting"), 3);
    CHECK_EQ(mni_edit_distance("serach", "search"), 1);
    CHECK_EQ(mni_edit_distance("EF_search", "ef-search"), 0);
}

/* --- parsing ------------------------------------------------------------------------ */

/* Arguments as one string, cut at blanks. */
static mann_status parse(mni_options *o, const char *command, const char *line,
                         mann_error *err)
{
    static char words[32][128];
    char *argv[32];
    int argc = 0;
    for (size_t at = 0; line[at]; argc++) {
        at = word_at(line, at, words[argc], sizeof words[argc]);
        argv[argc] = words[argc];
    }
    return mni_options_parse(o, mni_command_find(command)->id, argc, argv, err);
}

static void every_default_parses(void)
{
    for (int i = 0; i < MNI_N_COMMANDS; i++) {
        mni_options o;
        mann_error e = { .code = MANN_OK };
        char help[] = "--help";
        CHECK_FINE(mni_options_parse(&o, (mni_command_id)i, 1, (char *[]){ help }, &e),
                   e);
        CHECK_EQ(mni_opt_u32(&o, MNI_OPT_THREADS), 0);
        mni_options_fini(&o);
    }
}

static void values_arrive(void)
{
    mni_options o;
    mann_error e = { .code = MANN_OK };
    CHECK_FINE(parse(&o, "search",
                     "g.mann -k7 --efSearch=90 a.png --num_workers 3 -qv --rows b.png "
                     "--only x --only y,z -- -odd.png",
                     &e),
               e);
    CHECK_EQ(mni_opt_u32(&o, MNI_OPT_K), 7);
    CHECK_EQ(mni_opt_u32(&o, MNI_OPT_EF), 90);
    CHECK_EQ(mni_opt_u32(&o, MNI_OPT_THREADS), 3);
    CHECK(mni_opt_flag(&o, MNI_OPT_QUIET) && mni_opt_flag(&o, MNI_OPT_VERBOSE));
    CHECK(mni_opt_flag(&o, MNI_OPT_ROWS) && !mni_opt_flag(&o, MNI_OPT_JSON));
    const char *const *names;
    CHECK_EQ(mni_opt_list(&o, MNI_OPT_ONLY, &names), 2);
    CHECK_STR(names[1], "y,z");
    CHECK_EQ(o.n_files, 4);
    CHECK_STR(o.files[0], "g.mann");
    CHECK_STR(o.files[3], "-odd.png");
    mni_options_fini(&o);

    CHECK_FINE(parse(&o, "build",
                     "x.npy -o g --metric Euclid --type HNSW --M 32 --no-json", &e),
               e);
    CHECK_STR(mni_opt_text(&o, MNI_OPT_METRIC), "l2");
    CHECK_STR(mni_opt_text(&o, MNI_OPT_TYPE), "hnsw");
    CHECK_EQ(mni_opt_u32(&o, MNI_OPT_M), 32);
    mni_options_fini(&o);

    CHECK_FINE(parse(&o, "remove", "g --id 1,2 --id 18446744073709551615", &e), e);
    CHECK_EQ(mni_opt_list(&o, MNI_OPT_ID, &names), 3);
    CHECK_STR(names[2], "18446744073709551615");
    mni_options_fini(&o);

    CHECK_FINE(parse(&o, "updater", "--index-path g.mann --new_data more/", &e), e);
    CHECK_EQ(o.n_files, 2);
    CHECK_STR(o.files[0], "g.mann");
    CHECK_STR(o.files[1], "more/");
    mni_options_fini(&o);
}

static void mistakes_are_named(void)
{
    static const struct { const char *command, *line, *sentence;
    } cases[] = {
        { "search", "g a.png --frobnicate", "unknown option --frobnicate" },
        { "search", "g a.png --sheeet x.png",
          "unknown option --sheeet; did you mean --sheet?" },
        { "search", "g a.png -k", "-k: its value is missing" },
        { "search", "g a.png -k 0", "--k: '0', wanted a whole number from 1 to 1000000" },
        { "search", "g a.png -k 1.5",
          "--k: '1.5', wanted a whole number from 1 to 1000000" },
        { "search", "g a.png -z", "unknown option -z" },
        { "search", "g a.png -ef 3", "unknown option -ef; did you mean --ef?" },
        { "search", "g --aggregate median",
          "--aggregate: 'median', wanted one of blend, max, mean, vote, "
          "prototype" },
        { "synth", "-o d --conditions pose,fog",
          "--conditions: 'fog', wanted a list of all, none, pose, "
          "light, background, scale, crop, occlusion, blur, noise" },
        { "synth", "-o d --strength 2", "--strength: '2', wanted a number from 0 to 1" },
        { "synth", "-o d --strength nan",
          "--strength: 'nan', wanted a number from 0 to 1" },
        { "search", "g --json=maybe", "--json: 'maybe', wanted yes or no" },
        { "search", "g --sheet=", "--sheet: empty" },
        { "remove", "g --key=", "--key: empty" },
        { "info", "a b", "'b' is one argument too many; usage: metricann info FILE" },
        { "info", "", "what to work on is missing; usage: metricann info FILE" },
        { "info", "a -k 3", "unknown option -k" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mni_options o;
        mann_error e = { .code = MANN_OK };
        CHECK_IS(parse(&o, cases[i].command, cases[i].line, &e), MANN_E_ARG);
        mni_options_fini(&o);
        CHECK_STR(e.text, cases[i].sentence);
    }
}

/* --- settings files -------------------------------------------------------------------
 */

static void settings_stand_below_the_command_line(void)
{
    mni_options o;
    mann_error e = { .code = MANN_OK };
    CHECK_FINE(parse(&o, "search", "g a.png -k 3", &e), e);
    CHECK_FINE(
        mni_options_config(&o, "conf",
                           "# comment\n\nk = 9\nef_search = 77  # wide\n"
                           "json = on\nonly = \" a b # c \"\nonly=d\r\nclasses = 12\n",
                           &e),
        e);
    CHECK_EQ(mni_opt_u32(&o, MNI_OPT_K), 3);
    CHECK_EQ(mni_opt_u32(&o, MNI_OPT_EF), 77);
    CHECK(mni_opt_flag(&o, MNI_OPT_JSON));
    const char *const *names;
    CHECK_EQ(mni_opt_list(&o, MNI_OPT_ONLY, &names), 2);
    CHECK_STR(names[0], " a b # c ");
    CHECK_STR(names[1], "d");

    CHECK_IS(mni_options_config(&o, "conf", "\nk = 5\nkk = 5\n", &e), MANN_E_ARG);
    CHECK_STR(e.text, "conf:3: unknown option 'kk'; did you mean 'k'?");
    CHECK_IS(mni_options_config(&o, "conf", "k = many", &e), MANN_E_ARG);
    CHECK_STR(e.text, "conf:1: --k: 'many', wanted a whole number from 1 to 1000000");
    CHECK_IS(mni_options_config(&o, "conf", "k 5", &e), MANN_E_ARG);
    CHECK_STR(e.text, "conf:1: 'k 5', wanted 'option = value'");
    mni_options_fini(&o);
}

static void printed_settings_read_back(void)
{
    mni_options a, b;
    mann_error e = { .code = MANN_OK };
    mni_text first = { 0 }, second = { 0 };
    CHECK_FINE(
        parse(&a, "search",
              "g x -k 4 --only p,q --only r --aggregate avg --margin 0.125 --jsonl", &e),
        e);
    mni_print_config(&first, &a);
    CHECK_FINE(parse(&b, "search", "g x", &e), e);
    CHECK_FINE(mni_options_config(&b, "conf", mni_text_get(&first), &e), e);
    for (size_t i = 0; i < MNI_N_OPTIONS; i++) {
        CHECK_EQ(a.values[i].n_items, b.values[i].n_items);
        for (size_t k = 0; k < a.values[i].n_items; k++)
            CHECK_STR(a.values[i].items[k], b.values[i].items[k]);
    }
    mni_options_fini(&a);
    mni_options_fini(&b);
    mni_text_fini(&first);
    mni_text_fini(&second);
}

/* --- help -----------------------------------------------------------------------------
 */

static void help_keeps_to_the_width(void)
{
    for (unsigned width = 40; width <= 100; width += 20)
        for (int i = 0; i < MNI_N_COMMANDS; i++) {
            mni_text t = { 0 };
            mni_help_command(&t, mni_command_at((mni_command_id)i), width);
            const char *options = strstr(mni_text_get(&t), "options of every command");
            CHECK(options && strstr(options, "--threads"));
            for (const char *at = options;
                 width >= 60 && *at && strncmp(at, "\nexamples", 9) != 0;) {
                size_t n = strcspn(at, "\n");
                CHECK(n <= width);
                at += n + 1;
            }
            mni_text_fini(&t);
        }
}

static void manual_and_completions_name_everything(void)
{
    mni_text t[4] = { { 0 }, { 0 }, { 0 }, { 0 } };
    mni_print_man(&t[0]);
    mni_print_completion(&t[1], "bash");
    mni_print_completion(&t[2], "zsh");
    mni_print_completion(&t[3], "fish");
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < MNI_N_COMMANDS; i++)
            CHECK(strstr(mni_text_get(&t[k]), mni_command_at((mni_command_id)i)->name));
        CHECK(strstr(mni_text_get(&t[k]),
                     k == 0 ? "ef\\-construction" : "ef-construction"));
        mni_text_fini(&t[k]);
    }
}

/* --- bar, phases, names ---------------------------------------------------------------
 */

static void bar_fits_and_moves(void)
{
    mni_phase p = { .task = "embed", .count = 640, .seconds = 2.0 };
    for (unsigned width = 10; width < 100; width++) {
        mni_text t = { 0 };
        mni_progress_bar(&t, &p, 1234, width);
        CHECK(t.n_chars <= width);
        mni_text_fini(&t);
    }
    mni_text t = { 0 };
    mni_progress_bar(&t, &p, 1280, 60);
    CHECK_STR(t.chars,
              "embed [============>           ] 640/1280  320/s  0:02 left");
    mni_text_clear(&t);
    mni_progress_bar(&t, &p, 0, 60);
    CHECK_STR(t.chars, "embed 640  320/s");
    mni_text_clear(&t);
    mni_progress_phase_line(&t, &(mni_phase){ .task = "decode", .count = 1234,
                                                    .seconds = 2.1 });
    CHECK_STR(t.chars, "decode         1234     2.10 s   (588/s)");
    mni_text_fini(&t);
}

static void names_cannot_talk_to_the_terminal(void)
{
    mni_text t = { 0 };
    mni_out_name(&t, "a\033[2Jb\xff" "c\n\xc3\xa9");
    CHECK_STR(t.chars, "a?[2Jb\xEF\xBF\xBD" "c?\xc3\xa9");
    CHECK_EQ(mni_out_columns("\xc3\xa9" "a\xff"), 3);
    mni_text_clear(&t);
    mni_out_padded(&t, "\xc3\xa9", 3);
    CHECK_STR(t.chars, "\xc3\xa9  ");
    mni_text_fini(&t);
}

static void bands_and_exits(void)
{
    CHECK_STR(mni_similarity_band(0.9f), "very high");
    CHECK_STR(mni_similarity_band(0.899f), "high");
    CHECK_STR(mni_similarity_band(0.5f), "medium");
    CHECK_STR(mni_similarity_band(0.1f), "low");
    CHECK_EQ(mni_exit_of(MNI_FROM_INPUT, MANN_E_NOT_FOUND), 3);
    CHECK_EQ(mni_exit_of(MNI_FROM_OUTPUT, MANN_E_NOT_FOUND), 5);
    CHECK_EQ(mni_exit_of(MNI_FROM_INPUT, MANN_E_READ_ONLY), 5);
    CHECK_EQ(mni_exit_of(MNI_FROM_INPUT, MANN_E_MISMATCH), 4);
    CHECK_EQ(mni_exit_of(MNI_FROM_CHECK, MANN_E_MISMATCH), 1);
    CHECK_EQ(mni_exit_of(MNI_FROM_INPUT, MANN_E_FORMAT), 3);
    CHECK_EQ(mni_exit_of(MNI_FROM_CHECK, MANN_E_FORMAT), 1);
    CHECK_EQ(mni_exit_of(MNI_FROM_INPUT, MANN_E_NOMEM), 6);
    CHECK_EQ(mni_exit_of(MNI_FROM_INPUT, MANN_E_CANCELLED), 130);
    CHECK_EQ(mni_exit_of(MNI_FROM_USER, MANN_E_UNSUPPORTED), 2);
}

/* --- input lists ----------------------------------------------------------------------
 */

static void make(const char *dir, const char *name, int is_dir)
{
    mni_text path = { 0 };
    mni_path_join(&path, dir, name);
    if (is_dir) CHECK_OK(mni_vfs_posix()->ops->mkdir(mni_vfs_posix(), path.chars, NULL));
    else CHECK_OK(mni_replace_file(mni_vfs_posix(), path.chars, "x", 1, NULL));
    mni_text_fini(&path);
}

static void folders_are_walked_in_order(void)
{
    static const char *const want[] = { "a.png", "b/c.JPG", "b/d/e.bmp" };
    const char *dir = test_dir();
    mni_inputs in = { 0 };
    mann_error e = { .code = MANN_OK };
    make(dir, "b", 1);
    make(dir, "b/d", 1);
    make(dir, ".hidden", 1);
    make(dir, ".hidden/x.png", 0);
    make(dir, "b/d/e.bmp", 0);
    make(dir, "b/c.JPG", 0);
    make(dir, "a.png", 0);
    make(dir, "notes.txt", 0);
    CHECK_FINE(mni_inputs_add(&in, dir, mni_is_image_file, &e), e);
    CHECK_EQ(in.n, 3);
    for (size_t i = 0; i < 3; i++)
        CHECK_STR(in.items[i].path + in.items[i].root, want[i]);
    char klass[16];
    mni_input_class(in.items[2].path + in.items[2].root, klass, sizeof klass);
    CHECK_STR(klass, "b");
    mni_input_class("a.png", klass, sizeof klass);
    CHECK_STR(klass, "");
    mni_inputs_fini(&in);
    CHECK_IS(mni_inputs_add(&in, "/nowhere/at/all", mni_is_image_file, &e),
             MANN_E_NOT_FOUND);
    mni_inputs_fini(&in);
}

/* --- memory
 * ----------------------------------------------------------------------------- */

static mann_status parse_body(void *ctx)
{
    mni_options o;
    mann_status s = parse(&o, "search",
                          "--gallery g --data b a.png -k 3 --only x --only y", NULL);
    if (s == MANN_OK) s = mni_options_config(&o, "conf", "ef = 9\nmargin = 0.5\n", NULL);
    mni_options_fini(&o);
    (void)ctx;
    return s;
}

static mann_status walk_body(void *dir)
{
    mni_inputs in = { 0 };
    mann_status s = mni_inputs_add(&in, dir, mni_is_image_file, NULL);
    mni_inputs_fini(&in);
    return s;
}

static void out_of_memory(void)
{
    test_oom(parse_body, NULL, 0);
    char dir[512];
    snprintf(dir, sizeof dir, "%s", test_dir());
    make(dir, "a.png", 0);
    make(dir, "sub", 1);
    make(dir, "sub/b.png", 0);
    test_oom(walk_body, dir, 0);
}

const test_case cli_tests[];
const test_case cli_tests[] = {
    { "every_spelling_leads_to_one_row", every_spelling_leads_to_one_row, 0 },
    { "rows_of_one_id_share_no_command", rows_of_one_id_share_no_command, 0 },
    { "texts_are_whole", texts_are_whole, 0 },
    { "commands_by_other_names", commands_by_other_names, 0 },
    { "edit_distances", edit_distances, 0 },
    { "every_default_parses", every_default_parses, 0 },
    { "values_arrive", values_arrive, 0 },
    { "mistakes_are_named", mistakes_are_named, 0 },
    { "settings_stand_below_the_command_line", settings_stand_below_the_command_line, 0 },
    { "printed_settings_read_back", printed_settings_read_back, 0 },
    { "help_keeps_to_the_width", help_keeps_to_the_width, 0 },
    { "manual_and_completions_name_everything", manual_and_completions_name_everything,
      0 },
    { "bar_fits_and_moves", bar_fits_and_moves, 0 },
    { "names_cannot_talk_to_the_terminal", names_cannot_talk_to_the_terminal, 0 },
    { "bands_and_exits", bands_and_exits, 0 },
    { "folders_are_walked_in_order", folders_are_walked_in_order, 0 },
    { "out_of_memory", out_of_memory, 0 },
    { 0 }
};
