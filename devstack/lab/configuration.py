"""Every configuration file of a cloud: its own half; what is the proxy's, `oidproxy cloud config` says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from devstack.lab.ini import Sections, merged, rendered
from devstack.lab.layout import PORTS
from devstack.lab.passwords import write_private

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from devstack.lab.layout import CloudPlace

ACCOUNTS = ("glance", "placement", "nova", "neutron", "cinder")
"""The services' users, in the project `service`."""

FOLDERS = ("keystone", "glance/images", "glance/staging", "glance/tasks", "nova", "neutron", "cinder")
"""Below a cloud's data: not every service makes its own."""

TOKEN_CACHE_SECONDS = 30
"""So a revoked token is refused everywhere within a minute (keystonemiddleware's default is 300)."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What the files of one cloud are made of."""

    place: CloudPlace
    etc: Path
    """The `etc` of the services' virtual environment: their own paste files."""
    databases: Mapping[str, str]
    """Purpose -> SQLAlchemy's address."""
    broker: str
    """oslo.messaging's address."""
    passwords: Mapping[str, str]
    """Service user -> password."""
    cache: str
    """memcached's address; empty where each process keeps its own cache."""
    behind_proxy: Mapping[str, Sections]
    """File -> sections, as `oidproxy cloud config --json` has them."""


def write(sources: Sources) -> None:
    """Write all files of a cloud, and make the folders that they name."""
    for name in FOLDERS:
        (sources.place.data / name).mkdir(parents=True, exist_ok=True)
    for name, sections in _own(sources).items():
        whole = merged(sections, sources.behind_proxy.get(name, {}))
        write_private(sources.place.etc / name, rendered(whole))
    for name, application in (("keystone", "keystone.wsgi.api"), ("placement", "placement.wsgi.api")):
        write_private(sources.place.etc / f"{name}-gunicorn.py", _gunicorn(sources.place, name, application))


def _own(sources: Sources) -> dict[str, Sections]:
    return {
        "keystone.conf": _keystone(sources),
        "glance-api.conf": _glance(sources),
        "placement.conf": _placement(sources),
        "nova.conf": _nova(sources),
        "neutron.conf": _neutron(sources),
        "cinder.conf": _cinder(sources),
    }


def _keystone(sources: Sources) -> Sections:
    keys = sources.place.data / "keystone"
    return {
        "DEFAULT": {"use_stderr": "true"},
        "database": {"connection": sources.databases["keystone"]},
        "token": {"provider": "fernet"},
        # Every service logs in when it starts: with the default, 12, each login takes a third of a second.
        "identity": {"password_hash_rounds": "4"},
        "fernet_tokens": {"key_repository": str(keys / "fernet")},
        "fernet_receipts": {"key_repository": str(keys / "fernet")},
        "credential": {"key_repository": str(keys / "credential")},
    }


def _glance(sources: Sources) -> Sections:
    place, images = sources.place, sources.place.data / "glance"
    return {
        "DEFAULT": {
            **_logging(),
            "bind_host": place.address,
            "bind_port": str(PORTS["image"]),
            "workers": "0",
            "enabled_backends": "files:file",
        },
        "database": {"connection": sources.databases["glance"]},
        "glance_store": {"default_backend": "files"},
        "files": {"filesystem_store_datadir": str(images / "images")},
        "os_glance_staging_store": {"filesystem_store_datadir": str(images / "staging")},
        "os_glance_tasks_store": {"filesystem_store_datadir": str(images / "tasks")},
        "paste_deploy": {"flavor": "keystone", "config_file": f"{sources.etc}/glance/glance-api-paste.ini"},
        "oslo_concurrency": {"lock_path": str(images / "locks")},
        "keystone_authtoken": _token_account(sources, "glance"),
    }


def _placement(sources: Sources) -> Sections:
    return {
        "DEFAULT": {"use_stderr": "true"},
        "placement_database": {"connection": sources.databases["placement"]},
        "keystone_authtoken": _token_account(sources, "placement"),
    }


def _nova(sources: Sources) -> Sections:
    place, state = sources.place, sources.place.data / "nova"
    return {
        "DEFAULT": {
            **_logging(),
            "my_ip": place.address,
            "host": place.name,
            "state_path": str(state),
            "transport_url": sources.broker,
            "osapi_compute_listen": place.address,
            "osapi_compute_listen_port": str(PORTS["compute"]),
            "osapi_compute_workers": "1",
            "enabled_apis": "osapi_compute",
            "compute_driver": "keeping.KeepingDriver",
            # The scheduler looks for new hosts at once, not up to a minute later.
            "periodic_fuzzy_delay": "0",
            # No agent will ever report an interface plugged.
            "vif_plugging_is_fatal": "false",
            "vif_plugging_timeout": "0",
        },
        "api_database": {"connection": sources.databases["nova_api"]},
        "database": {"connection": sources.databases["nova"]},
        "wsgi": {
            "api_paste_config": f"{sources.etc}/nova/api-paste.ini",
            "default_pool_size": "1000",
            "client_socket_timeout": "120",
        },
        "conductor": {"workers": "1"},
        "scheduler": {"workers": "1", "discover_hosts_in_cells_interval": "3"},
        "vnc": {"enabled": "false"},
        "oslo_concurrency": {"lock_path": str(state / "locks")},
        "keystone_authtoken": _token_account(sources, "nova"),
        "service_user": _account(sources, "nova"),
        "neutron": _account(sources, "neutron"),
        "placement": _account(sources, "placement"),
    }


def _neutron(sources: Sources) -> Sections:
    place, state = sources.place, sources.place.data / "neutron"
    return {
        "DEFAULT": {
            **_logging(),
            **_eventlet(),
            "bind_host": place.address,
            "bind_port": str(PORTS["network"]),
            "state_path": str(state),
            "transport_url": sources.broker,
            "core_plugin": "ml2",
            "service_plugins": "",
            "api_workers": "1",
            "rpc_workers": "0",
            "rpc_state_report_workers": "0",
            "api_paste_config": f"{sources.etc}/neutron/api-paste.ini",
        },
        "database": {"connection": sources.databases["neutron"]},
        "ml2": {
            "type_drivers": "vxlan",
            "tenant_network_types": "vxlan",
            "mechanism_drivers": "lab_every_port",
            "extension_drivers": "",
        },
        "ml2_type_vxlan": {"vni_ranges": "1:10000"},
        "oslo_concurrency": {"lock_path": str(state / "locks")},
        "keystone_authtoken": _token_account(sources, "neutron"),
        "nova": _account(sources, "nova"),
        "placement": _account(sources, "placement"),
    }


def _cinder(sources: Sources) -> Sections:
    place, state = sources.place, sources.place.data / "cinder"
    helper = sources.etc.parent / "bin" / "privsep-helper"
    return {
        "DEFAULT": {
            **_logging(),
            **_eventlet(),
            "my_ip": place.address,
            "host": place.name,
            "state_path": str(state),
            "transport_url": sources.broker,
            "osapi_volume_listen": place.address,
            "osapi_volume_listen_port": str(PORTS["block-storage"]),
            "osapi_volume_workers": "1",
            "api_paste_config": f"{sources.etc}/cinder/api-paste.ini",
            "resource_query_filters_file": f"{sources.etc}/cinder/resource_filters.json",
            "enabled_backends": "files",
        },
        "database": {"connection": sources.databases["cinder"]},
        "files": {
            "volume_driver": "labdrivers.volume.FileVolumes",
            "volume_backend_name": "files",
            "lab_volumes": str(state / "volumes"),
        },
        "oslo_concurrency": {"lock_path": str(state / "locks")},
        "cinder_sys_admin": {"helper_command": f"{helper} --config-file {place.etc / 'cinder.conf'}"},
        "keystone_authtoken": _token_account(sources, "cinder"),
        "service_user": _account(sources, "cinder"),
        "nova": _account(sources, "nova"),
    }


def _logging() -> dict[str, str]:
    return {"use_stderr": "true"}


def _eventlet() -> dict[str, str]:
    """Idle connections hold a green thread each: with 100, the default, neutron-server falls silent."""
    return {"wsgi_default_pool_size": "1000", "client_socket_timeout": "120"}


def _account(sources: Sources, user: str) -> dict[str, str]:
    return {
        "auth_type": "password",
        "username": user,
        "password": sources.passwords[user],
        "user_domain_name": "Default",
        "project_name": "service",
        "project_domain_name": "Default",
    }


def _token_account(sources: Sources, user: str) -> dict[str, str]:
    cache = {"memcached_servers": sources.cache} if sources.cache else {}
    return {**_account(sources, user), "token_cache_time": str(TOKEN_CACHE_SECONDS), **cache}


def _gunicorn(place: CloudPlace, name: str, application: str) -> str:
    port = PORTS["identity" if name == "keystone" else name]
    return (
        f'"""How gunicorn serves {name}."""\n'
        f"wsgi_app = '{application}:application'\n"
        f"bind = '{place.address}:{port}'\n"
        "workers = 1\nthreads = 4\naccesslog = '-'\nkeepalive = 5\ntimeout = 120\n"
    )
