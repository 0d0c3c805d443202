"""Chooses store and upstreams and connects everything: the only place that knows them all."""
