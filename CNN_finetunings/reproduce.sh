#!/usr/bin/env bash
# One network, all the way: clips -> lists -> fine-tune -> test -> heatmaps -> comparison with gaze.
#   CNN_finetunings/reproduce.sh i3d|x3d|slowfast [OUT_DIR] [KEY=VALUE ...]
# KTH's walking and running as tools/data/kth/download_kth.sh leaves them in $KTH (default:
# data/raw_dataset/kth_data), from PyTorchVideo's checkpoint in checkpoints/. SYNTHETIC=1 draws
# clips and begins with random weights, small. OUT_DIR: work_dirs/reproduce/NETWORK[-synthetic].
# KEY=VALUE: settings of the config, for all steps (load_from=PATH, train_dataloader.batch_size=2).
# FIXATIONS=TABLE.csv: gaze on KTH's files; of synthetic clips there are simulated observers.
# EPOCHS and, of synthetic clips, PERSONS (1-25) make it shorter (PERSONS='2 11-12 19' EPOCHS=1); the
# learning rate still falls as for all epochs of the config. OVERLAYS=0 writes no overlay videos.
# A second run goes on where the first stopped.
set -euo pipefail
[[ ${1:-} != -h && ${1:-} != --help ]] || { sed -n '2,11s/^# //p' "$0"; exit 0; }

stop() { echo "error: $*" >&2; exit 2; }
step() { printf '\n== %s\n' "$*"; }

here=$(cd "$(dirname "$0")" && pwd)
tools=$here/../tools
network=${1:-}
case $network in
    i3d | x3d | slowfast) ;;
    *) stop "expected i3d, x3d or slowfast, got '$network' (see --help)" ;;
esac
shift
synthetic=${SYNTHETIC:-0}
[[ $synthetic == [01] ]] || stop "expected SYNTHETIC=0 or 1, got $synthetic"
out=work_dirs/reproduce/$network
[[ $synthetic == 0 ]] || out+=-synthetic
if [[ $# -gt 0 && $1 != *=* ]]; then
    out=$1
    shift
fi
[[ $out != -* ]] || stop "$out is no folder: settings are KEY=VALUE (see --help)"
[[ $out != *[[:space:]]* ]] || stop "expected an OUT_DIR without white space, got '$out'"
[[ ${EPOCHS:-1} =~ ^[1-9][0-9]*$ ]] || stop "expected EPOCHS as a positive number, got $EPOCHS"
sequences=$out/sequences
work=$out/training

if [[ $synthetic == 1 ]]; then
    config=("$here/$network"/*-small_*_kth-synthetic-rgb.py)
    clips=$out/synthetic_kth
    fixations=$clips/fixations.csv
    comparison=(--synthetic --sigma 1deg --pixels-per-degree 10)
    step 'SYNTHETIC clips: drawn walkers and runners and simulated observers'
    read -ra persons <<< "${PERSONS:-1-25}"
    python "$tools/data/synthetic/make_clips.py" "$clips" --persons "${persons[@]}"
else
    config=("$here/$network"/*-pretrained_*_kth-rgb.py)
    clips=${KTH:-data/raw_dataset/kth_data}
    fixations=${FIXATIONS:-}
    comparison=()
    [[ -z ${PERSONS:-} ]] || stop 'PERSONS is for SYNTHETIC=1: KTH has its own'
    [[ -z $fixations || -f $fixations ]] || stop "FIXATIONS: there is no file $fixations"
    [[ -d $clips ]] || stop "there is no folder $clips: tools/data/kth/download_kth.sh gets KTH" \
        'there; or name its folder by KTH=DIR, or try SYNTHETIC=1'
fi
data=({train,val,test}_dataloader.dataset.data_root="$sequences")
[[ -z ${EPOCHS:-} ]] || data+=(train_cfg.max_epochs="$EPOCHS")
# What the log says of epochs, in short; and mistakes, in full.
brief() {
    awk '/Epoch\(|rror:/ { print (/Epoch\(/ ? substr($0, 1, 150) : $0); fflush() }'
}

step 'A file for every sub-sequence, and lists of them by the official split by person'
python "$tools/data/kth/trim_videos.py" --raw-dir "$clips" --out-dir "$sequences" --sequences \
    --actions walking running --size 0 0
python "$tools/data/list_videos.py" "$sequences" --kth-split --classes walking running

step "Train (log: $work; done once, it is not done again)"
settings="${config[0]##*/} EPOCHS=${EPOCHS:-} $*"
if [[ -f $work/done && $(cat "$work/done") != "$settings" ]]; then
    stop "$work was trained with other settings ($(cat "$work/done")): name another OUT_DIR," \
        'or delete it'
fi
if [[ ! -f $work/done ]]; then
    python "$tools/train.py" "${config[0]}" --resume --work-dir "$work" \
        --cfg-options "${data[@]}" randomness.seed=0 "$@" 2>&1 | brief
    echo "$settings" > "$work/done"
fi
# The epoch that was best for the validation persons; the last one where none was validated.
checkpoint=$(find "$work" -maxdepth 1 -name 'best_*.pth' | sort | tail -n 1)
checkpoint=${checkpoint:-$(cat "$work/last_checkpoint")}

step "Test on persons it has not seen ($checkpoint)"
python "$tools/test.py" "${config[0]}" "$checkpoint" --dump "$out/predictions.pkl" \
    --work-dir "$work/test" --cfg-options "${data[@]}" "$@" 2>&1 | brief

# Of the whole files, range by range: they are what observers watch, and what gaze is named by. A clip
# begins every 16 frames, and every frame of it gets a map: one clip from the middle of each range
# would leave out when the person is near the edges.
step 'Heatmaps of the test persons'
python "$tools/data/kth/list_clips.py" "$clips" --subset test --out "$out/test_clips.txt"
options=()
[[ $# -eq 0 ]] || options=(--cfg-options "$@")
bash "$tools/batch_vis_cam.sh" "${config[0]}" "$checkpoint" "$out/test_clips.txt" "$out" \
    --stride 16 --dense ${options[@]+"${options[@]}"}

if [[ -n $fixations ]]; then
    step 'Does it look where people look?'
    python "$here/../saliency_metrics_comparison/compare.py" --heatmaps "$network=$out/heatmaps" \
        --fixations "$fixations" --videos "$clips" --out "$out/comparison" \
        ${comparison[@]+"${comparison[@]}"}
fi

cat <<END

What lies in $out:
  sequences/           a video per sub-sequence; lists/ with train.txt, val.txt, test.txt
  training/            logs and checkpoints
  predictions.pkl      scores of every test sequence
  heatmaps/            manifest.csv and one text file per video, with its .json beside it
  overlays/            the videos under their heatmaps
END
if [[ $synthetic == 1 ]]; then
    echo '  synthetic_kth/       SYNTHETIC videos, 00sequences.txt, true masks, fixations.csv'
fi
if [[ -n $fixations ]]; then
    echo '  comparison/          results.csv, summary.csv, pairs.csv, report/index.html'
else
    echo 'Not compared with gaze: no FIXATIONS=TABLE.csv was given.'
fi
