#!/bin/sh
# What the derive adds to a build: structs of ten fields with serde's derives alone, and with ours beside them.
#
#   ./compile_time.sh
#
# The dependencies are built first; each number is the least of three builds of the generated crate alone.
set -eu
library=$(cd "$(dirname "$0")/.." && pwd)
crate=$(mktemp -d)
trap 'rm -rf "$crate"' EXIT
mkdir "$crate/src"
cat >"$crate/Cargo.toml" <<TOML
[workspace]
[package]
name = "generated"
version = "0.0.0"
edition = "2024"
[dependencies]
http-session = { path = "$library" }
serde = { version = "1", features = ["derive"] }
serde_json = "1"
TOML
cp "$library/benches/Cargo.lock" "$crate/Cargo.lock"

# structs, derives: a struct each, used once, so that a build makes the code.
generate() {
    awk -v structs="$1" -v derives="$2" 'BEGIN {
        split("u64 Option<u64> String Option<String> Vec<String> bool i32 Vec<u8> f64 Option<bool>", types, " ")
        for (s = 1; s <= structs; s++) {
            printf "#[derive(%s)]\npub struct S%d {\n", derives, s
            for (f = 1; f <= 10; f++) printf "    pub field_%d: %s,\n", f, types[f]
            print "}"
            if (derives ~ /Session/)
                printf "pub async fn f%d(mut s: http_session::Session<S%d>) -> u64 { s.field_1 += 1; s.field_1 }\n", s, s
            printf "pub fn j%d(s: &S%d) -> Vec<u8> { serde_json::to_vec(s).unwrap_or_default() }\n", s, s
            printf "pub fn k%d(j: &[u8]) -> Option<S%d> { serde_json::from_slice(j).ok() }\n", s, s
        }
    }' >"$crate/src/lib.rs"
}

# command: the least milliseconds of three runs.
least() {
    least=
    for _ in 1 2 3; do
        touch "$crate/src/lib.rs"
        start=$(date +%s%N)
        (cd "$crate" && cargo "$1" --quiet)
        took=$((($(date +%s%N) - start) / 1000000))
        if [ -z "$least" ] || [ "$took" -lt "$least" ]; then least=$took; fi
    done
    echo "$least"
}

serde="Default, PartialEq, serde::Serialize, serde::Deserialize"
generate 1 "$serde, http_session::Session"
(cd "$crate" && cargo check --quiet && cargo build --quiet)
echo "| structs | command | serde, ms | and Session, ms | added for each struct, ms |"
echo "|---|---|---|---|---|"
for structs in 1 10 50; do
    for command in check build; do
        generate "$structs" "$serde"
        without=$(least "$command")
        generate "$structs" "$serde, http_session::Session"
        with=$(least "$command")
        echo "| $structs | cargo $command | $without | $with | $(((with - without) / structs)) |"
    done
done
