#!/bin/zsh -f
# complete.zsh - what a real zsh offers: for each LINE the words, one on a line, then an empty line
#
#     zsh -f complete.zsh DIRECTORY LINE...
#
# DIRECTORY holds the completion functions. An interactive zsh runs in a terminal of its own; its
# compadd, by which every completion ends, also writes down what it adds.
zmodload zsh/zpty || exit 2
typeset -x FOUND=$(mktemp -d) COMPLETIONS=$1
shift
trap 'zpty -d z 2>/dev/null; rm -rf $FOUND' EXIT

cat >$FOUND/rc <<'RC'
PROMPT='' RPROMPT=''
fpath=($COMPLETIONS $fpath)
autoload -Uz compinit
compinit -D -u
zstyle ':completion:*' menu no
zstyle ':completion:*' insert-tab no
compadd() {
    local -a hits
    if (( ${@[(I)-[AOD]]} )); then
        builtin compadd "$@"
        return
    fi
    builtin compadd -O hits "$@"
    if (( $#hits )) print -rl -- "${(@)hits}" >>$FOUND/words
    builtin compadd "$@"
}
note() {
    _main_complete
    compstate[insert]='' compstate[list]=''
    print >>$FOUND/done
}
zle -C note complete-word note
bindkey '^I' note
bindkey '^U' kill-whole-line
print >$FOUND/ready
RC

wait_for() { # FILE
    local tries
    for (( tries = 0; tries < 600; tries++ )); do
        [[ ! -s $FOUND/$1 ]] || return 0
        # what the terminal shows must be read, or it fills up
        zpty -rt z 2>/dev/null >/dev/null
        sleep 0.05
    done
    print -u2 "complete.zsh: zsh does not answer"
    exit 2
}

zpty z zsh -f -i || exit 2
zpty -w z 'source $FOUND/rc'
wait_for ready
for line; do
    rm -f $FOUND/words $FOUND/done
    zpty -w -n z $'\025'$line$'\t'
    wait_for done
    [[ ! -e $FOUND/words ]] || sort -u $FOUND/words
    print
done
