"""SQL of suppliers. Lock order: CHANGE, then rows of suppliers by id, then what belongs to them.

Whatever changes what a running process must know ends with NOTIFY, which PostgreSQL delivers at commit.
"""

CHANNEL = "suppliers"

NOTIFY = "SELECT pg_notify('suppliers', $1)"

# Declarations of several suppliers are applied one file at a time, else two files could wait for each other's rows.
CHANGE = "SELECT pg_advisory_xact_lock(hashtextextended('mallgate.suppliers', 0))"

OVERVIEW = """
    SELECT supplier, revision, state, config, created_at, updated_at
      FROM suppliers
     ORDER BY supplier
"""

ONE = """
    SELECT supplier, revision, state, config, created_at, updated_at
      FROM suppliers
     WHERE supplier = $1
"""

LOCK = ONE + " FOR UPDATE"

CONFIG = "SELECT config FROM suppliers WHERE supplier = $1"

SEVERAL = """
    SELECT supplier, revision, state, config
      FROM suppliers
     WHERE supplier = ANY($1::text[])
"""

STAMPS = "SELECT supplier, revision, state FROM suppliers"

UPSERT = """
    INSERT INTO suppliers (supplier, revision, state, config)
    VALUES ($1, $2, 'active', $3)
        ON CONFLICT (supplier) DO UPDATE
       SET revision = excluded.revision, config = excluded.config, updated_at = now()
"""

ADD_REVISION = """
    INSERT INTO supplier_revisions (supplier, revision, config, actor)
    VALUES ($1, $2, $3, $4)
"""

REVISIONS = """
    SELECT revision, actor, at
      FROM supplier_revisions
     WHERE supplier = $1
     ORDER BY revision DESC
"""

REVISION = """
    SELECT config FROM supplier_revisions WHERE supplier = $1 AND revision = $2
"""

SET_STATE = """
    UPDATE suppliers SET state = $2, updated_at = now() WHERE supplier = $1
"""

SECRETS = """
    SELECT name, ciphertext, created_at
      FROM supplier_secrets
     WHERE supplier = $1
     ORDER BY name
"""

KEEP_SEALED = """
    INSERT INTO supplier_secrets (supplier, name, ciphertext)
    VALUES ($1, $2, $3)
        ON CONFLICT (supplier, name) DO UPDATE
       SET ciphertext = excluded.ciphertext, created_at = now()
"""

DROP_SECRETS = """
    DELETE FROM supplier_secrets WHERE supplier = $1 AND name = ANY($2::text[])
"""

# What is sealed, page by page behind a supplier and a name; needed: somebody is served by it still.
SEALED = """
    SELECT supplier, name, ciphertext, true AS needed
      FROM supplier_secrets
     WHERE (supplier, name) > ($1, $2)
     ORDER BY supplier, name
     LIMIT $3
"""

LOCK_SEALED = "SELECT ciphertext FROM supplier_secrets WHERE supplier = $1 AND name = $2 FOR UPDATE"

RESEAL = "UPDATE supplier_secrets SET ciphertext = $3 WHERE supplier = $1 AND name = $2"

LIVE_KEYS = """
    SELECT count(*)
      FROM api_keys
     WHERE supplier = $1 AND kind = $2
       AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
"""

ADD_KEY = """
    INSERT INTO api_keys (key_id, supplier, kind, secret_hash, ciphertext, scopes, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
"""

KEYS = """
    SELECT key_id, kind, scopes, created_at, expires_at, revoked_at, last_used_at
      FROM api_keys
     WHERE supplier = $1
     ORDER BY created_at, key_id
"""

REVOKE = """
    UPDATE api_keys SET revoked_at = now()
     WHERE key_id = $1 AND supplier = $2 AND revoked_at IS NULL
    RETURNING kind
"""

KEY_EXISTS = "SELECT 1 FROM api_keys WHERE key_id = $1 AND supplier = $2"

LIVE_BEARERS = """
    SELECT key_id, supplier, secret_hash, scopes
      FROM api_keys
     WHERE key_id = ANY($1::text[]) AND kind = 'bearer'
       AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
"""

# What a key may do right now; no scopes: it is not live any more.
STANDING = """
    SELECT s.state, s.config -> 'facets' ? $3 AS fed, k.scopes
      FROM suppliers s
      LEFT JOIN api_keys k ON k.key_id = $2 AND k.supplier = s.supplier
       AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
     WHERE s.supplier = $1
"""

LIVE_WEBHOOKS = """
    SELECT key_id, ciphertext, scopes
      FROM api_keys
     WHERE supplier = $1 AND kind = 'webhook'
       AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
     ORDER BY created_at DESC, key_id
"""

# A row that somebody holds is told the next time: waiting for it would keep changes of suppliers from being followed.
TOUCH_KEYS = """
    UPDATE api_keys k SET last_used_at = greatest(k.last_used_at, used.at)
      FROM unnest($1::text[], $2::timestamptz[]) AS used (key_id, at)
     WHERE k.key_id = used.key_id
       AND k.key_id IN (SELECT key_id FROM api_keys WHERE key_id = ANY($1::text[]) FOR NO KEY UPDATE SKIP LOCKED)
"""

SEALED_KEYS = """
    SELECT supplier, key_id AS name, ciphertext,
           revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) AS needed
      FROM api_keys
     WHERE kind = 'webhook' AND (supplier, key_id) > ($1, $2)
     ORDER BY supplier, key_id
     LIMIT $3
"""

LOCK_KEY = "SELECT ciphertext FROM api_keys WHERE supplier = $1 AND key_id = $2 FOR UPDATE"

RESEAL_KEY = "UPDATE api_keys SET ciphertext = $3 WHERE supplier = $1 AND key_id = $2"

ROTATED_AT = """
    SELECT coalesce(max(at) FILTER (WHERE (detail ->> 'to_reseal')::integer > 0), min(at))
      FROM audit
     WHERE action = $1 AND detail ->> 'key' = $2
"""
