"""Admission of any token by any policy: nothing comes out that the policy does not name."""

import json

from hypothesis import given
from hypothesis import strategies as st

from oidproxy.clouds.registry import Admission, ServiceAccount
from oidproxy.tokens.trust import Refusal, admit

ROLES = st.sampled_from(["admin", "member", "reader", "service", "Service", "operator", "Member"])
NAMES = st.sampled_from(["nova", "demo", "service", "cinder"])
DOMAINS = st.sampled_from([{"id": "default", "name": "Default"}, {"id": "d", "name": "own"}])
THINGS = st.builds(lambda name, domain: {"id": f"id-{name}", "name": name, "domain": domain}, NAMES, DOMAINS)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
TOKENS = st.fixed_dictionaries(
    {
        "user": THINGS,
        "project": THINGS,
        "roles": st.lists(ROLES.map(lambda name: {"id": f"r-{name}", "name": name}), max_size=5),
        "methods": st.just(["password"]),
        "audit_ids": st.just(["a"]),
        "issued_at": st.just("2025-06-01T10:00:00Z"),
        "expires_at": st.just("2025-06-01T11:00:00Z"),
    },
    optional={
        "system": st.just({"all": True}),
        "bind": st.just({"x": "y"}),
        "is_admin_project": st.booleans(),
        "catalog": JSON,
        "anything": JSON,
        "application_credential": st.just({"id": "ac", "access_rules": []}),
    },
)
ADMISSIONS = st.builds(
    Admission,
    roles=st.frozensets(ROLES),
    map=st.dictionaries(ROLES, ROLES, max_size=3),
    projects=st.none() | st.dictionaries(st.sampled_from(["id-demo", "id-service"]), st.just("x")),
    services=st.lists(st.builds(ServiceAccount, NAMES, NAMES), max_size=2).map(tuple),
)
ALLOWED = {
    "user", "project", "roles", "methods", "audit_ids", "issued_at", "expires_at", "is_admin_project",
    "application_credential",
}  # fmt: skip


@given(TOKENS, ADMISSIONS)
def test_only_what_the_policy_names_comes_out(token, admission):
    try:
        answer = admit(token, admission)
    except Refusal:
        return
    names = [role["name"] for role in answer["roles"]]
    had = {role["name"] for role in token["roles"]}
    declared = any(
        (token["user"]["name"], token["project"]["name"]) == (account.user, account.project)
        and token["user"]["domain"]["name"] == token["project"]["domain"]["name"] == "Default"
        for account in admission.services
    )
    granted = {
        admission.map.get(name, name) for name in had if name in admission.roles or name in admission.map
    }
    assert set(answer) <= ALLOWED
    assert answer["is_admin_project"] is False
    assert names
    assert len(names) == len(set(names))
    assert "system" not in token
    assert "bind" not in token
    if declared:
        assert names == ["service"]
        assert "service" in had
    else:
        assert set(names) == {name for name in granted if name.lower() != "service"}
        assert admission.projects is None or token["project"]["id"] in admission.projects


@given(st.dictionaries(st.sampled_from([*ALLOWED, "system", "bind", "is_domain"]), JSON), ADMISSIONS)
def test_an_answer_in_any_shape_is_admitted_whole_or_refused(token, admission):
    try:
        answer = admit(token, admission)
    except Refusal:
        return
    assert json.dumps(answer)
