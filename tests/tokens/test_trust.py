"""Whom a cloud admits, and what its services hear of a token of another."""

import pytest

from oidproxy.clouds.registry import Admission, ServiceAccount
from oidproxy.tokens.trust import Refusal, admit, is_declared, may_send, roles_of
from tests.tokens.bodies import DEFAULT, body, service_body

MEMBERS = Admission(roles=frozenset({"member", "reader"}))
NOVA = ServiceAccount("nova", "service")
WITH_NOVA = Admission(roles=frozenset({"member"}), services=(NOVA,))


def role_names(answer):
    return [role["name"] for role in answer["roles"]]


def test_the_answer_is_exactly_the_list_of_what_services_need():
    assert admit(body(), MEMBERS) == {
        "user": {"id": "u-1", "name": "demo", "domain": DEFAULT},
        "project": {"id": "p-1", "name": "demo", "domain": DEFAULT},
        "roles": [{"id": "r-m", "name": "member"}, {"id": "r-r", "name": "reader"}],
        "methods": ["password"],
        "issued_at": "2025-06-01T10:00:00.000000Z",
        "expires_at": "2025-06-01T11:00:00.000000Z",
        "audit_ids": ["q1XrC5n0Rm2vJvJ8N6l3Sg"],
        "is_admin_project": False,
    }


def test_nothing_that_a_home_adds_passes():
    user = {**body()["user"], "email": "a@b", "OS-FEDERATION": {"groups": []}, "domain": {**DEFAULT, "x": 1}}
    token = body(user=user, service_providers=[{"id": "sp"}], is_admin_project=True, extra={"a": 1})
    assert admit(token, MEMBERS) == admit(body(), MEMBERS)


def test_an_admin_project_is_none_here():
    assert admit(body(is_admin_project=True), MEMBERS)["is_admin_project"] is False
    assert admit(body(is_admin_project=None), MEMBERS)["is_admin_project"] is False


def test_an_application_credential_keeps_its_access_rules():
    rules = [{"id": "1", "service": "image", "method": "GET", "path": "/v2/images"}]
    credential = {"id": "ac", "name": "ci", "restricted": True, "access_rules": rules, "later": "restriction"}
    answer = admit(body(application_credential=credential, methods=["application_credential"]), MEMBERS)
    assert answer["application_credential"] == credential
    assert "application_credential" not in admit(body(), MEMBERS)


def test_nobody_is_admitted_by_default():
    with pytest.raises(Refusal, match="admits nobody"):
        admit(body(), None)
    with pytest.raises(Refusal, match="none of its roles"):
        admit(body(), Admission())


def test_an_admin_of_another_cloud_is_no_admin_here():
    admin = {"id": "r-a", "name": "admin"}
    assert role_names(admit(body(roles=[admin, *body()["roles"]]), MEMBERS)) == ["member", "reader"]
    with pytest.raises(Refusal, match="none of its roles"):
        admit(body(roles=[admin]), MEMBERS)


@pytest.mark.parametrize("name", ["Member", "MEMBER", "member ", "mémber", "members", ""])
def test_roles_are_compared_exactly(name):
    with pytest.raises(Refusal):
        admit(body(roles=[{"id": "x", "name": name}]), MEMBERS)


def test_a_mapped_role_has_its_new_name():
    admission = Admission(map={"operator": "reader"})
    assert admit(body(roles=[{"id": "r-o", "name": "operator"}]), admission)["roles"] == [
        {"id": "r-o", "name": "reader"}
    ]


def test_a_role_both_listed_and_mapped_is_mapped():
    admission = Admission(roles=frozenset({"operator", "reader"}), map={"operator": "reader"})
    roles = [{"id": "r-o", "name": "operator"}, {"id": "r-r", "name": "reader"}]
    assert role_names(admit(body(roles=roles), admission)) == ["reader"]


@pytest.mark.parametrize("name", ["service", "Service", "SERVICE"])
def test_a_user_never_keeps_service_whatever_the_policy_says(name):
    roles = [{"id": "s", "name": name}, {"id": "o", "name": "operator"}, {"id": "m", "name": "member"}]
    admission = Admission(roles=frozenset({"service", name, "member"}), map={"operator": name})
    assert role_names(admit(body(roles=roles), admission)) == ["member"]


def test_projects_are_admitted_by_id():
    only = Admission(roles=frozenset({"member"}), projects={"p-1": "p-1"})
    assert admit(body(), only)["project"]["id"] == "p-1"
    with pytest.raises(Refusal, match="project is not admitted"):
        admit(body(project={"id": "p-2", "name": "p-1", "domain": DEFAULT}), only)
    with pytest.raises(Refusal):
        admit(body(), Admission(roles=frozenset({"member"}), projects={}))


KINDS = {
    "system": {"project": None, "system": {"all": True}},
    "domain": {"project": None, "domain": DEFAULT},
    "unscoped": {"project": None, "roles": None},
    "trust": {"OS-TRUST:trust": {"id": "t", "impersonation": True}},
    "oauth": {"OS-OAUTH1": {"consumer_id": "c"}, "methods": ["oauth1"]},
    "oauth by method": {"methods": ["oauth1"]},
    "oauth2 with a certificate": {"oauth2_credential": {"x5t#S256": "a"}, "methods": ["oauth2_credential"]},
    "bind": {"bind": {"kerberos": "demo"}},
    "a project that is a domain": {"is_domain": True},
    "an extension of tomorrow": {"OS-LATER": {"only": "reading"}},
    "system beside a project": {"system": {"all": True}},
    "domain beside a project": {"domain": DEFAULT},
}


@pytest.mark.parametrize("kind", KINDS)
def test_tokens_of_other_kinds_are_refused(kind):
    with pytest.raises(Refusal) as caught:
        admit(body(**KINDS[kind]), MEMBERS)
    assert caught.value.reason


@pytest.mark.parametrize("kind", KINDS)
def test_services_are_no_exception_to_that(kind):
    with pytest.raises(Refusal):
        admit(service_body(**KINDS[kind]), WITH_NOVA)


def test_a_declared_service_keeps_service_and_nothing_else():
    assert admit(service_body(), WITH_NOVA)["roles"] == [{"id": "r-s", "name": "service"}]


def test_a_declared_service_needs_no_admitted_project():
    admission = Admission(projects={"p-1": "p-1"}, services=(NOVA,))
    assert role_names(admit(service_body(), admission)) == ["service"]


def test_a_service_nobody_declared_is_no_service():
    with pytest.raises(Refusal):
        admit(service_body("cinder"), WITH_NOVA)
    with pytest.raises(Refusal):
        admit(service_body(), MEMBERS)


def test_a_declared_name_without_the_role_is_no_service():
    with pytest.raises(Refusal):
        admit(service_body(roles=[{"id": "r-a", "name": "admin"}, {"id": "m", "name": "member"}]), WITH_NOVA)


def test_a_namesake_of_another_domain_is_no_service():
    own = {"id": "d-9", "name": "mallory"}
    namesake = {"id": "x", "name": "nova", "domain": own}
    project = {"id": "y", "name": "service", "domain": own}
    for changes in ({"user": namesake}, {"project": project}, {"user": namesake, "project": project}):
        assert not is_declared(service_body(**changes), WITH_NOVA)
        with pytest.raises(Refusal):
            admit(service_body(**changes), WITH_NOVA)


def test_the_domain_of_services_can_be_another():
    own = {"id": "d-s", "name": "services"}
    user = {"id": "u", "name": "nova", "domain": own}
    project = {"id": "p", "name": "service", "domain": own}
    admission = Admission(services=(ServiceAccount("nova", "service", "services"),))
    assert role_names(admit(service_body(user=user, project=project), admission)) == ["service"]


def test_a_declared_service_is_told_from_the_answer():
    assert is_declared(service_body(), WITH_NOVA)
    assert not is_declared(service_body("cinder"), WITH_NOVA)
    assert not is_declared(service_body(roles=[{"id": "r-a", "name": "admin"}]), WITH_NOVA)
    assert not is_declared(body(), WITH_NOVA)
    assert not is_declared(service_body(), None)
    assert not is_declared({}, WITH_NOVA)


@pytest.mark.parametrize("key", ["user", "methods", "issued_at", "expires_at", "audit_ids"])
def test_an_answer_that_lacks_what_services_need_is_refused(key):
    with pytest.raises(Refusal):
        admit(body(**{key: None}), MEMBERS)


@pytest.mark.parametrize(
    "changes",
    [
        {"user": "demo"},
        {"user": {"id": "u", "name": "demo"}},
        {"user": {"id": 1, "name": "demo", "domain": DEFAULT}},
        {"project": {"id": "p", "name": "demo", "domain": {"id": "default"}}},
        {"roles": "member"},
        {"roles": ["member"]},
        {"roles": [{"name": "member"}]},
        {"methods": "password"},
        {"methods": [1]},
        {"audit_ids": [None]},
        {"expires_at": 1},
    ],
)
def test_an_answer_in_another_shape_is_refused(changes):
    with pytest.raises(Refusal):
        admit(body(**changes), MEMBERS)


def test_a_read_only_guest_reads():
    guest = Admission(read_only=True)
    assert [
        method
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "COPY")
        if may_send(guest, method)
    ] == ["GET", "HEAD"]
    assert may_send(MEMBERS, "DELETE")


def test_the_names_of_a_tokens_roles():
    assert roles_of(body()) == {"member", "reader"}
    assert roles_of(body(roles=None)) == frozenset()
    assert roles_of(body(roles="x")) == frozenset()


def test_no_refusal_says_anything_of_the_user():
    for kind in KINDS.values():
        with pytest.raises(Refusal) as caught:
            admit(body(**kind), MEMBERS)
        assert "u-1" not in caught.value.reason
        assert "demo" not in caught.value.reason
