# shellcheck shell=bash
# shellcheck disable=SC2154
# Helpers of the tests of Debian packages. scripts/check gives PACKAGES, where they lie, and TREE, a
# bare Debian, which is not changed: all of it happens on an overlay.

# In setup_file: $root is the tree, to be written to until close_tree.
open_tree() {
    export root=$BATS_FILE_TMPDIR/root
    mkdir -p "$root" "$BATS_FILE_TMPDIR/over"
    # overlays do not lie on overlays
    mount -t tmpfs -o mode=755 slurm-carbon "$BATS_FILE_TMPDIR/over"
    mkdir "$BATS_FILE_TMPDIR/over/upper" "$BATS_FILE_TMPDIR/over/work"
    mount -t overlay slurm-carbon "$root" \
        -o "lowerdir=${TREE:?},upperdir=$BATS_FILE_TMPDIR/over/upper,workdir=$BATS_FILE_TMPDIR/over/work"
    mount -t proc proc "$root/proc"
    mount -t tmpfs -o mode=755 run "$root/run"
    mkdir "$root/packages"
}

# In teardown_file.
close_tree() {
    umount -l "$root/proc" "$root/run" "$root" "$BATS_FILE_TMPDIR/over"
}

inside() { # COMMAND...: in the Debian
    chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive ${http_proxy:+http_proxy="$http_proxy"} "$@"
}
