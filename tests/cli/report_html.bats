#!/usr/bin/env bats
# sreport-carbon --html, and what a real browser makes of the page

setup() {
    dir=$BATS_TEST_TMPDIR
    sreport=${top_builddir:?}/sreport-carbon
    samples=$top_builddir/tests/unit/test_web
    unset SLURM_CONF NO_COLOR
    export TZ=UTC LC_ALL=C.UTF-8
}

says() { # TEXT: the output holds it
    [[ $output == *"$1"* ]] || { printf 'expected: %s\nfound: %s\n' "$1" "$output"; return 1; }
}

books() {
    command -v sqlite3 >/dev/null || skip "no sqlite3 command"
    # shellcheck source=tests/cli/sreport_fixture.sh
    . "${top_srcdir:?}/tests/cli/sreport_fixture.sh"
    sreport_fixture "$dir"
    export SLURM_CARBON_CONF=$dir/carbon.conf
}

pages() { # one of each sample, beside the probe
    [ -x "$samples" ] || skip "tests/unit/test_web is not built (no cmocka)"
    mkdir "$dir/pages"
    "$samples" "$dir/pages"
    cp "${top_srcdir:?}/tests/cli/page_probe.html" "$dir/pages"
    cd "$dir/pages" || return 1
}

need_browser() {
    local name
    for name in chromium chromium-browser google-chrome; do
        if command -v "$name" >/dev/null; then browser=$name; return; fi
    done
    skip "no chromium: scripts/deps test installs it"
}

# It asks nothing of any network: where there is none it would wait for its own services.
browse() { # ARGUMENT...: what it logs goes to $dir/log
    timeout 300 "$browser" --headless=new --no-sandbox --disable-gpu --hide-scrollbars \
        --disable-dev-shm-usage --no-first-run --allow-file-access-from-files \
        --disable-background-networking --disable-component-update --disable-sync --disable-quic \
        --user-data-dir="$dir/profile" --virtual-time-budget=60000 --enable-logging=stderr "$@" \
        2>"$dir/log"
}

probe() { # WIDTHS PAGES [ARGUMENT...]: lines of defects, then "probed N light"
    local widths=$1 names=$2
    shift 2
    browse "$@" --dump-dom "file://$PWD/page_probe.html#$widths,$names" |
        sed -n 's/&gt;/>/g; s/&lt;/</g; /<pre id="found">/,/<\/pre>/{s/.*<pre id="found">//; s/<\/pre>.*//; /./p}'
}

names_of() { # the pages here, with commas
    local names=(*.html)
    names=("${names[@]/page_probe.html/}")
    printf '%s,' "${names[@]}" | sed 's/,,*/,/g; s/,$//; s/^,//'
}

# --- the command ---------------------------------------------------------------------------------

@test "--html writes a page beside the text, the same bytes each time" {
    books
    run "$sreport" --month 2026-10 --html "$dir/one.html"
    [ "$status" -eq 0 ]
    says "Where it comes from"
    (cd "$dir" && "$sreport" --month 2026-10 --html two.html >/dev/null)
    cmp "$dir/one.html" "$dir/two.html"
    LC_ALL=C "$sreport" --month 2026-10 --html - | cmp "$dir/one.html" -
    grep -q '<h1>Carbon report of cluster <bdi>alpha</bdi>, October 2026</h1>' "$dir/one.html"
    grep -q '<p class="total">205 <span>kg CO₂e</span></p>' "$dir/one.html"
    grep -q 'Between 185 and 242 kg' "$dir/one.html"
    grep -q '<strong>Do not add</strong>' "$dir/one.html"
    [ "$(stat -c %a "$dir/one.html")" = 644 ]
}

@test "the page is well-formed and shows what the text shows" {
    books
    command -v xmllint >/dev/null || skip "no xmllint: scripts/deps test installs it"
    "$sreport" --month 2026-10 --html - >"$dir/page.html"
    xmllint --noout "$dir/page.html"
    run xmllint --xpath 'string(//table[@id="accounts"]/tfoot)' "$dir/page.html"
    says "All jobs"
    run xmllint --xpath 'count(//table[not(caption)])' "$dir/page.html"
    [ "$output" = 0 ]
    run xmllint --xpath 'count(//*[local-name()="svg" and @role="img"][not(title) or not(desc)])' \
        "$dir/page.html"
    [ "$output" = 0 ]
}

@test "a page that cannot be written is an error, and leaves nothing" {
    books
    run "$sreport" --month 2026-10 --html "$dir/none/page.html"
    [ "$status" -eq 1 ]
    says "--html: cannot open the directory $dir/none/"
    mkdir "$dir/folder"
    run "$sreport" --month 2026-10 --html "$dir/folder"
    [ "$status" -eq 1 ]
    says "is no regular file: name another, or - for standard output"
    run "$sreport" --month 2026-10 --html "$dir/folder/"
    [ "$status" -eq 1 ]
    says "names no file"
    [ -z "$(ls -A "$dir/folder")" ]
    run "$sreport" --json --html -
    [ "$status" -eq 1 ]
    says "exclude each other"
    run "$sreport" --section day --html -
    [ "$status" -eq 1 ]
    says "--html has all sections"
}

# --- the browser ---------------------------------------------------------------------------------

@test "on a telephone, a tablet and a desk nothing is cut off, overlaps, or is too small or pale" {
    need_browser
    pages
    run probe 360x719x721x1200 "$(names_of)"
    says "probed $(($(find . -name '*.html' | wc -l) * 4 - 4)) light"
    [ "${#lines[@]}" -eq 1 ] || { echo "$output"; false; }
    run grep 'CONSOLE' "$dir/log"
    [ "$status" -eq 1 ]
}

@test "so it is in dark colours" {
    need_browser
    pages
    run probe 360x1200 month.html,spread.html --force-dark-mode \
        --blink-settings=preferredColorScheme=0
    says "probed 4 dark"
    [ "${#lines[@]}" -eq 1 ] || { echo "$output"; false; }
}

@test "the probe finds what it looks for" {
    need_browser
    pages
    sed -i -e 's|</main>|<p style="width:500px;color:#ccc">pale</p><script>1</script></main>|' \
        -e 's|svg text{|svg text{font-size:6px!important;|' \
        -e 's|text class="s mid" x="[0-9.]*"|text class="s mid" x="5"|g' month.html
    run probe 360 month.html
    says "month.html at 360: is 5"
    says "P "
    says "contrast 1"
    says "text of 6"
    says "overlap: "
    grep -q 'CONSOLE.*Content Security Policy' "$dir/log"
}

@test "on paper it is A4, and not too much of it" {
    need_browser
    command -v pdfinfo >/dev/null || skip "no pdfinfo: scripts/deps test installs it"
    pages
    local name sheets
    for name in month accounts60 empty; do
        browse --no-pdf-header-footer --print-to-pdf="$dir/$name.pdf" "file://$PWD/$name.html"
        run pdfinfo "$dir/$name.pdf"
        says "(A4)"
        sheets=$(sed -n 's/^Pages: *//p' <<<"$output")
        [ "$sheets" -ge 3 ]
        [ "$sheets" -le 12 ] || { echo "$name has $sheets sheets"; false; }
    done
    # the first sheet has the total, and what it is made of
    run pdftotext -l 1 "$dir/month.pdf" -
    says "14.5"
    says "The parts"
    says "Together"
}
