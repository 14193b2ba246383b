"""Commands in one line: `nox` checks everything but the slow tests, `nox -s slow` runs those."""

import nox

nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "tests"]


@nox.session
def lint(session: nox.Session) -> None:
    """Check format and style."""
    session.install("-e", ".[test]")
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types."""
    session.install("-e", ".[test]")
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests that `pytest` runs by itself."""
    session.install("-e", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def slow(session: nox.Session) -> None:
    """Run the tests marked slow."""
    session.install("-e", ".[test]")
    session.run("pytest", "-m", "slow", "-rs", *session.posargs)


@nox.session
def lock(session: nox.Session) -> None:
    """Write requirements.lock: the newest versions that pyproject.toml admits."""
    session.install("uv")
    session.run(
        *("uv", "pip", "compile", "pyproject.toml", "--group", "build", "--universal"),
        *("--python-version", "3.11", "--generate-hashes", "--upgrade", "--quiet"),
        *("--no-emit-index-url", "--no-annotate", "--custom-compile-command", "nox -s lock"),
        *("--output-file", "requirements.lock"),
    )
