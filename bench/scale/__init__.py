"""What contacts and bots cost as they grow to many: what `docs/scale.md` rests on."""
