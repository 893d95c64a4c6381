#!/usr/bin/env bash
# The long emotion recipe for one GPU, with nothing but PyTorch and numpy: four teachers side by side,
# then two students of theirs, each small enough to ship.
#
#   python -m training.emotion start --network mobileface --start MOBILEFACENET.wts --out START.npz
#   training/long.sh teachers FER2013.npz RUNS START.npz
#   training/long.sh students FER2013.npz RUNS START.npz
#
# The first needs Keras and ONNX, and can be run elsewhere. DEVICE, MINUTES, EPOCHS and BATCH in the
# environment are for a rehearsal on a CPU.
set -euo pipefail
cd "$(dirname "$0")/.."
stage=$1 data=$2 runs=$3 start=$4 jobs=()

train() { # NAME OPTION...
    python3 -m training.emotion train --device "${DEVICE:-cuda}" --data "$data" --out "$runs/$1" \
        --batch "${BATCH:-256}" --epochs "${EPOCHS:-600}" --minutes "${MINUTES:-9}" --rate 0.1 \
        --mixup 0.2 --label-weight 0.5 --fit-votes --mixed-precision \
        --tone 0.3 --degrade 0.12 "${@:2}" &
    jobs+=($!)
}

faces() { # NAME OPTION...: a network that knows faces already
    train "$1" --network mobileface --start "$start" --optimizer adamw --rate 6e-4 \
        --weight-decay 0.05 --erase 0.12 "${@:2}"
}

case $stage in
teachers)
    train dense-1 --seed 1 --width 80 --sides 0:40,0.4:48
    train dense-2 --seed 2 --width 64 --blocks 2 --sides 0:32,0.3:48
    faces faces-1 --seed 3 --sides 0:40,0.4:48
    faces faces-2 --seed 4 --sides 0:32,0.3:56
    ;;
students)
    teachers=$(printf ",$runs/%s" dense-1 dense-2 faces-1 faces-2)
    train dense --seed 5 --width 56 --blocks 2 --dropout 0.1 --sides 0:40,0.5:48 \
        --teachers "${teachers:1}"
    faces mobileface --seed 6 --dropout 0.1 --sides 0:40,0.5:48 --teachers "${teachers:1}"
    ;;
*)
    echo "teachers or students, not $stage" >&2
    exit 2
    ;;
esac
for job in "${jobs[@]}"; do wait "$job"; done
