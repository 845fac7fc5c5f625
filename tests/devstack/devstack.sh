# A DevStack of stubs: the functions and variables that the plugin takes from the real one, in its order.
# shellcheck shell=bash
#
# devstack.sh <localrc> <word> ...: a word is a phase of stack.sh, "source" for what comes before the phases
# only, or unstack or clean. What is called is written to $HERE/calls; services' files stand below $HERE/etc.

set -o errexit
LOCALRC=$1
shift

function record { printf '%s\n' "$*" >> "$HERE/calls"; }

function die { set +o xtrace; shift; echo "[ERROR] $*" >&2; exit 1; }
function warn { shift; echo "[WARNING] $*" >&2; }
function echo_summary { record "echo_summary $*"; }
function sudo { "$@"; }
function is_ubuntu { true; }

function define_plugin { :; }
function enable_plugin { record "enable_plugin $*"; }
function is_service_enabled {
    local service
    for service in "$@"; do
        if [[ ,$ENABLED_SERVICES, == *,$service,* ]]; then return 0; fi
    done
    return 1
}
function enable_service {
    if [[ ,$DISABLED_SERVICES, != *,$1,* ]]; then ENABLED_SERVICES+=,$1; fi
}
function disable_service {
    local service
    for service in "$@"; do
        DISABLED_SERVICES+=,$service
        ENABLED_SERVICES=${ENABLED_SERVICES/,$service/}
    done
}

function install_package { record "install_package $*"; }
function pip_install { record "pip_install $*"; }
function pip_uninstall { record "pip_uninstall $*"; }

# Like the real ones these do not trace, and like them they see neither comments nor other sections.
function ini_has_option {
    local - line inside=
    set +o xtrace
    while IFS= read -r line; do
        if [[ "$line" == \[* ]]; then inside=$line; fi
        if [[ "$inside" == "[$2]" && "$line" =~ ^$3[[:blank:]]*= ]]; then return 0; fi
    done < "$1"
    return 1
}
function iniset {
    local - line inside='' text='' done=
    set +o xtrace
    record "iniset $1 $2 $3"
    touch "$1"
    while IFS= read -r line; do
        if [[ "$line" == \[* ]]; then
            if [[ "$inside" == "[$2]" && -z "$done" ]]; then text+="$3 = $4"$'\n' done=yes; fi
            inside=$line
        fi
        if [[ "$inside" == "[$2]" && "$line" =~ ^$3[[:blank:]]*= ]]; then line="$3 = $4" done=yes; fi
        text+=$line$'\n'
    done < "$1"
    if [[ -z "$done" && "$inside" != "[$2]" ]]; then text+=$'\n'"[$2]"$'\n'; fi
    if [[ -z "$done" ]]; then text+="$3 = $4"$'\n'; fi
    printf '%s' "$text" > "$1"
}

# What stack.sh began before post-config ends when it is waited for, and not before.
function async_wait {
    record "async_wait $*"
    if [[ -n "$NEUTRON_IN_NOVA_IS_LATE" ]]; then
        NEUTRON_IN_NOVA_IS_LATE=
        iniset "$NOVA_CONF" neutron auth_type password
        iniset "$NOVA_CONF" neutron auth_url "$KEYSTONE_SERVICE_URI"
        iniset "$NOVA_CONF" neutron region_name "$REGION_NAME"
    fi
}

# Keystone's catalog is a file with a line for each endpoint. It listens to the administrator of the system,
# whom an environment as openrc makes it would contradict.
function openstack {
    record "openstack $*"
    if [[ "$1 $2" != "--os-cloud devstack-system-admin" || -n "$OS_USERNAME" ]]; then return 1; fi
    case "$3 $4" in
        "endpoint list") cat "$HERE/catalog.json" ;;
        "endpoint set")
            cat > /dev/null
            sed -i "/\"ID\": \"$7\"/ s#\"URL\": \"[^\"]*\"#\"URL\": \"$6\"#" "$HERE/catalog.json"
            ;;
        *) return 1 ;;
    esac
}

function run_process {
    record "run_process $*"
    if [[ -n "$REALLY_RUN" ]]; then
        # shellcheck disable=SC2086  # as systemd does
        $2 > "$HERE/served" 2>&1 &
        echo $! > "$HERE/pid"
    fi
}
function stop_process {
    record "stop_process $*"
    if [[ -s "$HERE/pid" ]]; then
        kill "$(< "$HERE/pid")"
        while kill -0 "$(< "$HERE/pid")" 2> /dev/null; do sleep 0.05; done
        rm "$HERE/pid"
    fi
}
function wait_for_service {
    local left
    record "wait_for_service $*"
    if [[ -n "$REALLY_RUN" ]]; then
        for left in {1..600}; do
            if command curl -s -o /dev/null "$2"; then return 0; fi
            sleep 0.1
        done
        return "$left"
    fi
}
function curl {
    record "curl $*"
    if [[ -n "$REALLY_RUN" ]]; then command curl "$@"; fi
}

# stackrc and lib/*
ENABLED_SERVICES=mysql,rabbit,key,keystone,g-api,glance,n-api,n-cpu,n-cond,nova,q-svc,neutron
ENABLED_SERVICES+=,placement,c-api,cinder,tempest,horizon
DEST=$HERE/dest
# shellcheck source=/dev/null
source "$LOCALRC"
# shellcheck disable=SC2034  # the plugin uses them
{
    STACK_USER=$(id -un)
    SERVICE_HOST=${SERVICE_HOST:-$HOST_IP}
    REGION_NAME=${REGION_NAME:-RegionOne}
    SERVICE_PROJECT_NAME=service
    SERVICE_DOMAIN_NAME=Default
    SERVICE_TIMEOUT=60
    KEYSTONE_SERVICE_URI=${KEYSTONE_SERVICE_URI:-http://$SERVICE_HOST/identity}
    NOVA_CONF_DIR=$HERE/etc
    NOVA_CONF=$HERE/etc/nova.conf
    GLANCE_API_CONF=$HERE/etc/glance-api.conf
    NEUTRON_CONF=$HERE/etc/neutron.conf
    PLACEMENT_CONF=$HERE/etc/placement.conf
    CINDER_CONF=$HERE/etc/cinder.conf
}
mkdir -p "$DEST"
# shellcheck source=/dev/null
source "$PLUGIN/settings"

function run_phase {
    # shellcheck source=/dev/null
    source "$PLUGIN/plugin.sh" "$@"
}

for word in "$@"; do
    record "phase $word"
    case "$word" in
        source) ;;
        unstack|clean)
            # Neither has errexit; both have read openrc.
            set +o errexit
            export OS_USERNAME=demo OS_PROJECT_NAME=demo OS_AUTH_URL=http://elsewhere
            run_phase "$word"
            ;;
        *)
            set -o xtrace
            run_phase stack "$word"
            set +o xtrace
            ;;
    esac
done
