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

# A token is called the same for every supplier: with its supplier behind the page before, so is the whole of it.
SEALED = """
    SELECT supplier, '.token' AS name, ciphertext, expires_at > now() AS needed
      FROM supplier_tokens
     WHERE (supplier, '.token') > ($1, $2)
     ORDER BY supplier
     LIMIT $3
"""

LOCK = "SELECT ciphertext FROM supplier_tokens WHERE supplier = $1 AND $2 = '.token' FOR UPDATE"

RESEAL = "UPDATE supplier_tokens SET ciphertext = $3 WHERE supplier = $1 AND $2 = '.token'"
