#!/usr/bin/env bash
# Train on several GPUs of one or more nodes (without GPUs: several CPU processes).
#   tools/dist_train.sh CONFIG GPUS [train.py's options]
# Several nodes: set NNODES, NODE_RANK, MASTER_ADDR and PORT on each.
set -euo pipefail
usage() { sed -n '2,4s/^# //p' "$0"; }
[[ ${1:-} != -h && ${1:-} != --help ]] || { usage; exit 0; }
[[ $# -ge 2 ]] || { usage >&2; exit 2; }

config=$1 gpus=$2
[[ $gpus =~ ^([1-9][0-9]*|auto|cpu|gpu)$ ]] || {
    echo "error: expected a number of GPUs (or CPU processes), got $gpus" >&2
    exit 2
}
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" # else torchrun says on stderr that it does so
torchrun --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    --nproc_per_node="$gpus" \
    "$(dirname "$0")/train.py" "$config" --launcher pytorch "${@:3}"
