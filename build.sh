#!/usr/bin/env bash
# Sets up the project and runs it. All packages go to .venv, from the locks in requirements/.
#   ./build.sh                         build the engines for this machine (installs video support)
#   ./build.sh serve [--port N …]      build and serve; `emotions serve --help` shows the options
#   ./build.sh test [ARGS …]           check style, imports and types, run the tests (ARGS: pytest)
#   ./build.sh test-training [ARGS …]  run the tests of training/ in .venv-training
#   ./build.sh audit                   list known vulnerabilities of the dependencies, write build/sbom/
#   ./build.sh fuzz [SECONDS]          search for inputs that crash decoding or parsing
#   ./build.sh docs                    build the documentation into build/site
#   ./build.sh lock                    resolve the dependencies into requirements/
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

# set_up LOCK …: install the packages of each requirements/LOCK.txt; `pip_options` go to pip. A stamp
# with the checksum of the lock makes the second run quick. Packages of other locks stay.
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

# stamp LOCK: print the checksum of the files that determine its packages.
stamp() {
  cat "requirements/$1.txt" pyproject.toml | cksum
}

# choose_engine ARGS …: use the engine that --engine names for every command here, so that `serve`
# finds the plans of `build`.
choose_engine() {
  local previous='' argument
  for argument; do
    case $argument in --engine=*) export EMOTIONS_ENGINE=${argument#*=} ;; esac
    [ "$previous" != --engine ] || export EMOTIONS_ENGINE=$argument
    previous=$argument
  done
}

# lock: print the lock of the chosen engine. The default is OpenVINO on a CPU with bfloat16, where it
# is about twice as fast as ONNX Runtime.
lock() {
  case ${EMOTIONS_ENGINE:-auto} in
    tensorrt-rtx | openvino | cuda) printf %s "$EMOTIONS_ENGINE" ;;
    onnxruntime) printf service ;;
    *) if grep -qsE 'avx512_bf16|amx_bf16' /proc/cpuinfo; then printf openvino; else printf service; fi ;;
  esac
}

# onnxruntime_for_gpus: the other locks bring `onnxruntime`, which fills the same folder as
# `onnxruntime-gpu`: leave only the latter.
onnxruntime_for_gpus() {
  [ "$(lock)" = cuda ] || return 0
  "$VENV/bin/python" -m pip show --quiet onnxruntime 2>/dev/null || return 0
  "$VENV/bin/python" -m pip uninstall --quiet --yes onnxruntime
  "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps \
    --require-hashes -r <(sed -n '/^onnxruntime-gpu==/,/[^\\]$/p' requirements/cuda.txt)
}

# set_up_training: the lock is complete but has no CUDA libraries, hence --no-deps. If the index only
# has a PyTorch for CUDA, install the CUDA libraries that it pins.
set_up_training() {
  "$VENV/bin/python" -m pip show --quiet torch 2>/dev/null || install_torch
  pip_options=--no-deps set_up training
  "$VENV/bin/python" -c 'import torch' 2>/dev/null && return
  say "PyTorch here is built for CUDA: installing CUDA's libraries"
  "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0
}

# install_torch: with hashes, pip only accepts files for which the index states a hash. Without, it
# takes a CPU build where there is one. So download first, then verify against the lock.
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

# types_of_tensorrt: generate the stubs that type-check calls of TensorRT 10 and 11, see tests/stubs.py.
types_of_tensorrt() {
  if [ "$(uname -s)" = Linux ] && command -v cc >/dev/null; then
    "$VENV/bin/python" -m tests.stubs
  else
    say 'needs Linux and a C compiler to check calls of TensorRT against its types; skipping'
  fi
}

# resolve ARGS …: write one lock with hashes for all versions of Python and platforms.
resolve() {
  "$VENV/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-annotate --no-emit-index-url --custom-compile-command './build.sh lock' \
    "$@" pyproject.toml
}

# resolve_training: uv locks the wheels of the package index. If pip finds a CPU build of PyTorch, add
# its hash.
resolve_training() {
  local chosen
  resolve --extra build --extra training --extra training-test -c requirements/test.txt \
    -o requirements/training.txt
  chosen=$("$VENV/bin/python" -m pip install --quiet --dry-run --ignore-installed --no-deps \
    --report - torch==2.13.0 | grep -om1 '"sha256": "[0-9a-f]*"' | grep -o '[0-9a-f]\{64\}')
  grep -q "$chosen" requirements/training.txt ||
    sed -i "s/^torch==.*/&\n    --hash=sha256:$chosen \\\\/" requirements/training.txt
}

# resolve_types MAJOR REQUIREMENT: lock the bindings of one TensorRT; only their stubs are used.
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
    set_up "$(lock)" photos video
    onnxruntime_for_gpus
    "$VENV/bin/emotions" build "$@"
    ;;
  serve)
    choose_engine "$@"
    set_up "$(lock)" photos ${EMOTIONS_OTLP_URL:+otel}
    onnxruntime_for_gpus
    "$VENV/bin/emotions" build
    exec "$VENV/bin/emotions" serve "$@"
    ;;
  test)
    set_up test docs tensorrt-rtx
    types_of_tensorrt
    "$VENV/bin/ruff" format --check .
    "$VENV/bin/ruff" check .
    PYTHONPATH=client "$VENV/bin/lint-imports" --no-cache
    "$VENV/bin/mypy"
    case $* in '' | --all) set -- --cov --cov-report= --cov-fail-under=90 "$@" ;; esac
    exec "$VENV/bin/pytest" -n 2 --dist loadfile --durations=25 "$@"
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
    resolve --extra build --extra photos -c requirements/test.txt -o requirements/photos.txt
    resolve --extra build --extra video -c requirements/test.txt -o requirements/video.txt
    resolve --extra build --extra ray -c requirements/test.txt -o requirements/ray.txt
    resolve --extra build --extra audit -c requirements/test.txt -o requirements/audit.txt
    resolve --extra build --extra fuzz -c requirements/test.txt -o requirements/fuzz.txt
    resolve --extra build --extra docs -c requirements/test.txt -o requirements/docs.txt
    resolve --extra build --extra otel -c requirements/test.txt -o requirements/otel.txt
    resolve_training
    resolve --extra build --extra openvino -c requirements/test.txt -o requirements/openvino.txt
    resolve --extra build --extra tensorrt-rtx -c requirements/service.txt \
      -o requirements/tensorrt-rtx.txt
    resolve --extra build --extra gpu -c requirements/test.txt \
      --no-emit-package tensorrt-cu13-libs -o docker/gpu.txt
    resolve --extra build --extra cuda -c requirements/test.txt \
      --no-emit-package onnxruntime -o requirements/cuda.txt
    resolve_types 10 tensorrt-cu12-bindings==10.16.1.11
    resolve_types 11 tensorrt-cu13-bindings==11.4.0.106
    ;;
  help | -h | --help)
    sed -n '2,/^set /s/^# \?//p' "$(basename "${BASH_SOURCE[0]}")"
    ;;
  *)
    say "no command '$command'; there are: build, serve, test, audit, fuzz, docs, test-training, lock"
    exit 2
    ;;
esac
