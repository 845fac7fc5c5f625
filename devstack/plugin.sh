# Puts oidproxy beside the cloud of this DevStack host: installs, configures, starts, stops, removes it.
# shellcheck shell=bash
#
# Sourced once for each phase, with its words as arguments; by stack.sh under errexit, by unstack.sh and
# clean.sh without. The order of stack.sh that it relies on: Keystone runs and has the accounts and endpoints
# of the core services, whose files are written, when post-config comes; the services start after it.

_XTRACE_OIDPROXY=$(set +o | grep xtrace)
set +o xtrace

# What the catalog said before the proxy stood in it, and what `oidproxy cloud config` says.
_OIDPROXY_CATALOG=$OIDPROXY_CONF_DIR/catalog.json
_OIDPROXY_TOLD=$OIDPROXY_CONF_DIR/beside.json

# Stands beside a key that this plugin has made, and so may remove.
_OIDPROXY_OWN_KEY=$OIDPROXY_CONF_DIR/fleet.key.made-by-devstack

# _oidproxy_settings <python> <command> [argument ...]: beside.py, with the settings.
function _oidproxy_settings {
    local python=$1 command=$2
    shift 2
    "$python" "$OIDPROXY_DIR/devstack/beside.py" "$command" \
        --cloud "$OIDPROXY_CLOUD" --clouds "$OIDPROXY_CLOUDS" --region "$REGION_NAME" \
        --service-host "$SERVICE_HOST" --host "$OIDPROXY_HOST" --listen "$OIDPROXY_LISTEN_ADDRESS" \
        --services "$OIDPROXY_SERVICES" --port-offset "$OIDPROXY_PORT_OFFSET" \
        --admin-port "$OIDPROXY_ADMIN_PORT" \
        --fleet-key-file "$OIDPROXY_FLEET_KEY_FILE" --admits "$OIDPROXY_ADMITS" \
        --admit-roles "$OIDPROXY_ADMIT_ROLES" --admit-services "$OIDPROXY_ADMIT_SERVICES" \
        --service-project "$SERVICE_PROJECT_NAME" --service-domain "$SERVICE_DOMAIN_NAME" "$@"
}

# _oidproxy_told <command> [argument ...]: beside.py, with what `oidproxy cloud config` said.
function _oidproxy_told {
    local command=$1
    shift
    "$OIDPROXY_BIN_DIR/python" "$OIDPROXY_DIR/devstack/beside.py" "$command" --told "$_OIDPROXY_TOLD" "$@"
}

# _oidproxy_ask: what the services have to be configured with, by the configuration that stands.
function _oidproxy_ask {
    "$OIDPROXY_BIN_DIR/oidproxy" cloud config "$OIDPROXY_CLOUD" \
        --config "$OIDPROXY_CONF" --host "${OIDPROXY_HOST//[\[\]]/}" --json > "$_OIDPROXY_TOLD"
}

# check_oidproxy: whether the settings can be used, before the long part.
function check_oidproxy {
    local problem
    if [[ -z "$OIDPROXY_CLOUD" ]]; then
        die $LINENO "OIDPROXY_CLOUD is not set: name this host's cloud in local.conf," \
            "e.g. OIDPROXY_CLOUD=cloud-1"
    fi
    if [[ -z "$OIDPROXY_CLOUDS" ]]; then
        die $LINENO "OIDPROXY_CLOUDS is not set: list every cloud in local.conf," \
            "e.g. OIDPROXY_CLOUDS=\"cloud-1=10.0.0.1,RegionOne cloud-999=10.0.0.2,Edge999\""
    fi
    if ! is_service_enabled keystone; then
        die $LINENO "oidproxy stands beside a whole cloud: enable keystone on this host," \
            "or disable_service oidproxy"
    fi
    if is_service_enabled tls-proxy; then
        die $LINENO "oidproxy's plugin does not go with tls-proxy: disable_service tls-proxy, or oidproxy"
    fi
    if ! "$OIDPROXY_PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        die $LINENO "oidproxy needs Python 3.11 or later: set OIDPROXY_PYTHON (it is $OIDPROXY_PYTHON)"
    fi
    if ! problem=$(_oidproxy_settings "$OIDPROXY_PYTHON" check); then
        die $LINENO "${problem:-the settings of oidproxy cannot be used, see above}"
    fi
}

# install_oidproxy: the proxy into an environment of its own, since its versions are not those of
# upper-constraints; the plugin of the openstack client, which needs little, to where that client will be.
function install_oidproxy {
    if [[ "$OFFLINE" != "True" ]]; then
        "$OIDPROXY_PYTHON" -m venv "$OIDPROXY_VENV"
        "$OIDPROXY_BIN_DIR/python" -m pip install --editable "${OIDPROXY_DIR}[server]"
    fi
    if [[ ! -x "$OIDPROXY_BIN_DIR/oidproxy" ]]; then
        die $LINENO "there is no $OIDPROXY_BIN_DIR/oidproxy: run stack.sh once with OFFLINE=False"
    fi
    pip_install --editable "$OIDPROXY_DIR"
}

# configure_oidproxy: the key, oidproxy.yaml, and the services' files.
function configure_oidproxy {
    local catalog
    # It writes nova.conf while this phase begins, and stack.sh waits for it only afterwards. A second wait
    # does nothing.
    if is_service_enabled nova && type -t async_wait > /dev/null; then
        async_wait configure_neutron_nova
    fi

    sudo install -d -m 0750 -o "$STACK_USER" "$OIDPROXY_CONF_DIR"
    _oidproxy_make_fleet_key

    catalog=$(openstack --os-cloud devstack-system-admin endpoint list -f json)
    if ! _oidproxy_settings "$OIDPROXY_BIN_DIR/python" configuration --remember "$_OIDPROXY_CATALOG" \
            <<< "$catalog" > "$OIDPROXY_CONF.new"; then
        die $LINENO "oidproxy.yaml could not be made, see above"
    fi
    # Whole or not at all: a proxy that runs reads it as soon as it changes.
    mv "$OIDPROXY_CONF.new" "$OIDPROXY_CONF"
    if ! "$OIDPROXY_BIN_DIR/oidproxy" config check "$OIDPROXY_CONF"; then
        die $LINENO "$OIDPROXY_CONF cannot be used, see above"
    fi

    _oidproxy_ask
    _oidproxy_configure_services
}

# _oidproxy_make_fleet_key: where there is none. It is on no command line and not in the log.
function _oidproxy_make_fleet_key {
    if [[ ! -s "$OIDPROXY_FLEET_KEY_FILE" ]]; then
        touch "$_OIDPROXY_OWN_KEY"
        (umask 077; openssl rand -hex 64 > "$OIDPROXY_FLEET_KEY_FILE")
        echo_summary "oidproxy: made $OIDPROXY_FLEET_KEY_FILE; every cloud has to have the same, so copy it"
    fi
    if ! chmod 0600 "$OIDPROXY_FLEET_KEY_FILE"; then
        die $LINENO "$OIDPROXY_FLEET_KEY_FILE has to belong to $STACK_USER"
    fi
}

# _oidproxy_configure_services: the lines into the files. DevStack's name for nova.conf is NOVA_CONF, for
# glance-api.conf GLANCE_API_CONF, and so on.
function _oidproxy_configure_services {
    local lines file section key value variable image
    lines=$(_oidproxy_told lines)
    while IFS=$'\t' read -r file section key value; do
        variable=${file%.conf}
        variable=${variable^^}
        variable=${variable//-/_}_CONF
        _oidproxy_set_line "${!variable}" "$variable" "$section" "$key" "$value"
    done <<< "$lines"

    # These bypass the catalog, and with it the proxy.
    image=$(_oidproxy_told address image)
    _oidproxy_replace "$CINDER_CONF" DEFAULT glance_api_servers "$image"
    _oidproxy_replace "$NOVA_CONF" glance api_servers "$image"
    _oidproxy_replace "$NOVA_CONF" glance endpoint_override "$image"
}

# _oidproxy_set_line <file> <its variable> <section> <key> <value>
function _oidproxy_set_line {
    local conf=$1 variable=$2 section=$3 key=$4 value=$5 cell
    if [[ -z "$conf" ]] || ! ini_has_option "$conf" keystone_authtoken auth_type; then
        die $LINENO "$variable (${conf:-not set}) has no account in [keystone_authtoken]:" \
            "enable its service on this host, or take it out of OIDPROXY_SERVICES"
    fi
    if [[ "$section" == service_user ]]; then
        iniset "$conf" "$section" "$key" "$value"
        _oidproxy_give_account "$conf" "$section"
    elif ini_has_option "$conf" "$section" auth_type; then
        # Without an account the section is not in use.
        iniset "$conf" "$section" "$key" "$value"
    fi
    if [[ "$variable" == NOVA_CONF ]]; then
        # The conductors of cells have files of their own; nova-cpu.conf is copied from nova.conf when
        # nova-compute starts.
        for cell in "$NOVA_CONF_DIR"/nova_cell*.conf; do
            if [[ -f "$cell" ]] && ini_has_option "$cell" "$section" auth_type; then
                iniset "$cell" "$section" "$key" "$value"
            fi
        done
    fi
}

# _oidproxy_give_account <file> <section>: the account of [keystone_authtoken], to a section without one. Its
# password goes through a pipe: iniset would put it on a command line.
function _oidproxy_give_account {
    local conf=$1 section=$2
    if ini_has_option "$conf" "$section" auth_type; then
        return 0
    fi
    sed -n '/^\[keystone_authtoken\]/,/^\[/{
        /^\(auth_type\|username\|password\|user_domain_name\|project_name\|project_domain_name\|cafile\)[ \t]*=/p
    }' "$conf" | sed -i "/^\\[$section\\]/r /dev/stdin" "$conf"
}

# _oidproxy_replace <file> <section> <key> <value>: if the key is there.
function _oidproxy_replace {
    if [[ -f "$1" && -n "$4" ]] && ini_has_option "$1" "$2" "$3"; then
        iniset "$1" "$2" "$3" "$4"
    fi
}

# start_oidproxy: after Keystone, before every other service.
function start_oidproxy {
    local identity command
    identity=$(_oidproxy_told address identity)
    # An earlier one that still runs may have other addresses.
    stop_process oidproxy
    command="$OIDPROXY_BIN_DIR/oidproxy serve --config $OIDPROXY_CONF"
    command+=" --workers $OIDPROXY_WORKERS --access-log $OIDPROXY_ACCESS_LOG"
    run_process oidproxy "$command"
    if ! wait_for_service "$SERVICE_TIMEOUT" "$identity"; then
        die $LINENO "oidproxy does not answer at $identity: see journalctl -u devstack@oidproxy"
    fi
    if ! curl -g --noproxy '*' -sS -f -o /dev/null "$identity"; then
        die $LINENO "oidproxy answers at $identity, but Keystone does not answer through it"
    fi
}

# create_oidproxy_endpoints: the catalog's public addresses become the proxy's. Late, so that what stack.sh
# makes itself (networks, flavors, images) does not depend on it.
function create_oidproxy_endpoints {
    _oidproxy_ask
    _oidproxy_move_endpoints
    echo_summary "oidproxy: for scopes, set OS_AUTH_URL=$(_oidproxy_told address identity)"
}

# _oidproxy_move_endpoints [--back]
function _oidproxy_move_endpoints {
    local catalog changes id url
    catalog=$(openstack --os-cloud devstack-system-admin endpoint list -f json) || return 1
    changes=$(_oidproxy_told changes --remember "$_OIDPROXY_CATALOG" --region "$REGION_NAME" "$@" \
        <<< "$catalog") || return 1
    while IFS=$'\t' read -r id url; do
        if [[ -n "$id" ]]; then
            openstack --os-cloud devstack-system-admin endpoint set --url "$url" "$id" < /dev/null \
                || return 1
        fi
    done <<< "$changes"
}

# stop_oidproxy: after the catalog, for which it is needed and which may be kept (RECREATE_KEYSTONE_DB=False).
function stop_oidproxy {
    if [[ -s "$_OIDPROXY_CATALOG" && -s "$_OIDPROXY_TOLD" ]]; then
        # Not as whom openrc, which unstack.sh has read, says.
        if ! (unset "${!OS_@}"; _oidproxy_move_endpoints --back); then
            warn $LINENO "the catalog still names oidproxy; that matters only with RECREATE_KEYSTONE_DB=False"
        fi
    fi
    stop_process oidproxy
}

# cleanup_oidproxy: all that was made, but not a key that was brought here.
function cleanup_oidproxy {
    if [[ -e "$_OIDPROXY_OWN_KEY" ]]; then
        sudo rm -f "$OIDPROXY_FLEET_KEY_FILE" "$_OIDPROXY_OWN_KEY"
    fi
    sudo rm -f "$OIDPROXY_CONF" "$OIDPROXY_CONF.new" "$_OIDPROXY_CATALOG" "$_OIDPROXY_TOLD"
    if [[ -d "$OIDPROXY_CONF_DIR" ]]; then
        sudo rmdir --ignore-fail-on-non-empty "$OIDPROXY_CONF_DIR"
    fi
    if [[ "$OIDPROXY_ACCESS_LOG" != - ]]; then
        sudo rm -f "$OIDPROXY_ACCESS_LOG"
    fi
    sudo rm -rf "$OIDPROXY_VENV"
    pip_uninstall oidproxy
}

$_XTRACE_OIDPROXY

if is_service_enabled oidproxy; then
    case "$1 $2" in
        "stack pre-install")
            check_oidproxy
            if is_ubuntu; then
                install_package python3-venv
            fi
            ;;
        "stack install")
            echo_summary "Installing oidproxy"
            install_oidproxy
            ;;
        "stack post-config")
            echo_summary "Configuring oidproxy"
            configure_oidproxy
            echo_summary "Starting oidproxy"
            start_oidproxy
            ;;
        "stack extra")
            echo_summary "Putting oidproxy into the catalog"
            create_oidproxy_endpoints
            ;;
        "unstack ")
            stop_oidproxy
            ;;
        "clean ")
            cleanup_oidproxy
            ;;
    esac
fi
