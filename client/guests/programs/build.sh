#!/usr/bin/env bash
# Builds a program from Debian's source package, its source unmodified, over ../libc and the headers of ../absent:
# build.sh netcat|sic|mosquitto|c-ares|curl FOLDER puts it into FOLDER, where the source is fetched to and built, too.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
package=$1
out=$(realpath -m "$2")
cc=$here/../cc
"$here/../fetch-source.sh" "$package" "$out/src"
work=$out/programs/$package
# What was configured is kept: its own make knows what to do again.
if [ ! "$work/configured" -nt "$0" ]; then
    rm -rf "$work"
    mkdir -p "$out/programs"
    cp -a "$out/src/$package" "$work"
fi
cd "$work"

flags=(-O2 -Wno-everything -Werror=implicit-function-declaration -isystem "$here/../absent" -D_GNU_SOURCE)
# compile FOLDER SOURCE...: each into FOLDER, as many at a time as there are processors.
compile() {
    mkdir -p "$1"
    printf '%s\0' "${@:2}" | (cd "$1" && xargs -0 -P "$(nproc)" -n 8 "$cc" "${flags[@]}" -c)
}
# link NAME FILE...
link() { "$cc" -Wl,--strip-all "${@:2}" -o "$out/$1.wasm"; }
# configure OPTION...: with the options common to all of these programs.
configure() {
    [ ! -e configured ] || return 0
    ./configure --quiet --disable-shared --enable-static CC="$cc" AR=llvm-ar-14 RANLIB=llvm-ranlib-14 \
        CFLAGS="-O2 -Wno-everything -Werror=implicit-function-declaration" CPPFLAGS="-isystem $here/../absent" "$@"
    touch configured
}

case "$package" in
    netcat) # Debian's netcat-traditional; older than the rule that a function is declared first.
        link nc "${flags[@]}" -Wno-implicit-function-declaration -include time.h -DLINUX -DTELNET -DDEBIAN_VERSION='"wasm"' netcat.c ;;
    sic) # an IRC client
        link sic "${flags[@]}" -DVERSION='"wasm"' sic.c ;;
    mosquitto) # mosquitto_pub, mosquitto_sub and the broker, without TLS, persistence, bridges and websockets
        flags+=(-DVERSION='"wasm"' -I"$work" -I"$work/include" -I"$work/deps" -I"$work/lib" -I"$work/src")
        compile objects/lib "$work"/lib/*.c
        compile objects/pub "$work"/client/{pub_client,pub_shared,client_shared,client_props}.c
        compile objects/sub "$work"/client/{sub_client,sub_client_output,client_shared,client_props}.c
        link mosquitto_pub objects/pub/*.o objects/lib/*.o
        link mosquitto_sub objects/sub/*.o objects/lib/*.o
        # The broker compiles what it shares with the library in its own way; the objects are those of its Makefile.
        flags+=(-DWITH_BROKER -DWITH_MEMORY_TRACKING -DWITH_SYS_TREE)
        sources=()
        for object in $(sed -n '/^OBJS=/,/^$/p' src/Makefile | grep -o '[a-z0-9_]*\.o'); do
            source=src/${object%.o}.c
            [ -e "$source" ] || source=lib/${object%.o}.c
            sources+=("$work/$source")
        done
        compile objects/broker "${sources[@]}"
        link mosquitto objects/broker/*.o ;;
    c-ares) # adig, which asks DNS servers. Its config.sub is too old to know WASI.
        configure --host=wasm32-none --disable-tests
        make -s -j"$(nproc)" -C src/lib
        rm -f src/tools/adig
        make -s -C src/tools adig LDFLAGS=-Wl,--strip-all
        install -m 644 src/tools/adig "$out/adig.wasm" ;;
    curl) # with BearSSL for TLS, of which tls-client's build (../bearssl) left the objects
        mkdir -p tls/lib tls/include
        cp "$out"/src/bearssl/inc/* tls/include
        "$cc" -O2 -I tls/include -c "$here/../bearssl/seeder.c" -o tls/seeder.o
        llvm-ar-14 rcs tls/lib/libbearssl.a "$out"/src/bearssl-objects/*.o tls/seeder.o
        configure --host=wasm32-wasi --with-bearssl="$work/tls" --without-ca-bundle --without-ca-path --disable-threaded-resolver --disable-pthreads \
            --disable-unix-sockets --disable-ldap --disable-ntlm --disable-tls-srp --disable-manual --without-libpsl --without-libidn2 --without-zlib \
            --without-brotli --without-zstd --without-nghttp2 --without-librtmp --without-libssh2
        make -s -j"$(nproc)" -C lib
        rm -f src/curl
        make -s -j"$(nproc)" -C src LDFLAGS=-Wl,--strip-all
        install -m 644 src/curl "$out/curl.wasm" ;;
    *)
        echo "build.sh: there is no program $package" >&2
        exit 2 ;;
esac
