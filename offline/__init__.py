"""What people run on files: folders, films, cameras, reports, the bot, the `emotions` command."""
