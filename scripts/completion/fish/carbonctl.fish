# fish completion of carbonctl; tests/cli/manual.bats holds commands and options against --help and
# the manual.

# The command that is typed, with its part: "", "audit", "grid import"
function __carbonctl_command
    set -l words (commandline -opc)
    set -l command
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case -c --config # the one option with a value that may stand before a command
                set -e words[1]
            case '-*'
            case '*'
                set -a command $words[1]
                if test (count $command) -eq 2
                    break
                else if not contains -- $command[1] factors grid inventory quarantine repair help
                    break
                end
        end
        set -e words[1]
    end
    string join ' ' -- $command
end

# Whether the command that is typed is one of these.
function __carbonctl_at
    set -l command (__carbonctl_command)
    contains -- "$command" $argv
end

complete -c carbonctl -f
complete -c carbonctl -n '__carbonctl_at "" help' -a init -d 'create or upgrade the database'
complete -c carbonctl -n '__carbonctl_at "" help' -a ingest -d 'load delivered batches'
complete -c carbonctl -n '__carbonctl_at "" help' -a audit \
    -d 'check that every joule is in the books once'
complete -c carbonctl -n '__carbonctl_at "" help' -a status -d 'tell how far each node is booked'
complete -c carbonctl -n '__carbonctl_at "" help' -a prune -d 'delete old power per minute'
complete -c carbonctl -n '__carbonctl_at "" help' -a factors -d 'what emissions are computed with'
complete -c carbonctl -n '__carbonctl_at "" help' -a grid -d 'intensity of grids, hour by hour'
complete -c carbonctl -n '__carbonctl_at "" help' -a inventory -d 'write and check inventory.conf'
complete -c carbonctl -n '__carbonctl_at "" help' -a config -d 'print the settings in force'
complete -c carbonctl -n '__carbonctl_at "" help' -a sensors \
    -d 'show the energy counters of this node'
complete -c carbonctl -n '__carbonctl_at "" help' -a estimate -d 'what work would emit'
complete -c carbonctl -n '__carbonctl_at "" help' -a quarantine -d 'what ingest set aside'
complete -c carbonctl -n '__carbonctl_at "" help' -a repair -d 'mend what audit finds'
complete -c carbonctl -n '__carbonctl_at "" help' -a reconcile -d 'join jobs with slurmdbd'
complete -c carbonctl -n '__carbonctl_at "" help' -a backfill -d 'book jobs that nobody metered'
complete -c carbonctl -n '__carbonctl_at "" help' -a export \
    -d 'print jobs for other programs'
complete -c carbonctl -n '__carbonctl_at "" help' -a compare -d 'a job beside CodeCarbon'
complete -c carbonctl -n '__carbonctl_at "" help' -a backup -d 'copy the database'
complete -c carbonctl -n '__carbonctl_at "" help' -a migrate-store \
    -d 'move the books into another database'
complete -c carbonctl -n '__carbonctl_at "" help' -a doctor -d 'say what to mend and how'
complete -c carbonctl -n '__carbonctl_at "" help' -a help -d 'list the commands, or tell about one'

complete -c carbonctl -n '__carbonctl_at factors "help factors"' -a update -d 'make a new set'
complete -c carbonctl -n '__carbonctl_at factors "help factors"' -a list -d 'list the sets'
complete -c carbonctl -n '__carbonctl_at factors "help factors"' -a show -d 'print what is in a set'
complete -c carbonctl -n '__carbonctl_at factors "help factors"' -a diff -d 'print what differs'
complete -c carbonctl -n '__carbonctl_at grid "help grid"' -a import -d 'take in files'
complete -c carbonctl -n '__carbonctl_at grid "help grid"' -a list -d 'list the series'
complete -c carbonctl -n '__carbonctl_at grid "help grid"' -a show -d 'print intervals'
complete -c carbonctl -n '__carbonctl_at inventory "help inventory"' -a discover \
    -d 'print what a node is made of'
complete -c carbonctl -n '__carbonctl_at inventory "help inventory"' -a check \
    -d 'compare with the nodes'
complete -c carbonctl -n '__carbonctl_at quarantine "help quarantine"' -a list -d 'show the files'
complete -c carbonctl -n '__carbonctl_at quarantine "help quarantine"' -a retry -d 'try files again'
complete -c carbonctl -n '__carbonctl_at quarantine "help quarantine"' -a drop -d 'give files up'
complete -c carbonctl -n '__carbonctl_at repair "help repair"' -a loss -d 'write off lost batches'
complete -c carbonctl -n '__carbonctl_at repair "help repair"' -a sums -d 'make sums anew'

complete -c carbonctl -s c -l config -r -F -d 'instead of carbon.conf'
complete -c carbonctl -s h -l help -d 'tell about the command'
complete -c carbonctl -n '__carbonctl_at ""' -s V -l version -d 'print the version'
complete -c carbonctl -n '__carbonctl_at init ingest prune "factors update" "grid import" \
    "quarantine retry" "quarantine drop" "repair loss" "repair sums" reconcile backfill \
    migrate-store' -l wait -x \
    -d 'wait so long while another process writes'
complete -c carbonctl -n '__carbonctl_at audit sensors estimate "inventory discover" \
    "inventory check" "quarantine list" "grid list" "grid show" compare' \
    -l json -d 'print JSON'
complete -c carbonctl -n '__carbonctl_at prune "factors update" "grid import" backfill \
    migrate-store' -l dry-run \
    -d 'change nothing'
complete -c carbonctl -n '__carbonctl_at "quarantine drop" "repair loss"' -l reason -x \
    -d 'why, for whoever reads the audit'
complete -c carbonctl -n '__carbonctl_at "factors show" "grid list" "grid show" export' -l set -x \
    -d 'of this factor set'
complete -c carbonctl -n '__carbonctl_at "grid list" "grid show"' -s P -l parsable \
    -d 'fields between |'
complete -c carbonctl -n '__carbonctl_at "grid import" "grid show"' -l basis -x \
    -d 'basis' -a 'lifecycle direct'
complete -c carbonctl -n '__carbonctl_at ingest' -l once -d 'load what is there and end'
complete -c carbonctl -n '__carbonctl_at ingest' -l watch -d 'go on loading'
complete -c carbonctl -n '__carbonctl_at audit' -l verbose -d 'print every finding and what to do'
complete -c carbonctl -n '__carbonctl_at status' -l days -x -d 'look at so many days'
complete -c carbonctl -n '__carbonctl_at backup' -l verify -d 'check the backup in FILE'
complete -c carbonctl -n '__carbonctl_at export' -l format -x -d 'form' -a 'csv jsonl'
complete -c carbonctl -n '__carbonctl_at compare' -l job -x -d 'which job'
complete -c carbonctl -n '__carbonctl_at compare' -l run-id -x -d 'this row alone'
complete -c carbonctl -n '__carbonctl_at backup compare "grid import"' -F
complete -c carbonctl -n '__carbonctl_at "factors show"' \
    -a 'settings inventory.conf grid_intensity.csv embodied_factors.csv equivalences.csv'
complete -c carbonctl -n '__carbonctl_at "grid import"' -l format -x \
    -d 'read the files so' -a 'csv electricitymaps uk eco2mix'
complete -c carbonctl -n '__carbonctl_at "grid import"' -l zone -x -d 'refuse files of another zone'
complete -c carbonctl -n '__carbonctl_at "grid import"' -l scope -x \
    -d 'where the file does not say' -a 'consumption generation'
complete -c carbonctl -n '__carbonctl_at "grid import"' -l kind -x \
    -d 'the only kind there is' -a average
complete -c carbonctl -n '__carbonctl_at "grid import"' -l source -x -d 'whose figures these are'
complete -c carbonctl -n '__carbonctl_at "grid import"' -l replace -d 'take the place of others'
complete -c carbonctl -n '__carbonctl_at "grid import"' -l allow-gaps \
    -d 'missing hours take the annual value'
complete -c carbonctl -n '__carbonctl_at reconcile backfill' -l sacct-file -r -F \
    -d 'instead of sacct'
complete -c carbonctl -n '__carbonctl_at "grid show" reconcile backfill export' -s S -l starttime \
    -x -d 'from here on'
complete -c carbonctl -n '__carbonctl_at "grid show" backfill export' -s E -l endtime -x \
    -d 'up to here'
complete -c carbonctl -n '__carbonctl_at backfill' -l drop -d 'take it back'
complete -c carbonctl -n '__carbonctl_at "inventory discover"' -l xml -r -F -d 'of another node'
complete -c carbonctl -n '__carbonctl_at "inventory discover"' -l node -x -d 'its name'
complete -c carbonctl -n '__carbonctl_at sensors' -l seconds -x -d 'measure so long'
complete -c carbonctl -n '__carbonctl_at sensors' -l root -r -F -d 'look there instead'
complete -c carbonctl -n '__carbonctl_at sensors' -l capture -r -F -d 'write what is seen'
complete -c carbonctl -n '__carbonctl_at "quarantine retry"' -l all -d 'every file'
complete -c carbonctl -n '__carbonctl_at "repair loss"' -l cluster -x -d 'node of this cluster'
complete -c carbonctl -n '__carbonctl_at estimate' -l gpu-hours -x -d 'GPUs times hours'
complete -c carbonctl -n '__carbonctl_at estimate' -l core-hours -x -d 'cores times hours'
complete -c carbonctl -n '__carbonctl_at estimate' -l gpus -x -d 'GPUs at once'
complete -c carbonctl -n '__carbonctl_at estimate' -l cores -x -d 'cores at once'
complete -c carbonctl -n '__carbonctl_at estimate' -l hours -x -d 'duration'
complete -c carbonctl -n '__carbonctl_at estimate' -l watts -x -d 'mean power of a GPU or core'
complete -c carbonctl -n '__carbonctl_at estimate' -l energy-kwh -x -d 'energy at the machines'
complete -c carbonctl -n '__carbonctl_at estimate' -l nodes -x -d 'nodes'
complete -c carbonctl -n '__carbonctl_at estimate' -l node-watts -x \
    -d 'mean power of a node besides'
complete -c carbonctl -n '__carbonctl_at estimate' -l devices-per-node -x \
    -d 'GPUs or cores of a node'
complete -c carbonctl -n '__carbonctl_at estimate' -l idle-kw -x \
    -d 'constant power of idle machines'
complete -c carbonctl -n '__carbonctl_at estimate' -l infrastructure-kw -x \
    -d 'measured power of the building'
complete -c carbonctl -n '__carbonctl_at estimate' -l pue -x -d 'facility over machine energy'
complete -c carbonctl -n '__carbonctl_at estimate' -l zone -x -d 'grid zone'
complete -c carbonctl -n '__carbonctl_at estimate' -l gco2 -x -d 'grams per kWh'
complete -c carbonctl -n '__carbonctl_at estimate' -l device-kg -x -d 'manufacture of a GPU or core'
complete -c carbonctl -n '__carbonctl_at estimate' -l node-kg -x -d 'of a node without them'
complete -c carbonctl -n '__carbonctl_at estimate' -l lifetime-years -x -d 'over which it is spread'
complete -c carbonctl -n '__carbonctl_at estimate' -l utilisation -x \
    -d 'share of the lifetime that is used'
