# What the plugin brings into Slurm's processes

setup() {
    so=${top_builddir:-build}/plugin/spank/.libs/spank_carbon.so
    [ -e "$so" ] || skip 'configured without Slurm'
}

@test 'the plugin exports SPANK symbols only' {
    exported=$(nm -D --defined-only "$so" | awk '{ print $3 }' | sort)
    expected='plugin_name
plugin_type
plugin_version
slurm_spank_exit
slurm_spank_init
slurm_spank_init_post_opt
slurm_spank_job_epilog
slurm_spank_job_prolog
slurm_spank_task_exit
spank_plugin_version'
    # gcov, where it is asked for, has symbols of its own
    diff <(echo "$expected") <(echo "$exported" | grep -v -e '^__gcov' -e '^mangle_path')
}

@test 'the plugin needs libc alone' {
    needed=$(objdump -p "$so" | awk '$1 == "NEEDED" { print $2 }')
    [ -n "$needed" ]
    [ -z "$(grep -vE '^(libc|ld-linux[a-z0-9-]*|libc\.musl.*)\.so' <<<"$needed")" ]
}

@test 'the plugin asks nothing of Slurm but its SPANK interface and log' {
    wanted=$(nm -D --undefined-only "$so" | awk '{ print $2 }' | grep -E '^(spank|slurm)_' | sort)
    diff <(printf '%s\n' slurm_debug slurm_error slurm_info spank_context spank_get_item \
        spank_getenv) <(echo "$wanted")
}

@test 'the plugin starts no thread and no child and touches no signal, umask or environment' {
    run bash -c "nm -D --undefined-only '$so' | awk '{ print \$2 }' | sed 's/@.*//' | grep -xE \
        'pthread_.*|fork|vfork|clone|exec.*|posix_spawn.*|system|popen|signal|sigaction|sigprocmask|umask|chdir|fchdir|setenv|putenv|unsetenv|clearenv|exit|_exit|abort'"
    [ -z "$output" ]
}

# tests/harness makes each of them fail in turn; what is left cannot fail, or only passes on text.
@test 'every function of libc that can fail the plugin is one that the harness makes fail' {
    harness=${top_builddir:-build}/tests/harness/spank_faults
    [ -x "$harness" ] || skip 'no harness was built (cmocka)'
    cannot='__errno_location __gmon_start__ _ITM_.* __cxa_finalize __stack_chk_fail __gcov.*
        free getenv geteuid getpid getmntent_r gmtime_r mem[a-z]+ nanosleep qsort realloc malloc
        slurm_[a-z]+ snprintf sscanf str[a-z]+ vsnprintf'
    left=$(comm -23 \
        <(nm -D --undefined-only "$so" | awk '{ print $2 }' |
            sed -E 's/@.*//; s/^__isoc[0-9]+_//; s/^__(.*)_chk$/\1/; s/^__([fl]?)xstat$/\1stat/' | sort -u) \
        <(nm --defined-only "$harness" | awk '{ print $3 }' | sort -u) |
        grep -vxE "$(tr -s ' \n' '|' <<<"$cannot" | sed 's/|$//')") || true
    [ -z "$left" ] || { echo "not made to fail: $left"; false; }
}
