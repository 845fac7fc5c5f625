"""Token bodies in the shape of Keystone 27's answers."""

FERNET = ("gAAAAABnR0b9" + "Zk3v9Qy1x-4mT7o2rLwE8sUaHcJ_fNdKp5iVbYgXtOeMqCzRlSuWnDhGjFkPvBx" * 3)[:200]
OTHER = FERNET[:-4] + "AAAA"

DEFAULT = {"id": "default", "name": "Default"}


def body(**changes):
    """A project-scoped member's token; a change to None leaves the key out."""
    token = {
        "methods": ["password"],
        "user": {"id": "u-1", "name": "demo", "domain": DEFAULT, "password_expires_at": None},
        "project": {"id": "p-1", "name": "demo", "domain": DEFAULT},
        "is_domain": False,
        "roles": [{"id": "r-m", "name": "member"}, {"id": "r-r", "name": "reader"}],
        "is_admin_project": False,
        "audit_ids": ["q1XrC5n0Rm2vJvJ8N6l3Sg"],
        "issued_at": "2025-06-01T10:00:00.000000Z",
        "expires_at": "2025-06-01T11:00:00.000000Z",
        "catalog": [{"type": "image", "endpoints": []}],
        **changes,
    }
    return {key: value for key, value in token.items() if value is not None}


def service_body(name="nova", **changes):
    """A service account's token."""
    user = {"id": f"u-{name}", "name": name, "domain": DEFAULT}
    project = {"id": "p-service", "name": "service", "domain": DEFAULT}
    roles = [{"id": "r-a", "name": "admin"}, {"id": "r-s", "name": "service"}]
    return body(**{"user": user, "project": project, "roles": roles, **changes})
