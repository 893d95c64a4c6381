#!/bin/sh
# Build what is missing on the plans' volume, then become the `emotions` command.
# A shell that is process 1 ignores signals it has no trap for: without one, stopping the
# container during a long build would wait for the kill.
set -eu

# choose_engine ARGS …: --engine among the command's options is the engine of the build, too, so
# that `serve` finds the plans that it needs.
choose_engine() {
  previous=
  for argument; do
    case $argument in --engine=*) export EMOTIONS_ENGINE="${argument#*=}" ;; esac
    [ "$previous" != --engine ] || export EMOTIONS_ENGINE="$argument"
    previous=$argument
  done
}

case ${1:-} in
  serve | predict)
    trap 'exit 143' INT TERM
    choose_engine "$@"
    emotions build &
    wait $!
    ;;
esac
exec emotions "$@"
