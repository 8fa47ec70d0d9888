"""Which addresses are fetched from, and what of a URL may be shown."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.transcoder.sources import is_public, without_credentials
from orchestrator.transcoder.sources.urls import BadUrl, read_remote


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("::ffff:8.8.8.8", True),
        ("0.0.0.0", False),
        ("127.9.9.9", False),
        ("10.0.0.1", False),
        ("172.31.255.255", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("::127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("64:ff9b:1::a00:1", False),
        ("2002:a00:1::", False),
        ("2001:0:a00:1::1", False),
        ("fe80::1%eth0", False),
        ("fec0::1", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("2001:db8::1", False),
    ],
)
def test_which_addresses_are_public(address, public):
    assert is_public(address) is public


@given(st.ip_addresses(v=4))
def test_mapping_an_address_changes_nothing(address):
    assert is_public(f"::ffff:{address}") is is_public(str(address))
    assert is_public(str(address)) is (address.is_global and not address.is_multicast)


@given(st.ip_addresses(v=6))
def test_ipv6_is_public_only_where_it_is_routed(address):
    if is_public(str(address)) and address.ipv4_mapped is None:
        assert address in ipaddress.ip_network("2000::/3")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pass@host:8443/a/b.mp4?X-Amz-Signature=x#y", "https://host:8443/a/b.mp4"),
        ("https://host:8443/a/b@2x.mp4", "https://"),
        ("https://host/a/b@2x.mp4", "https://host/a/b@2x.mp4"),
        ("tus:abc", "tus:abc"),
        ("s3://key:se/cr@host/b/c.mp4", "s3://host/b/c.mp4"),
        ("s3://host/b/c@2x.mp4", "s3://host/b/c@2x.mp4"),
        ("ftp://user:pa/ss@host/c.mp4", "ftp://"),
        ("ftp://user:1/2@host/c.mp4", "ftp://"),
        ("sftp://me@home:p@ss@host:22/c.mp4", "sftp://host:22/c.mp4"),
        ("https://[::1]:80/a", "https://[::1]:80/a"),
        ("https://[::1/a", "https://"),
    ],
)
def test_credentials_do_not_reach_the_log(url, shown):
    assert without_credentials(url) == shown


_SECRET = st.text("abcXYZ0123456789+~", min_size=8)


@given(st.sampled_from(["http", "ftp", "ftps", "sftp", "s3"]), _SECRET, st.booleans())
def test_no_password_is_shown_however_it_is_written(scheme, secret, slash):
    password = f"{secret}/{secret}" if slash else secret
    assert secret not in without_credentials(f"{scheme}://user:{password}@host/b/film.mp4")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://",
        "ftp:///a",
        "ftp://host",
        "ftp://host/",
        "ftp://host/folder/",
        "ftp://host:99999/a",
        "ftp://host:0/a",
        "ftp://host:x/a",
        "sftp://host/a%00b",
        "ftp://user%0d%0aQUIT:x@host/a",
        "ftp://a b/c",
    ],
)
def test_urls_that_name_no_file(url):
    with pytest.raises(BadUrl):
        read_remote(url)


@given(st.text())
def test_any_text_is_a_remote_or_a_bad_url(text):
    for scheme in ("ftp", "sftp", "s3"):
        try:
            remote = read_remote(f"{scheme}://{text}")
        except BadUrl:
            continue
        assert remote.host
        assert 0 < remote.port < 65536
        assert "\n" not in remote.path
