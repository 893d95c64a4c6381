#!/bin/sh
# Build what is missing on the plans' volume, then become the `emotions` command.
# A shell that is process 1 ignores signals it has no trap for: without one, stopping the
# container during a long build would wait for the kill.
set -eu

case ${1:-} in
  serve | predict)
    trap 'exit 143' INT TERM
    emotions build &
    wait $!
    ;;
esac
exec emotions "$@"
