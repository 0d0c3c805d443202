"""optin keeps a business's WhatsApp consent and enforces it."""

__version__ = "0.1.0"
