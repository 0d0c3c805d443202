"""The rules of consent: pure functions and frozen values. No I/O, no clock, no chance."""
