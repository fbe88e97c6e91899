"""OLLAMA_HOST in all the forms that people write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.network.ollama_host import address_of
from kometa_ai.providers.ollama.address import is_cloud, is_this_machine


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", "http://localhost:11434"),
        ("  ", "http://localhost:11434"),
        ("nas", "http://nas:11434"),
        ("nas:8080", "http://nas:8080"),
        ("192.168.1.5", "http://192.168.1.5:11434"),
        ("http://192.168.1.5:11434/", "http://192.168.1.5:11434"),
        ("http://192.168.1.5:11434/v1", "http://192.168.1.5:11434"),
        ("http://192.168.1.5:11434/v1/", "http://192.168.1.5:11434"),
        ("http://192.168.1.5:11434/api", "http://192.168.1.5:11434"),
        ("http://ollama.example", "http://ollama.example"),
        ("https://example.org/ollama/", "https://example.org/ollama"),
        ("https://example.org/ollama/v1", "https://example.org/ollama"),
        ("HTTP://NAS:11434", "http://nas:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),  # noqa: S104
        ("[::1]:11434", "http://[::1]:11434"),
        ("http://[::]:11434", "http://[::1]:11434"),
        ("http://me:pass@nas:11434/v1", "http://me:pass@nas:11434"),
        ("ollama.com", "https://ollama.com"),
    ],
)
def test_an_address_may_be_written_in_many_forms(text: str, address: str) -> None:
    """Without scheme and port, with a slash or the path of another API at its end."""
    assert address_of(text) == address


@pytest.mark.parametrize(
    "text",
    ["http://", "ftp://nas", "http://nas:port", "nas:99999", "a b", "http://[::1", "://", "/v1", "nas?x=1", "nas#y"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """With a ValueError, whatever it is."""
    with pytest.raises(ValueError):  # noqa: PT011 - urlsplit's own words differ
        address_of(text)


HOSTS = st.sampled_from(["nas", "192.168.1.5", "ollama.example.org", "[fd00::5]", "localhost"])
PORTS = st.none() | st.integers(0, 65_535)


@given(
    scheme=st.sampled_from(["", "http://", "https://"]),
    host=HOSTS,
    port=PORTS,
    prefix=st.sampled_from(["", "/ollama", "/a/b"]),
    end=st.sampled_from(["", "/", "//", "/v1", "/v1/", "/api", "/api/"]),
)
def test_an_address_keeps_what_matters(*, scheme: str, host: str, port: int | None, prefix: str, end: str) -> None:
    """Scheme, host, port and prefix; reading it again changes nothing."""
    address = address_of(f"{scheme}{host}{'' if port is None else f':{port}'}{prefix}{end}")

    default = "" if scheme else ":11434"
    assert address == f"{scheme or 'http://'}{host}{default if port is None else f':{port}'}{prefix}"
    assert address_of(address) == address


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    """Nothing else happens."""
    try:
        address = address_of(text)
    except ValueError:
        return
    assert address.startswith(("http://", "https://"))
    assert not address.endswith("/")


@pytest.mark.parametrize(
    ("model", "address", "expected"),
    [
        ("qwen3:14b", "http://nas:11434", False),
        ("cloudy:7b", "http://nas:11434", False),
        ("gpt-oss:120b-cloud", "http://nas:11434", True),
        ("glm-4.6:cloud", "http://nas:11434", True),
        ("gpt-oss:120b", "https://ollama.com", True),
        ("gpt-oss:120b", "https://ollama.com.example", False),
    ],
)
def test_the_cloud_is_known_by_its_name(model: str, address: str, *, expected: bool) -> None:
    """The model's tag, or the host."""
    assert is_cloud(model, address) is expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [("http://localhost:1", True), ("http://127.0.0.2:1", True), ("http://[::1]:1", True), ("http://nas:1", False)],
)
def test_this_machine_is_known(address: str, *, expected: bool) -> None:
    """In a container that is the container."""
    assert is_this_machine(address) is expected
