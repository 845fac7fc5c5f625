"""Every limit and timeout of the data plane, with its default (times in seconds, sizes in bytes).

The names are those of `limits:` in the configuration.
"""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class Limits:
    """The defaults are the proxy's own; an operator overrides them by name."""

    # The client's side.
    clients: int = 10_000
    head: float = 10.0
    body_idle: float = 30.0
    body_rate: int = 240
    """Bytes a second that a request body has to keep up, image and object data apart (slow-post attacks)."""
    client_keep_alive: float = 75.0
    target: int = 8 * KIB
    fields: int = 100
    field: int = 16 * KIB
    request_head: int = 64 * KIB
    chunk_extensions: int = 4 * KIB
    trailers: int = 8 * KIB
    request_body: int = 1 * MIB
    """Bodies that routing has to read; every other body is streamed, whatever its size."""
    buffer: int = 64 * KIB
    """Bytes buffered in each direction of a request."""

    # The clouds' side.
    connect: float = 5.0
    first_byte: float = 60.0
    image_first_byte: float = 6 * 3600.0
    between_bytes: float = 60.0
    upstream_keep_alive: float = 4.0
    answer_head: int = 64 * KIB
    token_answer: int = 1 * MIB
    pool: int = 64
    pool_reserved: int = 16
    """Of `pool`, connections that only calls made by services may take."""
    identity_pool: int = 64
    waiting: int = 1_000
    wait: float = 5.0
    retry_share: float = 0.2
    eject_after: int = 5
    eject_for: float = 30.0
    eject_at_most: float = 300.0

    # Requests of several clouds.
    fan_out: float = 30.0
    """Within this time such a request is answered, whoever is still silent."""
    fan_out_clouds: int = 10_000
    """Clouds that one request may go to."""
    fan_out_token: int = 20_000
    """Clouds that all requests with one token may go to at one time, in each worker."""
    fan_out_calls: int = 500
    """Calls of one request under way at one time."""
    fan_out_answer: int = 16 * MIB
    """One cloud's answer, which is read whole."""
    fan_out_answers: int = 256 * MIB
    """All that is held of one request's answers."""
    fan_out_rows: int = 50_000
    """Rows of a list whose client gave no limit; the others follow by its `next` link."""

    # What is remembered.
    index: int = 10_000_000
    """Ids that the location index keeps."""

    # Life cycle and loops.
    via_depth: int = 8
    drain_grace: float = 0.5
    drain: float = 30.0
