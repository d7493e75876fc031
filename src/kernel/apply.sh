#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Puts the companion series into a kernel's source tree, or takes it out.
#   apply.sh [--dry-run] [--reverse] [--tests] TREE
# --tests stands for the patches named *-test alone: they show what is wrong without the others. The version is read from TREE/Makefile. Nothing of TREE changes unless all patches fit exactly, without fuzz.
# A tree that has the series already (or, with --reverse, has nothing of it) is left as it is: that is no error.
# Exit status: 0 done, or nothing to do; 1 the series does not fit; 2 wrong usage.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

die() {
    echo "apply.sh: $1" >&2
    exit "${2:-1}"
}

dry='' reverse='' tests='' tree=''
for word in "$@"; do
    case $word in
        --dry-run) dry=yes ;;
        --reverse) reverse=yes ;;
        --tests) tests=yes ;;
        -*) die "no option $word; there are --dry-run, --reverse and --tests" 2 ;;
        *) [ -z "$tree" ] || die "one tree at a time" 2; tree=$word ;;
    esac
done
[ -n "$tree" ] || die "usage: apply.sh [--dry-run] [--reverse] TREE" 2
if [ ! -f "$tree/Makefile" ] || [ ! -f "$tree/Kbuild" ]; then
    die "$tree is no kernel source tree" 2
fi

makefile_value() {
    sed -n "s/^$1 = *//p" "$tree/Makefile" | head -n 1
}
version=$(makefile_value VERSION).$(makefile_value PATCHLEVEL)
hooks=$here/hooks/$version
[ -d "$hooks" ] || die "$tree is Linux $version; there are patches for $(cd "$here/hooks" && echo [0-9]*)" 2

names=() files=()
while read -r name new; do
    [ -f "$hooks/$name.patch" ] || continue
    [ -z "$tests" ] || [[ $name == *-test ]] || continue
    names+=("$name")
    # shellcheck disable=SC2206 # a list of words
    files+=($new)
done < <(grep -v '^#' "$here/series")

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Files of the tree that the patches change.
mapfile -t changed < <(for name in "${names[@]}"; do sed -n 's|^+++ b/||p' "$hooks/$name.patch"; done | sort -u)

# fresh NAME: a copy of those files in $scratch/NAME.
fresh() {
    local file
    mkdir -p "$scratch/$1"
    for file in "${changed[@]}"; do
        [ -f "$tree/$file" ] || die "$tree has no $file"
        mkdir -p "$scratch/$1/$(dirname "$file")"
        cp "$tree/$file" "$scratch/$1/$file"
    done
}

# run DIRECTORY [-R] NAME...: patches in this order; what patch says is in $scratch/log.
run() {
    local directory=$1 options="-p1 -s -F0 --no-backup-if-mismatch -r - -f"
    shift
    if [ "$1" = -R ]; then
        options="$options -R"
        shift
    fi
    for name in "$@"; do
        # shellcheck disable=SC2086 # a list of words
        patch $options -d "$scratch/$directory" -i "$hooks/$name.patch" >"$scratch/log" 2>&1 || return 1
    done
}

backwards=()
for name in "${names[@]}"; do backwards=("$name" "${backwards[@]}"); done

# new_files_are present|absent
new_files_are() {
    local file
    for file in "${files[@]}"; do
        if [ "$1" = absent ]; then
            [ ! -e "$tree/$file" ] || return 1
        else
            cmp -s "$here/files/$file" "$tree/$file" || return 1
        fi
    done
}

state=neither
fresh with
fresh without
if new_files_are absent && run with "${names[@]}"; then
    state=without
elif new_files_are present && run without -R "${backwards[@]}"; then
    state=with
fi

# put FILE...: into the tree from $scratch/$1, each by a rename: a tree of hard links may share them with another one.
put() {
    local from=$1 file
    shift
    for file in "$@"; do
        mkdir -p "$tree/$(dirname "$file")"
        cp "$from/$file" "$tree/$file.apply-new"
        chmod --reference="$tree/Makefile" "$tree/$file.apply-new"
        mv "$tree/$file.apply-new" "$tree/$file"
    done
}

case ${reverse:-no}-$state in
    no-with) echo "Linux $version in $tree has the series already" ;;
    yes-without) echo "Linux $version in $tree has nothing of the series" ;;
    no-without)
        [ -n "$dry" ] || { put "$scratch/with" "${changed[@]}"; put "$here/files" "${files[@]}"; }
        echo "Linux $version in $tree: ${#names[@]} patches ${dry:+would be }applied"
        ;;
    yes-with)
        [ -n "$dry" ] || { put "$scratch/without" "${changed[@]}"; (cd "$tree" && rm -f "${files[@]}"); }
        echo "Linux $version in $tree: ${#names[@]} patches ${dry:+would be }taken out"
        ;;
    *)
        for file in "${files[@]}"; do
            [ ! -e "$tree/$file" ] || cmp -s "$here/files/$file" "$tree/$file" ||
                die "$tree/$file is there and is not ours"
        done
        rm -rf "$scratch/with"
        fresh with
        run with "${names[@]}" && die "$tree has only some of the new files: ${files[*]}"
        for name in "${names[@]}"; do
            run with "$name" || break
        done
        die "$name does not fit Linux $version in $tree: $(head -n 3 "$scratch/log" | tr '\n' ' ')"
        ;;
esac
