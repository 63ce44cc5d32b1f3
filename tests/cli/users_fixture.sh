# users_fixture.sh - the database of docs/users.md: that of profile_fixture.sh, with an inventory.
# Source it, users_fixture DIR.

users_fixture() {
    profile_fixture "$1"
    cat > "$1/inventory.conf" <<'END'
node_type "gpu" {
    nodes = "n[1-4]"
    gpus = 4
    cores = 8
    in_service = "2024-01-01"
    asset "server without GPUs" { class = GPU  kg = 2500  kg_low = 2500  kg_high = 2561
        lifetime_years = 6  source = "Luccioni, Viguier, Ligozat 2022" }
    asset "A100" { class = GPU  count = 4  factor = "GPU NVIDIA A100 SXM4 80GB"  lifetime_years = 6 }
}
END
    sacct_factors "$1/carbon.conf"
}
