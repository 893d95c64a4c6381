"""A Telegram bot that answers a photograph with its faces and their emotions."""
