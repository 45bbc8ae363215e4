"""The public message models and the JSON Schemas generated from them."""
