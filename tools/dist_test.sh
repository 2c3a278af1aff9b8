#!/usr/bin/env bash
# Test on several GPUs of one or more nodes (without GPUs: several CPU processes).
#   tools/dist_test.sh CONFIG CHECKPOINT GPUS [test.py's options]
# Several nodes: set NNODES, NODE_RANK, MASTER_ADDR and PORT on each.
set -euo pipefail
usage() { sed -n '2,4s/^# //p' "$0"; }
[[ ${1:-} != -h && ${1:-} != --help ]] || { usage; exit 0; }
[[ $# -ge 3 ]] || { usage >&2; exit 2; }

config=$1 checkpoint=$2 gpus=$3
tools=$(dirname "$0")
exec "$tools/launch.sh" "$gpus" "$tools/test.py" "$config" "$checkpoint" --launcher pytorch "${@:4}"
