"""Every error of a configuration names file, line, column and the nearest known name: compared literally."""

# ruff: noqa: E501 - texts and messages stand as they are written and shown

from __future__ import annotations

import pytest

from oidproxy.clouds.loading.load import load, read
from oidproxy.errors import ConfigError

ONE = "clouds: {one: {upstream: 127.0.9.1}}\n"
TWO = "local: one\nclouds: {one: {upstream: 127.0.9.1, groups: [fr]}, two: {upstream: 127.0.9.2}}\n"

CASES = {
    "an empty file": ("", ["oidproxy.yaml: the file is empty"]),
    "no mapping": ("[1]", [("oidproxy.yaml:1:1: expected a mapping with the keys listeners, admin, local, "
                           "require_scope, fleet_keys, foreign_calls, clouds, clouds_yaml, rtt, store, record, scope, limits, "
                           "trusted_proxies, got a list")]),
    "no cloud": ("local: one", ["oidproxy.yaml:1:1: there is no cloud: declare one under clouds, or give clouds_yaml",
                                "oidproxy.yaml:1:8: no cloud is called 'one'"]),
    "a key misspelt": (ONE + "listners: []", ["oidproxy.yaml:2:1: unknown key 'listners' (did you mean listeners?)"]),
    "a key like no other": (
        "listeners: [{bind: 'a:1', verbosity: 3}]\n" + ONE,
        ["oidproxy.yaml:1:27: unknown key 'verbosity'; known here: bind, ports, cloud, scope, tls"],
    ),
    "a key of a cloud": (
        "clouds:\n  one:\n    upstream: 127.0.9.1\n    auth_ulr: x\n",
        ["oidproxy.yaml:4:5: unknown key 'auth_ulr' (did you mean auth_url?)"],
    ),
    "all faults of shape at once": (
        ("clouds:\n  one: {upstream: [1], insecure: maybe, groups: fr, endpoints: {image: }}\n  two:\n"
        "require_scope: yes\nadmin: {}\ntrusted_proxies: [{}]\n"),
        [
            "oidproxy.yaml:2:19: expected a text, got a list",
            "oidproxy.yaml:2:34: expected true or false",
            "oidproxy.yaml:2:49: expected a list, got a text",
            "oidproxy.yaml:2:72: expected a text or a mapping, got nothing",
            ("oidproxy.yaml:3:7: expected a mapping with the keys auth_url, upstream, services, region, endpoints, "
            "credentials, cacert, insecure, groups, admits, exchange, mapped, service_accounts, shares, got nothing"),
            "oidproxy.yaml:4:16: expected true or false",
            "oidproxy.yaml:5:8: 'bind' is missing here",
            "oidproxy.yaml:6:19: expected a text, got a mapping",
        ],
    ),
    "a key given twice": (
        "clouds:\n  one: {upstream: 127.0.9.1}\n  one: {upstream: 127.0.9.2}\n",
        ["oidproxy.yaml:3:3: 'one' is given twice; first on line 2"],
    ),
    "local missing": (
        TWO.replace("local: one\n", ""),
        ["oidproxy.yaml:1:1: local is required with more than one cloud: which one is meant where nothing says"],
    ),
    "local unknown": (
        TWO.replace("local: one", "local: on"),
        ["oidproxy.yaml:1:8: no cloud is called 'on' (did you mean one?)"],
    ),
    "a cloud that is nowhere": ("clouds:\n  one: {}\n", ["oidproxy.yaml:2:3: one has no auth_url"]),
    "a cloud without endpoints": (
        "clouds:\n  one: {auth_url: 'http://127.0.9.1:5000/v3'}\n",
        ["oidproxy.yaml:2:3: one has no endpoints: give endpoints, upstream, or credentials to learn them with"],
    ),
    "urls": (
        ("clouds:\n  one:\n    auth_url: 127.0.9.1:5000\n    endpoints:\n      image: {RegionOne: 'http://a/v2?x'}\n"
        "      compute: http://u:hunter2@a/v2.1\n"),
        [
            "oidproxy.yaml:3:15: expected a URL that begins with http:// or https:// and a host",
            "oidproxy.yaml:5:26: a URL here takes no query and no fragment",
            "oidproxy.yaml:6:16: a URL here takes no user and no password",
        ],
    ),
    "upstream": (
        "clouds:\n  one: {upstream: '127.0.9.1:80', auth_url: 'http://a/v3'}\n",
        ["oidproxy.yaml:2:19: expected the name or the address of a host, got '127.0.9.1:80'"],
    ),
    "upstream by another scheme": (
        "clouds:\n  one: {upstream: 'ftp://a', auth_url: 'http://a/v3'}\n",
        ["oidproxy.yaml:2:19: expected an address, alone or behind http:// or https://"],
    ),
    "services": (
        "clouds: {one: {upstream: 127.0.9.1, services: [glance, imgae, metering]}}\n",
        [
            "oidproxy.yaml:1:56: 'imgae' has no standard port: give it under endpoints (did you mean image?)",
            "oidproxy.yaml:1:63: 'metering' has no standard port: give it under endpoints (did you mean metric?)",
        ],
    ),
    "services without upstream": (
        "clouds: {one: {auth_url: 'http://a/v3', endpoints: {image: 'http://a'}, services: [image]}}\n",
        ["oidproxy.yaml:1:73: services needs upstream"],
    ),
    "names": (
        "clouds:\n  'a ': {upstream: 127.0.9.1, groups: [\"x\\ty\"]}\n",
        [
            "oidproxy.yaml:2:3: the name of a cloud is 1 to 128 printable characters, with no blank at its ends",
            "oidproxy.yaml:2:40: the name of a group is 1 to 128 printable characters, with no blank at its ends",
        ],
    ),
    "a group with a cloud's name": (
        "local: one\nclouds: {one: {upstream: 127.0.9.1, groups: [two]}, two: {upstream: 127.0.9.2}}\n",
        ["oidproxy.yaml:2:46: 'two' is the name of a cloud; a group needs another"],
    ),
    "listeners": (
        "listeners:\n  - {bind: 127.0.0.1}\n  - {bind: '127.0.0.1:0'}\n  - {bind: 127.0.0.2, cloud: tow, ports: horizon}\n"
        "  - {bind: 127.0.0.3, ports: {imgae: 9292, compute: 0, nova: 1, network: 5, dns: 5}}\n"
        "  - {bind: '127.0.0.4:80'}\n  - {bind: 127.0.0.4, ports: {image: 80}}\n" + TWO,
        [
            'oidproxy.yaml:2:12: give a port (bind: "127.0.0.1:8888"), or ports: with one for each service',
            "oidproxy.yaml:3:12: expected a port from 1 to 65535, got '0'",
            "oidproxy.yaml:4:30: no cloud is called 'tow' (did you mean two?)",
            "oidproxy.yaml:4:42: expected openstack or a mapping of services to ports, got 'horizon'",
            "oidproxy.yaml:5:31: no service is called 'imgae' (did you mean image?)",
            "oidproxy.yaml:5:53: expected a port from 1 to 65535, got '0'",
            "oidproxy.yaml:5:82: 127.0.0.3:5 is taken already",
            "oidproxy.yaml:7:38: 127.0.0.4:80 is taken already",
        ],
    ),
    "a service's port twice": (
        "listeners: [{bind: 127.0.0.3, ports: {nova: 1, compute: 2}}]\n" + ONE,
        ["oidproxy.yaml:1:48: compute has a port already"],
    ),
    "no listener": (
        "listeners: []\n" + ONE,
        ["oidproxy.yaml:1:12: there is no listener: give one, or leave listeners out"],
    ),
    "admin": (
        "admin: {bind: '127.0.0.1:8888', token: \"a b\"}\n" + ONE,
        [
            "oidproxy.yaml:1:15: 127.0.0.1:8888 is taken by a listener",
            "oidproxy.yaml:1:40: the token must be one line of printable ASCII without blanks",
        ],
    ),
    "limits": (
        "limits: {conect: 5s, connect: 5 parsecs, pool: 1.5, field: 16 furlongs, retry_share: 2, target: 0,\n"
        "  first_byte: 0s, pool_reserved: 64, trailers: 0}\n" + ONE,
        [
            "oidproxy.yaml:1:10: unknown limit 'conect' (did you mean connect?)",
            """oidproxy.yaml:1:31: '5 parsecs' is no duration: write a unit (us, ms, s, m, h), as in "10ms\"""",
            "oidproxy.yaml:1:48: expected a whole number, got '1.5'",
            "oidproxy.yaml:1:60: '16 furlongs' is no size: the units are B, KiB, MiB, GiB, k, kB, M, MB",
            "oidproxy.yaml:1:86: expected a number from 0 to 1 or a percentage such as \"20%\", got '2'",
            "oidproxy.yaml:1:97: target must be more than 0",
            "oidproxy.yaml:2:15: first_byte must be more than 0",
            "oidproxy.yaml:2:34: pool_reserved (64) must be less than pool (64)",
        ],
    ),
    "foreign calls": (
        "foreign_calls: [dns, glance_download, '*']\n" + ONE,
        [
            ("oidproxy.yaml:1:22: expected one of glance-download, dns, accelerator, shared-file-system, "
            "got 'glance_download' (did you mean glance-download?)"),
            "oidproxy.yaml:1:39: expected one of glance-download, dns, accelerator, shared-file-system, got '*'",
        ],
    ),
    "trusted proxies and the store": (
        "trusted_proxies: [10.0.0.0/8, ten]\nstore: postgresql://u:hunter2@db\n" + ONE,
        [
            "oidproxy.yaml:1:31: expected an address or a network such as \"10.0.0.0/8\", got 'ten'",
            (
                "oidproxy.yaml:2:8: expected sqlite:// and an absolute path, as in "
                "sqlite:///var/lib/oidproxy/state.db, or redis://<host>"
            ),
        ],
    ),
    "round-trip times": (
        TWO + "rtt:\n  default_delay: 10\n  except: [fr, de]\n  constraints:\n"
        "    - {src: one, dst: tow, delay: 4ms}\n    - {src: fr, dst: two, delay: fast}\n    - {src: one}\n",
        ["oidproxy.yaml:9:7: 'dst' is missing here"],
    ),
    "names in round-trip times": (
        TWO + "rtt:\n  default_delay: 10\n  except: [fr, de]\n  constraints:\n"
        "    - {src: one, dst: tow, delay: 4ms}\n    - {src: 'fr[1-2]', dst: two, delay: fast}\n",
        [
            """oidproxy.yaml:4:18: '10' is no duration: write a unit (us, ms, s, m, h), as in "10ms\"""",
            "oidproxy.yaml:5:16: no cloud and no group is called 'de'",
            "oidproxy.yaml:7:23: no cloud and no group is called 'tow' (did you mean two?)",
            "oidproxy.yaml:8:13: no cloud and no group is called 'fr1' (did you mean fr?)",
            """oidproxy.yaml:8:41: expected a duration such as "10ms", got 'fast'""",
        ],
    ),
    "admissions": (
        "fleet_keys: [" + "ab" * 64 + "]\nlocal: one\nclouds:\n  one:\n    upstream: 127.0.9.1\n    admits:\n"
        "      tow: {roles: [member]}\n      one: {roles: [member]}\n      two: {roles: [member], projects: {a: b}}\n"
        "    shares: {thre: [network]}\n  two: {upstream: 127.0.9.2}\n",
        [
            "oidproxy.yaml:7:7: no cloud is called 'tow' (did you mean two?)",
            "oidproxy.yaml:8:7: 'one' is this cloud itself",
            "oidproxy.yaml:9:40: projects can be mapped to others only where tokens are exchanged (exchange:); give a list",
            "oidproxy.yaml:10:14: no cloud is called 'thre'",
        ],
    ),
    "a fleet without a key": (
        "local: one\nclouds:\n  one: {upstream: 127.0.9.1}\n  two: {upstream: 127.0.9.2, admits: {one: {roles: [m]}}}\n",
        [
            ("oidproxy.yaml:4:39: fleet_keys is required, because two admits one; make one with: "
            "openssl rand -hex 64 > /etc/oidproxy/fleet.key")
        ],
    ),
    "exchange": (
        "clouds: {one: {upstream: 127.0.9.1, exchange: [mapped, k2k, caried]}}\n",
        [
            "oidproxy.yaml:1:37: one: exchange names mapped, but mapped: lists no credentials",
            "oidproxy.yaml:1:56: k2k (Keystone to Keystone) is not available; use mapped, carried, same",
            "oidproxy.yaml:1:61: expected one of mapped, carried, same, got 'caried' (did you mean carried?)",
        ],
    ),
    "exchange beside a cloud": (
        ("listeners: [{bind: 127.0.8.1, ports: openstack, cloud: one}]\n"
        "clouds: {one: {upstream: 127.0.9.1, exchange: []}}\n"),
        [
            ("oidproxy.yaml:1:56: one has exchange:, so its services ask their own Keystone; a listener of its own "
            "is for a cloud whose services ask the proxy: drop one of the two")
        ],
    ),
    "mapped without exchange": (
        "local: one\nclouds: {one: {upstream: 127.0.9.1, mapped: {two: {}}}, two: {upstream: 127.0.9.2}}\n",
        [
            "oidproxy.yaml:2:37: one: mapped is for clouds that nobody may reconfigure: give exchange: [mapped]",
        ],
    ),
    "credentials without clouds.yaml": (
        "clouds: {one: {auth_url: 'http://a/v3', credentials: reader}}\n",
        ["oidproxy.yaml:1:54: there is no entry 'reader': clouds_yaml is not given, or has no clouds"],
    ),
    "a scope that cannot be read": (
        'scope: "image:one;;"\nlisteners:\n  - {bind: "a:1", scope: "image:one image:two"}\n' + ONE,
        [
            "oidproxy.yaml:1:19: ",
            "oidproxy.yaml:3:37: ",
        ],
    ),
    "a scope that means nothing here": (
        "scope: imgae:one;image:tow\nlisteners:\n  - {bind: 'a:1', scope: '@fr'}\n" + ONE,
        [
            "oidproxy.yaml:1:8: no cloud is called 'tow'",
            "oidproxy.yaml:1:8: no cloud has a service 'imgae' (did you mean image?)",
            "oidproxy.yaml:3:26: no group is called 'fr'",
        ],
    ),
    "references": (
        "admin: {bind: '${env:BIND}', token: \"${file:nothing}\"}\nstore: ${vault:x}\nscope: ${env:X\n" + ONE,
        [
            "oidproxy.yaml:1:15: the environment variable BIND is not set",
            "oidproxy.yaml:1:37: nothing cannot be read: No such file or directory",
            "oidproxy.yaml:2:8: expected ${env:NAME} or ${file:PATH}",
            "oidproxy.yaml:3:8: expected ${env:NAME} or ${file:PATH}",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_errors_are_exactly(name, errors):
    text, expected = CASES[name]
    found = errors(text)
    # What the language says of a text is the language's business; here only where it points.
    cut = [
        line[: len(want)] if want.endswith(": ") else line
        for line, want in zip(found, expected, strict=False)
    ]
    assert (cut, len(found)) == (expected, len(expected))


@pytest.mark.parametrize("name", CASES)
def test_no_error_shows_a_password(name, errors):
    assert "hunter2" not in "\n".join(errors(CASES[name][0]))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"/nothing\.yaml: cannot be read: No such file or directory$"):
        load(tmp_path / "nothing.yaml")


def test_a_file_that_is_no_text(tmp_path):
    path = tmp_path / "oidproxy.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not a text in UTF-8"):
        read(path)


def test_a_configuration_error_carries_all_others(loaded):
    with pytest.raises(ConfigError) as caught:
        loaded("local: x\nstore: y\n" + ONE)
    error = caught.value
    assert (error.line, error.column, [(one.line, one.column) for one in error.also]) == (1, 8, [(2, 8)])


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, "oidproxy.yaml:1:14: clouds.yaml cannot be read: No such file or directory"),
        ({"clouds.yaml": "clouds: {a: {}, a: {}}"}, "clouds.yaml:1:17: 'a' is given twice; first on line 1"),
        ({"clouds.yaml": "clouds: [a"}, "clouds.yaml:2:1: not YAML: did not find expected ',' or ']'"),
        ({"clouds.yaml": "cluods: {}"}, "clouds.yaml: expected a mapping with the key clouds"),
    ],
)
def test_errors_of_clouds_yaml_name_that_file(files, expected, errors):
    assert errors("clouds_yaml: clouds.yaml\n" + ONE, files) == [expected]


def test_an_unknown_entry_of_clouds_yaml(errors):
    text = (
        "clouds_yaml: clouds.yaml\nlocal: one\nclouds:\n  one:\n    auth_url: http://a/v3\n    credentials: readr\n"
        "    exchange: [mapped]\n    mapped: {two: {p: readre}}\n    service_accounts: {two: x}\n"
        "  two: {upstream: 127.0.9.1}\n"
    )
    assert errors(text, {"clouds.yaml": "clouds: {reader: {}}"}) == [
        "oidproxy.yaml:6:18: clouds_yaml has no entry 'readr' (did you mean reader?)",
        "oidproxy.yaml:8:23: clouds_yaml has no entry 'readre' (did you mean reader?)",
        "oidproxy.yaml:9:29: clouds_yaml has no entry 'x'",
    ]


def test_a_secret_goes_to_the_keystone_of_its_entry_or_nowhere(errors):
    auth = "{username: u, password: hunter2, project_id: i, user_domain_id: d, auth_url: 'http://127.0.9.9:5000/v3'}"
    text = (
        "clouds_yaml: clouds.yaml\nlocal: one\nclouds:\n"
        "  one: {upstream: 127.0.9.1, exchange: [mapped], mapped: {two: {p: reader}}, admits: {two: {roles: [m]}}}\n"
        "  two: {upstream: 127.0.9.9, service_accounts: {one: reader}}\n"
    )
    assert errors(text, {"clouds.yaml": f"clouds: {{reader: {{auth: {auth}}}}}"}) == [
        (
            "oidproxy.yaml:4:68: entry 'reader' signs in at http://127.0.9.9:5000/v3, but the Keystone of one is "
            "http://127.0.9.1:5000/v3"
        ),
        (
            "oidproxy.yaml:5:54: entry 'reader' signs in at http://127.0.9.9:5000/v3, but the Keystone of one is "
            "http://127.0.9.1:5000/v3"
        ),
    ]


def test_a_project_that_is_mapped_to_nothing(errors):
    text = (
        "local: one\nclouds:\n"
        "  one: {upstream: 127.0.9.1, exchange: [mapped], mapped: {two: {p: []}}, admits: {two: {roles: [m]}}}\n"
        "  two: {upstream: 127.0.9.2}\n"
    )
    assert errors(text) == [
        "oidproxy.yaml:3:65: this project is mapped to nothing: name an entry of clouds_yaml"
    ]
