"""The JSON interface: answers, questions, one table of routes, and the OpenAPI document made from it."""
