"""Every configuration file of a cloud: its own half; its surroundings say where services are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from devstack.lab.ini import Sections, merged, rendered
from devstack.lab.layout import KINDS, PORTS
from devstack.lab.passwords import write_private

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from devstack.lab.layout import CloudPlace

FOLDERS = {
    "identity": ("keystone",),
    "image": ("glance/images", "glance/staging", "glance/tasks"),
    "compute": ("nova",),
    "network": ("neutron",),
    "block-storage": ("cinder",),
}
"""Official type -> what it needs below a cloud's data: not every service makes its own."""

GUNICORN = {"identity": "keystone.wsgi.api", "placement": "placement.wsgi.api"}
"""Official type -> its application, where gunicorn serves it."""

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
    surroundings: Mapping[str, Sections]
    """File -> sections: what the own half lacks."""


def write(sources: Sources) -> bool:
    """Write all files of a cloud, and make the folders that they name; whether a file is new or changed."""
    place = sources.place
    for service_type in place.services:
        for name in FOLDERS.get(service_type, ()):
            (place.data / name).mkdir(parents=True, exist_ok=True)
    changed = [_written(place.etc / name, text) for name, text in _files(sources)]
    return any(changed)


def _files(sources: Sources) -> Iterator[tuple[str, str]]:
    for service_type in sources.place.services:
        name, own = OWN[service_type]
        yield name, rendered(merged(own(sources), sources.surroundings.get(name, {})))
        if application := GUNICORN.get(service_type):
            text = _gunicorn(sources.place, service_type, application)
            yield f"{KINDS[service_type].project}-gunicorn.py", text


def _written(file: Path, text: str) -> bool:
    if file.exists() and file.read_text() == text:
        return False
    write_private(file, text)
    return True


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
        "keystone_authtoken": _token_account(sources, "image"),
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
        "keystone_authtoken": _token_account(sources, "compute"),
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
        "keystone_authtoken": _token_account(sources, "network"),
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
        "keystone_authtoken": _token_account(sources, "block-storage"),
        "service_user": _account(sources, "cinder"),
        **({"nova": _account(sources, "nova")} if "compute" in place.services else {}),
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


def _token_account(sources: Sources, service_type: str) -> dict[str, str]:
    return {
        **_account(sources, KINDS[service_type].project),
        # Else keystonemiddleware refuses every application credential that has access rules.
        "service_type": service_type,
        "token_cache_time": str(TOKEN_CACHE_SECONDS),
        **({"memcached_servers": sources.cache} if sources.cache else {}),
    }


def _gunicorn(place: CloudPlace, service_type: str, application: str) -> str:
    return (
        f'"""How gunicorn serves {KINDS[service_type].project}."""\n'
        f"wsgi_app = '{application}:application'\n"
        f"bind = '{place.address}:{PORTS[service_type]}'\n"
        "workers = 1\nthreads = 4\naccesslog = '-'\nkeepalive = 5\ntimeout = 120\n"
    )


OWN: Mapping[str, tuple[str, Callable[[Sources], Sections]]] = {
    "identity": ("keystone.conf", _keystone),
    "image": ("glance-api.conf", _glance),
    "placement": ("placement.conf", _placement),
    "compute": ("nova.conf", _nova),
    "network": ("neutron.conf", _neutron),
    "block-storage": ("cinder.conf", _cinder),
}
"""Official type -> its file, and what stands there in any surroundings."""
