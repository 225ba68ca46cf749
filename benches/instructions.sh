#!/bin/sh
# Instructions of one request, counted by callgrind: all that the answer takes, without making the request.
#
#   ./instructions.sh [contender ..]
#
# Callgrind's processor has no SHA extensions. The second number is without the instructions of the portable SHA-256: add
# about 100 for each block of it that a processor with these extensions hashes.
set -eu
cd "$(dirname "$0")"
cargo build --release --quiet --bin instructions
requests=2000
out=$(mktemp)
trap 'rm -f "$out"' EXIT
[ $# -gt 0 ] || set -- bare service layer service-waiting layer-waiting tower-sessions
echo "| request | contender | instructions | without SHA-256 |"
echo "|---|---|---|---|"
for case in untouched read modify rolling sign-in create forged; do
    for contender in "$@"; do
        valgrind --quiet --tool=callgrind --callgrind-out-file="$out" --toggle-collect='*counted_answer*' \
            target/release/instructions "$contender" "$case" "$requests"
        callgrind_annotate --show-percs=no --threshold=100 --auto=no "$out" | tr -d , | awk -v n="$requests" -v name="$case" -v who="$contender" '
            /PROGRAM TOTALS/ { all = $1 }
            /sha2/ && /compress/ { sha += $1 }
            END { if (all > 0) printf "| %s | %s | %.0f | %.0f |\n", name, who, all / n, (all - sha) / n }'
    done
done
