"""Redirect URLs are judged as Entra judges them, before it does."""

import pytest

from graph.redirects import redirect_problem


@pytest.mark.parametrize(
    "url",
    [
        "https://central.sophos.com",
        "https://example.com/callback?tenant=1",
        "https://example.com:8443/a/b",
        "http://localhost",
        "http://localhost:3000/callback",
        "http://127.0.0.1:9000/",
    ],
)
def test_what_entra_accepts_is_accepted(url: str) -> None:
    assert redirect_problem(url) is None


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("http://example.com", "https://"),
        ("http://localhost.example.com", "https://"),
        ("ftp://example.com", "not with ftp://"),
        ("example.com", "absolute"),
        ("/callback", "absolute"),
        ("https://", "absolute"),
        ("", "absolute"),
        ("https://[::1", "not a URL"),
        ("https://example.com:port/", "not a URL"),
        ("https://example.com/a b", "spaces"),
        ("https://example.com/a\n", "spaces"),
        ("https://example.com/#top", "fragment"),
        ("https://me@example.com/", "user name"),
        ("https://*.example.com/", "wildcard"),
        ("https://example.com/(a)", "does not accept"),
        ("https://example.com/" + "a" * 240, "longer than 256"),
    ],
)
def test_what_entra_refuses_is_refused_with_the_reason(url: str, word: str) -> None:
    problem = redirect_problem(url)
    assert problem is not None
    assert word in problem
    assert problem.endswith(".")
