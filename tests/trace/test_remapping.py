"""Ids, names and projects of a trace become those of the replay, and nothing is sent on a bad guess."""

from __future__ import annotations

import json

import pytest

from oidproxy.trace.filling import Prepared, Unmatched, Who
from oidproxy.trace.hiding import hidden
from oidproxy.trace.kinds import IMAGE, NETWORK, SERVER, VOLUME
from oidproxy.trace.remapping import Remapping
from tests.trace.lines import line, numbered, uuid

WHO = Who("user-now", "project-now")
OLD, NEW = uuid(1), uuid(101)


def create(**more):
    return line(
        "POST", "/v2.1/servers", status=202, made=[OLD], request_body={"server": {"name": "s1"}}, **more
    )


def made(remapping, one=None, new=NEW, status=202):
    one = one or create()
    remapping.expects(one)
    remapping.answered(one, status, json.dumps({"server": {"id": new, "links": []}}).encode())


def sent(remapping, one, who=WHO) -> Prepared:
    found = remapping.request(one, who)
    assert isinstance(found, Prepared), found
    return found


def refused(remapping, one) -> str:
    found = remapping.request(one, WHO)
    assert isinstance(found, Unmatched), found
    return found.why


class TestIds:
    def test_an_id_that_the_trace_made_is_the_one_made_now_in_path_query_and_body(self):
        remapping = Remapping()
        made(remapping)
        assert sent(remapping, line(path=f"/v2.1/servers/{OLD}")).path == f"/v2.1/servers/{NEW}"
        assert sent(remapping, line(query=f"device_id={OLD}&limit=1")).query == f"device_id={NEW}&limit=1"
        body = {"x": [{"server_id": OLD, "text": f"about {OLD}."}], "n": 1}
        asked = line("POST", "/v2.1/os-x", request_body=body)
        assert sent(remapping, asked).body == {"x": [{"server_id": NEW, "text": f"about {NEW}."}], "n": 1}

    def test_nothing_waits_before_and_what_uses_the_id_waits_until_it_is_there(self):
        remapping = Remapping()
        use = line(path=f"/v2.1/servers/{OLD}", n=5)
        assert not remapping.waits_for(use)
        assert OLD in remapping.expects(create())
        assert remapping.waits_for(use) == {OLD}
        assert "not answered in time" in refused(remapping, use)
        remapping.answered(create(), 202, json.dumps({"server": {"id": NEW}}).encode())
        assert not remapping.waits_for(use)

    def test_what_changes_a_thing_is_waited_for_where_it_had_ended_then(self):
        remapping = Remapping()
        made(remapping)
        upload = line("PUT", f"/v2.1/servers/{OLD}", n=1, at=1000, steps={"done": 500}, bytes_in=9)
        brings = remapping.expects(upload)
        assert remapping.waits_for(line(path=f"/v2.1/servers/{OLD}", n=2, at=1600)) == set(brings)
        assert not remapping.waits_for(line(path=f"/v2.1/servers/{OLD}", n=2, at=1400))
        remapping.answered(upload, 204, b"")
        assert not remapping.waits_for(line(path=f"/v2.1/servers/{OLD}", n=2, at=1600))

    def test_what_is_only_shown_later_does_not_hold_up_whoever_uses_it_before(self):
        remapping = Remapping()
        remapping.know("", IMAGE, [(uuid(9), "")])
        remapping.expects(
            line(path="/v2.1/servers", n=5, answer_body={"servers": [{"image": {"id": uuid(1)}}]})
        )
        boot = line("POST", "/v2.1/servers", n=4, request_body={"imageRef": uuid(1)})
        assert sent(remapping, boot).body == {"imageRef": uuid(9)}

    def test_what_was_not_made_makes_its_users_unmatched_and_says_why(self):
        remapping = Remapping()
        made(remapping, create(n=3), status=500)
        assert "request 3, which makes it, was answered 500" in refused(
            remapping, line("DELETE", f"/v2.1/servers/{OLD}")
        )

    def test_what_got_no_answer_makes_its_users_unmatched(self):
        remapping = Remapping()
        remapping.expects(create())
        remapping.failed(create(), "got no answer (timeout)")
        assert "got no answer (timeout)" in refused(remapping, line(path=f"/v2.1/servers/{OLD}"))

    def test_ids_in_recorded_answers_are_paired_by_name_whatever_the_order(self):
        remapping = Remapping()
        recorded = {"images": [{"id": uuid(1), "name": "a"}, {"id": uuid(2), "name": "b"}]}
        here = {"images": [{"id": uuid(12), "name": "b"}, {"id": uuid(11), "name": "a"}]}
        lists = line(path="/v2/images", service="image", answer_body=recorded)
        remapping.expects(lists)
        use = line(path=f"/v2/images/{uuid(2)}", service="image", n=1)
        assert uuid(2) in remapping.waits_for(use)
        remapping.answered(lists, 200, json.dumps(here).encode())
        assert sent(remapping, use).path == f"/v2/images/{uuid(12)}"
        assert sent(remapping, use).made_up == ()

    def test_against_the_same_cloud_what_was_there_before_is_itself(self):
        remapping = Remapping()
        shown = {"images": [{"id": uuid(1), "name": "a"}]}
        lists = line(path="/v2/images", service="image", answer_body=shown)
        remapping.expects(lists)
        remapping.answered(lists, 200, json.dumps(shown).encode())
        change = line("PUT", f"/v2/images/{uuid(1)}/tags/x", service="image", n=1)
        assert sent(remapping, change).path == f"/v2/images/{uuid(1)}/tags/x"

    def test_names_of_a_recorded_list_find_their_ids_in_the_list_of_now(self):
        remapping = Remapping()
        lists = line(path="/v2/images", service="image", names={uuid(1): "cirros"})
        remapping.expects(lists)
        remapping.answered(
            lists,
            200,
            json.dumps(
                {"images": [{"id": uuid(8), "name": "x"}, {"id": uuid(9), "name": "cirros"}]}
            ).encode(),
        )
        assert sent(remapping, line(path=f"/v2/images/{uuid(1)}", service="image")).path.endswith(uuid(9))

    def test_without_names_something_that_this_user_was_shown_stands_in_and_is_told(self):
        remapping = Remapping()
        lists = line(path="/v2/images", query="name=cirros", service="image")
        remapping.expects(lists)
        use = line(path=f"/v2/images/{uuid(1)}", service="image", n=1)
        assert remapping.waits_for(use)
        remapping.answered(lists, 200, json.dumps({"images": [{"id": uuid(9), "name": "cirros"}]}).encode())
        assert not remapping.waits_for(use)
        found = sent(remapping, use)
        assert (found.path, found.made_up) == (f"/v2/images/{uuid(9)}", ("id",))

    def test_two_unknown_ids_become_two_as_long_as_there_are_two(self):
        remapping = Remapping()
        remapping.know("", SERVER, [(uuid(8), ""), (uuid(9), "")])
        found = [sent(remapping, line(path=f"/v2.1/servers/{uuid(n)}")).path[-36:] for n in (1, 2, 3, 1)]
        assert found == [uuid(8), uuid(9), uuid(8), uuid(8)]

    @pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH", "POST"])
    def test_nothing_is_changed_on_a_guess(self, method):
        remapping = Remapping()
        for kind in (SERVER, IMAGE):
            remapping.know("", kind, [(uuid(8), "precious")])
        for service, path in (("compute", "/v2.1/servers"), ("image", "/v2/images")):
            one = line(method, f"{path}/{OLD}", service=service, request_body={"x": 1})
            assert "nothing here is known to be its counterpart" in refused(remapping, one)

    def test_a_volume_of_before_is_not_attached_on_a_guess_but_an_image_is_booted_from(self):
        remapping = Remapping()
        remapping.know("", VOLUME, [(uuid(8), "")])
        remapping.know("", IMAGE, [(uuid(9), "")])
        attach = line("POST", "/v2.1/os-x", request_body={"volumeAttachment": {"volumeId": OLD}})
        assert refused(remapping, attach)
        boot = line("POST", "/v2.1/servers", request_body={"server": {"imageRef": OLD}})
        assert sent(remapping, boot).body == {"server": {"imageRef": uuid(9)}}

    def test_block_devices_name_images_and_volumes_by_uuid_and_networks_do_too(self):
        remapping = Remapping()
        remapping.know("", IMAGE, [(uuid(8), "")])
        remapping.know("", NETWORK, [(uuid(9), "")])
        body = {
            "server": {
                "block_device_mapping_v2": [{"uuid": uuid(1), "source_type": "image"}],
                "networks": [{"uuid": uuid(2)}],
            }
        }
        found = sent(remapping, line("POST", "/v2.1/servers", request_body=body)).body["server"]
        assert found["block_device_mapping_v2"][0]["uuid"] == uuid(8)
        assert found["networks"][0]["uuid"] == uuid(9)

    def test_an_id_that_was_not_there_then_is_asked_for_as_it_is(self):
        assert sent(Remapping(), line(path=f"/v2.1/servers/{OLD}", status=404)).path.endswith(OLD)

    def test_small_ids_are_names_and_stay(self):
        assert sent(Remapping(), line(path="/v2.1/flavors/2")).path == "/v2.1/flavors/2"

    def test_the_next_page_goes_on_behind_the_page_of_now(self):
        remapping = Remapping()
        page = line(path="/v2/images", query="limit=2", service="image")
        remapping.expects(page)
        remapping.answered(page, 200, json.dumps({"images": [{"id": uuid(8)}, {"id": uuid(9)}]}).encode())
        following = line(path="/v2/images", query=f"limit=2&marker={OLD}", service="image")
        assert sent(remapping, following).query == f"limit=2&marker={uuid(9)}"


class TestProjects:
    def test_project_and_user_are_those_of_the_account(self):
        one = line(path=f"/v3/{uuid(5).replace('-', '')}/volumes", service="block-storage")
        assert sent(Remapping(), one).path == "/v3/project-now/volumes"
        keys = line(path=f"/v3/users/{uuid(5)}/application_credentials", service="identity")
        assert sent(Remapping(), keys).path == "/v3/users/user-now/application_credentials"
        ports = line(path="/v2.0/ports", query=f"tenant_id={uuid(5)}", service="network")
        assert sent(Remapping(), ports).query == "tenant_id=project-now"
        account = line(path=f"/v1/AUTH_{uuid(5).replace('-', '')}/box", service="object-store")
        assert sent(Remapping(), account).path == "/v1/AUTH_project-now/box"


def test_versions_that_are_gone_become_those_that_took_their_place():
    old = sent(Remapping(), line(path=f"/v2/{uuid(5).replace('-', '')}/servers/detail"))
    assert (old.path, old.made_up) == ("/v2.1/servers/detail", ("version",))
    volumes = line(path=f"/v2/{uuid(5)}/volumes", service="block-storage")
    assert sent(Remapping(), volumes).path == "/v3/project-now/volumes"
    assert sent(Remapping(), line(path="/v2/images", service="image")).path == "/v2/images"


class TestNames:
    def test_the_first_loop_keeps_names_and_later_ones_have_their_own(self):
        assert sent(Remapping(), create()).body == {"server": {"name": "s1"}}
        second = Remapping(loop=1)
        assert sent(second, create()).body == {"server": {"name": "s1-1"}}
        assert sent(second, line(query="name=%5Es1%24&limit=1")).query == "name=%5Es1-1%24&limit=1"
        assert sent(second, line(path="/v2.1/servers/s1")).path == "/v2.1/servers/s1-1"
        assert sent(second, line(query="name=other")).query == "name=other"

    def test_a_suffix_makes_runs_against_one_cloud_apart(self):
        assert sent(Remapping(suffix="-x"), create()).body == {"server": {"name": "s1-x"}}

    def test_the_recorded_body_itself_is_left_as_it_is(self):
        one = create()
        sent(Remapping(suffix="-x"), one)
        assert one.request_body == {"server": {"name": "s1"}}

    def test_what_was_learned_goes_on_in_a_run_that_is_resumed(self):
        first = Remapping(suffix="-x")
        sent(first, create())
        made(first)
        second = Remapping(suffix="-x", learned=first.learned, names=first.names)
        assert sent(second, line(path=f"/v2.1/servers/{OLD}")).path.endswith(NEW)
        assert sent(second, line(query="name=s1")).query == "name=s1-x"


class TestBodies:
    def test_what_a_trace_hides_is_left_out_or_a_password_of_no_worth(self):
        body = {
            "server": {
                "adminPass": "{SHA256}0123456789abcdef",
                "user_data": "{SHA256}0123456789abcdef",
                "n": 1,
            }
        }
        found = sent(Remapping(), line("POST", "/v2.1/servers", request_body=body))
        assert found.body == {"server": {"adminPass": "Replayed-0", "n": 1}}
        assert found.made_up == ("secret",)

    def test_what_is_hidden_by_a_word_is_left_out_too(self):
        told = {"server": {"name": "s", "personality": [{"path": "/etc/x", "contents": "secret"}]}}
        found = sent(Remapping(), line("POST", "/v2.1/servers", request_body=hidden(told)))
        assert found.body == {"server": {"name": "s"}}
        assert found.made_up == ("secret",)

    def test_signing_in_is_told_and_asking_about_a_token_too(self):
        login = sent(Remapping(), line("POST", "/v3/auth/tokens", service="identity"))
        assert login.login
        assert login.made_up == ("token",)
        assert sent(Remapping(), line("GET", "/v3/auth/tokens", service="identity")).subject

    def test_a_server_without_a_body_boots_what_is_there_and_says_that_it_is_made_up(self):
        remapping = Remapping()
        boot = line("POST", "/v2.1/servers", status=202, n=7)
        assert "none can be made up" in refused(remapping, boot)
        from oidproxy.trace.kinds import FLAVOR

        for kind, one in ((IMAGE, uuid(7)), (FLAVOR, "2"), (NETWORK, uuid(9))):
            remapping.know("", kind, [(one, "")])
        found = sent(remapping, boot)
        assert found.body == {
            "server": {
                "name": "replayed-7",
                "imageRef": uuid(7),
                "flavorRef": "2",
                "networks": [{"uuid": uuid(9)}],
            }
        }
        assert found.made_up == ("body",)

    def test_a_volume_that_is_attached_without_a_body_is_one_that_the_trace_made(self):
        remapping = Remapping()
        remapping.know("", VOLUME, [(uuid(9), "somebody's")])
        attach = line("POST", f"/v2.1/servers/{uuid(1)}/os-volume_attachments")
        made(remapping, create(), new=uuid(101))
        assert refused(remapping, attach)
        volume = line("POST", "/v3/volumes", service="block-storage", status=202, made=[uuid(2)])
        remapping.expects(volume)
        remapping.answered(volume, 202, json.dumps({"volume": {"id": uuid(102)}}).encode())
        assert sent(remapping, attach).body == {"volumeAttachment": {"volumeId": uuid(102)}}

    def test_an_action_that_the_trace_does_not_name_is_not_sent(self):
        remapping = Remapping()
        made(remapping)
        assert "which action" in refused(
            remapping, line("POST", f"/v2.1/servers/{OLD}/action", bytes_in=20, status=202)
        )

    def test_a_change_whose_body_a_log_does_not_have_gets_one_and_one_that_had_none_does_not(self):
        remapping = Remapping()
        made(remapping)
        told = line("PUT", f"/v2.1/servers/{OLD}", n=4)
        assert sent(remapping, told).body is None
        unknown = line("PUT", f"/v2.1/servers/{OLD}", n=4, made_up=["bytes_in", "request_body"])
        assert sent(remapping, unknown).body == {"server": {"name": "replayed-4"}}

    def test_uploads_have_as_many_bytes_as_they_had(self):
        remapping = Remapping()
        made(
            remapping,
            line("POST", "/v2/images", service="image", status=201, made=[OLD], request_body={"name": "i"}),
        )
        found = sent(
            remapping, line("PUT", f"/v2/images/{OLD}/file", service="image", status=204, bytes_in=4096)
        )
        assert (found.data, found.content_type, found.made_up) == (
            4096,
            "application/octet-stream",
            ("data",),
        )


def test_lists_of_many_users_are_bounded():
    from oidproxy.trace import remapping as module

    remapping = Remapping()
    for one in numbered([line(user=f"u{n}") for n in range(module.LISTS + 50)]):
        remapping.expects(one)
        remapping.answered(one, 200, b'{"servers": []}')
    assert len(remapping._lists) == module.LISTS
