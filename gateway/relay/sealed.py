"""What the relay keeps sealed: what commands say, and the words of suppliers; both may name people."""

from __future__ import annotations

from gateway.suppliers import SealedTable

WORDS = "order words"
"""What words of a supplier are sealed as, beside the supplier."""


def sealed_as(command_id: str) -> str:
    """What a command is sealed as, beside its supplier."""
    return f"command {command_id}"


COMMANDS = SealedTable(
    "commands",
    page="""
        SELECT command_id, supplier, 'command ' || command_id AS name, sealed AS ciphertext, true AS needed
          FROM commands
         WHERE command_id > $1
         ORDER BY command_id
         LIMIT $2
    """,
    lock="SELECT sealed FROM commands WHERE command_id = $1 FOR UPDATE",
    store="UPDATE commands SET sealed = $2 WHERE command_id = $1",
    beginning={"command_id": ""},
)

STEPS = SealedTable(
    "order_steps",
    page="""
        SELECT id, supplier, 'order words' AS name, words AS ciphertext, true AS needed
          FROM order_steps
         WHERE id > $1 AND words IS NOT NULL
         ORDER BY id
         LIMIT $2
    """,
    lock="SELECT words FROM order_steps WHERE id = $1 FOR UPDATE",
    store="UPDATE order_steps SET words = $2 WHERE id = $1",
    beginning={"id": 0},
)

SEALED_BY_RELAY = (COMMANDS, STEPS)
"""Every table of the relay that holds sealed values."""
