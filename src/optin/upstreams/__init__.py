"""The WhatsApp providers that messages are handed to: one family of modules for each provider."""
