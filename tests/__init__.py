"""The tests mirror `src/optin`; CONTRIBUTING.md says which folder holds what."""
