"""A Telegram bot: a photograph in, the same with its emotions out."""
