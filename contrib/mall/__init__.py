"""The mall core as a small program that knows Kafka alone: it places orders and follows them to their end.

It is written from `schemas/asyncapi.json` and imports nothing of the gateway and nothing of its models.
"""
