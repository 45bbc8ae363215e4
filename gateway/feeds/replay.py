"""Dead letters of this stage coming back: the same record, number and time of receipt, judged again.

What was mended meanwhile counts: the supplier's settings of today, this version's adapter, an operator's patch. What
was overtaken meanwhile falls out as stale by itself.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.deadletters import DeadLetterRow, Handler, Predictor, ReplayResult
from gateway.feeds.apply import Applier
from gateway.feeds.chunk import ChunkHead, Lane, Mode, RawRecord
from gateway.feeds.decide import Decisions, Entry
from gateway.feeds.guard import ItemOutcome
from gateway.feeds.named_keys import NamedKeys, compare_keys, named_by, named_by_chunk
from gateway.feeds.normalise import Mixed, Rejection, Result, Rules, normalise, parts_of, skus_of
from gateway.feeds.process import read_chunk
from gateway.feeds.profile import Profile, Profiles
from gateway.feeds.seal import ChunkSeal
from gateway.kafka import Message, Producer
from gateway.sdk.errors import InvalidMessageError, Issue
from gateway.sdk.exchange import asked_skus
from gateway.store import Connection
from gateway.suppliers import SupplierCache
from schemas.catalog import Facet

REQUEUED = "requeued"
"""A Kafka record that could not be read lies on its topic again."""


JUDGED = frozenset({"normalise", "guard"})
"""Stages whose letters are one record of a feed."""


class FeedReplays:
    """Takes dead letters of the stages `feeds.read`, `normalise` and `guard` back."""

    def __init__(
        self, applier: Applier, producer: Producer, profiles: Profiles, suppliers: SupplierCache, seal: ChunkSeal
    ) -> None:
        self._applier = applier
        self._producer = producer
        self._profiles = profiles
        self._suppliers = suppliers
        self._seal = seal

    def handlers(self) -> dict[str, Handler]:
        """What replays, by stage."""
        return {"normalise": self.replay, "guard": self.replay, "feeds.read": self.requeue}

    def predictors(self) -> dict[str, Predictor]:
        """What foretells, by stage."""
        return {"normalise": self.predict, "guard": self.predict, "feeds.read": self.predict_requeue}

    async def replay(self, connection: Connection, letter: DeadLetterRow) -> ReplayResult:
        """Judge the record again and make it take effect."""
        return await self._judged(connection, letter, Mode.UPSERT)

    async def predict(self, connection: Connection, letter: DeadLetterRow) -> ReplayResult:
        """What `replay` would come to now."""
        return await self._judged(connection, letter, Mode.VALIDATE)

    async def requeue(self, connection: Connection, letter: DeadLetterRow) -> ReplayResult:
        """Put an unreadable record on its topic again; read now, it takes effect like any other."""
        foretold = await self.predict_requeue(connection, letter)
        if not foretold.issues:
            headers = letter.headers or ()
            if letter.patched is not None:
                headers = self._seal.resealed(headers, letter.patched)
            await self._producer.send([Message(letter.topic or "", letter.key, letter.content, headers)])
        return foretold

    async def predict_requeue(self, connection: Connection, letter: DeadLetterRow) -> ReplayResult:
        """It goes back to the topic, unless it would only be dead-lettered again, or a patch names others.

        What the gateway did not write stays out, patched or not: a patch mends a chunk, it never makes one. Raises what
        reading the supplier's settings raises.
        """
        summary = ""
        try:
            self._seal.verify(letter.headers or (), letter.original)
            if letter.patched is not None:
                verdict = compare_keys(named_by_chunk(letter.original), named_by_chunk(letter.patched))
                if verdict.issue is not None:
                    return _refusal(verdict.issue)
                summary = verdict.summary
            head, _ = read_chunk(letter.key, letter.headers or (), letter.content)
            await self._profiles.get(head.supplier, head.revision)
        except InvalidMessageError as error:
            return _refusal(*error.issues)
        return ReplayResult(REQUEUED, detail=summary)

    async def named(self, letter: DeadLetterRow) -> list[NamedKeys]:
        """Whom the record names, and whom its patch does where there is one; nothing of letters that are no record."""
        if letter.stage not in JUDGED:
            return []
        _, profile, rules = await self._rules(letter, Mode.VALIDATE)
        contents = [letter.original] if letter.patched is None else [letter.original, letter.patched]
        return [_named(profile, rules, letter, each) for each in contents]

    async def _judged(self, connection: Connection, letter: DeadLetterRow, mode: Mode) -> ReplayResult:
        head, profile, rules = await self._rules(letter, mode)
        raw = RawRecord(letter.line or 0, letter.content)
        result = normalise(profile.adapter, raw, rules)
        summary = ""
        if letter.patched is not None:
            verdict = compare_keys(_named(profile, rules, letter, letter.original), named_by(raw.raw, result))
            if verdict.issue is not None:
                return _refusal(verdict.issue)
            summary = verdict.summary
        asked_for, patched = _asked_for(result, letter, rules), letter.patched is not None
        entry = Entry(head.first_record, raw.line, raw.raw, asked_for, patched=patched)
        decisions = await self._applier.apply(connection, head, profile, [entry])
        issues = tuple(issue for refused in decisions.refused for issue in refused.issues)
        return ReplayResult(_outcome(decisions), issues, summary)

    async def _rules(self, letter: DeadLetterRow, mode: Mode) -> tuple[ChunkHead, Profile, Rules]:
        """What the record is judged by."""
        head = await self._head(letter, mode)
        profile = await self._profiles.get(head.supplier, head.revision)
        return head, profile, profile.rules(head.facet, head.received_at)

    async def _head(self, letter: DeadLetterRow, mode: Mode) -> ChunkHead:
        """The chunk that the record was in, under the supplier's settings of today."""
        identity = (letter.supplier, letter.facet, letter.feed_no, letter.record_index, letter.received_at)
        match identity:
            case (str(supplier), str(facet), int(feed_no), int(record_index), received_at) if received_at is not None:
                head = ChunkHead(
                    supplier=supplier,
                    feed_no=feed_no,
                    chunk_no=-1,
                    first_record=record_index,
                    facet=Facet(facet),
                    mode=mode,
                    lane=Lane.EXPRESS,
                    revision=0,
                    received_at=received_at,
                    page_no=letter.page_no,
                )
            case _:
                raise InvalidMessageError(
                    Issue("processing_failed", actual=f"dead letter {letter.id} lacks its record")
                )
        return replace(head, revision=(await self._suppliers.get(head.supplier)).revision)


def _named(profile: Profile, rules: Rules, letter: DeadLetterRow, content: bytes) -> NamedKeys:
    """Whom a content of the letter names. What was read of the original when it was rejected counts with it."""
    result = normalise(profile.adapter, RawRecord(letter.line or 0, content), rules)
    return named_by(content, result, letter.sku if content is letter.original else None)


def _refusal(*issues: Issue) -> ReplayResult:
    return ReplayResult(ItemOutcome.REJECTED.value, issues)


def _asked_for(result: Result, letter: DeadLetterRow, rules: Rules) -> Result:
    """What the record says of the letter's sku alone, where it holds several: the others are none of the letter's."""
    (items, rejections), sku = parts_of(result), letter.sku
    named = {item.sku for item in items} | {each for rejection in rejections for each in rejection.skus}
    asked = set(asked_skus(letter.content))
    if sku is None or max(len(named), len(asked)) < 2 or sku not in named | asked:
        skus = skus_of(letter.content, pulled=rules.pulled)
        return result if items or rejections else Rejection((Issue("not_answered"),), skus)
    items = [item for item in items if item.sku == sku]
    own = tuple(Rejection(each.issues, (sku,)) for each in rejections if sku in each.skus)
    return Mixed(items, own) if items or own else Rejection((Issue("not_answered"),), (sku,))


def _outcome(decisions: Decisions) -> str:
    """One word for the record: the best that any of its items came to, in the order of `Outcome`."""
    counts = decisions.counts()
    return next(outcome.value for outcome in counts)
