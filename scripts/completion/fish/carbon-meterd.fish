# fish completion of carbon-meterd; tests/cli/manual.bats holds the options against --help and the
# manual.
complete -c carbon-meterd -f
complete -c carbon-meterd -s c -l config -r -F -d 'instead of carbon.conf'
complete -c carbon-meterd -s N -l node -x -d 'name of the node' -a '(__fish_print_hostnames)'
complete -c carbon-meterd -s D -l foreground -d 'stay in the foreground, as it always does'
complete -c carbon-meterd -s h -l help -d 'print the options'
complete -c carbon-meterd -s V -l version -d 'print the version'
