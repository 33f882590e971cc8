/* cmd_help.c - help, version. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/version.h"
#include "cli/cli.h"
#include "os/cpu.h"
#include "os/term.h"

enum { STDOUT = 1 };

int mni_cmd_help(mni_cli *c)
{
    const char *shell = mni_opt_text(&c->options, MNI_OPT_COMPLETION);
    unsigned width = mni_term_is_tty(STDOUT) ? (unsigned)mni_term_width(STDOUT) : 80;
    if (mni_opt_flag(&c->options, MNI_OPT_MAN)) {
        mni_print_man(&c->out);
    } else if (shell) {
        mni_print_completion(&c->out, shell);
    } else if (c->options.n_files == 0) {
        mni_help_overview(&c->out, width);
    } else {
        const char *name = c->options.files[0];
        const mni_command *command = mni_command_find(name);
        const char *near = command ? NULL : mni_command_nearest(name);
        if (!command && near)
            return mni_cli_usage(c, "no command '%s'; did you mean '%s'?", name, near);
        if (!command)
            return mni_cli_usage(c, "no command '%s'; 'metricann help' lists them", name);
        mni_help_command(&c->out, command, width);
    }
    return MNI_EXIT_OK;
}

int mni_cmd_version(mni_cli *c)
{
    char cpu[96];
    uint32_t v = mann_version();
    mni_cpu_name(cpu, sizeof cpu);
    if (!mni_cli_json(c)) {
        mni_text_f(&c->out, "metricann " MNI_VERSION_TEXT " (%s, %u cores, %s)\n",
                   mann_simd_name(), mni_cpu_count(), cpu);
        return MNI_EXIT_OK;
    }
    mni_json j;
    mni_text number = { 0 };
    mni_text_f(&number, "%u.%u.%u", (unsigned)(v >> 16), (unsigned)(v >> 8 & 255),
               (unsigned)(v & 255));
    mni_out_json(c, &j);
    mni_json_object(&j);
    mni_json_key(&j, "version");
    mni_json_string(&j, mni_text_get(&number));
    mni_json_key(&j, "simd");
    mni_json_string(&j, mann_simd_name());
    mni_json_key(&j, "cores");
    mni_json_u64(&j, mni_cpu_count());
    mni_json_key(&j, "cpu");
    mni_json_string(&j, cpu);
    mni_json_end(&j);
    mni_text_char(&c->out, '\n');
    mni_text_fini(&number);
    return MNI_EXIT_OK;
}
