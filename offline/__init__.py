"""What people run on files: folders, videos, cameras, reports, the bot, the `emotions` command."""
