"""SQL of suppliers' tokens. Lock order: the lease's row, which the caller's fence takes, then the token's."""

# A token that was given for other secrets may be another account's.
LOAD = """
    SELECT ciphertext, obtained_at
      FROM supplier_tokens
     WHERE supplier = $1
       AND obtained_at > ALL (SELECT created_at FROM supplier_secrets WHERE supplier = $1)
"""

SAVE = """
    INSERT INTO supplier_tokens (supplier, ciphertext, expires_at, obtained_at)
    VALUES ($1, $2, $3, $4)
        ON CONFLICT (supplier) DO UPDATE
       SET ciphertext = excluded.ciphertext, expires_at = excluded.expires_at, obtained_at = excluded.obtained_at
"""
