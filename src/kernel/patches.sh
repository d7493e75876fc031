#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Writes the companion series as mails for "git am": DIRECTORY/VERSION/0001-...patch for each kernel version.
#   patches.sh DIRECTORY [VERSION...]
# Author and date are those of the last commit that touched the patch in this repository; outside of one they are
# GIT_AUTHOR_NAME, GIT_AUTHOR_EMAIL and GIT_AUTHOR_DATE. Nobody is signed off: that is for whoever sends them.
set -euf
here=$(cd "$(dirname "$0")" && pwd)

[ $# -ge 1 ] || { echo "usage: patches.sh DIRECTORY [VERSION...]" >&2; exit 2; }
out=$1
shift
[ $# -gt 0 ] || { set +f; set -- "$here"/hooks/*/; set -f; set -- "${@%/}"; set -- "${@##*/}"; }

# author FORMAT PATH...: from git's log, empty if there is none.
from_log() {
    local format=$1
    shift
    git -C "$here" log -1 --format="$format" -- "$@" 2>/dev/null || true
}

# A new file as a diff.
added() {
    echo "diff --git a/$1 b/$1"
    echo "new file mode 100644"
    echo "--- /dev/null"
    echo "+++ b/$1"
    echo "@@ -0,0 +1,$(wc -l <"$here/files/$1") @@"
    sed 's/^/+/' "$here/files/$1"
}

# mail VERSION NUMBER OF NAME FILE...
mail() {
    local version=$1 number=$2 of=$3 name=$4 from date file
    shift 4
    local paths=("$here/hooks/$version/$name.patch" "$here/messages/$name")
    for file in "$@"; do paths+=("$here/files/$file"); done
    from=$(from_log "%an <%ae>" "${paths[@]}")
    date=$(from_log "%aD" "${paths[@]}")
    echo "From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001"
    echo "From: ${from:-${GIT_AUTHOR_NAME:-nobody} <${GIT_AUTHOR_EMAIL:-nobody@localhost}>}"
    echo "Date: ${date:-${GIT_AUTHOR_DATE:-Thu, 01 Jan 1970 00:00:00 +0000}}"
    echo "Subject: [PATCH $version $number/$of] $(head -n 1 "$here/messages/$name")"
    echo
    tail -n +3 "$here/messages/$name"
    echo "---"
    # Diffs in the order of their paths, as git itself writes them, do not matter to "git am": hooks first.
    cat "$here/hooks/$version/$name.patch"
    for file in "$@"; do added "$file"; done
    echo "-- "
    echo "hibernated, companion series for Linux $version"
}

for version in "$@"; do
    [ -d "$here/hooks/$version" ] || { echo "patches.sh: no patches for Linux $version" >&2; exit 2; }
    mkdir -p "$out/$version"
    find "$out/$version" -name '[0-9][0-9][0-9][0-9]-*.patch' -delete
    mapfile -t rows < <(grep -v '^#' "$here/series" |
        while read -r name rest; do [ ! -f "$here/hooks/$version/$name.patch" ] || echo "$name $rest"; done)
    number=0
    for row in "${rows[@]}"; do
        number=$((number + 1))
        # shellcheck disable=SC2086 # a list of words
        mail "$version" "$number" "${#rows[@]}" $row >"$out/$version/$(printf '%04d' "$number")-${row%% *}.patch"
    done
    echo "$out/$version: $number patches"
done
