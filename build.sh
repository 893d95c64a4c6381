#!/usr/bin/env bash
# Set up, build the engines for this machine, and then:
#   ./build.sh                    nothing more (with what videos need, which serving does not)
#   ./build.sh serve [--port N …] serve (options as `emotions serve --help` shows)
#   ./build.sh test [ARGS …]      check types and style and run every test (ARGS go to pytest)
#   ./build.sh audit              known vulnerabilities of the dependencies; writes build/sbom/
#   ./build.sh fuzz [SECONDS]     look for inputs that decoding and parsing do not survive
#   ./build.sh docs               build the documentation into build/site
#   ./build.sh test-training [ARGS …]  run the tests of training/, in an environment of its own
#   ./build.sh lock               resolve the dependencies anew into requirements/
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

VENV=${EMOTIONS_VENV:-.venv}

say() { printf 'build.sh: %s\n' "$*" >&2; }

find_python() {
  local name
  for name in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
    if "$name" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
      printf '%s' "$name"
      return
    fi
  done
  say 'needs Python 3.11, 3.12 or 3.13 with its venv module; set PYTHON to one'
  exit 1
}

environment() {
  [ -x "$VENV/bin/python" ] || { say "making $VENV"; "$(find_python)" -m venv "$VENV"; }
}

# set_up LOCK …: an environment with exactly the packages of requirements/LOCK.txt, of several locks in
# one go; `pip_options` go to pip. A stamp of each lock's checksum makes the second time quick; tests'
# packages may stay when only serving is asked.
set_up() {
  local name missing=() files=()
  environment
  for name; do
    [ "$(cat "$VENV/.installed-$name" 2>/dev/null)" = "$(stamp "$name")" ] && continue
    missing+=("$name")
    files+=(-r "requirements/$name.txt")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing ${missing[*]} of requirements/ into $VENV"
  "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
    ${pip_options:-} "${files[@]}"
  "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
  for name in "${missing[@]}"; do stamp "$name" >"$VENV/.installed-$name"; done
}

# stamp LOCK: the checksum of what its packages depend on.
stamp() {
  cat "requirements/$1.txt" pyproject.toml | cksum
}

# choose_engine ARGS …: --engine among the options of `emotions` is the engine of every command run
# here, so that `serve` finds the plans that `build` made.
choose_engine() {
  local previous='' argument
  for argument; do
    case $argument in --engine=*) export EMOTIONS_ENGINE=${argument#*=} ;; esac
    [ "$previous" != --engine ] || export EMOTIONS_ENGINE=$argument
    previous=$argument
  done
}

# lock: what the chosen engine needs. OpenVINO comes unasked where the CPU computes in bfloat16:
# there it is about twice as fast as ONNX Runtime.
lock() {
  case ${EMOTIONS_ENGINE:-auto} in
    tensorrt-rtx | openvino) printf %s "$EMOTIONS_ENGINE" ;;
    onnxruntime) printf service ;;
    *) if grep -qsE 'avx512_bf16|amx_bf16' /proc/cpuinfo; then printf openvino; else printf service; fi ;;
  esac
}

# set_up_training: the lock is complete and leaves CUDA's libraries out, hence --no-deps. A PyTorch
# that wants them (the only one that many an index has for Linux) gets those that it pins.
set_up_training() {
  "$VENV/bin/python" -m pip show --quiet torch 2>/dev/null || install_torch
  pip_options=--no-deps set_up training
  "$VENV/bin/python" -c 'import torch' 2>/dev/null && return
  say "PyTorch here is built for CUDA: installing CUDA's libraries"
  "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0
}

# install_torch: pip asked for hashes takes what an index states them of; asked without, the build
# for CPUs where one is offered. So that one is fetched, and then held to the lock's hashes.
install_torch() {
  local wheels
  wheels=$(mktemp -d)
  environment
  "$VENV/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps \
    --dest "$wheels" torch==2.13.0
  sed -n '/^torch==/,/[^\\]$/p' requirements/training.txt >"$wheels/torch.txt"
  "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-index \
    --find-links "$wheels" --require-hashes -r "$wheels/torch.txt"
  rm -r "$wheels"
}

# types_of_tensorrt: what type-checks our calls of TensorRT 10 and 11; see tests/stubs.py.
types_of_tensorrt() {
  if [ "$(uname -s)" = Linux ] && command -v cc >/dev/null; then
    "$VENV/bin/python" -m tests.stubs
  else
    say 'no C compiler, or not Linux: calls of TensorRT are not checked against its types'
  fi
}

# resolve ARGS …: one lock for every Python and platform, by hash, naming no index.
resolve() {
  "$VENV/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-annotate --no-emit-index-url --custom-compile-command './build.sh lock' \
    "$@" pyproject.toml
}

# resolve_training: uv locks the wheels of the package index. Where pip is offered PyTorch's build
# for CPUs, that one's hash is added.
resolve_training() {
  local chosen
  resolve --extra build --extra training --extra training-test -c requirements/test.txt \
    -o requirements/training.txt
  chosen=$("$VENV/bin/python" -m pip install --quiet --dry-run --ignore-installed --no-deps \
    --report - torch==2.13.0 | grep -om1 '"sha256": "[0-9a-f]*"' | grep -o '[0-9a-f]\{64\}')
  grep -q "$chosen" requirements/training.txt ||
    sed -i "s/^torch==.*/&\n    --hash=sha256:$chosen \\\\/" requirements/training.txt
}

# resolve_types MAJOR REQUIREMENT: the bindings of one TensorRT, which only their types are made of.
resolve_types() {
  printf '%s\n' "$2" | "$VENV/bin/uv" pip compile --quiet --universal --python-version 3.11 \
    --generate-hashes --no-annotate --no-emit-index-url --no-deps \
    --custom-compile-command './build.sh lock' - -o "requirements/tensorrt-$1-types.txt"
}

command=${1:-build}
[ $# -gt 0 ] && shift
case $command in
  build)
    choose_engine "$@"
    set_up "$(lock)" video
    "$VENV/bin/emotions" build "$@"
    ;;
  serve)
    choose_engine "$@"
    set_up "$(lock)" ${EMOTIONS_OTLP_URL:+otel}
    "$VENV/bin/emotions" build
    exec "$VENV/bin/emotions" serve "$@"
    ;;
  test)
    set_up test docs tensorrt-rtx
    types_of_tensorrt
    "$VENV/bin/ruff" format --check .
    "$VENV/bin/ruff" check .
    "$VENV/bin/mypy"
    exec "$VENV/bin/pytest" "$@"
    ;;
  audit)
    set_up audit
    exec "$VENV/bin/python" -m tests.audit
    ;;
  fuzz)
    set_up test fuzz
    exec "$VENV/bin/python" -m bench.fuzz --seconds "${1:-60}"
    ;;
  docs)
    set_up docs
    NO_MKDOCS_2_WARNING=1 exec "$VENV/bin/mkdocs" build --strict "$@"
    ;;
  test-training)
    VENV=${EMOTIONS_TRAINING_VENV:-.venv-training}
    set_up_training
    exec "$VENV/bin/python" -m pytest --timeout 600 tests/training "$@"
    ;;
  lock)
    set_up test
    resolve --extra build -o requirements/service.txt
    resolve --extra build --extra test -c requirements/service.txt -o requirements/test.txt
    resolve --extra build --extra video -c requirements/test.txt -o requirements/video.txt
    resolve --extra build --extra audit -c requirements/test.txt -o requirements/audit.txt
    resolve --extra build --extra fuzz -c requirements/test.txt -o requirements/fuzz.txt
    resolve --extra build --extra docs -c requirements/test.txt -o requirements/docs.txt
    resolve --extra build --extra otel -c requirements/test.txt -o requirements/otel.txt
    resolve_training
    resolve --extra build --extra openvino -c requirements/test.txt -o requirements/openvino.txt
    resolve --extra build --extra tensorrt-rtx -c requirements/service.txt \
      -o requirements/tensorrt-rtx.txt
    resolve --extra build --extra gpu -c requirements/service.txt \
      --no-emit-package tensorrt-cu13-libs -o docker/gpu.txt
    resolve_types 10 tensorrt-cu12-bindings==10.16.1.11
    resolve_types 11 tensorrt-cu13-bindings==11.4.0.106
    ;;
  *)
    say "no command '$command'; there are: build, serve, test, audit, fuzz, docs, test-training, lock"
    exit 2
    ;;
esac
