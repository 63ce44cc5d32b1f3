# fish completion of carbond; tests/cli/manual.bats holds the options against --help and the manual.
complete -c carbond -f
complete -c carbond -s c -l config -r -F -d 'instead of carbon.conf'
complete -c carbond -l listen -x -d 'address and port to listen on'
complete -c carbond -l socket -r -F -d 'socket for this machine'
complete -c carbond -l deadline -x -d 'seconds that a question may take'
complete -c carbond -l tools -x -d 'directory of the tools' -a '(__fish_complete_directories)'
complete -c carbond -s h -l help -d 'print the options'
complete -c carbond -s V -l version -d 'print the version'
