"""Which variables are taken for credentials, and that none of their values gets through however it is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.backends.local.credentials import Redactor, without
from tools.credential import is_credential


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPENAI_API_KEY", "anything-at-all"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG"),
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("HF_TOKEN", "hf_abcdefghijkl"),
        ("GITHUBTOKEN", "x-y-z-1-2"),
        ("PGPASSWORD", "hunter22"),
        ("db_password", "hunter22"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/home/me/key.json"),
        ("DATABASE_URL", "postgresql://me:hunter22@db:5432/shop"),
        ("ANYTHING", "ghp_0123456789abcdefghij"),
        ("MYSQL_PWD", "hunter22"),
        ("SSH_AUTH_SOCK", "/run/user/1000/keyring/ssh"),
        ("DOCKER_AUTH_CONFIG", '{"auths": {}}'),
        ("REDIS_AUTH", "hunter22"),
        ("BASIC_AUTH", "me:hunter22"),
        ("NPM_CONFIG__AUTH", "bWU6aHVudGVyMjI="),
        ("TOKEN_2", "x-y-z-1-2"),
        ("ANTHROPIC_API_KEY1", "x-y-z-1-2"),
        ("DB_PASSWORD_PROD", "hunter22"),
        ("CONNECTION_STRING", "Server=db;Pwd=hunter22"),
        ("AZURE_STORAGE_CONNECTION_STRING", "AccountKey=hunter22"),
        ("SENTRY_DSN", "https://abc@sentry.invalid/1"),
        ("SLACK_WEBHOOK_URL", "https://hooks.invalid/T0/B0/x"),
        ("COOKIE", "session=abc"),
        ("SESSION_COOKIES", "a=b"),
        ("KUBECONFIG", "/home/me/.kube/config"),
        ("AWS_SECRET_ACCESS_KEY_2", "hunter22"),
        ("SORT_KEY_TOKEN", "x-y-z-1-2"),
        ("SECRET_KEY_BASE", "x-y-z-1-2"),
    ],
)
def test_what_opens_a_door_is_taken_for_a_credential(name: str, value: str) -> None:
    assert is_credential(name, value)
    assert without({name: value, "PATH": "/bin"}) == {"PATH": "/bin"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PATH", "/usr/bin"),
        ("PWD", "/home/me"),
        ("OLDPWD", "/home"),
        ("TOKENIZERS_PARALLELISM", "false"),
        ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1"),
        ("MAX_TOKENS", "4096"),
        ("MONKEY", "business"),
        ("KEYBOARD", "de"),
        ("SORT_KEY", "created"),
        ("PRIMARY_KEY", "customer_id"),
        ("KEY_COLUMN", "customer_id"),
        ("PUBLIC_KEY", "ssh-ed25519 AAAA"),
        ("AUTHOR", "me"),
        ("GIT_AUTHOR_NAME", "me"),
        ("AUTHORITY", "me"),
        ("PATTERN", "*.csv"),
        ("PASSES", "three"),
        ("BYPASS_PROXY", "localhost"),
        ("SOCKET_TIMEOUT", "ten"),
        ("TOKENIZER", "bpe"),
        ("SECRETARY", "me"),
        ("COMPASS", "north"),
        ("STRING_CONNECTIONS", "none-at-all"),
        ("DATABASE_URL", "postgresql://db:5432/shop"),
        ("PYTHONPATH", "/a:/b"),
        ("GPG_KEY", ""),
    ],
)
def test_what_does_not_is_left_alone(name: str, value: str) -> None:
    assert not is_credential(name, value)


SECRETS = {"A_TOKEN": "abcabcabd", "B_TOKEN": "abcabcabdxyz", "C_PASSWORD": "\u00fcber-geheim"}


@given(
    st.lists(st.sampled_from(["abcabcabd", "abcabcabdxyz", "über-geheim", "abc", "ab", "x", " ", "\n"]), max_size=12),
    st.lists(st.integers(1, 7), max_size=30),
)
def test_no_credential_gets_through_wherever_the_stream_is_cut(words: list[str], cuts: list[int]) -> None:
    text, redactor, written = "".join(words).encode(), Redactor(SECRETS), b""
    whole = redactor.whole(text)
    for cut in cuts:
        written += redactor.clean(text[:cut])
        text = text[cut:]
    written += redactor.clean(text) + redactor.rest()
    for value in SECRETS.values():
        assert value.encode() not in written
        assert value.encode() not in whole


def test_what_is_no_credential_comes_out_as_it_was_and_at_once() -> None:
    redactor = Redactor(SECRETS)
    assert redactor.clean(b"epoch 1, loss 0.3\n") == b"epoch 1, loss 0.3\n"
    assert redactor.clean(b"abcabc") == b""
    assert redactor.clean(b" is no credential\n") == b"abcabc is no credential\n"
    assert redactor.clean(b"the key is abcabcabdxyz!\n") == b"the key is [withheld:B_TOKEN]!\n"


def test_values_too_short_to_be_told_from_words_are_left() -> None:
    assert Redactor({"A_TOKEN": "the"}).clean(b"the end") == b"the end"
