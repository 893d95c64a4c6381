"""`python -m service` is `emotions`."""

from service.cli import main

main()
