#!/usr/bin/env bash
# The long emotion recipe for one GPU, with nothing but PyTorch and numpy: four teachers from random
# weights side by side, then one student of theirs that is small enough to ship.
#
#   training/long.sh teachers FER2013.npz RUNS
#   training/long.sh student FER2013.npz RUNS
#
# DEVICE, MINUTES, EPOCHS and BATCH in the environment are for a rehearsal on a CPU.
set -euo pipefail
cd "$(dirname "$0")/.."
stage=$1 data=$2 runs=$3

train() { # NAME OPTION...
    python3 -m training.emotion train --device "${DEVICE:-cuda}" --data "$data" --out "$runs/$1" \
        --batch "${BATCH:-256}" --rate 0.1 --mixup 0.2 --label-weight 1 --mixed-precision \
        --tone 0.3 --degrade 0.12 --minutes "${MINUTES:-9}" "${@:2}"
}

case $stage in
teachers)
    epochs=${EPOCHS:-300} jobs=()
    train teacher-1 --epochs "$epochs" --seed 1 --width 80 --sides 0:40,0.4:48 & jobs+=($!)
    train teacher-2 --epochs "$epochs" --seed 2 --width 64 --blocks 2 --sides 0:48 & jobs+=($!)
    train teacher-3 --epochs "$epochs" --seed 3 --width 96 --sides 0:40 & jobs+=($!)
    train teacher-4 --epochs "$epochs" --seed 4 --width 80 --sides 0:32,0.3:48 & jobs+=($!)
    for job in "${jobs[@]}"; do wait "$job"; done
    ;;
student)
    teachers=$(printf ",$runs/teacher-%d" 1 2 3 4)
    train student --epochs "${EPOCHS:-1500}" --seed 5 --width 56 --blocks 2 --dropout 0.1 \
        --teachers "${teachers:1}" --sides 0:40,0.5:48
    ;;
*)
    echo "teachers or student, not $stage" >&2
    exit 2
    ;;
esac
