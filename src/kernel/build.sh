#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Builds a small kernel for the tests and prints the path of its image as the last line.
#   build.sh [--stock|--tests|--low] [-jN] [--only FILE]... VERSION CONFIG
# VERSION is 6.1, 6.12 or 7.2, CONFIG is x86_64, i386 or arm64. --stock leaves the companion series out, --tests all of
# it but its self-tests, --low what lets the page list of kexec be in high memory on x86. --only builds nothing but
# objects such as kernel/kexec_core.o, with the warnings of W=1 as errors, to see whether they compile.
# Debian's linux-source is fetched by apt, through "tests/vm/run --fetch-source". Trees and objects stay in the cache
# (HIBERNATED_CACHE, else ~/.cache/hibernated-tests), so that a build which was interrupted goes on where it was, and a
# change of the series rebuilds what depends on it. All variants share one ccache: their trees lie at equal depth, and
# the compiler is told paths relative to them.
set -euf
here=$(cd "$(dirname "$0")" && pwd)

die() {
    echo "build.sh: $1" >&2
    exit "${2:-1}"
}

variant=series jobs=-j$(nproc) version='' config='' only=()
while [ $# -gt 0 ]; do
    case $1 in
        --stock | --tests | --low) variant=${1#--} ;;
        --only) shift && only+=("${1:?--only needs a file}") ;;
        -j*) jobs=$1 ;;
        -*) die "no option $1; there are --stock, --tests, --low, --only FILE and -jN" 2 ;;
        *) if [ -z "$version" ]; then version=$1; else config=$1; fi ;;
    esac
    shift
done
[ -n "$config" ] || die "usage: build.sh [--stock|--tests|--low] [-jN] [--only FILE]... VERSION CONFIG" 2
[ -d "$here/hooks/$version" ] || die "no series for Linux $version" 2

cross='' fragments="base machine $config"
case $config in
    x86_64) target=bzImage image=arch/x86/boot/bzImage ;;
    i386) target=bzImage image=arch/x86/boot/bzImage fragments="base i386" ;;
    arm64)
        target=Image image=arch/arm64/boot/Image
        [ "$(uname -m)" = aarch64 ] || cross=aarch64-linux-gnu-
        ;;
    *) die "no configuration $config; there are x86_64, i386 and arm64" 2 ;;
esac

missing=''
need() {
    command -v "$1" >/dev/null || missing="$missing $2"
}
need gcc gcc
need make make
need flex flex
need bison bison
need bc bc
need patch patch
need perl perl
need ccache ccache
[ -z "$cross" ] || need "${cross}gcc" gcc-aarch64-linux-gnu
[ -e /usr/include/libelf.h ] || missing="$missing libelf-dev"
[ -z "$missing" ] || die "apt-get install$missing"

cache=${HIBERNATED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hibernated-tests}
archive=$("$here/../../tests/vm/run" --fetch-source "$version")
release=$(basename "$(dirname "$archive")")
top=$cache/linux/$release
mkdir -p "$top"
# One at a time looks after the trees; then builds of other variants and configurations may go on side by side.
exec 9>"$top/lock"
flock 9

# What the series is about keeps its time where it is the same afterwards: what depends on that need not be built again.
keep() {
    rm -rf "$tree/before" && mkdir "$tree/before"
    {
        find "$here/hooks/$version" "$applied/hooks" -name '*.patch' -exec sed -n 's|^+++ b/||p' {} + 2>/dev/null || true
        (cd "$here/files" && find . -type f)
    } | sort -u | (cd "$tree/src" && while read -r name; do [ ! -f "$name" ] || cp -p --parents "$name" "$tree/before"; done)
}
give_back() {
    (cd "$tree/before" && find . -type f) | while read -r name; do
        ! cmp -s "$tree/before/$name" "$tree/src/$name" || touch -r "$tree/before/$name" "$tree/src/$name"
    done
    rm -rf "$tree/before"
}

# The stock tree, and next to it one of hard links for the series: apply.sh never writes into a file.
if [ ! -e "$top/stock/unpacked" ]; then
    rm -rf "$top/stock" && mkdir -p "$top/stock/src"
    tar -xf "$archive" -C "$top/stock/src" --strip-components=1
    touch "$top/stock/unpacked"
fi
if [ "$variant" != stock ]; then
    tree=$top/$variant
    if [ ! -e "$tree/unpacked" ]; then
        rm -rf "$tree" && mkdir -p "$tree"
        cp -al "$top/stock/src" "$tree/src"
        touch "$tree/unpacked"
    fi
    # What was applied is kept, so that it can be taken out when it has changed.
    applied=$tree/applied part_of=()
    exec 8>"$tree/lock"
    [ "$variant" != tests ] || part_of=(--tests)
    from=$here
    if [ "$variant" = low ]; then
        from=$tree/from
        rm -rf "$from" && mkdir -p "$from/hooks"
        cp -r "$here/apply.sh" "$here/series" "$here/files" "$from"
        cp -r "$here/hooks/$version" "$from/hooks"
        sed -i '/^x86-kexec-list-highmem/d' "$from/series"
    fi
    for part in apply.sh series files "hooks/$version"; do
        diff -rq "$from/$part" "$applied/$part" >/dev/null 2>&1 && continue
        flock 8 # nobody builds from the tree
        keep
        [ ! -d "$applied" ] || "$applied/apply.sh" --reverse "${part_of[@]}" "$tree/src"
        rm -rf "$applied" && mkdir -p "$applied/hooks"
        "$from/apply.sh" "${part_of[@]}" "$tree/src"
        give_back
        cp -r "$from/apply.sh" "$from/series" "$from/files" "$applied"
        cp -r "$from/hooks/$version" "$applied/hooks"
        break
    done
    flock -s 8
fi

objects=$top/$variant/obj-$config
mkdir -p "$objects"
exec 9>&-
exec 9>"$objects/lock"
flock 9
export CCACHE_DIR=${CCACHE_DIR:-$cache/ccache} CCACHE_BASEDIR=$top/$variant CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=time_macros
export KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 1970' KBUILD_BUILD_USER=tests KBUILD_BUILD_HOST=small
build() {
    make -C "$top/$variant/src" O="$objects" ARCH="$config" CROSS_COMPILE="$cross" CC="ccache ${cross}gcc" \
        LOCALVERSION= "$@"
}

# The fragments one after the other; what of them does not stick is shown, since it may not exist in this version.
for part in $fragments; do cat "$here/configs/$part.config"; done >"$objects/wanted.new"
if ! cmp -s "$objects/wanted.new" "$objects/wanted" || [ ! -e "$objects/.config" ]; then
    build -s KCONFIG_ALLCONFIG="$objects/wanted.new" allnoconfig >"$objects/config.log" 2>&1 ||
        die "no configuration, see $objects/config.log"
    mv "$objects/wanted.new" "$objects/wanted"
    grep -E '^(CONFIG_|# CONFIG_)' "$objects/wanted" | grep -vxFf "$objects/.config" |
        sed "s/^/build.sh: Linux $version $config is without /" >&2 || true
fi
if [ "${#only[@]}" -gt 0 ]; then
    build -s "$jobs" prepare >"$objects/only.log" 2>&1 || die "no headers, see $objects/only.log"
    (cd "$objects" && rm -f "${only[@]}")
    build -s "$jobs" W=1 KCFLAGS=-Werror "${only[@]}" >"$objects/only.log" 2>&1 ||
        die "see $objects/only.log: $(grep -m 1 -i 'error' "$objects/only.log" || true)"
    printf '%s\n' "${only[@]/#/$objects/}"
    exit 0
fi
build -s "$jobs" "$target" >"$objects/build.log" 2>&1 ||
    die "the build failed, see $objects/build.log: $(grep -m 1 -i 'error' "$objects/build.log" || true)"
echo "$objects/$image"
