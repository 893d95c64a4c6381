"""`python -m tests.service.hurried COMMAND …` is `emotions` with less time for workers to end."""

from analysis.workers import pipeline

END_S = 1.0


def main() -> None:
    from offline.cli.__main__ import main as emotions  # noqa: PLC0415  (workers do not need it)

    pipeline.END_S = END_S
    emotions()


if __name__ == "__main__":
    main()
