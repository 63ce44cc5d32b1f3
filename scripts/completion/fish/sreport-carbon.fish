# fish completion of sreport-carbon; tests/cli/manual.bats holds the options against --help and the
# manual.

function __sreport_carbon_months
    set -l first (date -u +%Y-%m-01)
    for back in (seq 0 12)
        date -u -d "$first -$back month" +%Y-%m 2>/dev/null
    end
end

function __sreport_carbon_sections
    printf '%s\n' totals account user partition type state job day trend asset budget
end

complete -c sreport-carbon -f
complete -c sreport-carbon -l month -x -d 'this month' -k -a '(__sreport_carbon_months)'
complete -c sreport-carbon -s S -l starttime -x \
    -d 'from this hour on' -k -a 'today midnight now-1days now-7days now-30days'
complete -c sreport-carbon -s E -l endtime -x -d 'up to this hour' -k -a 'today midnight now-1days'
complete -c sreport-carbon -s M -l cluster -x -d 'this cluster'
complete -c sreport-carbon -l mode -x -d 'how manufacture is shared out' -a 'capacity share planned'
complete -c sreport-carbon -l factor-set -x -d 'by an older set of factors'
complete -c sreport-carbon -l section -x -d 'only these sections' \
    -a "(__fish_complete_list , __sreport_carbon_sections)"
complete -c sreport-carbon -l top -x -d 'so many jobs that emitted most'
complete -c sreport-carbon -s p -l parsable -d 'fields between |, one at the end'
complete -c sreport-carbon -s P -l parsable2 -d 'fields between |, none at the end'
complete -c sreport-carbon -l delimiter -x -d 'this instead of |'
complete -c sreport-carbon -l json -d 'everything as JSON'
complete -c sreport-carbon -l csv -x \
    -d 'write a CSV file a section into this directory' -a '(__fish_complete_directories)'
complete -c sreport-carbon -l html -r -F -d 'write a page into this file'
complete -c sreport-carbon -s n -l noheader -d 'tables without headings'
complete -c sreport-carbon -l strict -d 'exit with 3 when something is missing'
complete -c sreport-carbon -s c -l config -r -F -d 'instead of carbon.conf'
complete -c sreport-carbon -s v -l verbose -d 'say what is read'
complete -c sreport-carbon -s V -l version -d 'print the version'
complete -c sreport-carbon -s h -l help -d 'print the options'
complete -c sreport-carbon -l usage -d 'print them shortly'
