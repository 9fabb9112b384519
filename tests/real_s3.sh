#!/usr/bin/env bash
# A real S3 server for tests: one Ceph monitor, one in-memory OSD and one RADOS gateway on the loopback interface,
# out of Debian packages that are unpacked into a scratch folder. No root, nothing installed. Debian and Ubuntu only.
#
#   tests/real_s3.sh start            start it (the first time downloads about 70 MB) and print the variables
#   tests/real_s3.sh run COMMAND...   start it, run COMMAND with the variables set, stop it; its exit code is ours
#   tests/real_s3.sh stop             stop it and forget what it stored; the packages stay for the next time
#
# STYLIZE_RADOS: the scratch folder. STYLIZE_RADOS_PORT: the gateway's port; the monitor takes the next one.
set -euo pipefail

scratch=${STYLIZE_RADOS:-${TMPDIR:-/tmp}/stylize-rados-$(id -u)}
gateway_port=${STYLIZE_RADOS_PORT:-37480}
monitor_port=$((gateway_port + 1))
packages=$scratch/packages root=$scratch/root state=$scratch/state conf=$scratch/state/ceph.conf
key=stylize secret=stylize-tests-only

fail() { echo "real_s3.sh: $*" >&2; exit 1; }

libraries=$root/usr/lib/$(uname -m)-linux-gnu
with_ceph=(env # what runs a program of the unpacked packages
    "LD_LIBRARY_PATH=$libraries:$libraries/ceph:$root/usr/lib/ceph:$root/lib/$(uname -m)-linux-gnu"
    "PYTHONPATH=$root/usr/lib/python3/dist-packages" "PATH=$root/usr/bin:$PATH")

ceph() { "${with_ceph[@]}" timeout 10 /usr/bin/python3 "$root/usr/bin/ceph" -c "$conf" "$@"; }

in_background() { # NAME PROGRAM...: its process id and its output lie in the state folder
    local name=$1; shift
    "${with_ceph[@]}" "$@" >"$state/$name.out" 2>&1 &
    echo $! >"$state/$name.process"
}

wait_for() { # NAME CONDITION...: up to a minute, as long as that process lives
    local name=$1 tries; shift
    for ((tries = 0; tries < 300; tries++)); do
        if "$@" >/dev/null 2>&1; then return; fi
        kill -0 "$(cat "$state/$name.process")" 2>/dev/null || break
        sleep 0.2
    done
    tail -n 5 "$state/$name.out" >&2
    fail "the $name did not come up; its logs are in $state"
}

unpack() {
    if [[ -e $root/.complete ]]; then return; fi
    command -v apt-get >/dev/null || fail "apt-get is needed for the Ceph packages; this works on Debian and Ubuntu"
    mkdir -p "$packages/partial" "$root"
    apt-get -qq -o Dir::Cache::archives="$packages" -o Debug::NoLocking=1 --download-only -y \
        --no-install-recommends install radosgw ceph-osd ceph-mon >&2 ||
        fail "the Ceph packages could not be downloaded; refresh the package lists with 'apt-get update' as root"
    for package in "$packages"/*.deb; do dpkg -x "$package" "$root"; done
    touch "$root/.complete"
}

configure() {
    local plugins classes cluster
    classes=$(dirname "$(find "$root" -name 'libcls_rgw.so*' -print -quit)")
    plugins=$(dirname "$(find "$root" -name 'libec_jerasure.so*' -print -quit)")
    cluster=$(cat /proc/sys/kernel/random/uuid)
    mkdir -p "$state"/{monitor,osd,gateway}
    cat >"$conf" <<END
[global]
fsid = $cluster
mon host = v1:127.0.0.1:$monitor_port/0
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
auth cluster required = none
auth service required = none
auth client required = none
run dir = $state
admin socket = $state/\$name.asok
log file = $state/\$name.log
pid file = $state/\$name.pid
crash dir = $state/crash
erasure code dir = $plugins
plugin dir = $(dirname "$plugins")
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 2000
mon data avail crit = 1
[mon]
mon data = $state/monitor
mon initial members = a
[osd]
osd data = $state/osd
osd objectstore = memstore
osd class dir = $classes
osd memory target = 1073741824
memstore device bytes = 2147483648
[client.rgw]
rgw data = $state/gateway
rgw frontends = beast endpoint=127.0.0.1:$gateway_port
rgw dns name = localhost
rgw enable usage log = false
END
    "${with_ceph[@]}" monmaptool --create --fsid "$cluster" --addv a "[v1:127.0.0.1:$monitor_port]" \
        "$state/monmap" >/dev/null
}

start_monitor() {
    "${with_ceph[@]}" ceph-mon --mkfs -i a --monmap "$state/monmap" -c "$conf"
    in_background monitor ceph-mon -i a -c "$conf" -f
    wait_for monitor ceph --status
}

start_osd() {
    local disk; disk=$(cat /proc/sys/kernel/random/uuid)
    ceph osd new "$disk" 0 >/dev/null 2>&1
    "${with_ceph[@]}" ceph-osd --mkfs -i 0 -c "$conf" --osd-uuid "$disk" >"$state/mkfs.out" 2>&1
    in_background osd ceph-osd -i 0 -c "$conf" -f
    wait_for osd osd_is_up
}

osd_is_up() { ceph osd stat | grep -q '1 up'; }

start_gateway() {
    in_background gateway radosgw -n client.rgw -c "$conf" -f
    wait_for gateway port_answers "$gateway_port"
    "${with_ceph[@]}" radosgw-admin -n client.rgw -c "$conf" user create --uid=stylize --display-name=stylize \
        --access-key="$key" --secret-key="$secret" >"$state/user.json" 2>"$state/user.out"
}

start() { # now and then the monitor and the OSD of a fresh cluster disagree about its id, so up to five times
    local attempt
    unpack
    for attempt in 1 2 3 4 5; do
        if (configure && start_monitor && start_osd && start_gateway); then return; fi
        echo "real_s3.sh: attempt $attempt failed" >&2
        stop
    done
    fail "the cluster did not come up in $attempt attempts"
}

port_answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

refuse_a_second_one() {
    if [[ -e $state ]]; then fail "it runs already, or was left behind: tests/real_s3.sh stop"; fi
    if port_answers "$gateway_port" || port_answers "$monitor_port"; then
        fail "port $gateway_port or $monitor_port is taken; set STYLIZE_RADOS_PORT to another one"
    fi
}

is_ours() { # PROCESS: alive and started by us, not a later process that was given the same number
    tr '\0' '\n' 2>/dev/null <"/proc/$1/cmdline" | grep -qxF "$conf"
}

end_process() { # PROCESS: asked first, then forced
    local tries
    is_ours "$1" || return 0
    kill "$1"
    for ((tries = 0; tries < 50; tries++)); do
        is_ours "$1" || return 0
        sleep 0.2
    done
    kill -KILL "$1"
}

stop() {
    local name
    for name in gateway osd monitor; do
        if [[ -e $state/$name.process ]]; then end_process "$(cat "$state/$name.process")"; fi
    done
    rm -rf "$state"
}

variables() {
    echo "STYLIZE_TEST_S3_ENDPOINT=http://127.0.0.1:$gateway_port"
    echo "STYLIZE_TEST_S3_KEY=$key"
    echo "STYLIZE_TEST_S3_SECRET=$secret"
}

case ${1:-} in
start) refuse_a_second_one; start; variables ;;
stop) stop ;;
run)
    shift
    refuse_a_second_one
    trap stop EXIT
    start
    mapfile -t settings < <(variables)
    env "${settings[@]}" "$@"
    ;;
*) sed -n '2,/^$/p' "$0" | sed -n '/^#/s/^# \{0,1\}//p' >&2; exit 2 ;;
esac
