# fish completion of sacct-carbon; tests/cli/manual.bats holds the options against --help and the
# manual.

# Values of a field of the user's jobs of the last days, from the books, by sacct-carbon itself;
# none, soon, where they cannot be read.
function __sacct_carbon_books --argument-names field
    set -l words (commandline -opc)
    timeout 3 $words[1] -n -X -P -o $field -S now-7days 2>/dev/null </dev/null |
        string match -r '.+' | sort -u
end

function __sacct_carbon_fields
    set -l words (commandline -opc)
    timeout 3 $words[1] --helpformat 2>/dev/null </dev/null | string match -r '^[A-Za-z0-9]+'
    echo ALL
end

function __sacct_carbon_times
    printf '%s\n' today midnight noon now now-1days now-7days now-30days
end

complete -c sacct-carbon -f -a '(__sacct_carbon_books JobID)'
complete -c sacct-carbon -s j -l jobs -x -d 'these jobs and steps' \
    -a "(__fish_complete_list , '__sacct_carbon_books JobID')"
complete -c sacct-carbon -s u -l user -x \
    -d 'jobs of these users' -a '(__fish_complete_list , __fish_complete_users)'
complete -c sacct-carbon -l uid -x \
    -d 'the same as --user' -a '(__fish_complete_list , __fish_complete_users)'
complete -c sacct-carbon -s a -l allusers -d 'jobs of all users'
complete -c sacct-carbon -s A -l accounts -x -d 'jobs of these accounts' \
    -a "(__fish_complete_list , '__sacct_carbon_books Account')"
complete -c sacct-carbon -s r -l partition -x -d 'jobs in these partitions' \
    -a "(__fish_complete_list , '__sacct_carbon_books Partition')"
complete -c sacct-carbon -s q -l qos -x -d 'jobs of these qualities of service' \
    -a "(__fish_complete_list , '__sacct_carbon_books QOS')"
complete -c sacct-carbon -s M -l clusters -x -d 'jobs of these clusters' \
    -a "all (__fish_complete_list , '__sacct_carbon_books Cluster')"
complete -c sacct-carbon -s N -l nodelist -x -d 'jobs that ran on these nodes'
complete -c sacct-carbon -s s -l state -x -d 'jobs in these states' \
    -a "(__fish_complete_list , 'printf %s\\\\n RUNNING COMPLETED FAILED NODE_FAIL UNKNOWN')"
complete -c sacct-carbon -s S -l starttime -x \
    -d 'jobs that ran after this' -k -a '(__sacct_carbon_times)'
complete -c sacct-carbon -s E -l endtime -x \
    -d 'jobs that ran before this' -k -a '(__sacct_carbon_times)'
complete -c sacct-carbon -s T -l truncate -d 'times and energy inside of -S and -E only'
complete -c sacct-carbon -s D -l duplicates -d 'all runs of a requeued job'
complete -c sacct-carbon -s X -l allocations -d 'jobs without their steps'
complete -c sacct-carbon -s o -l format -x -d 'these fields' \
    -a '(__fish_complete_list , __sacct_carbon_fields)'
complete -c sacct-carbon -s e -l helpformat -d 'list the fields'
complete -c sacct-carbon -s n -l noheader -d 'a table without header and summary'
complete -c sacct-carbon -s p -l parsable -d 'fields between |, one at the end'
complete -c sacct-carbon -s P -l parsable2 -d 'fields between |, none at the end'
complete -c sacct-carbon -l delimiter -x -d 'this instead of |'
complete -c sacct-carbon -l json -d 'everything as JSON'
complete -c sacct-carbon -l profile -f -d 'power over time of one job' -a 'text csv svg'
complete -c sacct-carbon -l by -x -d 'a row for each' -a 'hour day month'
complete -c sacct-carbon -l explain -d 'the whole calculation of emissions'
complete -c sacct-carbon -l compare -d 'what else emits as much'
complete -c sacct-carbon -l grid -x -d 'what if the grid were of this zone'
complete -c sacct-carbon -l gco2 -x -d 'what if the grid emitted so many grams per kWh'
complete -c sacct-carbon -l units -x -d 'energy in this unit' -a 'J kJ MJ Wh kWh MWh GWh'
complete -c sacct-carbon -l noconvert -d 'J, W and g, however large'
complete -c sacct-carbon -l factor-set -x -d 'grams by this factor set'
complete -c sacct-carbon -l strict -d 'exit with 3 when data is incomplete'
complete -c sacct-carbon -l config -r -F -d 'instead of carbon.conf'
complete -c sacct-carbon -s v -l verbose -d 'say what is read'
complete -c sacct-carbon -s V -l version -d 'print the version'
complete -c sacct-carbon -s h -l help -d 'print the options'
complete -c sacct-carbon -l usage -d 'print them shortly'
