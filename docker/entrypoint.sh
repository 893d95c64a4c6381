#!/bin/sh
# Builds the plans that the volume lacks, then becomes the `emotions` command.
# Process 1 ignores signals without a handler. The trap lets the container stop during a long build.
set -eu

# choose_engine ARGS …: build with the engine that the command's --engine names, so that `serve` finds
# its plans.
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
