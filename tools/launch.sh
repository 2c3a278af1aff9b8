#!/usr/bin/env bash
# Start a Python script in several processes of one or more nodes, by torchrun.
#   tools/launch.sh PROCESSES SCRIPT.py [the script's arguments]
# Several nodes: set NNODES, NODE_RANK, MASTER_ADDR and PORT on each.
set -euo pipefail
usage() { sed -n '2,4s/^# //p' "$0"; }
[[ ${1:-} != -h && ${1:-} != --help ]] || { usage; exit 0; }
[[ $# -ge 2 ]] || { usage >&2; exit 2; }

[[ $1 =~ ^([1-9][0-9]*|auto|cpu|gpu)$ ]] || {
    echo "error: expected a number of GPUs (or CPU processes), got $1" >&2
    exit 2
}
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" # else torchrun says on stderr that it does so
exec torchrun --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    --nproc_per_node="$1" "${@:2}"
